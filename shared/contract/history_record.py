"""The history record: where a reading goes in its day, how records are packed, and how they are read.

Layout 2. The balances of one account in one room on one platform are a series. A series has, for each UTC day, one Redis string per 60
recorded steps (a chunk, an hour at the default step), so that memory is allocated for what is written. A chunk holds 28 bytes per step,
seven big-endian numbers of 32 bits:

    first balance + 1 | its moment (16 bits), 0 | last balance + 1 | its moment (16 bits), newest moment + 1 (16 bits)
    | tips + 1 | viewers + 1 | goal + 1

0 is unknown, and a record whose newest moment is 0 is empty. Moments are counted from the start of the step, in milliseconds at steps up
to a minute. First and last balance are the ends of a run of readings that only rose, by at most `MAX_RISE` at a time: what a run gained
is the difference of its ends. A reading that falls or leaps ends the run. The run before it goes to the series' trail of the day, a
string of 20-byte entries: the number of the step, then the first four numbers of the record. Every balance that is kept was read.

Layout 1, written until layout 2 and readable until it expires: one string per day, 20 bytes per step, of the last reading alone.
"""

import functools
import itertools
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import UNSET

from shared.contract.keys import day_of
from shared.contract.readings import Reading

DAY_SECONDS: Final = 86400
CHUNK_SLOTS: Final = 60
RECORD_BYTES: Final = 28
TRAIL_BYTES: Final = 20
OLD_RECORD_BYTES: Final = 20
MAX_RISE: Final = 250  # tokens; a larger one is kept as a reading of its own, so that it can be set aside
RETURN_MS: Final = 30_000  # within which a balance returns to where it was before a reading that was none
MAX_MOMENT: Final = 2**16 - 2

_RECORD: Final = struct.Struct(">IHHIHHIII")
_RUN: Final = struct.Struct(">IIHHIHH")
_OLD_RECORD: Final = struct.Struct(">5I")


class Slot(NamedTuple):
    """Where and what to write, in the script's order: day, step and chunk as its key ends; byte offset; record; moment; balance."""

    key_end: str
    offset: int
    record: bytes
    moment: int
    tokens: int | str  # empty: unknown


