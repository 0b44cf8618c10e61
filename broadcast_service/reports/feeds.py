"""Which feeds have history on which days, as this process last read it.

The sets in Redis only grow, so their sizes say whether anything is new: a set is read again when its size has changed, in parts, and a
report of one room looks at one room. What grew and shrank to the same size meanwhile (a Redis that lost its data) is found within minutes.
"""

import asyncio
import bisect
import time
from collections.abc import Iterator
from typing import Any, Final

from broadcast_service import metrics
from shared.auth.scope import Scope
from shared.contract import keys
from shared.contract.feeds import Feed, Series, parse_member
from shared.contract.history_record import DAY_SECONDS
from shared.store.redis import Store

SCAN_COUNT: Final = 500  # members per answer
REREAD_SECONDS: Final = 300.0


class FeedIndex:
    """Rooms, their platforms, and the days of each as bits: bit 0 is the first day of the last `refresh`."""

    def __init__(self, store: Store, shards: int) -> None:
        self._store = store
        self._shards = shards
        self._rooms: dict[str, dict[str, int]] = {}
        self._accounts: dict[Feed, dict[str, int]] = {}  # the accounts of each feed, and the days of each; the unnamed one is empty
        self._rooms_of_account: dict[tuple[str, str], set[str]] = {}  # by platform and account; without the unnamed ones
        self._names: list[str] = []
        self._read: dict[tuple[int, int], tuple[int, float]] = {}  # size and time of the last reading, by day and shard
        self._reading = asyncio.Lock()
        self._first_day = 0

    async def refresh(self, days: range, kept: range) -> None:
        """Brings the days that Redis keeps (as numbers since the epoch) up to date; `days` are all that count. Raises RedisError."""
        async with self._reading:
            self._forget(days)
            sizes = await self._sizes(kept)
            now = time.monotonic()
            for (day, shard), size in sizes.items():
                known = self._read.get((day, shard))
                if size and (known is None or known[0] != size or now - known[1] > REREAD_SECONDS):
                    await self._read_one(day, shard)
                    self._read[day, shard] = size, now
            self.sort()
            metrics.history_feeds.set(sum(map(len, self._rooms.values())))

    async def _sizes(self, days: range) -> dict[tuple[int, int], int]:
        """The size of the set of each day and shard, asked of each node at once."""
        pipelines: dict[int, tuple[Any, list[tuple[int, int]]]] = {}
        for shard in range(self._shards):
            for day in days:
                key = keys.history_feeds(shard, keys.day_of(day * DAY_SECONDS))
                node = self._store.owner(key)
                pipeline, asked = pipelines.setdefault(id(node), (node.pipeline(transaction=False), []))
                pipeline.scard(key)
                asked.append((day, shard))
        sizes: dict[tuple[int, int], int] = {}
        for pipeline, asked in pipelines.values():
            sizes.update(zip(asked, await pipeline.execute(), strict=True))
        return sizes

    async def _read_one(self, day: int, shard: int) -> None:
        """Adds the members of one set, and gives the loop back between its parts."""
        key = keys.history_feeds(shard, keys.day_of(day * DAY_SECONDS))
        async for members in self._store.members(key, SCAN_COUNT):
            for member in members:
                self.add(parse_member(member.decode(errors="replace")), 1 << (day - self._first_day))

    def add(self, series: Series, days: int) -> None:
        """Adds days of a series, as bits from the first day of the last `refresh`."""
        if series.account:
            self._rooms_of_account.setdefault((series.platform, series.account), set()).add(series.room_id)
        accounts = self._accounts.setdefault(series.feed, {})
        accounts[series.account] = accounts.get(series.account, 0) | days
        platforms = self._rooms.setdefault(series.room_id, {})
        platforms[series.platform] = platforms.get(series.platform, 0) | days

    def sort(self) -> None:
        """To be called after `add`: brings the names of the rooms up to date."""
        if len(self._names) != len(self._rooms):
            self._names = sorted(self._rooms)

    def _forget(self, days: range) -> None:
        """Drops the days that are no longer kept; the bits then count from the new first day."""
        passed, self._first_day = days.start - self._first_day, days.start
        if not passed:
            return
        if passed < 0:  # the clock was set back
            self._rooms, self._accounts, self._read = {}, {}, {}
        self._read = {key: value for key, value in self._read.items() if key[0] in days}
        for room_id, platforms in list(self._rooms.items()):
            left = {platform: mask >> passed for platform, mask in platforms.items() if mask >> passed}
            if left:
                self._rooms[room_id] = left
            else:
                del self._rooms[room_id]
        for feed, accounts in list(self._accounts.items()):
            kept = {account: mask >> passed for account, mask in accounts.items() if mask >> passed}
            if kept:
                self._accounts[feed] = kept
            else:
                del self._accounts[feed]
        self._rooms_of_account = {}
        for (room_id, platform), accounts in self._accounts.items():
            for account in filter(None, accounts):
                self._rooms_of_account.setdefault((platform, account), set()).add(room_id)
        self._names = sorted(self._rooms)

    def accounts(self, feed: Feed) -> list[str]:
        """The accounts of a feed, the unnamed one (empty) first."""
        return sorted(self._accounts.get(feed, ()))

    def rooms(self, feed: Feed, account: str) -> dict[str, int]:
        """The rooms in which an account of a feed works, and the days of each as bits. An unnamed account has one room."""
        found = self._rooms_of_account.get((feed.platform, account), {feed.room_id}) if account else {feed.room_id}
        return {room_id: self._accounts.get(Feed(room_id, feed.platform), {}).get(account, 0) for room_id in sorted(found)}

    def shared_days(self, room_id: str) -> int:
        """The days, as bits, on which a room has more than one series."""
        once = several = 0
        for platform in self._rooms.get(room_id, {}):
            for days in self._accounts.get(Feed(room_id, platform), {}).values():
                several |= once & days
                once |= days
        return several

    def of(self, scope: Scope) -> Iterator[tuple[Feed, int]]:
        """The feeds inside a scope and the days of each as bits, by room."""
        for room_id in self.names_of(scope):
            for platform, mask in sorted(self._rooms.get(room_id, {}).items()):
                if scope.platforms is None or platform in scope.platforms:
                    yield Feed(room_id, platform), mask

    def names_of(self, scope: Scope) -> list[str]:
        """The rooms inside a scope, sorted. A scope's patterns do not overlap."""
        if scope.prefixes == ("",):
            return self._names
        found = [room_id for room_id in scope.rooms if room_id in self._rooms]
        for prefix in scope.prefixes:
            first = bisect.bisect_left(self._names, prefix)
            found += self._names[first : bisect.bisect_left(self._names, prefix + "\x7f")]  # ids are ASCII below it
        found.sort()
        return found
