"""The income of a series in blocks of 32 days, so that a report of a year reads a dozen rows of a series. Pure.

A block is made from the rolled-up days (`rollup.py`) and says nothing that they do not. Its income is a running sum over the whole block,
so the income of a step of a report, however long, is the difference of two numbers.
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from shared.archive.rollup import MINUTE_BYTES, MINUTES, ODD, QUARTER_SECONDS, QUARTERS, OddQuarter, Rollup, earned_before, odd_quarters
from shared.contract.history_record import DAY_SECONDS

BLOCK_DAYS: Final = 32
BLOCK_QUARTERS: Final = BLOCK_DAYS * QUARTERS
BLOCK_MINUTES: Final = BLOCK_DAYS * MINUTES
_ODD: Final = struct.Struct(">H" + ODD.format.removeprefix(">B"))
_DAY_MINUTES: Final = (1 << MINUTES) - 1


class Block(NamedTuple):
    """The days of a block, `days`, and those whose income is damaged, as bits; the rest as the database stores it.

    See `rollup.Rollup`; all days are in one.
    """

    days: int
    damaged: int
    gained: bytes
    odd: bytes
    minutes: bytes
    on_air: bytes


class DayParts(NamedTuple):
    """What a block takes from a rolled-up day, and has of all its days."""

    gained: bytes
    odd: bytes
    minutes: bytes
    on_air: bytes


class OddSums(NamedTuple):
    """The findings of a block other than income, together; the moments are milliseconds since the block's first midnight."""

    between_sessions: int
    unsettled: int
    set_aside: int
    first_unsettled_ms: int | None
    first_set_aside_ms: int | None


def is_sound_day(day: DayParts) -> bool:
    """Whether a rolled-up day can be read: a damaged one has other lengths."""
    return (
        len(day.gained) in (0, 2 * QUARTERS, 4 * QUARTERS, 8 * QUARTERS)
        and len(day.odd) % ODD.size == 0
        and len(day.minutes) == MINUTE_BYTES
        and len(day.on_air) in (0, 2 * QUARTERS)
    )


def is_sound(block: DayParts) -> bool:
    """Whether a block can be read."""
    return (
        len(block.gained) in (0, 4 * BLOCK_QUARTERS, 8 * BLOCK_QUARTERS)
        and len(block.odd) % _ODD.size == 0
        and len(block.minutes) == BLOCK_DAYS * MINUTE_BYTES
        and len(block.on_air) in (0, 2 * BLOCK_QUARTERS)
    )


def block_of(day: int) -> int:
    """The number of the block that has a day."""
    return day // BLOCK_DAYS


def first_day(block: int) -> int:
    """The first day of a block."""
    return block * BLOCK_DAYS


def build(days: Mapping[int, DayParts | Rollup], damaged: Iterable[int] = ()) -> Block:
    """The block of some rolled-up days, by their place in the block; the income of the `damaged` places is unknown."""
    mask, total, sums, odd = 0, 0, array("Q"), bytearray()
    minutes, on_air = bytearray(BLOCK_DAYS * MINUTE_BYTES), bytearray()
    for place in range(BLOCK_DAYS):
        day = days.get(place)
        if day is None or not day.gained:
            sums.extend([total] * QUARTERS)
        else:
            sums.extend(total + earned_before(day.gained, quarter) for quarter in range(1, QUARTERS + 1))
            total = sums[-1]
        if day is None:
            continue
        mask |= 1 << place
        minutes[place * MINUTE_BYTES : (place + 1) * MINUTE_BYTES] = day.minutes
        for found in odd_quarters(day.odd):
            firsts = (0 if first is None else first + 1 for first in (found.first_unsettled_ms, found.first_set_aside_ms))
            odd += _ODD.pack(place * QUARTERS + found.quarter, *found[1:4], *firsts)
        if day.on_air:
            on_air = on_air or bytearray(2 * BLOCK_QUARTERS)
            on_air[2 * place * QUARTERS : 2 * (place + 1) * QUARTERS] = day.on_air
    gained = _big_endian(sums if total >> 32 else array("I", sums)) if total else b""
    return Block(mask, sum(1 << place for place in damaged), gained, bytes(odd), bytes(minutes), bytes(on_air))


def running(gained: bytes) -> Sequence[int]:
    """The tokens earned in a block before each of its quarters, and in all of it."""
    if not gained:
        return bytes(BLOCK_QUARTERS + 1)
    sums = array("Q" if len(gained) == 8 * BLOCK_QUARTERS else "I", gained)
    if sys.byteorder == "little":
        sums.byteswap()
    sums.insert(0, 0)
    return sums


def odd_of(odd: bytes) -> Iterator[OddQuarter]:
    """The findings other than income, by quarter of the block; the moments are milliseconds since the block's first midnight."""
    for quarter, between_sessions, unsettled, set_aside, first_unsettled, first_set_aside in _ODD.iter_unpack(odd):
        start = _midnight_ms(quarter)
        first_unsettled_ms = start + first_unsettled if first_unsettled else None
        first_set_aside_ms = start + first_set_aside if first_set_aside else None
        yield OddQuarter(quarter, between_sessions, unsettled, set_aside, first_unsettled_ms, first_set_aside_ms)


def odd_sums(odd: bytes, covered: bytes) -> OddSums:
    """The sums of the findings other than income, and the first moments, of the quarters whose byte is set. They are in order."""
    between_sessions = unsettled = set_aside = 0
    first_unsettled_ms = first_set_aside_ms = None
    for quarter, between, tokens, times, first_unsettled, first_set_aside in _ODD.iter_unpack(odd):
        if not covered[quarter]:
            continue
        between_sessions += between
        unsettled += tokens
        set_aside += times
        if first_unsettled and first_unsettled_ms is None:
            first_unsettled_ms = _midnight_ms(quarter) + first_unsettled
        if first_set_aside and first_set_aside_ms is None:
            first_set_aside_ms = _midnight_ms(quarter) + first_set_aside
    return OddSums(between_sessions, unsettled, set_aside, first_unsettled_ms, first_set_aside_ms)


def _midnight_ms(quarter: int) -> int:
    """When the day of a quarter begins, less the 1 that stored moments have more, from the block's first midnight on."""
    return quarter // QUARTERS * DAY_SECONDS * 1000 - 1


def minutes_within(minutes: int, first: int, stop: int) -> int:
    """The minutes of a block, as bits, from one quarter to before another one; those before the first are cut off."""
    unit = QUARTER_SECONDS // 60
    return minutes >> first * unit & (1 << (stop - first) * unit) - 1


def minutes_of_day(minutes: int, place: int) -> int:
    """The minutes of one day of a block, as bits."""
    return minutes >> place * MINUTES & _DAY_MINUTES


def on_air_between(on_air: bytes, first: int, stop: int) -> int:
    """The seconds with a reading from one quarter to before another one, where the step of the history is no whole minute."""
    return sum(struct.unpack_from(f">{stop - first}H", on_air, 2 * first))


def _big_endian(sums: "array[int]") -> bytes:
    if sys.byteorder == "little":
        sums.byteswap()
    return sums.tobytes()
