"""Tokens earned: the sum of positive differences of a balance. A balance that falls is a cash-out, not a loss.

Pure. Balances come as history stores them: one number per recorded step, value + 1, zero where nothing is known. A difference belongs
to the later of its two balances, so what a gap hid is earned when it is seen, and a span split anywhere earns the same in its parts.
"""

import datetime as dt
import itertools
import operator
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class Steps(NamedTuple):
    """From `start` up to, not including, `end`, cut every `step` seconds from `start` on; the last one may be shorter."""

    start: int
    end: int
    step: int

    @property
    def number(self) -> int:
        """How many steps there are."""
        return -(-(self.end - self.start) // self.step)


class Feed(NamedTuple):
    """A room on one platform."""

    room_id: str
    platform: str


def earned(stored: Sequence[int], group: int, before: int = 0) -> list[int]:
    """Tokens earned in each group of so many stored balances; `before` is the last known one ahead of them, zero if there is none."""
    totals = []
    for first in range(0, len(stored), group):
        known = list(filter(None, stored[first : first + group]))
        totals.append(_gain([before, *known] if before else known))
        before = known[-1] if known else before
    return totals


def _gain(balances: list[int]) -> int:
    if all(map(operator.le, balances, balances[1:])):  # no cash-out among them, as nearly always: the differences telescope
        return balances[-1] - balances[0] if balances else 0
    return sum(after - before for before, after in itertools.pairwise(balances) if after > before)


def last_known(stored: Sequence[int]) -> int:
    """The last balance that is known, zero if none is."""
    return next(filter(None, reversed(stored)), 0)


class Coverage:
    """Which minutes of a span were measured: a minute counts where at least one feed has a reading in it.

    Minutes are counted from the start of each step, so that a step that is no whole number of minutes counts its last, shorter one too.
    """

    def __init__(self, slots: int, group: int, slots_per_minute: int) -> None:
        self._slots = slots
        self._group = group
        self._slots_per_minute = slots_per_minute
        self._empty: Sequence[int] = range(slots)

    def add(self, stored: Sequence[int]) -> None:
        """The stored balances of one feed. Slots that earlier feeds have filled are not read again."""
        self._empty = [slot for slot in self._empty if not stored[slot]]

    def minutes(self) -> list[int]:
        """The number of measured minutes in each step."""
        unmeasured = Counter[int]()
        for (step, minute), slots in Counter(map(self._minute_of, self._empty)).items():
            within = min(self._group, self._slots - step * self._group) - minute * self._slots_per_minute
            unmeasured[step] += slots == min(within, self._slots_per_minute)
        return [
            -(-min(self._group, self._slots - first) // self._slots_per_minute) - unmeasured[step]
            for step, first in enumerate(range(0, self._slots, self._group))
        ]

    def _minute_of(self, slot: int) -> tuple[int, int]:
        """The step of a slot, and the minute within that step."""
        step, within = divmod(slot, self._group)
        return step, within // self._slots_per_minute


class FeedEarnings(Struct, frozen=True, omit_defaults=True):
    """What one feed earned; `steps` only where it was asked for."""

    room_id: str
    platform: str
    earned: int
    steps: list[int] | None = None


class RoomEarnings(Struct, frozen=True):
    """What a room earned on all platforms in scope."""

    room_id: str
    earned: int


class PlatformEarnings(Struct, frozen=True):
    """What all rooms in scope earned on a platform."""

    platform: str
    earned: int


class Report(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Earnings of a span: in all, per step, and by who earned them, highest first. Feeds without a reading are left out.

    `measured_minutes` is the number of minutes in each step in which at least one feed has a reading: where it is 0, nothing is known.
    """

    start: int
    end: int
    step: int
    total: int
    earned: list[int]
    measured_minutes: list[int]
    rooms: list[RoomEarnings]
    platforms: list[PlatformEarnings]
    feeds: list[FeedEarnings]


class Tally:
    """Adds up a report one feed at a time: nothing is left for the end that grows with feeds times steps."""

    def __init__(self, steps: Steps, *, with_steps: bool) -> None:
        self._steps = steps
        self._with_steps = with_steps
        self._per_step = [0] * steps.number
        self._rooms = Counter[str]()
        self._platforms = Counter[str]()
        self._feeds: list[FeedEarnings] = []

    def add(self, feed: Feed, totals: list[int]) -> None:
        """What a feed earned in each step."""
        total = sum(totals)
        self._per_step = list(map(operator.add, self._per_step, totals))
        self._rooms[feed.room_id] += total
        self._platforms[feed.platform] += total
        self._feeds.append(FeedEarnings(*feed, total, totals if self._with_steps else None))

    def report(self, measured_minutes: list[int]) -> Report:
        """The report of all feeds that were added; the minutes come from a `Coverage` of the same feeds."""
        return Report(
            *self._steps,
            sum(self._per_step),
            self._per_step,
            measured_minutes,
            [RoomEarnings(*item) for item in _ranked(self._rooms)],
            [PlatformEarnings(*item) for item in _ranked(self._platforms)],
            sorted(self._feeds, key=lambda feed: (-feed.earned, feed.room_id, feed.platform)),
        )


def _ranked(totals: Counter[str]) -> list[tuple[str, int]]:
    return sorted(totals.items(), key=lambda item: (-item[1], item[0]))


def as_csv(report: Report) -> Iterator[str]:
    """One line per feed and step in which something was earned. No field needs quoting: ids hold neither commas nor quotes."""
    yield "start,room_id,platform,earned\r\n"
    for feed in report.feeds:
        yield from _lines(feed, feed.steps or (), report)


def _lines(feed: FeedEarnings, totals: Sequence[int], report: Report) -> Iterator[str]:
    names = f"{_no_formula(feed.room_id)},{_no_formula(feed.platform)}"
    for index, amount in enumerate(totals):
        if amount:
            start = dt.datetime.fromtimestamp(report.start + index * report.step, dt.UTC)
            yield f"{start:%Y-%m-%dT%H:%M:%SZ},{names},{amount}\r\n"


def _no_formula(name: str) -> str:
    """A name that starts as a formula does gets an apostrophe, which none can start with: spreadsheets then show it as it is."""
    return "'" + name if name.startswith(FORMULA_STARTS) else name
