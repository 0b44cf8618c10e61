"""Reads the income of every room in scope from history, one room after another so that nothing else waits for long.

The work of a report depends on the stored days, not on the requested ones: outside of the retained days nothing is read, and the answer
is padded.
"""

import asyncio
import itertools
import operator
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from starlette.datastructures import QueryParams

from broadcast_service.http.budget import DAY, FEED, SCANNED, SLOT, STEP
from broadcast_service.http.parameters import int_parameter, invalid_parameter
from broadcast_service.reports.account_days import AccountDays, Charge, is_sure_before
from broadcast_service.reports.coverage import Coverage
from broadcast_service.reports.feeds import FeedIndex
from broadcast_service.reports.history import MAX_POINTS
from broadcast_service.reports.report import Detail, Steps
from broadcast_service.reports.tally import Findings, Tally
from shared.auth.scope import Scope
from shared.contract import keys
from shared.contract.feeds import Feed, Series
from shared.contract.history_day import day_balances, day_keys, stored_day
from shared.contract.history_record import DAY_SECONDS
from shared.income.account_scan import AccountScan, Cuts, Stored, Taken
from shared.income.rules import Entry
from shared.store.redis import Store

MAX_DAYS: Final = 366
MAX_CELLS: Final = 500_000  # feeds times steps: what one answer may hold
AHEAD_SECONDS: Final = 600  # readings may be ahead of our clock
STRETCH_SECONDS: Final = 0.003  # of work before others get a turn


class Wanted(NamedTuple):
    """What a report is about; equal ones have equal reports for a while."""

    scope: Scope
    steps: Steps
    detail: Detail


