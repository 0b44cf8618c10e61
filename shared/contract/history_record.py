"""The history record: where a reading goes in its day, how records are packed, and how they are read.

A series has, for each UTC day, one Redis string per 60 recorded steps (a chunk, an hour at the default step), so that memory is allocated
for the written form. A chunk holds one record per step, of big-endian numbers:

    first balance + 1 (32 bits) | its moment (16), watch (16) | last balance + 1 (32) | its moment (16), newest moment + 1 (16)
    | each other metric + 1 (32 bits each), in the order of `METRICS`

0 is unknown, and a record whose newest moment is 0 is empty. Moments are counted from the start of the step, in milliseconds at steps up
to a minute. First and last balance are the ends of a run of readings that only rose, by at most `MAX_RISE` at a time: what a run gained
is the difference of its ends. A reading that falls or leaps ends the run, and so does one that leaves 0, or reaches, within half a minute
after a fall, the balance before it. The run before goes to the series' trail of the day, a string of 20-byte entries: the number of the
step, then the first four numbers of the record. Every balance that is kept was read, and the rules of income have the same result
for these as for all.

The watch says until when such a return is watched for: half of the moment, which may lie beyond the step, 0 for not at all.

A metric names the first layout that holds it, and layouts differ in nothing else, so a new metric begins a new layout. The key of a chunk
contains its layout. The newest layout is written. Older ones are read until their chunks have expired; where two layouts hold the same
step (the minute of an upgrade, or services of both versions at work) the balances of both count.

Layout 1 is older than this scheme: one string per day, 20 bytes per step, of the last reading alone.
"""

import functools
import itertools
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import UNSET

from shared.contract import keys
from shared.contract.feeds import Series
from shared.contract.readings import FIRST_LAYOUT, METRICS, Metric, Reading, values_of

DAY_SECONDS: Final = 86400
GRACE_SECONDS: Final = DAY_SECONDS  # Redis keeps a day for longer than readings of it are accepted, so that the last are archived
CHUNK_SLOTS: Final = 60
TRAIL_BYTES: Final = 20
MAX_TRAIL_BYTES: Final = 1024 * TRAIL_BYTES  # beyond it a day is exact to the step
MAX_RISE: Final = 250  # tokens; a larger one is kept as a reading of its own, since it may have to be confirmed
MAX_MOMENT: Final = 2**16 - 2

_RUN: Final = "IHHIHH"  # the numbers of a record that describe its run, and the newest moment
ENTRY: Final = struct.Struct(">I" + _RUN)
FIRST_MOMENT_AT: Final = struct.calcsize(">I")
WATCH_AT: Final = struct.calcsize(">IH")
LAST_AT: Final = struct.calcsize(">IHH")
LAST_MOMENT_AT: Final = struct.calcsize(">IHHI")
NEWEST_AT: Final = struct.calcsize(">IHHIH")
RUN_BYTES: Final = struct.calcsize(">" + _RUN)

_OLD_RECORD: Final = struct.Struct(">5I")  # the metrics of the first layout, the balance + 1 never 0, and the moment
OLD_RECORD_BYTES: Final = _OLD_RECORD.size


