"""Readings as producers post them and as Redis stores them, and the answers to producers: frozen structs with their decoders.

A reading is refused for a wrong type, an unknown field or a value out of bounds, and is never corrected: a typo must not become a zero.
The order of the fields of `Reading` is part of the contract. Readings are stored in Redis in that order, so that the commit script finds
the order of a stored reading, and recognizes an identical one by comparing bytes.
"""

import operator
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MAX_COUNT: Final = 2**32 - 2  # history keeps value + 1 in 32 bits, and 0 for unknown
MAX_SEQUENCE: Final = 2**53 - 1  # every JSON reader, and Lua, holds it exactly
MAX_BATCH_ITEMS: Final = 1000
MAX_INTERVAL_SECONDS: Final = 3600
FIRST_LAYOUT: Final = 2  # of the history record, to hold metrics as they are declared here

ROOM_PATTERN: Final = r"\A(?!\.+$)[A-Za-z0-9._-](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9._-])?\Z"
PLATFORM_PATTERN: Final = r"\A[a-z0-9][a-z0-9_-]{0,31}\Z"
ACCOUNT_PATTERN: Final = r"\A[A-Za-z0-9._-]{1,64}\Z"

RoomId = Annotated[str, Meta(pattern=ROOM_PATTERN, description="1-64 of A-Z a-z 0-9 space . _ -; no space at either end, not dots alone")]
Platform = Annotated[str, Meta(pattern=PLATFORM_PATTERN, description="1-32 of a-z 0-9 - _; starts with a letter or digit")]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT, description="a whole number from 0 to 4294967294")]
Seconds = Annotated[int, Meta(ge=0, le=2**40, description="Unix time in whole seconds")]
Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE, description="a whole number from 0 to 9007199254740991")]
Account = Annotated[
    str, Meta(pattern=ACCOUNT_PATTERN, description="1-64 of A-Z a-z 0-9 . _ -; the account that the balance belongs to; absent: unknown")
]
Interval = Annotated[
    int, Meta(ge=1, le=MAX_INTERVAL_SECONDS, description="seconds between two readings of this producer, 1 to 3600; absent: 5")
]

Stamp = Annotated[int, Meta(ge=0, le=2**53, description="a whole number that every JSON parser represents exactly")]


def _metric(name: str, description: str, *, layout: int = FIRST_LAYOUT) -> Meta:
    """Declares a field of a reading as a metric; see `Metric`."""
    return Meta(description=description, extra={"name": name, "layout": layout})


# The list of metrics. Events, the history record, points of charts, CSV columns and schemas follow from it: docs/adding-a-metric.md.
class Reading(Struct, frozen=True, forbid_unknown_fields=True):
    """One reading of one room on one platform, as a producer posts it. None means unknown, never zero.

    `account` and `interval_seconds` are left out of the encoding where they were not sent, so that the reading of a producer that does not
    know them is stored byte for byte as before they existed.
    """

    room_id: RoomId
    platform: Platform
    timestamp: Seconds
    tokens_count: Annotated[Count | None, _metric("tokens", "the balance of the account")]
    sequence: Sequence = 0
    tips_count: Annotated[Count | None, _metric("tips", "tips since the page was opened")] = None
    viewers_count: Annotated[Count | None, _metric("viewers", "viewers in the room")] = None
    goal_tokens: Annotated[Count | None, _metric("goal", "the balance that the room wants to reach")] = None
    account: Account | UnsetType = UNSET
    interval_seconds: Interval | UnsetType = UNSET


class Metric(NamedTuple):
    """A number that a reading reports, null where it is unknown."""

    field: str  # its name in a reading
    name: str  # its name in events, points, CSV and on the page
    description: str
    layout: int  # the first layout of the history record that holds it


def _metrics() -> Iterator[Metric]:
    """The metrics among the fields of a reading, in their order."""
    for field in msgspec.structs.fields(Reading):
        for declared in getattr(field.type, "__metadata__", ()):
            if declared.extra:
                yield Metric(field.name, description=declared.description, **declared.extra)


METRICS: Final = sorted(_metrics(), key=lambda metric: metric.layout)  # in the order of the history record; the balance is the first one
METRIC_FIELDS: Final = [(metric.name, Annotated[int | None, Meta(description=metric.description)]) for metric in METRICS]
values_of: Final[Callable[["Reading"], tuple[int | None, ...]]] = operator.attrgetter(*(metric.field for metric in METRICS))


class _Stored(Reading, frozen=True, forbid_unknown_fields=False):
    """The fields of a stored reading that its producer sent. Patterns were checked before it was stored, and cost time to check again."""

    room_id: str
    platform: str
    account: str | UnsetType = UNSET


class StoredReading(_Stored, frozen=True, kw_only=True):
    """A committed reading: what lies in Redis under the latest-value key and travels on the events channel.

    `version` orders the readings of a shard; `committed_at` is Redis' clock in Unix microseconds. A field that a reading may leave out may
    be missing here too, and unknown fields are ignored, so services of two versions read each other's values.
    """

    version: Stamp
    committed_at: Stamp

    @property
    def made_at(self) -> int:
        """When the reading was made, in Unix seconds by the server's clock: no reading is younger than its commit."""
        return min(self.timestamp, self.committed_at // 1_000_000)


ClockOffset = Annotated[int, Meta(description="milliseconds by which the producer's clock is behind; present only with Pulse-Sent-At")]


class IngestAnswer(Struct, frozen=True, kw_only=True):
    """The response to one accepted, duplicate or late reading."""

    status: str = "success"
    message: str
    processed_at: int
    result: str
    version: int
    clock_offset_ms: ClockOffset | UnsetType = UNSET


class BatchItem(Struct, frozen=True, omit_defaults=True):
    """The outcome of one item of a batch; `problem` is present only if it was rejected."""

    index: int
    result: str
    version: int | UnsetType = UNSET
    problem: dict[str, Any] | UnsetType = UNSET


class BatchAnswer(Struct, frozen=True):
    """The outcomes of a batch, in the order of its items."""

    results: list[BatchItem]
    clock_offset_ms: ClockOffset | UnsetType = UNSET


decode_reading: Final = msgspec.json.Decoder(Reading).decode
decode_readings: Final = msgspec.json.Decoder(Annotated[list[Reading], Meta(min_length=1, max_length=MAX_BATCH_ITEMS)]).decode
decode_raw_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
decode_stored: Final = msgspec.json.Decoder(StoredReading).decode
