"""What a report found of one series, and the sums of several. Pure."""

import operator
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from broadcast_service.reports.report import Moment
from shared.contract.feeds import Series
from shared.contract.history_day import known_lanes
from shared.income.rules import Entry, Kind

POINTED_TO: Final = (Kind.UNSETTLED, Kind.SET_ASIDE)
_LANE_DIGITS: Final = bytes([ord("0"), *[ord("1")] * 255])


class Findings:
    """The findings of one series: certain income by step of the window, the others by step of the report, and sums."""

    def __init__(self, window: range) -> None:
        self._first = window.start
        self.earned = array("Q", bytes(8 * len(window)))  # no list: the garbage collector would look at every number of it
        self.unsettled = Counter[int]()
        self.set_aside = Counter[int]()
        self.between_sessions = Counter[int]()
        self.first_ms: dict[tuple[Kind, int], int] = {}  # by kind and step, of the kinds that a report points to
        self.firsts: dict[Kind, int] = {}  # the earliest of them, by kind
        self.alone = 0  # recorded steps with a reading, on days on which the room has no other series
        self.shared: dict[int, int] = {}  # the recorded steps with a reading of the other days, as bits
        self.read: array[int] | None = None  # recorded steps with a reading by step of the window, where they were asked for
        self.was_read = False

    def add(self, step: int, entry: Entry) -> None:
        """Adds an entry in a step of the report."""
        if entry.kind is Kind.UNSETTLED:
            self.unsettled[step] += entry.tokens
        elif entry.kind is Kind.SET_ASIDE:
            self.set_aside[step] += 1
        elif entry.kind is not Kind.FALL:
            self.earned[step - self._first] += entry.tokens
            if entry.kind is Kind.BETWEEN_SESSIONS:
                self.between_sessions[step] += entry.tokens
        if entry.kind in POINTED_TO:
            self.point(entry.kind, step, entry.at_ms)

    def point(self, kind: Kind, step: int, at_ms: int) -> None:
        """Notes the moment of a finding in a step of the report."""
        known = self.first_ms.setdefault((kind, step), at_ms)
        if at_ms < known:
            self.first_ms[kind, step] = at_ms
        if at_ms < self.firsts.setdefault(kind, at_ms):
            self.firsts[kind] = at_ms

    def totals(self) -> "Totals":
        """The sums over all steps."""
        return Totals(sum(self.earned), self.unsettled.total(), self.set_aside.total(), self.between_sessions.total())

    def odd(self) -> "dict[int, Odd]":
        """The steps of the report in which something was found beside income of a session."""
        steps = {*self.unsettled, *self.set_aside, *self.between_sessions}
        return {
            step: Odd(
                self.unsettled[step],
                self.set_aside[step],
                self.between_sessions[step],
                *(self.first_ms.get((kind, step)) for kind in POINTED_TO),
            )
            for step in steps
        }


class Totals(NamedTuple):
    """The figures of a series over a whole report."""

    earned: int
    unsettled: int
    set_aside: int
    between_sessions: int


class Odd(NamedTuple):
    """What a step has beside income of a session; moments in Unix milliseconds."""

    unsettled: int = 0
    set_aside: int = 0
    between_sessions: int = 0
    first_unsettled_ms: int | None = None
    first_set_aside_ms: int | None = None


def read_steps(stored: "array[int]") -> int:
    """Which recorded steps have a balance, as the bits of a number; balances are stored + 1, 0 for unknown, in 32 bits each."""
    digits = known_lanes(stored).translate(_LANE_DIGITS)
    return int(digits or b"0", 2)


def slots_on_air(found: Iterable[Findings]) -> int:
    """The recorded steps in which at least one of some series of a room had a reading."""
    slots, days = 0, dict[int, int]()
    for findings in found:
        slots += findings.alone
        for day, read in findings.shared.items():
            days[day] = days.get(day, 0) | read
    return slots + sum(read.bit_count() for read in days.values())


class Sums:
    """The figures of a row of a report that is being made. Steps are added up only where they are asked for."""

    def __init__(self) -> None:
        self.earned = self.unsettled = self.set_aside = self.between_sessions = self.on_air_seconds = 0
        self.steps = array("Q")
        self._first: dict[Kind, tuple[int, Series]] = {}

    def add(self, series: Series, found: Findings, totals: Totals, *, with_steps: bool) -> None:
        """Adds what an account did in a feed, without its time on air. `totals` are those of `found`, which are added to several rows."""
        self.earned += totals.earned
        if with_steps:
            self.steps = array("Q", map(operator.add, self.steps, found.earned) if self.steps else found.earned)
        self.unsettled += totals.unsettled
        self.set_aside += totals.set_aside
        self.between_sessions += totals.between_sessions
        for kind, at_ms in found.firsts.items():
            self._first[kind] = min((at_ms, series), self._first.get(kind, (at_ms, series)))

    def first(self, kind: Kind) -> Moment | None:
        """Where the first entry of a kind is."""
        if kind not in self._first:
            return None
        at_ms, series = self._first[kind]
        return Moment(series.room_id, series.platform, at_ms // 1000, series.account or None)
