"""The history record: where a reading goes in its day's array, and how a record is packed.

One Redis string per room, platform and UTC day holds a fixed 20-byte record per step: four unsigned 32-bit big-endian numbers, each
value + 1 (0: unknown), then the moment of the reading within its step in milliseconds. A record whose first number is 0 is empty.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from shared.keys import day_of
from shared.messages import TelemetryUpdate

RECORD_BYTES: Final = 20
DAY_SECONDS: Final = 86400
NEVER: Final = -2  # the moment of a reading that is not recorded: older than that of an empty slot

_RECORD: Final = struct.Struct(">5I")


class Slot(NamedTuple):
    """Where and what to write, in the script's order: the UTC day, the byte offset in its array, the packed record, its moment in ms."""

    day: str
    offset: int
    record: bytes
    moment_ms: int


def slot_of(update: TelemetryUpdate, step_seconds: int) -> Slot:
    """The history slot of a reading."""
    second_of_day = update.timestamp % DAY_SECONDS
    index, second_of_step = divmod(second_of_day, step_seconds)
    moment_ms = second_of_step * 1000 + _millisecond(update)
    record = _RECORD.pack(
        _stored(update.tokens_count), _stored(update.tips_count), _stored(update.viewers_count), _stored(update.goal_tokens), moment_ms
    )
    return Slot(day_of(update.timestamp), index * RECORD_BYTES, record, NEVER if update.tokens_count is None else moment_ms)


def _millisecond(update: TelemetryUpdate) -> int:
    """The moment within its second: exact where `sequence` is Unix milliseconds, else its order, which is all we know."""
    second, millisecond = divmod(update.sequence, 1000)
    return millisecond if second == update.timestamp else min(update.sequence, 999)


def _stored(value: int | None) -> int:
    return 0 if value is None else value + 1


class Record(NamedTuple):
    """An unpacked record; unknown values are None."""

    tokens: int
    tips: int | None
    viewers: int | None
    goal: int | None
    moment_ms: int


def unpack(data: bytes) -> Iterator[Record | None]:
    """The records of a part of a day's array, None for an empty one."""
    whole = len(data) - len(data) % RECORD_BYTES
    for tokens, tips, viewers, goal, moment_ms in _RECORD.iter_unpack(data[:whole]):
        yield Record(tokens - 1, _known(tips), _known(viewers), _known(goal), moment_ms) if tokens else None


def _known(stored: int) -> int | None:
    return stored - 1 if stored else None
