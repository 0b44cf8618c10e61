"""Delivers the readings that are committed to Redis to a `ReadingSink`: one listener per shard, each on its own connection.

Pub/sub does not guarantee delivery, and the stored values are authoritative. After each subscription, and then periodically, the listener
reads the shard's index and delivers the stored readings that the sink lacks. It also publishes probes to itself through Redis and receives
them on the connection that it listens on. When no probe comes back in time the subscription is dead, even if the socket is open: the
listener reports the loss to the sink, drops the connection and opens a new one to the node that owns the shard by then. The connection
never reconnects by itself, so no gap goes unnoticed. The listener is the only owner of the subscription and of its retries.
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

from shared.contract import keys
from shared.contract.feeds import parse_member
from shared.store import listener_metrics as metrics
from shared.store.demand import Demand
from shared.store.page_size import PageSize
from shared.store.probe import MAX_VERSION_AHEAD_US, PROBE
from shared.store.reading_sink import ReadingSink, Source
from shared.store.reasons import reason_of
from shared.store.redis import RedisError, Store
from shared.store.sound_readings import sound_readings
from shared.store.subscription import Subscription, subscription
from shared.web.jobs import report_alive, sleep, until_one_ends

PROBE_INTERVAL_SECONDS: Final = 0.5
PROBE_TIMEOUT_SECONDS: Final = 3.0
RECONCILE_SECONDS: Final = 30.0
RECONCILE_OVERLAP_US: Final = 60_000_000
MIN_PAUSE_SECONDS: Final = 0.002
MAX_PAUSE_SECONDS: Final = 0.025
MAX_ARRIVED: Final = 200  # readings that are delivered together, in about a millisecond
INITIAL_BACKOFF_SECONDS: Final = 0.1
MAX_BACKOFF_SECONDS: Final = 2.0

MAX_VERSION: Final = 2**53
MIN_CLOCK_TOLERANCE_SECONDS: Final = 10.0

RECEIVED: Final = {source: metrics.readings_received.labels(source.value) for source in Source}

log = structlog.get_logger()


class SubscriptionDead(RedisError):
    """No probe came back in time, or another node owns the shard now."""


class Released(Exception):
    """The shard's readings are no longer needed."""


