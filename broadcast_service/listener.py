"""Redis to hub: one listener per shard, each on a connection of its own.

Pub/sub is a hint, the stored value is the truth. On every subscription, and every so often, the listener reads the shard's index
and applies what the hub lacks. A probe travels through Redis on the very connection that is listened on; while none comes back the
subscription is dead, whatever the socket says: clients are told, the connection is dropped and rebuilt, to the node that then owns the
shard. The connection never reconnects by itself, so no gap passes unseen. This is the one owner of the subscription and of its retries.
"""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Sequence
from typing import Final

import structlog
from redis.asyncio import Redis

from broadcast_service import metrics
from broadcast_service.fanout import Fanout
from broadcast_service.hub import Hub
from broadcast_service.subscription import Subscription, subscription
from shared import keys
from shared.jobs import report_alive, sleep, until_one_ends
from shared.messages import UNREADABLE, decode_stored
from shared.reasons import reason_of
from shared.redis import RedisError, Store

PROBE_INTERVAL_SECONDS: Final = 0.5
PROBE_TIMEOUT_SECONDS: Final = 3.0
RECONCILE_SECONDS: Final = 30.0
RECONCILE_OVERLAP_US: Final = 60_000_000
PAGE: Final = 500
LEAST_REST_SECONDS: Final = 0.002
LONGEST_REST_SECONDS: Final = 0.025
AHEAD_SECONDS: Final = 0.002  # of a flush, at least, to read what it shall tell
FIRST_BACKOFF_SECONDS: Final = 0.1
MAX_BACKOFF_SECONDS: Final = 2.0

# A version that no reading has, and that every later reading exceeds. It works when memory is short, too.
PROBE: Final = """#!lua flags=allow-oom
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local version = string.format('%.0f', math.max(tonumber(redis.call('GET', KEYS[1]) or 0) + 1, now))
redis.call('SET', KEYS[1], version)
return redis.call(ARGV[2], ARGV[1], version)
"""

RELAYED: Final = {way: metrics.relayed.labels(way) for way in ("live", "stored")}

log = structlog.get_logger()


class SubscriptionDead(RedisError):
    """No probe came back in time, or the shard has moved to another node."""


