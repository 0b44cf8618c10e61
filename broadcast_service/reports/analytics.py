"""Reads what every room in scope earned out of the history arrays, one room after another so that nothing else waits for long.

The work of a report follows what is kept, not what was asked for: outside of the retained days nothing is read, and the answer is padded.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from starlette.datastructures import QueryParams

from broadcast_service.http.budget import DAY, FEED, SCANNED, SLOT, STEP
from broadcast_service.http.parameters import int_parameter, invalid_parameter
from broadcast_service.reports.earnings import Coverage, Detail, Steps, Tally, earned, last_known
from broadcast_service.reports.feeds import FeedIndex
from broadcast_service.reports.history import MAX_POINTS
from shared.auth.scope import Scope
from shared.contract import keys
from shared.contract.feeds import Feed, Series
from shared.contract.history_day import DayBalances, day_balances, day_keys, stored_day
from shared.contract.history_record import DAY_SECONDS
from shared.store.redis import Store

Charge = Callable[[float], None]

MAX_DAYS: Final = 366
MAX_CELLS: Final = 500_000  # feeds times steps: what one answer may hold
AHEAD_SECONDS: Final = 600  # readings may be ahead of our clock
PART_SLOTS: Final = 1440  # stored records that are summed up in one stretch
DAYS_AT_ONCE: Final = 8  # days that one answer of Redis holds
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
    if query.get("by", "") not in ("", "feed"):
        raise invalid_parameter("by", "should be feed, or absent")
    return Wanted(scope, steps, Detail.CSV if csv else Detail.JSON if query.get("by") == "feed" else Detail.NONE)


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
    """A stretch of recorded steps within one day: the day since the epoch, the slots within the day, and where they begin in the span."""

    day: int
    slots: slice
    first: int

    @property
    def span(self) -> range:
        """The slots counted from the start of the span."""
        return range(self.first, self.first + self.slots.stop - self.slots.start)


def parts_of(steps: Steps, days: range, step_seconds: int) -> list[Part]:
    """The part of a span that lies in these days, cut by day and after every so many slots."""
    parts = []
    start, end = max(steps.start, days.start * DAY_SECONDS), min(steps.end, days.stop * DAY_SECONDS)
    for day in range(start // DAY_SECONDS, -(-end // DAY_SECONDS)) if start < end else ():
        midnight = day * DAY_SECONDS
        last = (min(end, midnight + DAY_SECONDS) - midnight) // step_seconds
        for first in range((max(start, midnight) - midnight) // step_seconds, last, PART_SLOTS):
            slots = slice(first, min(first + PART_SLOTS, last))
            parts.append(Part(day, slots, (midnight - steps.start) // step_seconds + first))
    return parts


class _Sums(NamedTuple):
    """A report that is being made."""

    tally: Tally
    coverage: Coverage
    parts: list[Part]
    group: int
    pace: Pace
    charge: Charge


class Analytics:
    """Earnings of the rooms of a scope."""

    def __init__(self, store: Store, shards: int, *, step_seconds: int, retention_days: int) -> None:
        self._store = store
        self._shards = shards
        self._step_seconds = step_seconds
        self._retention_seconds = retention_days * DAY_SECONDS
        self._feeds = FeedIndex(store, shards)
        self._turn = asyncio.Lock()  # fair: reports that are made at the same time get a feed each in turn

    async def make(self, wanted: Wanted, charge: Charge) -> tuple[Tally, list[int]]:
        """Adds up a report, and counts its measured minutes; raises RedisError. `charge` gets the price of each part of the work."""
        now, steps = int(time.time()), wanted.steps
        days = range((now - self._retention_seconds) // DAY_SECONDS, (now + AHEAD_SECONDS) // DAY_SECONDS + 1)
        await self._feeds.refresh(days)
        pace, feeds = Pace(), []
        for found in self._feeds.of(wanted.scope):
            feeds.append(found)
            await pace.rest()
        charge(SCANNED * len(self._feeds.names_of(wanted.scope)))
        if wanted.detail is not Detail.NONE and len(feeds) * steps.number > MAX_CELLS:
            raise invalid_parameter(
                "step", f"gives more than {MAX_CELLS} numbers for {len(feeds)} feeds; ask for longer steps or fewer rooms"
            )
        parts = parts_of(steps, days, self._step_seconds)
        group = steps.step // self._step_seconds
        tally = Tally(steps, range(parts[0].first // group, -(-parts[-1].span.stop // group)) if parts else range(0), wanted.detail)
        coverage = Coverage([part.span for part in parts], group, 60 // self._step_seconds)
        sums = _Sums(tally, coverage, parts, group, pace, charge)
        for feed, mask in feeds if parts else ():
            async with self._turn:
                pace.rested()
                await self._add(sums, feed, [day for day in days if mask >> (day - days.start) & 1])
        for _ in coverage.count():
            await pace.rest()
        return tally, coverage.minutes(steps.number)

    async def _add(self, sums: "_Sums", feed: Feed, days: list[int]) -> None:
        """Adds one feed, unless it has no reading in the span. `days` are those on which it has any."""
        totals = [0] * len(sums.tally.window)
        found = [await self._add_account(sums, Series(*feed, account), days, totals) for account in self._feeds.accounts(feed)]
        if any(found):
            sums.tally.add(feed, totals)

    async def _add_account(self, sums: "_Sums", series: Series, days: list[int], totals: list[int]) -> bool:
        """Adds to a feed's totals what one of its accounts earned, whose balance it is. False if it has no reading in the span."""
        tally, coverage, parts, group, pace, charge = sums
        touched = sorted({part.day for part in parts}.intersection(days))
        stored = await self._days(series, touched)
        charge(FEED + DAY * len(touched) + SLOT * sum(len(day.pairs) // 2 for day in stored.values()) + STEP * len(tally.window))
        found = [
            (part, values)
            for part in parts
            if part.day in stored and any(values := stored[part.day].pairs[2 * part.slots.start : 2 * part.slots.stop])
        ]
        if not found:
            return False
        before = await self._before(series, [day for day in days if day <= parts[0].day], parts[0], stored)
        for part, values in found:
            step, phase = divmod(part.first, group)
            for position, amount in enumerate(earned(values, 2 * group, before, phase=2 * phase), step - tally.window.start):
                totals[position] += amount
            for slot, gain in stored[part.day].gains.items():
                if part.slots.start <= slot < part.slots.stop:
                    totals[(part.first + slot - part.slots.start) // group - tally.window.start] += gain
            before = last_known(values) or before
            coverage.add(values[1::2], part.first)
            await pace.rest()
        return True

    async def _before(self, series: Series, days: list[int], first: Part, stored: dict[int, DayBalances]) -> int:
        """The last known balance ahead of a span, zero if there is none."""
        for day in reversed(days):
            if day in stored:
                balances = stored[day].pairs[: 2 * first.slots.start] if day == first.day else stored[day].pairs
            else:
                balances = (await self._days(series, [day]))[day].pairs
            if known := last_known(balances):
                return known
        return 0

    async def _days(self, series: Series, days: Sequence[int]) -> dict[int, DayBalances]:
        """The stored balances of whole days."""
        shard = keys.shard_of(series.room_id, self._shards)
        found: dict[int, DayBalances] = {}
        for first in range(0, len(days), DAYS_AT_ONCE):
            some = days[first : first + DAYS_AT_ONCE]
            names = [name for day in some for name in day_keys(shard, series, keys.day_of(day * DAY_SECONDS), self._step_seconds)]
            values: list[bytes | None] = await self._store.owner(names[0]).mget(names)  # type: ignore[assignment]
            per_day = len(names) // len(some)
            for day, start in zip(some, range(0, len(names), per_day), strict=True):
                found[day] = day_balances(stored_day(values[start : start + per_day], self._step_seconds), self._step_seconds)
        return found
