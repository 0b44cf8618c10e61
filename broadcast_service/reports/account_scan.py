"""Judges an account's stored history, a day at a time, by the rules of `income.py`. Pure.

Most stretches of a day hold nothing but plain rises, and there the rules find the difference of the ends. Such a stretch is not unpacked
into readings. One that holds something else is divided until only a few steps are unpacked.
"""

from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from broadcast_service.reports.income import CONFIRM_MS, SESSION_GAP_MS, SMALL_RISE, Account, Balance, Entry, Kind
from shared.contract.history_day import DayBalances, kept_balances
from shared.contract.history_record import unit_ms

READ_ONE_BY_ONE: Final = 8  # steps
SMALL_GROUP: Final = 8  # recorded steps; cutting a stretch into so few costs more than adding up each of them


class Stored(NamedTuple):
    """A day of an account in one room."""

    room: str
    day: DayBalances


class Cuts(NamedTuple):
    """Where a report's steps begin, in recorded steps: every `group` from the start of its span, which ends before `end`.

    `first` is the midnight of the day, counted from the start of the span, and may be negative.
    """

    first: int
    group: int
    end: int

    def within(self, start: int, stop: int) -> Sequence[int]:
        """The positions in a stretch of the day, after its start, at which a step of the report begins or the span ends."""
        end = self.end - self.first
        following = (self.first + start) // self.group * self.group + self.group - self.first
        cuts = range(following, stop, self.group)
        return sorted({*cuts, end}) if start < end < stop else cuts


class Taken(NamedTuple):
    """What a day makes certain: entries, and gains of a room by their step in the day where rises alone were added up."""

    entries: list[Entry]
    gains: list[tuple[str, int, int]]


class AccountScan:
    """Takes an account's days in order of time and finds its entries; moments are Unix milliseconds."""

    def __init__(self, step_seconds: int) -> None:
        self._step_seconds = step_seconds
        self._account = Account()
        # Both ends of so many steps at the end of a stretch: the first of them began longer ago than a confirmation takes.
        self._settled_balances = 2 * (2 - (-CONFIRM_MS // (1000 * step_seconds)))
        self._empty_steps = -(-SESSION_GAP_MS // (1000 * step_seconds)) - 1  # so many in a row may be a pause between sessions
        self.is_sure = False  # whether readings before the first day could not change what is found from now on

    @property
    def is_settled(self) -> bool:
        """Whether no reading waits for confirmation."""
        return self._account.is_settled

    def take(self, day_ms: int, held: Sequence[Stored], slots: range, cuts: Cuts) -> Taken:
        """What some steps of a day make certain. `day_ms` is the midnight before them."""
        taken = Taken([], [])
        self._take(taken, day_ms, held, slots, cuts)
        return taken

    def finish(self, now_ms: int) -> list[Entry]:
        """What the clock confirms, and the bound of what is pending."""
        return [*self._account.settle(now_ms), *self._account.provisional()]

    def _take(self, taken: Taken, day_ms: int, held: Sequence[Stored], slots: range, cuts: Cuts) -> None:
        part = slice(slots.start, slots.stop)
        present = [one for one in held if any(one.day.lasts[part]) or any(slot in slots for slot in one.day.runs)]
        if not present:
            return
        has_runs = any(slot in slots for one in present for slot in one.day.runs)
        if len(present) == 1 and not has_runs and self._climb(taken, day_ms, present[0], part, cuts):
            return
        if len(slots) > READ_ONE_BY_ONE:
            middle = len(slots) // 2
            self._take(taken, day_ms, present, slots[:middle], cuts)
            self._take(taken, day_ms, present, slots[middle:], cuts)
            return
        readings: list[Balance] = []
        for room, day in present:
            kept = kept_balances(day, slots, self._step_seconds)
            readings += [Balance(day_ms + at_ms, tokens, room, climbed) for at_ms, tokens, climbed in kept]
        if len(present) > 1:
            readings.sort(key=lambda reading: reading.at_ms)
        taken.entries.extend(self._read(readings))

    def _read(self, readings: Sequence[Balance]) -> list[Entry]:
        entries: list[Entry] = []
        account, previous = self._account, None
        for reading in readings:
            entries += account.read(reading)
            if previous and reading.climbed and reading.at_ms - previous.at_ms > CONFIRM_MS and account.base is reading:
                self.is_sure = True
            previous = reading
        return entries

    def _climb(self, taken: Taken, day_ms: int, held: Stored, slots: slice, cuts: Cuts) -> bool:
        """Adds up a stretch of rises alone; False where the readings have to be judged one by one."""
        base, firsts, lasts = self._account.base, held.day.firsts[slots], held.day.lasts[slots]
        if base is None or not base.tokens or not self._account.is_settled:
            return False
        pairs = array("I", bytes(8 * len(firsts)))
        pairs[0::2], pairs[1::2] = firsts, lasts
        known = list(filter(None, pairs))
        if len(known) < self._settled_balances or known[0] <= base.tokens or known[-1] - known[-self._settled_balances] > SMALL_RISE:
            return False
        if known != sorted(known) or (lasts.count(0) >= self._empty_steps and self._has_pause(lasts)):
            return False
        self.is_sure = True
        self._gains(taken, day_ms, held, slots, cuts)
        return True

    def _has_pause(self, lasts: "array[int]") -> bool:
        return b"\0" * self._empty_steps in bytes(map(bool, lasts)).strip(b"\0")

    def _gains(self, taken: Taken, day_ms: int, held: Stored, slots: slice, cuts: Cuts) -> None:
        """What a stretch of rises gained: since the reading before it, and in each step of the report."""
        day, base = held.day, self._account.base
        lasts = day.lasts
        first_slot = next(slot for slot in range(slots.start, slots.stop) if lasts[slot])
        last_slot = next(slot for slot in range(slots.stop - 1, slots.start - 1, -1) if lasts[slot])
        unit, step_ms = unit_ms(self._step_seconds), 1000 * self._step_seconds
        first, first_at = day.firsts[first_slot] - 1, day_ms + step_ms * first_slot + unit * (day.first_moments[first_slot] >> 16)
        last, last_at = lasts[last_slot] - 1, day_ms + step_ms * last_slot + unit * (day.last_moments[last_slot] >> 16)
        if base and first > base.tokens:
            kind = Kind.BETWEEN_SESSIONS if first_at - base.at_ms > SESSION_GAP_MS else Kind.INCOME
            taken.entries.append(Entry(kind, first_at, first - base.tokens, held.room, base.tokens))
        self._account.believe(Balance(last_at, last, held.room))
        before, start = first + 1, first_slot
        if cuts.group < SMALL_GROUP:
            for slot, balance in enumerate(lasts[first_slot : last_slot + 1], first_slot):
                if balance > before:
                    taken.gains.append((held.room, slot, balance - before))
                    before = balance
            return
        for cut in (*cuts.within(first_slot, last_slot + 1), last_slot + 1):
            balances = lasts[start:cut]
            after = balances[-1] or next(filter(None, reversed(balances)), before)
            if after > before:
                taken.gains.append((held.room, start, after - before))
                before = after
            start = cut
