"""Redis to hub: one listener per shard, each on a connection of its own.

Pub/sub is a hint, the stored value is the truth. On every subscription, and every so often, the listener reads the shard's index
and applies what the hub lacks. A probe travels through Redis on the very connection that is listened on; while none comes back the
subscription is dead, whatever the socket says: clients are told, the connection is dropped and rebuilt, to the node that then owns the
shard. The connection never reconnects by itself, so no gap passes unseen. This is the one owner of the subscription and of its retries.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from broadcast_service import metrics
from broadcast_service.relay.flush_scheduler import FlushScheduler
from broadcast_service.relay.hub import Hub
from shared.contract import keys
from shared.contract.messages import UNREADABLE, decode_stored
from shared.store.reasons import reason_of
from shared.store.redis import RedisError, Store
from shared.store.subscription import Subscription, subscription
from shared.web.jobs import report_alive, sleep, until_one_ends

PROBE_INTERVAL_SECONDS: Final = 0.5
PROBE_TIMEOUT_SECONDS: Final = 3.0
RECONCILE_SECONDS: Final = 30.0
RECONCILE_OVERLAP_US: Final = 60_000_000
MAX_PAGE: Final = 500
INITIAL_PAGE: Final = 64
QUICK_PAGE_SECONDS: Final = 0.1  # a page that took less may be followed by a larger one
SLOW_PAGE_SECONDS: Final = 0.3
MIN_PAUSE_SECONDS: Final = 0.002
MAX_PAUSE_SECONDS: Final = 0.025
FLUSH_LEAD_SECONDS: Final = 0.002  # of a flush, at least, to read what it shall tell
INITIAL_BACKOFF_SECONDS: Final = 0.1
MAX_BACKOFF_SECONDS: Final = 2.0

MAX_VERSION: Final = 2**53
MAX_VERSION_AHEAD_US: Final = 3_600_000_000
MIN_CLOCK_TOLERANCE_SECONDS: Final = 10.0

# A version that no reading has, and that every later reading exceeds, also after Redis has lost its data: the newest version that this
# process knows lifts the counter. A version that is no number, or lies more than an hour ahead of the clock, is damage and is not believed.
# The script works when memory is short, too. It returns Redis' clock in microseconds.
PROBE: Final = f"""#!lua flags=allow-oom
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local stored = redis.pcall('GET', KEYS[1])
if type(stored) == 'table' then
  if not string.find(tostring(stored.err), 'WRONGTYPE', 1, true) then return stored end
  stored = nil
end
local version = now
for _, known in ipairs({{stored or 0, ARGV[3]}}) do
  local number = tonumber(known)
  if number and number <= now + {MAX_VERSION_AHEAD_US} then version = math.max(version, number + 1) end