class Layout:
    """A layout of the record: which metrics it holds, and how."""

    def __init__(self, number: int, metrics: Sequence[Metric]) -> None:
        self.number = number
        self.metrics = metrics
        self.record = struct.Struct(">" + _RUN + "I" * (len(metrics) - 1))
        self.record_bytes = self.record.size
        self.chunk_bytes = CHUNK_SLOTS * self.record.size
        self._unknown = [itertools.repeat(None)] * (len(METRICS) - len(metrics))  # the metrics of later layouts

    def unpack(self, data: bytes, step_seconds: int = 60) -> Iterator["Record | None"]:
        """The records of a chunk or of a part of it, None for an empty one."""
        unit, words = unit_ms(step_seconds), self.record_bytes // 4
        numbers = numbers_of(full_records(data, self.record_bytes))
        values = [_known(numbers[word::words]) for word in (LAST_AT // 4, *range(RUN_BYTES // 4, words))]
        columns = zip(numbers[NEWEST_AT // 4 :: words], zip(*values, *self._unknown, strict=False), _known(numbers[0::words]), strict=True)
        for moments, known, first in columns:
            newest = moments & 0xFFFF
            yield Record((newest - 1) * unit, known, first) if newest else None


def _layouts(metrics: Sequence[Metric]) -> tuple[Layout, ...]:
    """Every layout from the newest to the first."""
    newest = max(metric.layout for metric in metrics)
    return tuple(
        Layout(number, [metric for metric in metrics if metric.layout <= number]) for number in range(newest, FIRST_LAYOUT - 1, -1)
    )


LAYOUTS: Final = _layouts(METRICS)
LAYOUT: Final = LAYOUTS[0]  # the one that is written
_pack: Final = LAYOUT.record.pack
_RECORD_BYTES: Final = LAYOUT.record_bytes


class Slot(NamedTuple):
    """Where and what to write: day, step and chunk as the key ends; byte offset; moment; record."""

    key_end: str
    offset: int
    moment: int
    record: bytes


def chunks_of_day(step_seconds: int) -> int:
    """How many chunks a whole day has."""
    return -(-DAY_SECONDS // (CHUNK_SLOTS * step_seconds))


def unit_ms(step_seconds: int) -> int:
    """What a moment is counted in: milliseconds, as long as a step has no more than 16 bits of them."""
    return -(-step_seconds * 1000 // MAX_MOMENT)


@functools.lru_cache(maxsize=512)  # the readings of a batch are of the same seconds, or nearly
def _place(second: int, step_seconds: int) -> tuple[str, int, int, int]:
    """Where the step of a Unix second is: end of the key and offset; the second's milliseconds within the step; the unit of moments."""
    second_of_day = second % DAY_SECONDS
    index, second_of_step = divmod(second_of_day, step_seconds)
    chunk, slot = divmod(index, CHUNK_SLOTS)
    key_end = f"{keys.day_of(second - second_of_day)}:{step_seconds}:{chunk}"
    return key_end, slot * _RECORD_BYTES, second_of_step * 1000, unit_ms(step_seconds)


def slot_of(reading: Reading, step_seconds: int) -> Slot:
    """The slot of a reading by its timestamp."""
    return Slot(*slot_values(reading, step_seconds))


def slot_values(reading: Reading, step_seconds: int) -> tuple[str, int, int, bytes]:
    """The same as a plain tuple, which takes a fifth less time to make."""
    key_end, offset, begin_ms, unit = _place(reading.timestamp, step_seconds)
    # The moment within its second is exact where `sequence` is Unix milliseconds, else the last digits of a counter, its order.
    moment = (begin_ms + reading.sequence % 1000) // unit
    balance, *others = [0 if value is None else value + 1 for value in values_of(reading)]
    at = moment if balance else 0
    record = _pack(balance, at, 0, balance, at, moment + 1, *others)
    return key_end, offset, moment, record


def series_of(reading: Reading) -> Series:
    """The series that a reading belongs to."""
    return Series(reading.room_id, reading.platform, account_of(reading))


def account_of(reading: Reading) -> str:
    """The account as keys spell it: empty for the unnamed one."""
    return "" if reading.account is UNSET else str(reading.account)


class Record(NamedTuple):
    """An unpacked record: the last reading of a step, and the first balance of its last run. Unknown values are None."""

    moment_ms: int
    values: tuple[int | None, ...]  # in the order of METRICS
    first_tokens: int | None

    @property
    def tokens(self) -> int | None:
        """The balance."""
        return self.values[0]


def unpack_old(data: bytes) -> Iterator[Record | None]:
    """The records of a part of a day's array of layout 1, None for an empty one."""
    unknown = [None] * (len(METRICS) - len(LAYOUTS[-1].metrics))
    for tokens, *others, moment_ms in _OLD_RECORD.iter_unpack(full_records(data, OLD_RECORD_BYTES)):
        yield Record(moment_ms, (*_known((tokens, *others)), *unknown), tokens - 1) if tokens else None


def full_records(data: bytes, record_bytes: int) -> bytes:
    """The data without a torn record at its end."""
    return data[: len(data) - len(data) % record_bytes]


def _known(stored: Iterable[int]) -> list[int | None]:
    return [value - 1 if value else None for value in stored]


def numbers_of(data: bytes) -> "array[int]":
    """The 32-bit numbers of some records."""
    numbers = array("I", data)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
