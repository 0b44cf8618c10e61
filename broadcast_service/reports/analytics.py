"""Reads the income of every room in scope from history, one room after another so that nothing else waits for long.

The work of a report depends on the stored days, not on the requested ones: outside of the retained days nothing is read, and the answer
is padded.
"""

import asyncio
import itertools
import operator
import time
from array import array
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from broadcast_service.http.budget import CSV_DAY, CSV_STEP, FEED, GAIN, READING, SCANNED, SHARED_DAY, STEP
from broadcast_service.http.parameters import invalid_parameter
from broadcast_service.reports.account_days import AccountDays, Charge, is_sure_before
from broadcast_service.reports.coverage import Coverage
from broadcast_service.reports.days import Damaged, DaySource, Fetched, SeriesDay
from broadcast_service.reports.findings import Findings, read_steps
from broadcast_service.reports.pace import Pace
from broadcast_service.reports.report import Detail
from broadcast_service.reports.tally import Tally
from broadcast_service.reports.wanted import Wanted
from shared.contract.feeds import Feed, Series
from shared.contract.history_day import DayBalances, number_of_known
from shared.contract.history_record import DAY_SECONDS
from shared.income.account_scan import AccountScan, Cuts, Stored, Taken
from shared.income.rules import Entry
from shared.income.steps import Steps

if TYPE_CHECKING:
    from broadcast_service.reports.rolled import Rolled

MAX_FEEDS_AT_ONCE: Final = 200  # of which rolled-up days are read together
MAX_CELLS_AT_ONCE: Final = 100_000  # feeds times steps
MAX_CELLS: Final = 500_000  # feeds times steps: what one answer may hold
FETCHED_SLOTS: Final = 32 * 1440  # stored records that are read together: 1.3 MB if all are full


class Part(NamedTuple):
    """A stretch of recorded steps within one day: the day since the epoch, its slots, and where they begin in the span."""

    day: int
    slots: slice
    first: int

    @property
    def span(self) -> range:
        """The slots counted from the start of the span."""
        return range(self.first, self.first + self.slots.stop - self.slots.start)