end
version = string.format('%.0f', version)
redis.call('SET', KEYS[1], version)
redis.call(ARGV[2], ARGV[1], version)
return string.format('%.0f', now)
"""

RECEIVED: Final = {source: metrics.relayed.labels(source) for source in ("live", "stored")}

log = structlog.get_logger()


class SubscriptionDead(RedisError):
    """No probe came back in time, or the shard has moved to another node."""


class ShardListener:
    """Keeps one shard of the hub equal to Redis; `run` is the task that does it. `confirmed` while its subscription is proven.

    `clock_tolerance_seconds` is how far Redis' clock and ours may differ: more would let values expire at a wrong time.
    """

    def __init__(
        self, store: Store, shard: int, hub: Hub, scheduler: FlushScheduler, instance: str, *, clock_tolerance_seconds: float = 1800.0
    ) -> None:
        self._store = store
        self._shard = shard
        self._hub = hub
        self._scheduler = scheduler
        self._events = keys.events_channel(shard).encode()
        self._probes = keys.probe_channel(shard, instance).encode()
        self._index = keys.index(shard)
        self._last_version = keys.last_version(shard)
        self._clock_tolerance_seconds = max(clock_tolerance_seconds, MIN_CLOCK_TOLERANCE_SECONDS)
        self._clocks_agree = True
        self._redis_clock: tuple[float, float] | None = None  # in microseconds, and when it was read by the monotonic clock
        self._full_reconcile_due = asyncio.Event()
        self._newest_version = 0
        self._page_size = INITIAL_PAGE
        self._reconciled_to = 0
        self._failures = 0
        self._probed = asyncio.Event()
        self._probed_at = 0.0
        self._subscription: Subscription | None = None
        self.confirmed = False

    async def run(self) -> None:
        """Listens for ever; a lost subscription is rebuilt after a jittered pause."""
        while True:
            report_alive()
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                self._record_loss(error)
            ceiling = min(INITIAL_BACKOFF_SECONDS * 2 ** min(self._failures, 10), MAX_BACKOFF_SECONDS)
            self._failures += 1
            await sleep(random.uniform(ceiling / 2, ceiling))

    def _record_loss(self, error: BaseException) -> None:
        metrics.subscriptions_lost.labels(type(error).__name__).inc()
        if self.confirmed or self._failures == 0:
            log.warning("subscription.lost", shard=self._shard, error=type(error).__name__, reason=reason_of(error))
        self._set_confirmed(confirmed=False)

    async def _listen(self) -> None:
        self._probed.clear()
        self._subscription = None
        redis = self._store.health(self._index)
        async with subscription(redis, self._store.subscribe, [self._events, self._probes], self._receive) as self._subscription:
            self._probed_at = asyncio.get_running_loop().time()
            await until_one_ends(self._subscription.lost(), self._watch(), self._probe(redis), self._reconcile(redis))

    def _receive(self, _kind: bytes, channel: bytes, data: bytes) -> None:
        """Applies what was published; a probe of ours proves that the subscription is alive."""
        if channel == self._events:
            self._apply(data.split(b"\n"), "live")
            self._pause_until_flush()
        elif channel == self._probes and data.isdigit() and len(data) <= len(str(MAX_VERSION)):
            self._probed_at = asyncio.get_running_loop().time()
            self._probed.set()
            self._advance(int(data))

    def _pause_until_flush(self) -> None:
        """Until shortly before the next flush nobody waits for what comes, and much read at once costs a fraction of one by one."""
        if self._subscription is not None:
            ahead = max(FLUSH_LEAD_SECONDS, 2 * self._subscription.busy_seconds)
            seconds = min(self._scheduler.seconds_until_flush() - ahead, MAX_PAUSE_SECONDS)
            if seconds > MIN_PAUSE_SECONDS:
                self._subscription.pause(seconds)

    async def _watch(self) -> None:
        """Raises SubscriptionDead when probes no longer come back."""
        while (left := self._probed_at + PROBE_TIMEOUT_SECONDS - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)
        raise SubscriptionDead

    async def _probe(self, redis: Redis) -> None:
        """Takes a version and publishes it to ourselves: what has a lower one precedes it on the channel, whatever clocks do."""
        while self._store.health(self._index) is redis:
            with contextlib.suppress(RedisError, OSError, TimeoutError):  # `_watch` notices when none comes back
                sent_at = time.time()
                answer: Any = await redis.eval(PROBE, 1, self._last_version, self._probes, self._store.publish, self._newest_version)
                self._compare_clocks(int(answer), sent_at * 1e6, time.time() * 1e6)
            await sleep(PROBE_INTERVAL_SECONDS)
        raise SubscriptionDead

    def _compare_clocks(self, redis_us: float, sent_us: float, received_us: float) -> None:
        """Redis read its clock between our two readings of ours. While they differ by much, values expire too early, or too late."""
        self._redis_clock = redis_us, time.monotonic()
        ahead_seconds = (redis_us - min(max(redis_us, sent_us), received_us)) / 1e6
        agree = abs(ahead_seconds) <= self._clock_tolerance_seconds
        if not agree and self._clocks_agree:
            log.error("clock.differs", shard=self._shard, redis_ahead_seconds=round(ahead_seconds))
            self._clocks_agree = False
            self._set_confirmed(confirmed=self.confirmed)
        elif agree and not self._clocks_agree:
            log.info("clock.agrees", shard=self._shard)
            self._clocks_agree = True
            self._full_reconcile_due.set()  # what was dropped or expired by the wrong clock is put again, and then all is well

    async def _reconcile(self, redis: Redis) -> None:
        """Reads what is stored: all of it at first, then, every so often, what changed lately."""
        await self._probed.wait()
        await self._reconcile_all(redis)
        self._failures = 0
        self._hub.mark_read(self._shard)
        log.info("subscription.ok", shard=self._shard, rooms=len(self._hub.log))
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECONCILE_SECONDS * random.uniform(0.8, 1.2)):
                    await self._full_reconcile_due.wait()
            try:
                if self._full_reconcile_due.is_set():
                    await self._reconcile_all(redis)
                else:
                    await self._reconcile_since(redis, since=self._reconciled_to - RECONCILE_OVERLAP_US)
                    metrics.resyncs.labels("partial").inc()
            except (RedisError, OSError, TimeoutError):
                # The probe decides whether Redis is away; the next round reads what this one did not.
                await asyncio.sleep(INITIAL_BACKOFF_SECONDS)

    async def _reconcile_all(self, redis: Redis) -> None:
        """Applies all stored values that the hub lacks; what a wrong clock did before is undone by that."""
        self._full_reconcile_due.clear()
        try:
            await self._reconcile_since(redis, since=0)
        except BaseException:
            self._full_reconcile_due.set()
            raise
        metrics.resyncs.labels("full").inc()
        self._set_confirmed(confirmed=True)
        self._advance(self._reconciled_to)

    async def _reconcile_since(self, redis: Redis, since: int) -> None:
        """Pages through the index by version and applies the values that the hub lacks.

        Pages are as large as the line to Redis carries in a fraction of the timeout. A page that fails is tried again smaller, and what was
        applied stays, so that over any line each try gets further.
        """
        position = max(since, 0)
        while True:
            started = time.monotonic()
            try:
                page = await self._page(redis, position)
                lacking = [member for member, version in page if self._hub.lacks(*_feed(member), version)]
                if lacking:
                    values: list[bytes | None] = await redis.mget([keys.latest_prefix(self._shard) + m for m in lacking])  # type: ignore[assignment]
                    self._apply([value for value in values if value is not None], "stored")
            except (TimeoutError, RedisTimeoutError):
                if self._page_size == 1:
                    raise
                self._page_size = max(1, self._page_size // 4)
                continue
            if not page:
                break
            self._adapt_page_size(time.monotonic() - started)
            position = page[-1][1]
        self._reconciled_to = max(self._reconciled_to, position)

    def _adapt_page_size(self, seconds: float) -> None:
        """Chooses the size of the next page by how long one took."""
        if seconds < QUICK_PAGE_SECONDS:
            self._page_size = min(MAX_PAGE, 2 * self._page_size)
        elif seconds > SLOW_PAGE_SECONDS:
            self._page_size = max(1, self._page_size // 2)

    async def _page(self, redis: Redis, after: int) -> list[tuple[str, int]]:
        """The next members of the index after a version, with theirs."""
        page: list[tuple[bytes, float]] = await redis.zrangebyscore(  # type: ignore[assignment]
            self._index, f"({after}", self._max_version(), start=0, num=self._page_size, withscores=True
        )
        return [(member.decode(errors="replace"), int(version)) for member, version in page]

    def _max_version(self) -> int:
        """A version above this is damage: clients that took it would drop everything that follows."""
        if self._redis_clock is None:
            return MAX_VERSION
        redis_us, read_at = self._redis_clock
        return int(redis_us + (time.monotonic() - read_at) * 1e6) + MAX_VERSION_AHEAD_US

    def _apply(self, values: Sequence[bytes], source: str) -> None:
        now = time.time()
        stored, taken, max_version = None, 0, self._max_version()
        for value in values:
            try:
                stored = decode_stored(value)
            except UNREADABLE:
                metrics.malformed.inc()
                continue
            if stored.version > max_version:
                metrics.malformed.inc()
                continue
            taken += self._hub.apply(stored, now)
            self._advance(stored.version, of_commit=True)
        if stored is not None and taken:
            RECEIVED[source].inc(taken)
            if source == "live":  # a message is one commit, so its readings share the moment
                metrics.commit_to_relay_seconds.observe(max(0.0, now - stored.committed_at / 1e6))
        self._scheduler.request_flush()

    def _advance(self, version: int, *, of_commit: bool = False) -> None:
        """Until the stored values are read, what arrives live says nothing about what was missed before."""
        if version > self._max_version():
            return
        self._newest_version = max(self._newest_version, version)
        if self.confirmed:
            self._hub.advance(self._shard, version, of_commit=of_commit)

    def _set_confirmed(self, *, confirmed: bool) -> None:
        self.confirmed = confirmed
        self._hub.set_confirmed(self._shard, confirmed=confirmed and self._clocks_agree and not self._full_reconcile_due.is_set())
        metrics.upstream_ok.set(self._hub.upstream == "ok")
        self._scheduler.request_flush()


def _feed(member: str) -> tuple[str, str]:
    """The room and the platform of an index' member."""
    room_id, _, platform = member.partition(":")
    return room_id, platform


def mostly_confirmed(listeners: Sequence[ShardListener]) -> bool:
    """Whether more than half of the shards have a proven subscription: what one sick node of many leaves."""
    return 2 * sum(listener.confirmed for listener in listeners) > len(listeners)