def chunks_of_day(step_seconds: int) -> int:
    """How many chunks a whole day has."""
    return -(-DAY_SECONDS // (CHUNK_SLOTS * step_seconds))


def unit_ms(step_seconds: int) -> int:
    """What a moment is counted in: milliseconds, as long as a step has no more than 16 bits of them."""
    return -(-step_seconds * 1000 // MAX_MOMENT)


@functools.lru_cache(maxsize=64)
def _key_end(day_start: int, step_seconds: int, chunk: int) -> str:
    return f"{day_of(day_start)}:{step_seconds}:{chunk}"


def slot_of(update: Reading, step_seconds: int, now_ms: int | None = None) -> Slot:
    """The slot of a reading; one stamped ahead of now counts as made now."""
    second, millisecond = update.timestamp, _millisecond(update)
    if now_ms is not None and second > now_ms // 1000:
        second, millisecond = divmod(now_ms, 1000)
    second_of_day = second % DAY_SECONDS
    index, second_of_step = divmod(second_of_day, step_seconds)
    chunk, slot = divmod(index, CHUNK_SLOTS)
    moment = (second_of_step * 1000 + millisecond) // unit_ms(step_seconds)
    tokens = _stored(update.tokens_count)
    record = _RECORD.pack(
        tokens,
        moment if tokens else 0,
        0,
        tokens,
        moment if tokens else 0,
        moment + 1,
        _stored(update.tips_count),
        _stored(update.viewers_count),
        _stored(update.goal_tokens),
    )
    key_end = _key_end(second - second_of_day, step_seconds, chunk)
    return Slot(key_end, slot * RECORD_BYTES, record, moment, "" if update.tokens_count is None else update.tokens_count)


def account_of(update: Reading) -> str:
    """The account as keys spell it: empty for the nameless one."""
    return "" if update.account is UNSET else str(update.account)


def _millisecond(update: Reading) -> int:
    """The moment within its second: exact where `sequence` is Unix milliseconds, else its order, which is all we know."""
    second, millisecond = divmod(update.sequence, 1000)
    return millisecond if second == update.timestamp else min(update.sequence, 999)


def _stored(value: int | None) -> int:
    return 0 if value is None else value + 1


class Record(NamedTuple):
    """An unpacked record: the last reading of a step, and the first balance of its last run. Unknown values are None."""

    tokens: int | None
    tips: int | None
    viewers: int | None
    goal: int | None
    moment_ms: int
    first_tokens: int | None = None


def unpack(data: bytes, step_seconds: int = 60) -> Iterator[Record | None]:
    """The records of a chunk or of a part of it, None for an empty one."""
    unit = unit_ms(step_seconds)
    whole = len(data) - len(data) % RECORD_BYTES
    for first, _, _, last, _, newest, tips, viewers, goal in _RECORD.iter_unpack(data[:whole]):
        if newest:  # written out, since a chart unpacks ten thousand of them
            yield Record(
                last - 1 if last else None,
                tips - 1 if tips else None,
                viewers - 1 if viewers else None,
                goal - 1 if goal else None,
                (newest - 1) * unit,
                first - 1 if first else None,
            )
        else:
            yield None


def unpack_old(data: bytes) -> Iterator[Record | None]:
    """The records of a part of a day's array of layout 1, None for an empty one."""
    whole = len(data) - len(data) % OLD_RECORD_BYTES
    for tokens, tips, viewers, goal, moment_ms in _OLD_RECORD.iter_unpack(data[:whole]):
        yield Record(tokens - 1, _known(tips), _known(viewers), _known(goal), moment_ms, tokens - 1) if tokens else None


def _known(stored: int) -> int | None:
    return stored - 1 if stored else None


class Balance(NamedTuple):
    """A balance that is kept: when it was read, in milliseconds since midnight, and its value."""

    moment_ms: int
    tokens: int


class DayBalances(NamedTuple):
    """One series' balances of a day.

    `pairs` holds two numbers per recorded step, the first and the last balance + 1, 0 for unknown, in order of observation. `gains` is what
    some steps gained beyond the difference of the two.
    """

    pairs: "array[int]"
    gains: dict[int, int]


def day_balances(chunks: Sequence[bytes | None], trail: bytes | None, old: bytes | None, step_seconds: int) -> DayBalances:
    """The balances of a day from its chunks, its trail and the array that layout 1 left."""
    slots = DAY_SECONDS // step_seconds
    pairs = array("I", bytes(8 * slots))
    if any(chunks):
        whole = CHUNK_SLOTS * RECORD_BYTES
        data = b"".join((chunk or b"")[:whole].ljust(whole, b"\0") for chunk in chunks)
        numbers = _numbers(data[: slots * RECORD_BYTES].ljust(slots * RECORD_BYTES, b"\0"), RECORD_BYTES)
        pairs[0::2], pairs[1::2] = numbers[0::7], numbers[2::7]
    if old:
        last = _numbers(old[: slots * OLD_RECORD_BYTES].ljust(slots * OLD_RECORD_BYTES, b"\0"), OLD_RECORD_BYTES)[::5]
        if any(chunks):  # the day of the change: where both hold a step the newer layout is right
            last = array("I", [new or before for new, before in zip(pairs[1::2], last, strict=True)])
            first = array("I", [new or before for new, before in zip(pairs[0::2], last, strict=True)])
            pairs[0::2], pairs[1::2] = first, last
        else:
            pairs[0::2] = pairs[1::2] = last
    gains: dict[int, int] = {}
    for slot, readings in _broken(chunks, trail or b"", step_seconds).items():
        if 2 * slot < len(pairs):
            kept = set_aside(readings)
            pairs[2 * slot], pairs[2 * slot + 1] = kept[0].tokens + 1, kept[-1].tokens + 1
            rises = sum(max(0, after.tokens - before.tokens) for before, after in itertools.pairwise(kept))
            if extra := rises - max(0, kept[-1].tokens - kept[0].tokens):
                gains[slot] = extra
    return DayBalances(pairs, gains)


def _numbers(data: bytes, record_bytes: int) -> "array[int]":
    numbers = array("I", data[: len(data) - len(data) % record_bytes])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _broken(chunks: Sequence[bytes | None], trail: bytes, step_seconds: int) -> dict[int, list[Balance]]:
    """The readings of every step that has more than one run, in order."""
    found: dict[int, list[Balance]] = {}
    for entry in _RUN.iter_unpack(trail[: len(trail) - len(trail) % TRAIL_BYTES]):
        found.setdefault(entry[0], []).extend(_ends(entry, step_seconds))
    for slot, readings in found.items():
        chunk, within = divmod(slot, CHUNK_SLOTS)
        data = (chunks[chunk] or b"" if chunk < len(chunks) else b"")[within * RECORD_BYTES : (within + 1) * RECORD_BYTES]
        if len(data) == RECORD_BYTES:
            readings.extend(_ends((slot, *_RECORD.unpack(data)), step_seconds))
        readings.sort(key=lambda reading: reading.moment_ms)
    return {slot: readings for slot, readings in found.items() if readings}


def _ends(run: Sequence[int], step_seconds: int) -> Iterator[Balance]:
    """The readings at the ends of a run: the number of its step, then the numbers of a record."""
    slot, first, first_moment, _, last, last_moment = run[:6]
    start, unit = slot * step_seconds * 1000, unit_ms(step_seconds)
    if first:
        yield Balance(start + first_moment * unit, first - 1)
    if last and (last, last_moment) != (first, first_moment):
        yield Balance(start + last_moment * unit, last - 1)


def readings_of_day(chunks: Sequence[bytes | None], trail: bytes | None, step_seconds: int) -> list[Balance]:
    """Every balance that is kept of a series' day, in order of observation: both ends of every run."""
    found: list[Balance] = []
    for number, data in enumerate(chunks):
        usable = (data or b"")[: len(data or b"") - len(data or b"") % RECORD_BYTES]
        for slot, record in enumerate(_RECORD.iter_unpack(usable), number * CHUNK_SLOTS):
            found += _ends((slot, *record), step_seconds)
    trail = trail or b""
    for entry in _RUN.iter_unpack(trail[: len(trail) - len(trail) % TRAIL_BYTES]):
        found += _ends(entry, step_seconds)
    return sorted(found, key=lambda reading: reading.moment_ms)


def set_aside(readings: Iterable[Balance]) -> list[Balance]:
    """The readings without those that their neighbours contradict.

    After a fall, or a rise beyond `MAX_RISE`, a balance that is back within half a minute at or a little above where it was shows that what
    lay between was no balance: a placeholder, a slipped digit, a number read half-drawn.
    """
    kept: list[Balance] = []
    for reading in readings:
        end = len(kept)
        for at in range(len(kept) - 2, -1, -1):
            before, odd = kept[at], kept[at + 1]
            if reading.moment_ms - odd.moment_ms > RETURN_MS:
                break
            leapt = odd.tokens < before.tokens or odd.tokens > before.tokens + MAX_RISE
            if leapt and before.tokens <= reading.tokens <= before.tokens + MAX_RISE:
                end = at + 1  # the longest such stretch: a placeholder may be shown in several forms
        del kept[end:]
        kept.append(reading)
    return kept
