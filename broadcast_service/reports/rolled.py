"""The part of a report that is made from blocks of the archive: which days it can be, and what a block adds to it. Pure.

A day can be read from blocks where every step of the report begins on a quarter of an hour in it. Days whose steps do not are scanned.
"""

import operator
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from broadcast_service.reports.findings import Findings
from shared.archive.blocks import (
    BLOCK_DAYS,
    BLOCK_QUARTERS,
    DayParts,
    block_of,
    first_day,
    is_sound,
    minutes_of_day,
    minutes_within,
    odd_of,
    odd_sums,
    on_air_between,
    running,
)
from shared.archive.reader import BlockRow
from shared.archive.rollup import MINUTES, QUARTER_SECONDS, minutes_of
from shared.contract.feeds import Series
from shared.contract.history_record import DAY_SECONDS
from shared.income.rules import Kind
from shared.income.steps import Steps

MINUTES_PER_QUARTER: Final = QUARTER_SECONDS // 60
MAX_TOKENS: Final = 1 << 53  # more than any account earns within a block
_ALL_DAYS: Final = (1 << BLOCK_DAYS) - 1
_DAY_BITS: Final = (1 << MINUTES) - 1


class Pieces(NamedTuple):
    """The stretches of quarters of a block that belong to one step of the report each.

    `minutes` has the minutes of all of them as bits, and `covered` a byte for each quarter of the block, 1 for one of theirs.
    """

    starts: Sequence[int]
    stops: Sequence[int]
    steps: Sequence[int]
    minutes: int
    covered: bytes

    def step_at(self, quarter: int) -> int | None:
        """The step of a quarter, None where the quarter is in no piece."""
        place = bisect_right(self.starts, quarter) - 1
        return self.steps[place] if place >= 0 and quarter < self.stops[place] else None