class ShardListener:
    """Delivers one shard's readings to a sink; `run` is its task. `confirmed`: the subscription works and all stored values were read.

    `instance` names the probe channel, so every process and sink needs its own. `clock_tolerance_seconds` is the accepted difference
    between Redis' clock and the clock of this process: values would expire too early or too late if it were larger. The listener listens
    while `demand` requires it, or always without one; after a release it reports its subscription as lost. `is_idle`: it does not listen,
    or has just begun to listen again.
    """

    def __init__(
        self,
        store: Store,
        shard: int,
        sink: ReadingSink,
        instance: str,
        *,
        clock_tolerance_seconds: float = 1800.0,
        demand: Demand | None = None,
    ) -> None:
        self._store = store
        self._demand = demand or Demand()
        self._shard = shard
        self._sink = sink
        self._events = keys.events_channel(shard).encode()
        self._probes = keys.probe_channel(shard, instance).encode()
        self._index = keys.index(shard)
        self._last_version = keys.last_version(shard)
        self._clock_tolerance_seconds = max(clock_tolerance_seconds, MIN_CLOCK_TOLERANCE_SECONDS)
        self._clocks_agree = True
        self._redis_clock: tuple[float, float] | None = None  # microseconds, and the monotonic time of reading it
        self._full_reconcile_due = asyncio.Event()
        self._newest_version = 0
        self._page_size = PageSize()
        self._reconciled_to = 0
        self._failures = 0
        self._probed = asyncio.Event()
        self._probed_at = 0.0
        self._probed_version = 0
        self._subscription: Subscription | None = None
        self._arrived: list[bytes] = []  # readings of the messages that are being read
        self.confirmed = False
        self.is_idle = False

    async def run(self) -> None:
        """Listens until cancelled; a lost subscription is rebuilt after a pause with jitter."""
        while True:
            report_alive()
            if not self._demand.is_required:
                await self._rest()
            try:
                await self._listen()
            except Released:
                self._set_confirmed(confirmed=False)
                continue
            except (RedisError, OSError, TimeoutError) as error:
                self._record_loss(error)
            ceiling = min(INITIAL_BACKOFF_SECONDS * 2 ** min(self._failures, 10), MAX_BACKOFF_SECONDS)
            self._failures += 1
            await sleep(random.uniform(ceiling / 2, ceiling))

    async def _rest(self) -> None:
        """Waits until the shard is needed again."""
        self._set_confirmed(confirmed=False)
        self.is_idle, self._failures = True, 0
        log.info("subscription.released", shard=self._shard)
        await self._demand.until_required()

    async def _until_released(self) -> None:
        """Raises Released when the shard is no longer needed."""
        await self._demand.until_released()
        raise Released

    def _record_loss(self, error: BaseException) -> None:
        self.is_idle = False
        metrics.subscriptions_lost.labels(type(error).__name__).inc()
        if self.confirmed or self._failures == 0:
            log.warning("subscription.lost", shard=self._shard, error=type(error).__name__, reason=reason_of(error))
        self._set_confirmed(confirmed=False)

    async def _listen(self) -> None:
        self._probed.clear()
        self._probed_version = 0
        self._subscription = None
        redis = self._store.health(self._index)
        channels = [self._events, self._probes]
        async with subscription(redis, self._store.subscribe, channels, self._receive, self._deliver_arrived) as self._subscription:
            self._probed_at = asyncio.get_running_loop().time()
            await until_one_ends(
                self._subscription.lost(), self._until_released(), self._watch(), self._probe(redis), self._reconcile(redis)
            )

    def _receive(self, _kind: bytes, channel: bytes, data: bytes) -> None:
        """Handles a published message: readings are delivered, a probe confirms that the subscription works.

        Readings of messages that were read together are delivered together, in their order: most of the work of a message is done as often
        as the sink is called.
        """
        if channel == self._events:
            self._arrived += data.split(b"\n")
            if len(self._arrived) >= MAX_ARRIVED:
                self._deliver_arrived()
        elif channel == self._probes and data.isdigit() and len(data) <= len(str(MAX_VERSION)):
            self._deliver_arrived()  # a probe says that every reading before it has been received
            self._probed_at = asyncio.get_running_loop().time()
            self._probed.set()
            self._probed_version = int(data)
            self._advance(self._probed_version)

    def _deliver_arrived(self) -> None:
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            self._deliver(arrived, Source.LIVE)
            self._pause_reading()

    def _pause_reading(self) -> None:
        """Leaves messages in the socket while the sink would not use them: many read together cost a fraction of one by one."""
        if self._subscription is not None:
            seconds = min(self._sink.read_delay_seconds(self._subscription.busy_seconds), MAX_PAUSE_SECONDS)
            if seconds > MIN_PAUSE_SECONDS:
                self._subscription.pause(seconds)

    async def _watch(self) -> None:
        """Raises SubscriptionDead when probes no longer come back."""
        while (left := self._probed_at + PROBE_TIMEOUT_SECONDS - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)
        raise SubscriptionDead

    async def _probe(self, redis: Redis) -> None:
        """Takes a version and publishes it: every reading with a lower version precedes it on the channel, independent of clocks."""
        while self._store.health(self._index) is redis:
            with contextlib.suppress(RedisError, OSError, TimeoutError):  # `_watch` detects that no probe comes back
                sent_at = time.time()
                answer: Any = await redis.eval(PROBE, 1, self._last_version, self._probes, self._store.publish, self._newest_version)
                self._compare_clocks(int(answer), sent_at * 1e6, time.time() * 1e6)
            await sleep(PROBE_INTERVAL_SECONDS)
        raise SubscriptionDead

    def _compare_clocks(self, redis_us: float, sent_us: float, received_us: float) -> None:
        """Redis read its clock between `sent_us` and `received_us`. While the clocks differ too much, the shard is not confirmed."""
        self._redis_clock = redis_us, time.monotonic()
        ahead_seconds = (redis_us - min(max(redis_us, sent_us), received_us)) / 1e6
        agree = abs(ahead_seconds) <= self._clock_tolerance_seconds
        if not agree and self._clocks_agree:
            log.error("clock.skewed", shard=self._shard, redis_ahead_seconds=round(ahead_seconds))
            self._clocks_agree = False
            self._set_confirmed(confirmed=self.confirmed)
        elif agree and not self._clocks_agree:
            log.info("clock.synchronized", shard=self._shard)
            self._clocks_agree = True
            self._full_reconcile_due.set()  # restores the values that the wrong clock dropped or expired

    async def _reconcile(self, redis: Redis) -> None:
        """Delivers all stored readings once, then periodically those that changed recently."""
        await self._probed.wait()
        rooms = await self._reconcile_all(redis)
        self._failures = 0
        self._sink.mark_reconciled(self._shard)
        log.info("subscription.confirmed", shard=self._shard, feeds=rooms)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECONCILE_SECONDS * random.uniform(0.8, 1.2)):
                    await self._full_reconcile_due.wait()
            try:
                if self._full_reconcile_due.is_set():
                    await self._reconcile_all(redis)
                else:
                    await self._reconcile_since(redis, since=self._reconciled_to - RECONCILE_OVERLAP_US)
                    metrics.reconciliations.labels("partial").inc()
            except (RedisError, OSError, TimeoutError):
                # The probe decides whether Redis is down; the next round reads what this one did not.
                await asyncio.sleep(INITIAL_BACKOFF_SECONDS)

    async def _reconcile_all(self, redis: Redis) -> int:
        """Delivers all stored readings that the sink lacks, also those that a wrong clock had dropped; returns how many are stored."""
        self._full_reconcile_due.clear()
        try:
            stored = await self._reconcile_since(redis, since=0)
        except BaseException:
            self._full_reconcile_due.set()
            raise
        metrics.reconciliations.labels("full").inc()
        self.is_idle = False
        self._set_confirmed(confirmed=True)
        # Readings that expired before they could be read have lower versions than the probe, and may be missing.
        self._advance(max(self._reconciled_to, self._probed_version))
        return stored

    async def _reconcile_since(self, redis: Redis, since: int) -> int:
        """Pages through the index by version and delivers the readings that the sink lacks; returns how many members it read.

        The page size adapts to what the connection transfers in a fraction of the timeout. A page that times out is read again with a
        smaller size, and delivered readings are kept, so each attempt makes progress on any connection.
        """
        position, members = max(since, 0), 0
        while True:
            started = time.monotonic()
            try:
                page = await self._page(redis, position)
                lacking = [member for member, version in page if self._sink.lacks(*parse_member(member).feed, version)]
                if lacking:
                    values: list[bytes | None] = await redis.mget([keys.latest_prefix(self._shard) + m for m in lacking])  # type: ignore[assignment]
                    self._deliver([value for value in values if value is not None], Source.STORED)
            except (TimeoutError, RedisTimeoutError):
                if not self._page_size.timed_out():
                    raise
                continue
            if not page:
                break
            self._page_size.took(time.monotonic() - started)
            position = page[-1][1]
            members += len(page)
        self._reconciled_to = max(self._reconciled_to, position)
        return members

    async def _page(self, redis: Redis, after: int) -> list[tuple[str, int]]:
        """The next members of the index after a version, each with its version."""
        page: list[tuple[bytes, float]] = await redis.zrangebyscore(  # type: ignore[assignment]
            self._index, f"({after}", self._max_version(), start=0, num=self._page_size.members, withscores=True
        )
        return [(member.decode(errors="replace"), int(version)) for member, version in page]

    def _max_version(self) -> int:
        """A version above this is damaged: clients that accepted it would drop all later readings."""
        if self._redis_clock is None:
            return MAX_VERSION
        redis_us, read_at = self._redis_clock
        return int(redis_us + (time.monotonic() - read_at) * 1e6) + MAX_VERSION_AHEAD_US

    def _deliver(self, values: Sequence[bytes], source: Source) -> None:
        """Decodes readings and hands them to the sink."""
        readings = sound_readings(values, self._max_version())
        if not readings:
            return
        now = time.time()
        taken = self._sink.receive(readings, source, now)
        self._report_progress(max([reading.version for reading in readings]), of_commit=True)
        if taken:
            RECEIVED[source].inc(taken)
            if source is Source.LIVE:  # once for the commits that were read together, by the one that has waited longest
                metrics.commit_to_relay_seconds.observe(max(0.0, now - readings[0].committed_at / 1e6))

    def _advance(self, version: int) -> None:
        """Reports the version of a probe or of a whole reconcile, unless it is damaged."""
        if version <= self._max_version():
            self._report_progress(version, of_commit=False)

    def _report_progress(self, version: int, *, of_commit: bool) -> None:
        """Reports progress. Before all stored values are read, live readings do not show which ones were missed earlier."""
        self._newest_version = max(self._newest_version, version)
        if self.confirmed:
            self._sink.advance(self._shard, version, of_commit=of_commit)

    def _set_confirmed(self, *, confirmed: bool) -> None:
        self.confirmed = confirmed
        self._sink.set_confirmed(self._shard, confirmed=confirmed and self._clocks_agree and not self._full_reconcile_due.is_set())


def mostly_confirmed(listeners: Sequence[ShardListener]) -> bool:
    """Whether more than half of the shards that are needed are confirmed, which remains true when one of several nodes fails."""
    needed = [listener for listener in listeners if not listener.is_idle]
    return not needed or 2 * sum(listener.confirmed for listener in needed) > len(needed)