def parts_of(steps: Steps, days: range, step_seconds: int) -> list[Part]:
    """The part of a span that lies in these days, cut by day."""
    parts = []
    start, end = max(steps.start, days.start * DAY_SECONDS), min(steps.end, days.stop * DAY_SECONDS)
    for day in range(start // DAY_SECONDS, -(-end // DAY_SECONDS)) if start < end else ():
        midnight = day * DAY_SECONDS
        slots = slice((max(start, midnight) - midnight) // step_seconds, (min(end, midnight + DAY_SECONDS) - midnight) // step_seconds)
        parts.append(Part(day, slots, (midnight - steps.start) // step_seconds + slots.start))
    return parts


class _Making:
    """A report that is being made."""

    def __init__(self, tally: Tally, coverage: Coverage, parts: list[Part], step_seconds: int, charge: Charge) -> None:
        self.tally = tally
        self.coverage = coverage
        self.parts = {part.day: part for part in parts}
        self.days = sorted(self.parts)
        self.grid = tally.steps.grid(step_seconds)
        self._step_seconds = step_seconds
        self.charge = charge
        self.pace = Pace()
        self.rolled: Rolled | None = None
        self.own: Collection[int] = ()  # the days that are added now
        self.fetched = Fetched()
        self.damaged: Damaged = set()
        self.at_once = 1  # feeds of which rolled-up days are read together
        self.shared: dict[str, tuple[int, int]] = {}  # the days on which a room has more than one series, as bits, and the first one
        self.movers: dict[tuple[str, str], dict[str, Findings]] = {}  # what accounts that work in several rooms did in each

    def read_rolled(self, rolled: "Rolled | None") -> None:
        """Leaves the days that are rolled up to `rolled`."""
        if rolled:
            self.rolled = rolled
            self.days = [day for day in self.days if day not in rolled.days]
            self.at_once = max(1, min(MAX_FEEDS_AT_ONCE, MAX_CELLS_AT_ONCE // max(1, len(self.tally.window))))

    def cuts(self, day: int) -> Cuts:
        """Where the report's steps begin on a day."""
        return Cuts((day * DAY_SECONDS - self.tally.steps.start) // self._step_seconds, self.grid)

    def findings(self, room: str, found: dict[str, Findings]) -> Findings:
        """The findings of a room so far."""
        if room not in found:
            found[room] = Findings(self.tally.window)
        return found[room]

    def take(self, taken: Taken, day: int, found: dict[str, Findings]) -> None:
        """Adds what lies in the report's window."""
        self.take_entries(taken.entries, found)
        (first, grid), window = self.cuts(day), self.tally.window
        lowest, highest = grid.begin(window.start), grid.begin(window.stop)
        for room, gains in itertools.groupby(taken.gains, operator.itemgetter(0)):
            earned = None
            for _, slot, tokens in gains:
                if lowest <= first + slot < highest:
                    earned = earned or self.findings(room, found).earned
                    step = grid.step_at(first + slot) if grid.starts else (first + slot) // grid.group
                    earned[step - window.start] += tokens

    def take_time(self, room: str, part: Part, day: DayBalances, found: dict[str, Findings]) -> None:
        """Adds the recorded steps with a balance of a part."""
        slots = range(max(part.slots.start, day.filled.start), min(part.slots.stop, day.filled.stop))
        balances, first = day.lasts[slots.start : slots.stop], part.first + slots.start - part.slots.start
        read = number_of_known(balances)
        if not read:
            return
        findings = self.findings(room, found)
        findings.was_read = True
        self.coverage.add(balances, part.first, first)
        days, first_day = self.shared.get(room, (0, 0))
        if days >> (part.day - first_day) & 1:
            self.charge(SHARED_DAY)
            findings.shared[part.day] = read_steps(day.lasts[part.slots])
        else:
            findings.alone += read
        if not self.tally.detail.is_file:
            return
        window, grid = self.tally.window, self.grid
        steps = range(grid.step_at(first), grid.step_at(first + len(slots) - 1) + 1)
        self.charge(CSV_DAY + CSV_STEP * len(steps))
        if findings.read is None:
            findings.read = array("I", bytes(4 * len(window)))
        for step in steps:
            of_step = balances[max(0, grid.begin(step) - first) : grid.begin(step + 1) - first]
            findings.read[step - window.start] += len(of_step) - of_step.count(0)

    def take_entries(self, entries: Sequence[Entry], found: dict[str, Findings]) -> None:
        """Adds entries that lie in the report's window."""
        steps = self.tally.steps
        for entry in entries:
            second = entry.at_ms // 1000
            if steps.start <= second < steps.end and second // DAY_SECONDS in self.own:
                step = steps.step_at(second)
                if step in self.tally.window:
                    self.findings(entry.room, found).add(step, entry)


class Analytics:
    """Income of the rooms of a scope."""

    def __init__(self, source: DaySource) -> None:
        self.source = source
        self._step_seconds = source.step_seconds
        self._turn = asyncio.Lock()  # fair: reports that are made at the same time get a feed each in turn

    async def make(self, wanted: Wanted, charge: Charge) -> tuple[Tally, list[int]]:
        """Adds up a report, and counts its measured minutes; raises RedisError. `charge` gets the price of each part of the work."""
        steps, days = wanted.steps, await self.source.refresh(int(time.time()))
        index = self.source.index
        charge(SCANNED * len(index.names_of(wanted.scope)))
        pace, feeds = Pace(), []
        for found in index.of(wanted.scope):
            feeds.append(found)
            await pace.rest()
        if wanted.detail is not Detail.NONE and len(feeds) * steps.number > MAX_CELLS:
            raise invalid_parameter(
                "step", f"gives more than {MAX_CELLS} numbers for {len(feeds)} feeds; ask for longer steps or fewer rooms"
            )
        parts, grid = parts_of(steps, days, self._step_seconds), steps.grid(self._step_seconds)
        window = range(grid.step_at(parts[0].first), grid.step_at(parts[-1].span.stop - 1) + 1) if parts else range(0)
        tally = Tally(steps, window, wanted.detail, step_seconds=self._step_seconds)
        await pace.rest()
        rolled = self.source.rolled(steps, window, with_read=wanted.detail.is_file)
        await pace.rest()
        known = [part.first for part in parts if rolled and part.day in rolled.days]
        coverage = Coverage([part.span for part in parts], grid, 60 // self._step_seconds, known)
        await pace.rest()
        making = _Making(tally, coverage, parts, self._step_seconds, charge)
        making.read_rolled(rolled)
        asked = sum(1 << (day - days.start) for day in making.parts)
        await pace.rest()
        touched, next_fetch = [feed for feed, mask in feeds if mask & asked], 0
        for place, feed in enumerate(touched):
            if place == next_fetch:
                next_fetch = await self._fetch(making, touched, place, days.start)
            if making.rolled and place % making.at_once == 0:
                await self._load(making, making.rolled, touched[place : place + making.at_once])
            async with self._turn:
                await making.pace.rest()
                await self._add(making, feed, days)
        own = {feed for feed, _ in feeds}
        damaged = making.damaged | ({*self._damaged_blocks(rolled, days)} if rolled else set())
        tally.damaged = sorted((day, series) for series, day in damaged if day in making.parts and series.feed in own)
        for _ in coverage.count():
            await pace.rest()
        empty = rolled.empty_minutes() if rolled else None
        await pace.rest()
        return tally, coverage.minutes(steps.number, empty)

    def _damaged_blocks(self, rolled: "Rolled", days: range) -> Iterator[SeriesDay]:
        """The days of series that are in damaged blocks."""
        for series, day in rolled.damaged_days():
            if self.source.index.rooms(series.feed, series.account).get(series.room_id, 0) >> (day - days.start) & 1:
                yield series, day

    async def _fetch(self, making: _Making, feeds: Sequence[Feed], place: int, first_day: int) -> int:
        """Reads the days of the feeds from a place on together; returns the place of the first feed that is left for later."""
        index, wanted = self.source.index, dict[SeriesDay, None]()
        most = max(1, FETCHED_SLOTS * self._step_seconds // DAY_SECONDS)
        for next_place in range(place, len(feeds)):
            await making.pace.rest()
            feed, own = feeds[next_place], dict[SeriesDay, None]()
            for name in index.accounts(feed):
                if (feed.platform, name) not in making.movers:
                    for room, has in index.rooms(feed, name).items():
                        days = [day for day in making.days if has >> (day - first_day) & 1]
                        own |= dict.fromkeys((Series(room, feed.platform, name), day) for day in days)
            if wanted and len(wanted) + len(own) > most:
                break
            wanted |= dict.fromkeys([*own][:most])  # the other days of an account of very many rooms are read one by one
        else:
            next_place = len(feeds)
        making.fetched = await self.source.fetch(wanted)
        return next_place

    async def _load(self, making: _Making, rolled: "Rolled", feeds: Sequence[Feed]) -> None:
        """Reads the rolled-up days of some feeds, and of the other rooms of their accounts."""
        index, wanted = self.source.index, set[Series]()
        for feed in feeds:
            await making.pace.rest()
            for name in index.accounts(feed):
                if (feed.platform, name) not in making.movers:
                    wanted |= {Series(room, feed.platform, name) for room in index.rooms(feed, name)}
        await making.pace.rest()
        await self.source.load(rolled, wanted, making.charge)

    async def _add(self, making: _Making, feed: Feed, days: range) -> None:
        """Adds one feed, unless it has no balance in the span."""
        index, found = self.source.index, dict[str, Findings]()
        for name in index.accounts(feed):
            account = self.account_days(feed, name, days)
            for room in account.rooms:
                if room not in making.shared:
                    making.shared[room] = index.shared_days(room), days.start
            key = feed.platform, name
            by_room = making.movers.get(key) or await self._scan(making, account)
            if len(account.rooms) > 1:
                making.movers[key] = by_room
            if (findings := by_room.get(feed.room_id)) and findings.was_read:
                found[name] = findings
        if found:
            making.tally.add(feed, found)

    async def _scan(self, making: _Making, account: AccountDays) -> dict[str, Findings]:
        """What an account did in each room in the span."""
        series = {room: Series(room, account.platform, account.name) for room in account.rooms}
        found = {room: findings for room, one in series.items() if making.rolled and (findings := making.rolled.take(one))}
        touched = [day for day in making.days if account.has(day)]
        making.charge(FEED + STEP * len(making.tally.window))
        for days in account.stretches(touched):
            await self._scan_stretch(making, account, days, found)
        return found

    async def _scan_stretch(self, making: _Making, account: AccountDays, days: Sequence[int], found: dict[str, Findings]) -> None:
        """Adds what an account did on days that follow each other; the days around them decide about it, and nothing of them is added."""
        making.own = frozenset(days)
        scan, first = AccountScan(self._step_seconds), await self._read_day(making, account, days[0])
        before = account.before(days[0])
        if before is not None and not is_sure_before(first, days[0], making.parts[days[0]].slots.start, self._step_seconds, making.charge):
            self._scan_day(making, scan, before, await self._read_day(making, account, before), {})
        for day in days:
            held = first if day == days[0] else await self._read_day(making, account, day)
            self._scan_day(making, scan, day, held, found)
            await making.pace.rest()
        following = account.after(days[-1])
        while following is not None and not scan.is_settled:
            self._scan_day(making, scan, following, await self._read_day(making, account, following), found)
            following = account.after(following)
        making.take_entries(scan.finish(time.time_ns() // 1_000_000), found)

    def _scan_day(self, making: _Making, scan: AccountScan, day: int, held: Sequence[Stored], found: dict[str, Findings]) -> None:
        """Adds what a day makes certain, and which of its steps were read."""
        judged = scan.judged
        taken = scan.take(day * DAY_SECONDS * 1000, held, range(DAY_SECONDS // self._step_seconds), making.cuts(day))
        making.charge(READING * (scan.judged - judged) + GAIN * len(taken.gains))
        if day not in making.own:  # read only because it decides readings of the days beside it
            making.take_entries(taken.entries, found)
            return
        making.take(taken, day, found)
        if part := making.parts.get(day):
            for one in held:
                making.take_time(one.room, part, one.day, found)

    def account_days(self, feed: Feed, name: str, days: range) -> AccountDays:
        """The days of an account of a feed; the index was last refreshed for `days`."""
        return AccountDays(feed.platform, name, self.source.index.rooms(feed, name), days.start)

    async def _read_day(self, making: _Making, account: AccountDays, day: int) -> list[Stored]:
        return await self.read_day(account, day, making.charge, making.fetched, making.damaged)

    async def read_day(self, account: AccountDays, day: int, charge: Charge, fetched: Fetched, damaged: Damaged) -> list[Stored]:
        """What a day holds of an account in each of its rooms; raises RedisError."""
        return [
            Stored(room, stored)
            for room in account.rooms_of(day)
            if (stored := await self.source.read(Series(room, account.platform, account.name), day, charge, fetched, damaged))
        ]
