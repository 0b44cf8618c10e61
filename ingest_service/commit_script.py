"""The commit script: its text, and the arguments that it takes.

The numbers of the history record and of results, and the number of arguments, are written into the text of the script, so that each is
declared once.
"""

import enum
import hashlib
import importlib.resources
import struct
from typing import Any, Final, NamedTuple

from ingest_service.limits import Limits
from ingest_service.validation import MAX_AHEAD_SECONDS
from shared.contract import history_record, keys
from shared.contract.codec import encode
from shared.contract.history_record import DAY_SECONDS, GRACE_SECONDS, LAYOUT, account_of, slot_values
from shared.contract.readings import Reading


class Result(enum.IntEnum):
    """What the script decided about a reading."""

    ACCEPTED = 1
    DUPLICATE = 2
    LATE = 3
    ROOM_LIMITED = 4
    TOKEN_LIMITED = 5
    DAMAGED = 6
    UNAVAILABLE = 7
    TOO_MANY_FEEDS = 8


class FixedArguments(NamedTuple):
    """What every call of a shard's script is given first."""

    latest_prefix: str
    chunk_prefix: str
    names_prefix: str
    feeds_prefix: str
    rate_prefix: str
    channel: str
    publish: str
    ttl: int  # seconds, as all lengths of time whose name has no unit
    retention: int
    step: int
    room_interval_us: int
    room_tolerance_us: int
    token_interval_us: int
    token_tolerance_us: int
    feeds_interval_us: int
    feeds_tolerance_us: int
    max_room_feeds: int
    max_day_feeds: int


NUMBERS: Final = struct.Struct(">QQHH")  # timestamp, sequence, offset of the record, moment
_pack: Final = NUMBERS.pack


class ReadingArguments(NamedTuple):
    """What the script is given of each reading. Redis takes 0.2 µs for each argument, so the numbers are in one."""

    room: str
    platform: str
    account: str
    body: bytes  # JSON without its opening brace: version and time of commit are put in front
    key_end: str
    packed: bytes  # the `NUMBERS`, and the history record


def fixed_arguments(
    shard: int, publish: str, limits: Limits, *, ttl_seconds: int, retention_days: int, step_seconds: int
) -> FixedArguments:
    """The fixed arguments of a shard."""
    return FixedArguments(
        keys.latest_prefix(shard),
        keys.history_chunk_prefix(shard, LAYOUT.number),
        keys.history_names_prefix(shard),
        keys.history_feeds_prefix(shard),
        keys.rate_prefix(shard),
        keys.events_channel(shard),
        publish,
        ttl_seconds,
        retention_days * DAY_SECONDS + GRACE_SECONDS,
        step_seconds,
        *limits.arguments(),
    )


def reading_arguments(reading: Reading, step_seconds: int) -> tuple[Any, ...]:
    """The arguments of one reading, in the order of `ReadingArguments`."""
    key_end, offset, moment, record = slot_values(reading, step_seconds)
    return (
        reading.room_id,
        reading.platform,
        account_of(reading),
        encode(reading)[1:],
        key_end,
        _pack(reading.timestamp, reading.sequence, offset, moment) + record,
    )


def _stored_pattern() -> str:
    """A Lua pattern that captures version, time of commit, timestamp and sequence of a stored reading.

    It is anchored: what a pattern need not search for costs a fifth.
    """
    patterns_of = {"timestamp": "(%d+)", "tokens_count": "[%dnul]+", "sequence": "(%d+)"}
    fields = Reading.__struct_fields__[: Reading.__struct_fields__.index("sequence") + 1]
    text = '"[^"]*"'
    patterns = ['"version":(%d+)', '"committed_at":(%d+)', *(f'"{field}":{patterns_of.get(field, text)}' for field in fields)]
    return "^{" + ",".join(patterns)


CONSTANTS: Final[dict[str, int | str]] = {
    "FIRST": len(FixedArguments._fields) + 2,  # after the fixed arguments and the last version that was answered
    "STRIDE": len(ReadingArguments._fields),
    "STORED": _stored_pattern(),
    "NUMBERS_BYTES": NUMBERS.size,
    "CHUNK_SLOTS": history_record.CHUNK_SLOTS,
    "CHUNK_BYTES": LAYOUT.chunk_bytes,
    "RECORD_BYTES": LAYOUT.record_bytes,
    "RUN_BYTES": history_record.RUN_BYTES,
    "FIRST_MOMENT_AT": history_record.FIRST_MOMENT_AT,
    "WATCH_AT": history_record.WATCH_AT,
    "LAST_AT": history_record.LAST_AT,
    "LAST_MOMENT_AT": history_record.LAST_MOMENT_AT,
    "NEWEST_AT": history_record.NEWEST_AT,
    "TRAIL_BYTES": history_record.TRAIL_BYTES,
    "MAX_TRAIL_BYTES": history_record.MAX_TRAIL_BYTES,
    "MAX_RISE": history_record.MAX_RISE,
    "MAX_MOMENT": history_record.MAX_MOMENT,
    "DAY_SECONDS": DAY_SECONDS,
    "MAX_AHEAD_SECONDS": MAX_AHEAD_SECONDS,
    **{result.name: result.value for result in Result},
}


def _text() -> str:
    """The script with its constants. They are on one line, so that the lines of an error are those of the file."""
    source = importlib.resources.files(__package__).joinpath("telemetry.lua").read_text()
    values = [f"'{value}'" if isinstance(value, str) else str(value) for value in CONSTANTS.values()]
    before, _, after = source.partition("--@constants")
    return f"{before}local {', '.join(CONSTANTS)} = {', '.join(values)}{after}"


SCRIPT: Final = _text()
DIGEST: Final = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()  # by which Redis names it
