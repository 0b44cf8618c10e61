"""Every message of Studio Pulse as a frozen struct, with the codec that reads or writes it.

A reading is refused for what it says (wrong type, unknown field, out of bounds), never corrected: a typo must not become a zero.
Field order matters in two places and is part of the contract: `TelemetryUpdate` is stored in Redis in exactly this order, so that the
script can find the order of a stored reading and tell an identical one by comparing bytes.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MAX_COUNT: Final = 2**32 - 2  # history keeps value + 1 in 32 bits, and 0 for unknown
MAX_SEQUENCE: Final = 2**53 - 1  # every JSON reader, and Lua, holds it exactly
MAX_BATCH_ITEMS: Final = 1000
MAX_PATTERNS: Final = 500  # rooms or platforms that one filter may name
MAX_INTERVAL_SECONDS: Final = 3600

ROOM_PATTERN: Final = r"\A(?!\.+$)[A-Za-z0-9._-](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9._-])?\Z"
PLATFORM_PATTERN: Final = r"\A[a-z0-9][a-z0-9_-]{0,31}\Z"
ACCOUNT_PATTERN: Final = r"\A[A-Za-z0-9._-]{1,64}\Z"

RoomId = Annotated[str, Meta(pattern=ROOM_PATTERN, description="1-64 of A-Z a-z 0-9 space . _ -; no space at either end, not dots alone")]
Platform = Annotated[str, Meta(pattern=PLATFORM_PATTERN, description="1-32 of a-z 0-9 - _; starts with a letter or digit")]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT, description="a whole number from 0 to 4294967294")]
Seconds = Annotated[int, Meta(ge=0, le=2**40, description="Unix time in whole seconds")]
Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE, description="a whole number from 0 to 9007199254740991")]
Account = Annotated[str, Meta(pattern=ACCOUNT_PATTERN, description="1-64 of A-Z a-z 0-9 . _ -; whose balance it is; absent: not known")]
Interval = Annotated[
    int, Meta(ge=1, le=MAX_INTERVAL_SECONDS, description="seconds between two readings of this producer, 1 to 3600; absent: 5")
]

Stamp = Annotated[int, Meta(ge=0, le=2**53, description="a whole number that every JSON reader holds exactly")]

# What any of the decoders below may raise, and nothing else. Depth is not the library's error.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class TelemetryUpdate(Struct, frozen=True, forbid_unknown_fields=True):
    """One reading of one room on one platform, as a producer posts it. None means unknown, never zero.

    `account` and `interval_seconds` are left out of the encoding where they were not sent, so that the reading of a producer that does not
    know them is stored byte for byte as before they existed.
    """

    room_id: RoomId
    platform: Platform
    timestamp: Seconds
    tokens_count: Count | None
    sequence: Sequence = 0
    tips_count: Count | None = None
    viewers_count: Count | None = None
    goal_tokens: Count | None = None
    account: Account | UnsetType = UNSET
    interval_seconds: Interval | UnsetType = UNSET


class StoredReading(Struct, frozen=True):
    """A committed reading: what lies in Redis under the latest-value key and travels on the events channel.

    `version` orders the readings of a shard; `committed_at` is Redis' clock in Unix microseconds.
    """

    room_id: str
    platform: str
    timestamp: Seconds
    tokens_count: Count | None
    sequence: Sequence
    tips_count: Count | None
    viewers_count: Count | None
    goal_tokens: Count | None
    version: Stamp
    committed_at: Stamp
    account: str | UnsetType = UNSET
    interval_seconds: Interval | UnsetType = UNSET

    @property
    def made_at(self) -> int:
        """When the reading was made, in Unix seconds by the server's clock: no reading is younger than its commit."""
        return min(self.timestamp, self.committed_at // 1_000_000)


ClockOffset = Annotated[int, Meta(description="milliseconds that the producer's clock is behind; only with Pulse-Sent-At")]


class IngestAnswer(Struct, frozen=True, kw_only=True):
    """The answer to one accepted, duplicate or late reading."""

    status: str = "success"
    message: str
    processed_at: int
    result: str
    version: int
    clock_offset_ms: ClockOffset | UnsetType = UNSET


class BatchItem(Struct, frozen=True, omit_defaults=True):
    """The outcome of one item of a batch; `problem` only where it was rejected."""

    index: int
    result: str
    version: int | UnsetType = UNSET
    problem: dict[str, Any] | UnsetType = UNSET


class BatchAnswer(Struct, frozen=True):
    """The outcomes of a batch, in the order of its items."""

    results: list[BatchItem]
    clock_offset_ms: ClockOffset | UnsetType = UNSET


class EventData(Struct, frozen=True):
    """The numbers of a `TELEMETRY_UPDATE`; null is unknown. What the producer did not send, `account` or `interval_seconds`, is absent."""

    platform: str
    tokens: int | None
    tips: int | None
    viewers: int | None
    goal: int | None
    timestamp: int
    account: str | UnsetType = UNSET
    interval_seconds: int | UnsetType = UNSET


class Event(Struct, frozen=True, tag_field="event_type"):
    """Anything the broadcast service tells a dashboard; each has a `timestamp`, the server's clock in Unix seconds."""


class TelemetryEvent(Event, frozen=True, tag="TELEMETRY_UPDATE", kw_only=True):
    """A room's latest numbers on one platform."""

    room_id: str
    data: EventData
    timestamp: int
    version: int


class ExpiredData(Struct, frozen=True):
    """Which platform's value a `TELEMETRY_EXPIRED` is about."""

    platform: str


class ExpiredEvent(Event, frozen=True, tag="TELEMETRY_EXPIRED", kw_only=True):
    """The value of this version outlived its TTL."""

    room_id: str
    data: ExpiredData
    timestamp: int
    version: int


class HelloEvent(Event, frozen=True, tag="HELLO", kw_only=True):
    """First event of a session: its terms and the scope in force (`platforms` None: all of them)."""

    protocol: str
    instance: str
    heartbeat_seconds: float
    stale_seconds: int
    ttl_seconds: int
    token_expires_at: int
    rooms: list[str]
    platforms: list[str] | None
    build: str
    resumed: bool
    timestamp: int
    time_ms: int


class UpstreamEvent(Event, frozen=True, tag="UPSTREAM", kw_only=True):
    """The state of the link to Redis: `ok` or `degraded`."""

    status: str
    timestamp: int


class SyncEvent(Event, frozen=True, tag="SYNC", kw_only=True):
    """Everything up to `version` has been told; with `snapshot`, rooms not told since `HELLO` or `filter` are gone."""

    version: int
    snapshot: bool
    timestamp: int
    time_ms: int


class TokenExpiringEvent(Event, frozen=True, tag="TOKEN_EXPIRING", kw_only=True):
    """Renew with `auth` before `expires_at`."""

    expires_at: int
    timestamp: int


class TokenRenewedEvent(Event, frozen=True, tag="TOKEN_RENEWED", kw_only=True):
    """The answer to `auth`."""

    expires_at: int
    timestamp: int


class PongEvent(Event, frozen=True, tag="PONG", kw_only=True):
    """The answer to `ping`."""

    timestamp: int
    time_ms: int


class ErrorEvent(Event, frozen=True, tag="ERROR", kw_only=True):
    """A client message was refused; the session goes on."""

    code: str
    detail: str
    timestamp: int


class ReconnectEvent(Event, frozen=True, tag="RECONNECT", kw_only=True):
    """The server drains: come back after `retry_after_ms`."""

    retry_after_ms: int
    timestamp: int


class AuthMessage(Struct, frozen=True, tag_field="type", tag="auth", forbid_unknown_fields=True):
    """Client to server: renew the session with a newer token."""

    token: Annotated[str, Meta(max_length=4000)]


Patterns = Annotated[list[Annotated[str, Meta(max_length=65)]], Meta(max_length=MAX_PATTERNS)]


class FilterMessage(Struct, frozen=True, tag_field="type", tag="filter", forbid_unknown_fields=True):
    """Client to server: narrow what this session sees; None means all that the token allows."""

    rooms: Patterns | None = None
    platforms: Patterns | None = None


class PingMessage(Struct, frozen=True, tag_field="type", tag="ping", forbid_unknown_fields=True):
    """Client to server: ask for a `PONG`."""


ClientMessage = AuthMessage | FilterMessage | PingMessage

encode: Final = msgspec.json.Encoder().encode
decode_update: Final = msgspec.json.Decoder(TelemetryUpdate).decode
decode_updates: Final = msgspec.json.Decoder(Annotated[list[TelemetryUpdate], Meta(min_length=1, max_length=MAX_BATCH_ITEMS)]).decode
decode_raw_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
decode_stored: Final = msgspec.json.Decoder(StoredReading).decode
decode_client_message: Final = msgspec.json.Decoder(ClientMessage).decode


def telemetry_event(stored: StoredReading) -> TelemetryEvent:
    """The event that tells dashboards about a committed reading."""
    return TelemetryEvent(
        room_id=stored.room_id,
        data=EventData(
            platform=stored.platform,
            tokens=stored.tokens_count,
            tips=stored.tips_count,
            viewers=stored.viewers_count,
            goal=stored.goal_tokens,
            timestamp=stored.timestamp,
            account=stored.account,
            interval_seconds=stored.interval_seconds,
        ),
        timestamp=stored.committed_at // 1_000_000,
        version=stored.version,
    )