def parse_wanted(query: QueryParams, scope: Scope, step_seconds: int, *, now_seconds: int, csv: bool = False) -> Wanted:
    """Reads `from`, `to`, `step` and `by`; the default is the last day by the hour. Raises a 422 Problem."""
    end = int_parameter(query, "to", now_seconds)
    start = int_parameter(query, "from", end - DAY_SECONDS)
    if not start < end <= start + MAX_DAYS * DAY_SECONDS:
        raise invalid_parameter("from", f"should lie before to, by at most {MAX_DAYS} days")
    step = int_parameter(query, "step", -(-3600 // step_seconds) * step_seconds)
    if step < step_seconds or step % step_seconds:
        raise invalid_parameter("step", f"should be a multiple of {step_seconds} seconds")
    steps = Steps(start - start % step_seconds, end + -end % step_seconds, step)
    if steps.number > MAX_POINTS:
        raise invalid_parameter("step", f"gives more than {MAX_POINTS} steps")
    details = {"": Detail.NONE, "feed": Detail.JSON, "account": Detail.ACCOUNTS}
    if query.get("by", "") not in details:
        raise invalid_parameter("by", "should be feed or account, or absent")
    return Wanted(scope, steps, Detail.CSV if csv else details[query.get("by", "")])


class Pace:
    """Gives the loop back after every few milliseconds of work."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def rest(self) -> None:
        """To be awaited between small pieces of work."""
        if time.perf_counter() - self._since > STRETCH_SECONDS:
            await asyncio.sleep(0)
            self._since = time.perf_counter()

    def rested(self) -> None:
        """The loop has just been given back by other means."""
        self._since = time.perf_counter()


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
        self.group = tally.steps.step // step_seconds
        self.span_slots = (tally.steps.end - tally.steps.start) // step_seconds
        self._step_seconds = step_seconds
        self.charge = charge
        self.pace = Pace()
        self.movers: dict[tuple[str, str], dict[str, Findings]] = {}  # what accounts that work in several rooms did in each

    def cuts(self, day: int) -> Cuts:
        """Where the report's steps begin on a day."""
        return Cuts((day * DAY_SECONDS - self.tally.steps.start) // self._step_seconds, self.group, self.span_slots)

    def findings(self, room: str, found: dict[str, Findings]) -> Findings:
        """The findings of a room so far."""
        if room not in found:
            found[room] = Findings(self.tally.window)
        return found[room]

    def take(self, taken: Taken, day: int, found: dict[str, Findings]) -> None:
        """Adds what lies in the report's window."""
        self.take_entries(taken.entries, found)
        (first, group, end), window = self.cuts(day), self.tally.window
        lowest, highest = window.start * group, min(end, window.stop * group)
        for room, gains in itertools.groupby(taken.gains, operator.itemgetter(0)):
            earned = None
            for _, slot, tokens in gains:
                if lowest <= first + slot < highest:
                    earned = earned or self.findings(room, found).earned
                    earned[(first + slot) // group - window.start] += tokens

    def take_entries(self, entries: Sequence[Entry], found: dict[str, Findings]) -> None:
        """Adds entries that lie in the report's window."""
        steps = self.tally.steps
        for entry in entries:
            second = entry.at_ms // 1000
            if steps.start <= second < steps.end:
                step = (second - steps.start) // steps.step
                if step in self.tally.window:
                    self.findings(entry.room, found).add(step, entry)


class Analytics:
    """Income of the rooms of a scope."""

    def __init__(self, store: Store, shards: int, *, step_seconds: int, retention_days: int) -> None:
        self._store = store
        self._shards = shards
        self._step_seconds = step_seconds
        self._retention_seconds = retention_days * DAY_SECONDS
        self.feeds = FeedIndex(store, shards)
        self._turn = asyncio.Lock()  # fair: reports that are made at the same time get a feed each in turn

    def kept_days(self, now_seconds: int) -> range:
        """The days that history keeps, as numbers since the epoch."""
        return range((now_seconds - self._retention_seconds) // DAY_SECONDS, (now_seconds + AHEAD_SECONDS) // DAY_SECONDS + 1)

    async def make(self, wanted: Wanted, charge: Charge) -> tuple[Tally, list[int]]:
        """Adds up a report, and counts its measured minutes; raises RedisError. `charge` gets the price of each part of the work."""
        now, steps = int(time.time()), wanted.steps
        days = self.kept_days(now)
        await self.feeds.refresh(days)
        charge(SCANNED * len(self.feeds.names_of(wanted.scope)))
        pace, feeds = Pace(), []
        for found in self.feeds.of(wanted.scope):
            feeds.append(found)
            await pace.rest()
        if wanted.detail is not Detail.NONE and len(feeds) * steps.number > MAX_CELLS:
            raise invalid_parameter(
                "step", f"gives more than {MAX_CELLS} numbers for {len(feeds)} feeds; ask for longer steps or fewer rooms"
            )
        parts = parts_of(steps, days, self._step_seconds)
        group = steps.step // self._step_seconds
        tally = Tally(steps, range(parts[0].first // group, -(-parts[-1].span.stop // group)) if parts else range(0), wanted.detail)
        coverage = Coverage([part.span for part in parts], group, 60 // self._step_seconds)
        making = _Making(tally, coverage, parts, self._step_seconds, charge)
        for feed, mask in feeds if parts else ():
            async with self._turn:
                making.pace.rested()
                if any(mask >> (day - days.start) & 1 for day in making.days):
                    await self._add(making, feed, days)
        for _ in coverage.count():
            await pace.rest()
        return tally, coverage.minutes(steps.number)

    async def _add(self, making: _Making, feed: Feed, days: range) -> None:
        """Adds one feed, unless it has no balance in the span."""
        found: dict[str, Findings] = {}
        for name in self.feeds.accounts(feed):
            account = self.account_days(feed, name, days)
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
        found: dict[str, Findings] = {}
        touched = [day for day in making.days if any(day in days for days in account.rooms.values())]
        making.charge(FEED + STEP * len(making.tally.window))
        if not touched:
            return found
        scan, first = AccountScan(self._step_seconds), await self.read_day(account, touched[0], making.charge)
        before = account.before(touched[0])
        if before is not None and not is_sure_before(first, touched[0], making.parts[touched[0]].slots.start, self._step_seconds):
            self._scan_day(making, scan, before, await self.read_day(account, before, making.charge), {})
        for day in touched:
            self._scan_day(making, scan, day, first if day == touched[0] else await self.read_day(account, day, making.charge), found)
            await making.pace.rest()
        following = account.after(touched[-1])
        while following is not None and not scan.is_settled:
            self._scan_day(making, scan, following, await self.read_day(account, following, making.charge), found)
            following = account.after(following)
        making.take_entries(scan.finish(time.time_ns() // 1_000_000), found)
        return found

    def _scan_day(self, making: _Making, scan: AccountScan, day: int, held: Sequence[Stored], found: dict[str, Findings]) -> None:
        """Adds what a day makes certain, and which of its steps were read."""
        taken = scan.take(day * DAY_SECONDS * 1000, held, range(DAY_SECONDS // self._step_seconds), making.cuts(day))
        making.take(taken, day, found)
        if part := making.parts.get(day):
            for one in held:
                balances = one.day.lasts[part.slots]
                if read := len(balances) - balances.count(0):
                    findings = making.findings(one.room, found)
                    findings.was_read = True
                    findings.on_air_seconds += read * self._step_seconds
                    making.coverage.add(balances, part.first)

    def account_days(self, feed: Feed, name: str, days: range) -> AccountDays:
        """The days of an account of a feed; the index was last refreshed for `days`."""
        rooms = {room: [day for day in days if mask >> (day - days.start) & 1] for room, mask in self.feeds.rooms(feed, name).items()}
        return AccountDays(feed.platform, name, rooms)

    async def read_day(self, account: AccountDays, day: int, charge: Charge) -> list[Stored]:
        """What a day holds of an account in each of its rooms; raises RedisError."""
        found = []
        for room, days in account.rooms.items():
            if day not in days:
                continue
            names = day_keys(
                keys.shard_of(room, self._shards),
                Series(room, account.platform, account.name),
                keys.day_of(day * DAY_SECONDS),
                self._step_seconds,
            )
            values: list[bytes | None] = await self._store.owner(names[0]).mget(names)  # type: ignore[assignment]
            charge(DAY)
            if any(values):
                found.append(Stored(room, day_balances(stored_day(values, self._step_seconds), self._step_seconds)))
                charge(SLOT * (DAY_SECONDS // self._step_seconds))
        return found