def days_in_blocks(steps: Steps, days: Iterable[int], last_day: int) -> list[int]:
    """Which of some days can be read from blocks that have the days up to a last one."""
    begins = {steps.begin(step) for step in range(steps.number + 1)}
    uneven = {begin // DAY_SECONDS for begin in begins if begin % QUARTER_SECONDS}
    return [day for day in days if day <= last_day and day not in uneven]


def pieces_of(steps: Steps, days: Sequence[int]) -> dict[int, Pieces]:
    """The pieces of each block that has some of these days, which can be read from blocks."""
    found: dict[int, list[list[int]]] = {}
    for day in days:
        start, end = max(day * DAY_SECONDS, steps.start), min((day + 1) * DAY_SECONDS, steps.end)
        if start >= end:
            continue
        pieces, offset = found.setdefault(block_of(day), []), first_day(block_of(day)) * DAY_SECONDS
        for step in range(steps.step_at(start), steps.step_at(end - 1) + 1):
            begin = (max(start, steps.begin(step)) - offset) // QUARTER_SECONDS
            stop = (min(end, steps.begin(step + 1)) - offset) // QUARTER_SECONDS
            if pieces and pieces[-1][1:] == [begin, step]:
                pieces[-1][1] = stop
            else:
                pieces.append([begin, stop, step])
    return {block: _pieces(pieces) for block, pieces in found.items()}


def _pieces(pieces: Sequence[Sequence[int]]) -> Pieces:
    minutes, covered = 0, bytearray(BLOCK_QUARTERS)
    for start, stop, _ in pieces:
        covered[start:stop] = b"\1" * (stop - start)
        minutes |= ((1 << (stop - start) * MINUTES_PER_QUARTER) - 1) << start * MINUTES_PER_QUARTER
    starts, stops, steps = zip(*pieces, strict=True)
    return Pieces(starts, stops, steps, minutes, bytes(covered))


class Rolled:
    """What blocks add to a report; `add` takes one block after another, in any thread."""

    def __init__(self, steps: Steps, window: range, days: Sequence[int], *, step_seconds: int, with_read: bool) -> None:
        self.days = frozenset(days)
        self.pieces = pieces_of(steps, days)
        self.blocks = range(min(self.pieces), max(self.pieces) + 1) if self.pieces else range(0)
        self.minutes = dict.fromkeys(self.pieces, 0)  # of each block, those with a reading of any series
        self.window = window
        self._slots_per_minute = 60 // step_seconds
        self._step_seconds = step_seconds
        self.with_read = with_read
        self._found: dict[Series, Findings] = {}
        self._damaged: dict[tuple[Series, int], int] = {}  # by block, the days that cannot be read, as bits

    def take(self, series: Series) -> Findings | None:
        """The findings of a series; each is returned once."""
        return self._found.pop(series, None)

    def damaged_days(self) -> Iterator[tuple[Series, int]]:
        """The days that cannot be read; all days of a damaged block, whether the series has them or not."""
        for (series, block), days in self._damaged.items():
            first = first_day(block)
            yield from ((series, day) for day in self.days if block_of(day) == block and days >> day - first & 1)

    def add(self, row: BlockRow, shared: Mapping[str, int]) -> None:
        """Adds a block. `shared` has the days, as bits since the epoch, on which a room has more than one series."""
        pieces = self.pieces.get(row.block)
        if pieces is None:
            return
        gains = self._gains(row, pieces) if is_sound(DayParts(row.gained, row.odd, row.minutes, row.on_air)) else None
        if gains is None:
            self._damaged[row.series, row.block] = _ALL_DAYS
            return
        if row.damaged:
            self._damaged[row.series, row.block] = row.damaged
        found = self._found.setdefault(row.series, Findings(self.window))
        for step, tokens in zip(pieces.steps, gains, strict=False):
            found.earned[step - self.window.start] += tokens
        self._add_odd(found, row, pieces)
        bits = minutes_of(row.minutes) & pieces.minutes
        if not bits:
            return
        found.was_read = True
        self.minutes[row.block] |= bits
        self._add_time(found, row, bits, shared.get(row.series.room_id, 0) >> first_day(row.block) & (1 << BLOCK_DAYS) - 1)
        if self.with_read:
            self._add_read(found, row, pieces, bits)

    def _gains(self, row: BlockRow, pieces: Pieces) -> list[int] | None:
        """The income of each piece, nothing for a block without income, None for one that is damaged: its running sums fall."""
        if not row.gained:
            return []
        sums = running(row.gained)
        gains = list(map(operator.sub, map(sums.__getitem__, pieces.stops), map(sums.__getitem__, pieces.starts)))
        return gains if 0 <= min(gains) <= max(gains) < MAX_TOKENS else None

    def _add_odd(self, found: Findings, row: BlockRow, pieces: Pieces) -> None:
        """Adds the findings other than income: by step for a file, else all to the first step, since only their sums are reported."""
        if not row.odd:
            return
        start_ms = first_day(row.block) * DAY_SECONDS * 1000
        if self.with_read:
            by_step = ((step, odd[1:]) for odd in odd_of(row.odd) if (step := pieces.step_at(odd.quarter)) is not None)
        else:
            by_step = ((step, sums) for step, sums in [(pieces.steps[0], odd_sums(row.odd, pieces.covered))])
        for step, (between_sessions, unsettled, set_aside, first_unsettled_ms, first_set_aside_ms) in by_step:
            if between_sessions:
                found.between_sessions[step] += between_sessions
            if unsettled:
                found.unsettled[step] += unsettled
            if set_aside:
                found.set_aside[step] += set_aside
            if first_unsettled_ms is not None:
                found.point(Kind.UNSETTLED, step, start_ms + first_unsettled_ms)
            if first_set_aside_ms is not None:
                found.point(Kind.SET_ASIDE, step, start_ms + first_set_aside_ms)

    def _add_time(self, found: Findings, row: BlockRow, bits: int, shared: int) -> None:
        for place in range(BLOCK_DAYS) if shared else ():
            if shared >> place & 1 and (of_day := minutes_of_day(bits, place)):
                found.shared[first_day(row.block) + place] = self._slots(of_day)
                bits &= ~(_DAY_BITS << place * MINUTES)
        if row.on_air:
            quarters = {minute // MINUTES_PER_QUARTER for minute in range(bits.bit_length()) if bits >> minute & 1}
            found.alone += sum(on_air_between(row.on_air, one, one + 1) for one in quarters) // self._step_seconds
        else:
            found.alone += bits.bit_count() * self._slots_per_minute

    def _slots(self, minutes: int) -> int:
        """The recorded steps of some minutes of a day, as bits: a minute with a reading counts in full."""
        slots = minutes
        for copy in range(1, self._slots_per_minute):
            slots |= minutes << copy * MINUTES
        return slots

    def _add_read(self, found: Findings, row: BlockRow, pieces: Pieces, bits: int) -> None:
        if found.read is None:
            found.read = array("I", bytes(4 * len(self.window)))
        for start, stop, step in zip(pieces.starts, pieces.stops, pieces.steps, strict=True):
            seconds = 60 * minutes_within(bits, start, stop).bit_count()
            if row.on_air and seconds:
                seconds = on_air_between(row.on_air, start, stop)
            found.read[step - self.window.start] += seconds // self._step_seconds

    def empty_minutes(self) -> dict[int, int]:
        """The number of minutes in which no series has a reading, by step of the report."""
        found: dict[int, int] = {}
        for block, pieces in self.pieces.items():
            for start, stop, step in zip(pieces.starts, pieces.stops, pieces.steps, strict=True):
                read = minutes_within(self.minutes[block], start, stop).bit_count()
                found[step] = found.get(step, 0) + (stop - start) * MINUTES_PER_QUARTER - read
        return found
