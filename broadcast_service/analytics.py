"""Reads what every room in scope earned out of the history arrays, one room after another so that nothing else waits for long.

The work of a report follows what is kept, not what was asked for: outside of the retained days nothing is read, and the answer is padded.
"""

import asyncio
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from starlette.datastructures import QueryParams

from broadcast_service.budget import FEED, SLOT, STEP
from broadcast_service.earnings import Coverage, Detail, Feed, Steps, Tally, earned, last_known
from broadcast_service.feeds import FeedIndex
from broadcast_service.history import MAX_POINTS, whole, wrong
from shared import keys
from shared.history import DAY_SECONDS, RECORD_BYTES
from shared.redis import Store
from shared.scope import Scope

Charge = Callable[[float], None]

MAX_DAYS: Final = 366
MAX_CELLS: Final = 500_000  # feeds times steps: what one answer may hold
AHEAD_SECONDS: Final = 600  # readings may be ahead of our clock
PART_SLOTS: Final = 1440  # stored records that are summed up in one stretch
DAYS_AT_ONCE: Final = 8  # arrays that one answer of Redis holds
STRETCH_SECONDS: Final = 0.003  # of work before others get a turn


class Wanted(NamedTuple):
    """What a report is about; equal ones have equal reports for a while."""

    scope: Scope
    steps: Steps
    detail: Detail


def parse_wanted(query: QueryParams, scope: Scope, step_seconds: int, *, now_seconds: int, csv: bool = False) -> Wanted:
    """Reads `from`, `to`, `step` and `by`; the default is the last day by the hour. Raises a 422 Problem."""
    end = whole(query, "to", now_seconds)
    start = whole(query, "from", end - DAY_SECONDS)
    if not start < end <= start + MAX_DAYS * DAY_SECONDS:
        raise wrong("from", f"should lie before to, by at most {MAX_DAYS} days")
    step = whole(query, "step", -(-3600 // step_seconds) * step_seconds)
    if step < step_seconds or step % step_seconds:
        raise wrong("step", f"should be a multiple of {step_seconds} seconds")
    steps = Steps(start - start % step_seconds, end + -end % step_seconds, step)
    if steps.number > MAX_POINTS:
        raise wrong("step", f"gives more than {MAX_POINTS} steps")
    if query.get("by", "") not in ("", "feed"):
        raise wrong("by", "should be feed, or absent")
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
        if wanted.detail is not Detail.NONE and len(feeds) * steps.number > MAX_CELLS:
            raise wrong("step", f"gives more than {MAX_CELLS} numbers for {len(feeds)} feeds; ask for longer steps or fewer rooms")
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
        tally, coverage, parts, group, pace, charge = sums
        touched = sorted({part.day for part in parts}.intersection(days))
        stored = await self._days(feed, touched)
        charge(FEED + SLOT * sum(map(len, stored.values())) + STEP * len(tally.window))
        found = [(part, values) for part in parts if part.day in stored and any(values := stored[part.day][part.slots])]
        if not found:
            return
        before = await self._before(feed, [day for day in days if day <= parts[0].day], parts[0], stored)
        totals = [0] * len(tally.window)
        for part, values in found:
            step, phase = divmod(part.first, group)
            for position, amount in enumerate(earned(values, group, before, phase=phase), step - tally.window.start):
                totals[position] += amount
            before = last_known(values) or before
            coverage.add(values, part.first)
            await pace.rest()
        tally.add(feed, totals)

    async def _before(self, feed: Feed, days: list[int], first: Part, stored: "dict[int, array[int]]") -> int:
        """The last known balance ahead of a span, zero if there is none."""
        for day in reversed(days):
            balances = stored[day][: first.slots.start] if day in stored else (await self._days(feed, [day]))[day]
            if known := last_known(balances):
                return known
        return 0

    async def _days(self, feed: Feed, days: Sequence[int]) -> "dict[int, array[int]]":
        """The stored balances of whole days, padded to the same length."""
        shard = keys.shard_of(feed.room_id, self._shards)
        slots = DAY_SECONDS // self._step_seconds
        found: dict[int, array[int]] = {}
        for first in range(0, len(days), DAYS_AT_ONCE):
            some = days[first : first + DAYS_AT_ONCE]
            names = [keys.history(shard, *feed, keys.day_of(day * DAY_SECONDS), self._step_seconds) for day in some]
            for day, data in zip(some, await self._store.owner(names[0]).mget(names), strict=True):
                found[day] = _balances_of(data, slots)
        return found


def _balances_of(data: Any, slots: int) -> "array[int]":
    """The first number of each record. `shared.history.unpack` gives all five as Python numbers, at thirty times the cost."""
    numbers = array("I")
    numbers.frombytes((data or b"").ljust(slots * RECORD_BYTES, b"\0")[: slots * RECORD_BYTES])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers[:: RECORD_BYTES // 4]
