"""Judges an account's stored history, a day at a time, by the rules of `rules.py`. Pure.

Most stretches of a day hold nothing but plain rises, and there the rules find the difference of the ends. Such a stretch is not unpacked
into readings: where it begins and ends is found in the columns of the day. The steps around falls and leaps are unpacked.
"""

import operator
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain, compress, islice, pairwise, repeat
from typing import Final, NamedTuple

from shared.contract.history_day import DayBalances, Kept, kept_balances
from shared.contract.history_record import unit_ms
from shared.income.rules import CONFIRM_MS, SESSION_GAP_MS, SMALL_RISE, Account, Balance, Entry, Kind
from shared.income.steps import Grid

READ_ONE_BY_ONE: Final = 8  # steps of several rooms
LOOKED_AT: Final = 120  # balances
SMALL_GROUP: Final = 8  # recorded steps; cutting a stretch into so few costs more than adding up each of them


class Stored(NamedTuple):
    """A day of an account in one room."""

    room: str
    day: DayBalances


class Cuts(NamedTuple):
    """Where a report's steps begin on a day. `first` is the day's midnight, counted from the start of the span, and may be negative."""

    first: int
    grid: Grid

    def within(self, start: int, stop: int) -> Sequence[int]:
        """The positions in a stretch of the day, after its start, at which a step of the report begins or the span ends."""
        first = self.first
        return [cut - first for cut in self.grid.between(first + start, first + stop)]


class Taken(NamedTuple):
    """What a day makes certain: entries, and gains of a room by their step in the day where rises alone were added up."""

    entries: list[Entry]
    gains: list[tuple[str, int, int]]


