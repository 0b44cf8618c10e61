"""Reads what every room in scope earned out of the history arrays, one room after another so that nothing else waits for long.

Reports are wanted by many dashboards at once (after a restart, by all of them), so equal ones are made once and kept for a moment.
"""

import asyncio
import sys
import time
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from starlette.datastructures import QueryParams

from broadcast_service.earnings import Coverage, Feed, Report, Steps, Tally, earned, last_known
from broadcast_service.history import MAX_POINTS, whole, wrong
from shared import keys
from shared.history import DAY_SECONDS, RECORD_BYTES
from shared.redis import Store
from shared.scope import Scope

MAX_DAYS: Final = 366
MAX_CELLS: Final = 500_000  # feeds times steps: what one answer may hold
KEPT_REPORTS: Final = 32
KEPT_SECONDS: Final = 20.0  # a report of a span that is over: only late readings change it
KEPT_OPEN_SECONDS: Final = 2.0  # one that reaches into the present


class Wanted(NamedTuple):
    """What a report is about; equal ones have equal reports for a while."""

    scope: Scope
    steps: Steps
    with_steps: bool


def parse_wanted(query: QueryParams, scope: Scope, step_seconds: int, *, now_seconds: int) -> Wanted:
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
    return Wanted(scope, steps, query.get("by") == "feed")


class Analytics:
    """Earnings of the rooms of a scope."""

    def __init__(self, store: Store, shards: int, *, step_seconds: int, retention_days: int) -> None:
        self._store = store
        self._shards = shards
        self._step_seconds = step_seconds
        self._retention_seconds = retention_days * DAY_SECONDS
        self._one_at_a_time = asyncio.Lock()
        self._kept: OrderedDict[Wanted, tuple[float, Report]] = OrderedDict()

    async def report(self, wanted: Wanted) -> Report:
        """A report, made now or a moment ago; raises RedisError."""
        kept_seconds = KEPT_SECONDS if wanted.steps.end <= time.time() else KEPT_OPEN_SECONDS
        async with self._one_at_a_time:
            if (kept := self._kept.get(wanted)) and time.monotonic() - kept[0] < kept_seconds:
                return kept[1]
            made = await self._make(wanted)
            self._kept[wanted] = time.monotonic(), made
            self._kept.move_to_end(wanted)
            if len(self._kept) > KEPT_REPORTS:
                self._kept.popitem(last=False)
            return made

    async def _make(self, wanted: Wanted) -> Report:
        tally, days_by_feed = Tally(wanted.steps, with_steps=wanted.with_steps), await self._days_by_feed(wanted)
        if wanted.with_steps and len(days_by_feed) * wanted.steps.number > MAX_CELLS:
            raise wrong("step", f"gives more than {MAX_CELLS} numbers for {len(days_by_feed)} feeds; ask for longer steps or fewer rooms")
        group = wanted.steps.step // self._step_seconds
        slots = (wanted.steps.end - wanted.steps.start) // self._step_seconds
        coverage = Coverage(slots, group, 60 // self._step_seconds)
        for feed, days in sorted(days_by_feed.items()):
            stored, before = await self._balances(feed, days, wanted.steps)
            if any(stored):
                tally.add(feed, earned(stored, group, before))
                coverage.add(stored)
        return tally.report(coverage.minutes())

    async def _days_by_feed(self, wanted: Wanted) -> dict[Feed, list[int]]:
        """The retained UTC midnights, up to the end of the span, on whose days each feed in scope has readings."""
        days: dict[Feed, list[int]] = {}
        now = int(time.time())
        oldest = now - self._retention_seconds
        for day in range(oldest - oldest % DAY_SECONDS, min(wanted.steps.end, now + DAY_SECONDS), DAY_SECONDS):
            for shard in range(self._shards):
                key = keys.history_feeds(shard, keys.day_of(day))
                for member in await self._store.owner(key).smembers(key):
                    assert isinstance(member, bytes)
                    room_id, _, platform = member.decode(errors="replace").rpartition(":")
                    feed = Feed(room_id, platform)
                    if wanted.scope.allows(*feed):
                        days.setdefault(feed, []).append(day)
        return days

    async def _balances(self, feed: Feed, days: list[int], steps: Steps) -> tuple[Sequence[int], int]:
        """The stored balances of a span, one per recorded step, and the last known one before it."""
        first_day = steps.start - steps.start % DAY_SECONDS
        touched = range(first_day, steps.end, DAY_SECONDS)
        stored = array("I")
        for balances in await self._days(feed, touched):
            stored += balances
        start, end = ((moment - first_day) // self._step_seconds for moment in steps[:2])
        before = last_known(stored[:start])
        for day in reversed([day for day in days if day < first_day]):
            if before:
                break
            before = last_known((await self._days(feed, [day]))[0])
        return stored[start:end], before

    async def _days(self, feed: Feed, days: Sequence[int]) -> "list[array[int]]":
        """The stored balances of whole days, padded to the same length."""
        shard = keys.shard_of(feed.room_id, self._shards)
        slots = DAY_SECONDS // self._step_seconds
        wanted = [keys.history(shard, *feed, keys.day_of(day), self._step_seconds) for day in days]
        found = await self._store.owner(wanted[0]).mget(wanted)
        return [_balances_of(data, slots) for data in found]


def _balances_of(data: Any, slots: int) -> "array[int]":
    """The first number of each record. `shared.history.unpack` gives all five as Python numbers, at thirty times the cost."""
    numbers = array("I")
    numbers.frombytes((data or b"").ljust(slots * RECORD_BYTES, b"\0")[: slots * RECORD_BYTES])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers[:: RECORD_BYTES // 4]