class ShardListener:
    """Keeps one shard of the hub equal to Redis; `run` is the task that does it. `synced` while its subscription is proven."""

    def __init__(self, store: Store, shard: int, hub: Hub, fanout: Fanout, instance: str) -> None:
        self._store = store
        self._shard = shard
        self._hub = hub
        self._fanout = fanout
        self._events = keys.events_channel(shard).encode()
        self._probes = keys.probe_channel(shard, instance).encode()
        self._index = keys.index(shard)
        self._last_version = keys.last_version(shard)
        self._reconciled_to = 0
        self._failures = 0
        self._proven = asyncio.Event()
        self._proven_at = 0.0
        self._subscription: Subscription | None = None
        self.synced = False

    async def run(self) -> None:
        """Listens for ever; a lost subscription is rebuilt after a jittered pause."""
        while True:
            report_alive()
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                self._note_loss(error)
            ceiling = min(FIRST_BACKOFF_SECONDS * 2 ** min(self._failures, 10), MAX_BACKOFF_SECONDS)
            self._failures += 1
            await sleep(random.uniform(ceiling / 2, ceiling))

    def _note_loss(self, error: BaseException) -> None:
        metrics.subscriptions_lost.labels(type(error).__name__).inc()
        if self.synced or self._failures == 0:
            log.warning("subscription.lost", shard=self._shard, error=type(error).__name__, reason=reason_of(error))
        self._set_synced(synced=False)

    async def _listen(self) -> None:
        self._proven.clear()
        self._subscription = None
        redis = self._store.owner(self._index)
        async with subscription(redis, self._store.subscribe, [self._events, self._probes], self._hear) as self._subscription:
            self._proven_at = asyncio.get_running_loop().time()
            await until_one_ends(self._subscription.lost(), self._watch(), self._probe(redis), self._reconcile(redis))

    def _hear(self, _kind: bytes, channel: bytes, data: bytes) -> None:
        """Applies what was published; a probe of ours proves that the subscription is alive."""
        if channel == self._events:
            self._apply(data.split(b"\n"), "live")
            self._rest()
        elif channel == self._probes and data.isdigit():
            self._proven_at = asyncio.get_running_loop().time()
            self._proven.set()
            self._advance(int(data))

    def _rest(self) -> None:
        """Until shortly before the next flush nobody waits for what comes, and much read at once costs a fraction of one by one."""
        if self._subscription is not None:
            ahead = max(AHEAD_SECONDS, 2 * self._subscription.busy_seconds)
            seconds = min(self._fanout.pause_left() - ahead, LONGEST_REST_SECONDS)
            if seconds > LEAST_REST_SECONDS:
                self._subscription.rest(seconds)

    async def _watch(self) -> None:
        """Raises SubscriptionDead when probes no longer come back."""
        while (left := self._proven_at + PROBE_TIMEOUT_SECONDS - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)
        raise SubscriptionDead

    async def _probe(self, redis: Redis) -> None:
        """Takes a version and publishes it to ourselves: what has a lower one precedes it on the channel, whatever clocks do."""
        while self._store.owner(self._index) is redis:
            with contextlib.suppress(RedisError, OSError, TimeoutError):  # `_watch` notices when none comes back
                await redis.eval(PROBE, 1, self._last_version, self._probes, self._store.publish)
            await sleep(PROBE_INTERVAL_SECONDS)
        raise SubscriptionDead

    async def _reconcile(self, redis: Redis) -> None:
        """Reads what is stored: all of it at first, then, every so often, what changed lately."""
        await self._proven.wait()
        await self._apply_stored(redis, since=0)
        metrics.resyncs.labels("full").inc()
        self._failures = 0
        self._set_synced(synced=True)
        self._advance(self._reconciled_to)
        log.info("subscription.ok", shard=self._shard, rooms=len(self._hub.log))
        while True:
            await asyncio.sleep(RECONCILE_SECONDS * random.uniform(0.8, 1.2))
            try:
                await self._apply_stored(redis, since=self._reconciled_to - RECONCILE_OVERLAP_US)
                metrics.resyncs.labels("partial").inc()
            except (RedisError, OSError, TimeoutError):
                continue  # the probe decides whether Redis is away; the next round reads what this one did not

    async def _apply_stored(self, redis: Redis, since: int) -> None:
        """Pages through the index by version and applies the values that the hub lacks."""
        position = f"({max(since, 0)}"
        newest = self._reconciled_to
        while page := await self._page(redis, position):
            lacking = [member for member, version in page if version > self._version_of(member)]
            if lacking:
                values: list[bytes | None] = await redis.mget([keys.latest_prefix(self._shard) + m for m in lacking])  # type: ignore[assignment]
                self._apply([value for value in values if value is not None], "stored")
            newest = page[-1][1]
            position = f"({newest}"
        self._reconciled_to = max(self._reconciled_to, newest)

    async def _page(self, redis: Redis, position: str) -> list[tuple[str, int]]:
        """The next members of the index after a version, with theirs."""
        page: list[tuple[bytes, float]] = await redis.zrangebyscore(  # type: ignore[assignment]
            self._index, position, "+inf", start=0, num=PAGE, withscores=True
        )
        return [(member.decode(errors="replace"), int(version)) for member, version in page if math.isfinite(version)]

    def _version_of(self, member: str) -> int:
        room_id, _, platform = member.partition(":")
        return self._hub.log.version(room_id, platform)

    def _apply(self, values: Sequence[bytes], way: str) -> None:
        now = time.time()
        stored, taken = None, 0
        for value in values:
            try:
                stored = decode_stored(value)
            except UNREADABLE:
                metrics.malformed.inc()
                continue
            taken += self._hub.apply(stored, now)
            self._advance(stored.version)
        if stored is not None and taken:
            RELAYED[way].inc(taken)
            if way == "live":  # a message is one commit, so its readings share the moment
                metrics.commit_to_relay_seconds.observe(max(0.0, now - stored.committed_at / 1e6))
        self._fanout.wake()

    def _advance(self, version: int) -> None:
        """Until the stored values are read, what arrives live says nothing about what was missed before."""
        if self.synced:
            self._hub.advance(self._shard, version)

    def _set_synced(self, *, synced: bool) -> None:
        self.synced = synced
        self._hub.set_synced(self._shard, synced=synced)
        metrics.upstream_ok.set(self._hub.upstream == "ok")
        self._fanout.wake()


def mostly_synced(listeners: Sequence[ShardListener]) -> bool:
    """Whether more than half of the shards have a proven subscription: what one sick node of many leaves."""
    return 2 * sum(listener.synced for listener in listeners) > len(listeners)