class _Rises:
    """Where some steps of a day can be rises alone.

    `slots` are the steps with a balance, and `ends` has two numbers of each: its first and its last balance, stored + 1. From one of
    the `breaks` to the next the ends do not fall; a break is judged by its readings. A pause between sessions may end at one of `pauses`.
    `begins` has the first balance of the steps that hold several runs without a fall.
    """

    def __init__(self, day_ms: int, held: Stored, slots: range, empty_steps: int, step_seconds: int) -> None:
        self.day_ms = day_ms
        self.held = held
        day = held.day
        part = slice(slots.start, slots.stop)
        firsts, lasts = day.firsts[part], day.lasts[part]
        self.breaks: set[int] = set()
        self.pauses: set[int] = set()
        self.begins: dict[int, Kept] = {}
        for slot in day.runs:
            if slot in slots:
                kept = kept_balances(day, (slot,), step_seconds)
                at, tokens = slot - slots.start, [one.tokens for one in kept]
                if firsts[at] and lasts[at] == tokens[-1] + 1 and tokens == sorted(tokens):
                    self.begins[slot] = kept[0]
                    firsts[at] = tokens[0] + 1
                else:
                    self.breaks.add(slot)
        pairs = array("I", bytes(8 * len(slots)))
        pairs[0::2], pairs[1::2] = firsts, lasts
        self.ends = list(filter(None, pairs))
        self.slots: Sequence[int] = slots
        if len(self.ends) < len(pairs):
            self._skip_empty(slots, firsts, lasts, empty_steps)
        for start in range(0, len(self.ends), LOOKED_AT):  # a comparison with its sorted copy is faster than one of each pair
            some = self.ends[start : start + LOOKED_AT + 1]
            if some != sorted(some):
                falls = compress(range(start + 1, start + len(some)), map(operator.gt, some, islice(some, 1, None)))
                self.breaks.update(self.slots[fall // 2] for fall in falls)

    def _skip_empty(self, slots: range, firsts: "array[int]", lasts: "array[int]", empty_steps: int) -> None:
        known, with_first = list(compress(slots, lasts)), list(compress(slots, firsts))
        if known != with_first:  # half a record: damage
            odd = {*known} ^ {*with_first}
            self.breaks |= odd
            known = [slot for slot in known if slot not in odd]
            self.ends = [end for slot in known for end in (firsts[slot - slots.start], lasts[slot - slots.start])]
        self.slots = known
        if len(slots) - len(known) >= empty_steps:
            self.pauses = {after for before, after in pairwise(known) if after - before > empty_steps}

    def within(self, start: int, stop: int) -> tuple[int, int]:
        """Which of `slots` are between two steps of the day."""
        return bisect_left(self.slots, start), bisect_left(self.slots, stop)


def _has_balance(day: DayBalances, slots: range) -> bool:
    """Whether a day has a balance in some steps."""
    return any(day.lasts[max(slots.start, day.filled.start) : min(slots.stop, day.filled.stop)]) or any(slot in slots for slot in day.runs)


class AccountScan:
    """Takes an account's days in order of time and finds its entries; moments are Unix milliseconds."""

    def __init__(self, step_seconds: int) -> None:
        self._step_seconds = step_seconds
        self._account = Account()
        # So many steps at the end of a stretch: the first of them began longer ago than a confirmation takes.
        self._settled_steps = 2 - (-CONFIRM_MS // (1000 * step_seconds))
        self._empty_steps = -(-SESSION_GAP_MS // (1000 * step_seconds)) - 1  # so many in a row may be a pause between sessions
        self.is_sure = False  # whether readings before the first day cannot change later entries
        self.judged = 0  # readings that were unpacked and judged one by one: most of the cost of a day with falls

    @property
    def is_settled(self) -> bool:
        """Whether no reading waits for confirmation."""
        return self._account.is_settled

    def take(self, day_ms: int, held: Sequence[Stored], slots: range, cuts: Cuts) -> Taken:
        """The entries that some steps of a day make certain. `day_ms` is the midnight before them."""
        taken = Taken([], [])
        self._take(taken, day_ms, held, slots, cuts)
        return taken

    def finish(self, now_ms: int) -> list[Entry]:
        """The entries that the passing of time confirms, and an upper bound for the pending readings."""
        return [*self._account.settle(now_ms), *self._account.provisional()]

    def _take(self, taken: Taken, day_ms: int, held: Sequence[Stored], slots: range, cuts: Cuts) -> None:
        present = [one for one in held if _has_balance(one.day, slots)]
        if not present:
            return
        filled = [one.day.filled for one in present]
        slots = range(max(slots.start, min(one.start for one in filled)), min(slots.stop, max(one.stop for one in filled)))
        if len(present) == 1:
            self._take_room(taken, day_ms, present[0], slots, cuts)
            return
        if len(slots) > READ_ONE_BY_ONE:
            middle = len(slots) // 2
            self._take(taken, day_ms, present, slots[:middle], cuts)
            self._take(taken, day_ms, present, slots[middle:], cuts)
            return
        readings = [reading for one in present for reading in self._readings(day_ms, one, slots)]
        readings.sort(key=lambda reading: reading.at_ms)
        taken.entries.extend(self._read(readings))

    def _readings(self, day_ms: int, held: Stored, slots: Sequence[int]) -> list[Balance]:
        kept = kept_balances(held.day, slots, self._step_seconds)
        return [Balance(day_ms + at_ms, tokens, held.room, climbed) for at_ms, tokens, climbed in kept]

    def _take_room(self, taken: Taken, day_ms: int, held: Stored, slots: range, cuts: Cuts) -> None:
        """Takes steps in which the account was in one room."""
        rises, start = _Rises(day_ms, held, slots, self._empty_steps, self._step_seconds), slots.start
        waiting: list[int] = []  # steps whose readings come next; they are unpacked together
        for stop in (*sorted(rises.breaks | rises.pauses), slots.stop):
            if start < stop:
                self._climb(taken, rises, rises.within(start, stop), waiting, cuts)
            start = stop
            if stop in rises.breaks:
                waiting.append(stop)
                start = stop + 1
        self._read_steps(taken, rises, waiting)

    def _read_steps(self, taken: Taken, rises: _Rises, slots: list[int]) -> None:
        """Judges the readings of some steps, and empties the list."""
        if slots:
            taken.entries.extend(self._read(self._readings(rises.day_ms, rises.held, slots)))
            slots.clear()

    def _read(self, readings: Sequence[Balance]) -> list[Entry]:
        entries: list[Entry] = []
        account, previous = self._account, None
        self.judged += len(readings)
        for reading in readings:
            entries += account.read(reading)
            if previous and reading.climbed and reading.at_ms - previous.at_ms > CONFIRM_MS and account.base is reading:
                self.is_sure = True
            previous = reading
        return entries

    def _climb(self, taken: Taken, rises: _Rises, part: tuple[int, int], waiting: list[int], cuts: Cuts) -> None:
        """Takes a stretch between breaks: adds it up from where nothing is pending to where nothing would be; the others wait."""
        ends, fewest = rises.ends, self._settled_steps
        start, stop = part
        last = stop
        while last - start >= fewest and ends[2 * last - 1] - ends[2 * (last - fewest)] > SMALL_RISE:
            last -= 1
        if last - start >= fewest:
            self._read_steps(taken, rises, waiting)
            while last - start >= fewest and not self._goes_on(ends[2 * start] - 1):
                self._read_steps(taken, rises, [rises.slots[start]])
                start += 1
            if last - start >= fewest:
                self.is_sure = True
                self._gains(taken, rises, slice(start, last), cuts)
                start = last
        waiting += rises.slots[start:stop]

    def _goes_on(self, tokens: int) -> bool:
        """Whether a rise to this balance needs no judgement, if others follow."""
        base = self._account.base
        return base is not None and 0 < base.tokens <= tokens and self._account.is_settled

    def _gains(self, taken: Taken, rises: _Rises, part: slice, cuts: Cuts) -> None:
        """What a stretch of rises gained: since the reading before it, and in each step of the report."""
        day_ms, (room, day), base = rises.day_ms, rises.held, self._account.base
        lasts = day.lasts
        first_slot, last_slot = rises.slots[part.start], rises.slots[part.stop - 1]
        unit, step_ms = unit_ms(self._step_seconds), 1000 * self._step_seconds
        first, first_at = rises.ends[2 * part.start] - 1, day_ms + step_ms * first_slot + unit * (day.first_moments[first_slot] >> 16)
        if first_slot in rises.begins:
            first_at = day_ms + rises.begins[first_slot].at_ms
        last, last_at = lasts[last_slot] - 1, day_ms + step_ms * last_slot + unit * (day.last_moments[last_slot] >> 16)
        if base and first > base.tokens:
            kind = Kind.BETWEEN_SESSIONS if first_at - base.at_ms > SESSION_GAP_MS else Kind.INCOME
            taken.entries.append(Entry(kind, first_at, first - base.tokens, room, base.tokens))
        self._account.believe(Balance(last_at, last, room))
        before, start = first + 1, first_slot
        if cuts.grid.smallest < SMALL_GROUP:
            balances = rises.ends[2 * part.start + 1 : 2 * part.stop : 2]
            gained = list(map(operator.sub, balances, chain((before,), balances)))
            taken.gains.extend(zip(repeat(room), compress(rises.slots[part], gained), filter(None, gained)))
            return
        for cut in (*cuts.within(first_slot, last_slot + 1), last_slot + 1):
            after = lasts[cut - 1] or next(filter(None, reversed(lasts[start:cut])), before)
            if after > before:
                taken.gains.append((room, start, after - before))
                before = after
            start = cut
