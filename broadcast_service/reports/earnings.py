"""Tokens earned: the sum of positive differences of a balance. A balance that falls is a cash-out, not a loss.

Pure. Balances come as history stores them: one number per recorded step, value + 1, zero where nothing is known. A difference belongs
to the later of its two balances, so what a gap hid is earned when it is seen, and a span split anywhere earns the same in its parts.
"""

import datetime as dt
import enum
import itertools
import operator
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from shared.contract.codec import encode
from shared.contract.feeds import Feed

SMALL_GROUP: Final = 8
ITEMS_PER_PART: Final = 500
ZEROS_PER_PART: Final = 500
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


def earned(stored: Sequence[int], group: int, before: int = 0, *, phase: int = 0) -> list[int]:
    """Tokens earned in each group of so many stored balances; `before` is the last known one ahead of them, zero if there is none.

    `phase` balances of the first group come before these and are counted elsewhere.
    """
    if group < SMALL_GROUP:
        return _earned_one_by_one(stored, group, before, phase)
    totals = []
    for first in range(-phase, len(stored), group):
        known = list(filter(None, stored[max(0, first) : first + group]))
        totals.append(_gain([before, *known] if before else known))
        before = known[-1] if known else before
    return totals


def _earned_one_by_one(stored: Sequence[int], group: int, before: int, phase: int) -> list[int]:
    """The same for small groups, each of which would cost more than its balances."""
    totals = [0] * -(-(phase + len(stored)) // group)
    for slot, balance in enumerate(stored, phase):
        if balance:
            if balance > before > 0:
                totals[slot // group] += balance - before
            before = balance
    return totals


def _gain(balances: list[int]) -> int:
    if balances == sorted(balances):  # no cash-out among them, as nearly always: the differences telescope
        return balances[-1] - balances[0] if balances else 0
    return sum(after - before for before, after in itertools.pairwise(balances) if after > before)


def last_known(stored: Sequence[int]) -> int:
    """The last balance that is known, zero if none is."""
    return next(filter(None, reversed(stored)), 0)


class Coverage:
    """Which minutes of a span were measured: a minute counts where at least one feed has a reading in it.

    Minutes are counted from the start of each step, so that a step that is no whole number of minutes counts its last, shorter one too.
    The span is looked at in parts, ranges of its recorded steps that follow each other; outside of them nothing is measured.
    """

    def __init__(self, parts: Sequence[range], group: int, slots_per_minute: int) -> None:
        self._kept = range(parts[0].start, parts[-1].stop) if parts else range(0)
        self._group = group
        self._slots_per_minute = slots_per_minute
        self._empty: dict[int, Sequence[int]] = {part.start: part for part in parts}
        self._empty_of_minute = Counter[tuple[int, int]]()

    def add(self, stored: Sequence[int], first: int) -> None:
        """One feed's stored balances of the part that begins at slot `first`. Slots that earlier feeds have filled are not read again."""
        self._empty[first] = [slot for slot in self._empty[first] if not stored[slot - first]]

    def count(self) -> Iterator[None]:
        """Counts when all feeds are added, a part at a time."""
        for slots in self._empty.values():
            self._empty_of_minute.update(map(self._minute_of, slots))
            yield

    def minutes(self, steps: int) -> list[int]:
        """The number of measured minutes in each of so many steps, after `count`."""
        measured = [0] * steps
        for step in range(self._kept.start // self._group, -(-self._kept.stop // self._group)):
            first = self._minute_of(max(self._kept.start, step * self._group))
            last = self._minute_of(min(self._kept.stop, (step + 1) * self._group) - 1)
            measured[step] = last[1] - first[1] + 1
        for (step, minute), slots in self._empty_of_minute.items():
            begin = step * self._group + minute * self._slots_per_minute
            end = min(begin + self._slots_per_minute, (step + 1) * self._group, self._kept.stop)
            measured[step] -= slots == end - max(begin, self._kept.start)
        return measured

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


class Detail(enum.Enum):
    """What a report holds of each feed beside its total: nothing, its steps for JSON, or its steps for CSV."""

    NONE = 0
    JSON = 1
    CSV = 2


class Row(NamedTuple):
    """A feed of a report: its total, and its steps within the window, ready to be written."""

    feed: Feed
    earned: int
    json: bytes
    numbers: "array[int]"


class Tally:
    """Adds up a report one feed at a time. It holds numbers of the window only, the steps that may hold something, and holds them packed.

    The window is a range of steps; outside of it nothing was earned.
    """

    def __init__(self, steps: Steps, window: range, detail: Detail) -> None:
        self.steps = steps
        self.window = window
        self._detail = detail
        self._per_step = [0] * len(window)
        self._rooms = Counter[str]()
        self._platforms = Counter[str]()
        self._rows: list[Row] = []

    def add(self, feed: Feed, totals: list[int]) -> None:
        """What a feed earned in each step of the window."""
        total = sum(totals)
        if total:
            self._per_step = list(map(operator.add, self._per_step, totals))
        self._rooms[feed.room_id] += total
        self._platforms[feed.platform] += total
        json = encode(totals)[1:-1] if self._detail is Detail.JSON else b""
        self._rows.append(Row(feed, total, json, array("Q", totals if self._detail is Detail.CSV else ())))

    def json(self, measured_minutes: list[int]) -> Iterator[bytes]:
        """A `Report` of all feeds that were added as JSON, in parts; the minutes come from a `Coverage` of the same feeds."""
        ahead, behind = self.window.start, self.steps.number - self.window.stop
        start, end, step = self.steps
        earned = [*itertools.repeat(0, ahead), *self._per_step, *itertools.repeat(0, behind)]
        yield b'{"from":%d,"to":%d,"step":%d,"total":%d,"earned":' % (start, end, step, sum(self._per_step))
        yield encode(earned)
        yield b',"measured_minutes":' + encode(measured_minutes)
        yield b',"rooms":'
        yield from _listed([RoomEarnings(*item) for item in _ranked(self._rooms)])
        yield b',"platforms":'
        yield from _listed([PlatformEarnings(*item) for item in _ranked(self._platforms)])
        yield b',"feeds":['
        separator = b""
        for row in self._sorted():
            found = encode(FeedEarnings(*row.feed, row.earned))
            if self._detail is Detail.JSON:
                found = found[:-1] + b',"steps":[' + b"0," * ahead + row.json + b",0" * behind + b"]}"
            yield separator + found
            separator = b","
        yield b"]}"

    def csv(self) -> Iterator[str]:
        """One line per feed and step in which something was earned. No field needs quoting: ids hold neither commas nor quotes."""
        yield "start,room_id,platform,earned\r\n"
        for row in self._sorted():
            yield from self._lines(row)

    def _lines(self, row: Row) -> Iterator[str]:
        names = f"{_no_formula(row.feed.room_id)},{_no_formula(row.feed.platform)}"
        for step, amount in enumerate(row.numbers, self.window.start):
            if amount:
                start = dt.datetime.fromtimestamp(self.steps.start + step * self.steps.step, dt.UTC)
                yield f"{start:%Y-%m-%dT%H:%M:%SZ},{names},{amount}\r\n"
            elif step % ZEROS_PER_PART == 0:
                yield ""

    def size(self) -> int:
        """About how many bytes this holds."""
        return sum(200 + len(row.json) + 8 * len(row.numbers) for row in self._rows) + 36 * len(self._per_step)

    def _sorted(self) -> list[Row]:
        return sorted(self._rows, key=lambda row: (-row.earned, row.feed))


def _listed(items: Sequence[Struct]) -> Iterator[bytes]:
    """A JSON list in parts."""
    yield b"["
    for first in range(0, len(items), ITEMS_PER_PART):
        yield (b"," if first else b"") + encode(items[first : first + ITEMS_PER_PART])[1:-1]
    yield b"]"


def _ranked(totals: Counter[str]) -> list[tuple[str, int]]:
    return sorted(totals.items(), key=lambda item: (-item[1], item[0]))


def _no_formula(name: str) -> str:
    """A name that starts as a formula does gets an apostrophe, which none can start with: spreadsheets then show it as it is."""
    return "'" + name if name.startswith(FORMULA_STARTS) else name
