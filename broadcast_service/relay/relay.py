"""The relay: the hub with its flush scheduler. Every change of the hub requests the flush that it needs, so no caller can forget to.

The listeners deliver readings to it as a `ReadingSink`, sessions attach their clients, and the HTTP endpoints read its latest values.

At first all shards are required. While every client's scope has exact rooms only, a shard that none of them can be in is released after a
minute. A client or a read that needs it later requires it again and waits until its stored values have been read, so that nothing is
missed and no older value is sent. A process without clients keeps the shards that it has.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from broadcast_service import metrics
from broadcast_service.relay.audiences import Client
from broadcast_service.relay.flush_scheduler import FlushScheduler
from broadcast_service.relay.hub import Hub
from broadcast_service.relay.latest_values import Entry
from broadcast_service.relay.shard_states import Shards
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract.readings import StoredReading
from shared.store.demand import Demand
from shared.store.reading_sink import Source
from shared.web.jobs import sleep
from shared.web.tracing import Spans

TICK_SECONDS: Final = 1.0
READ_LEAD_SECONDS: Final = 0.002  # reading resumes at least this long before a flush can start
MANY_UNWANTED: Final = 400  # a second and shard: from here on readings that no client receives are read together
UNWANTED_DELAY_SECONDS: Final = 0.005  # bounds what this adds to the delay of a reading that a client receives
NO_CLIENTS_DELAY_SECONDS: Final = 0.025
RELEASE_SECONDS: Final = 60.0  # after which a shard that no client needs is released
WAIT_SECONDS: Final = 2.0  # at most, for the values of a shard that is required again


class Pacing(NamedTuple):
    """When a relay writes: `share` is the part of the loop's time that flushes may take, `max_pause_seconds` the longest pause for it."""

    share: float
    max_pause_seconds: float
    heartbeat_seconds: float


class Relay:
    """The latest reading of every feed, and the clients that receive it. Implements `ReadingSink`."""

    def __init__(self, shards: int, ttl_seconds: int, pacing: Pacing, spans: Spans | None = None) -> None:
        self._hub = Hub(shards, ttl_seconds)
        self.demands = [Demand() for _ in range(shards)]
        self._released: set[int] = set()
        self._needed_at: dict[int, float] = {}
        self._awaited_until: dict[int, float] = {}
        self._wait_ended = asyncio.Event()
        self._heartbeat_seconds = pacing.heartbeat_seconds
        self._unwanted_delay_seconds = 0.0
        self._unwanted_before = 0
        self._scheduler = FlushScheduler(self._hub, share=pacing.share, max_pause_seconds=pacing.max_pause_seconds, spans=spans)

    def __len__(self) -> int:
        """The number of feeds, live or recently expired."""
        return len(self._hub.log)

    # --- for the listeners (ReadingSink) ---

    def receive(self, readings: Sequence[StoredReading], source: Source, now_seconds: float) -> int:
        """Takes committed readings, live or stored alike; returns how many replaced what the hub had.

        A live one that comes after an idle period has been written to the clients when this returns, or a part of many clients.
        """
        apply = self._hub.apply
        taken = sum([apply(reading, now_seconds) for reading in readings])
        if source is Source.LIVE:
            self._scheduler.flush_reading()
        else:
            self._scheduler.request_flush()
        return taken

    def lacks(self, room_id: str, platform: str, version: int) -> bool:
        """Whether a stored reading of this version may be newer than what the hub has."""
        return self._hub.lacks(room_id, platform, version)

    def advance(self, shard: int, version: int, *, of_commit: bool) -> None:
        """Every reading of a shard up to `version` has been received; clients can resume from there."""
        self._hub.advance(shard, version, of_commit=of_commit)
        self._scheduler.request_flush()

    def mark_reconciled(self, shard: int) -> None:
        """All stored values of a shard have been received; when that is so of every shard, snapshots are complete."""
        self._hub.mark_reconciled(shard)
        self._end_wait(shard)
        self._scheduler.request_flush()

    def set_confirmed(self, shard: int, *, confirmed: bool) -> None:
        """A shard's subscription was confirmed or lost; clients receive the status of the whole when it changes."""
        self._hub.set_confirmed(shard, confirmed=confirmed)
        if not confirmed and shard in self._released:
            self._hub.release_shard(shard)
        metrics.upstream_ok.set(self._hub.upstream == "ok")
        self._scheduler.request_flush()

    def read_delay_seconds(self, busy_seconds: float) -> float:
        """How long messages can stay unread: until shortly before the next flush can start, or while unwanted readings accumulate."""
        delay = self._scheduler.seconds_until_flush() - max(READ_LEAD_SECONDS, 2 * busy_seconds)
        return delay if self._hub.dirty else max(delay, self._unwanted_delay_seconds)

    # --- for sessions ---

    def attach(self, client: Client, scope: Scope, encoding: Encoding, since: int | None = None) -> bool:
        """Adds a client, or moves it to another scope; returns whether it resumes from version `since`."""
        if self._released:
            self._require(self._hub.states.of_scope(scope))
        joins = client.audience is None
        resumed = self._hub.attach(client, scope, encoding, since)
        if joins:
            self._scheduler.client_joined()
        else:
            self._scheduler.request_flush()
        return resumed

    def detach(self, client: Client) -> None:
        """Removes a client."""
        self._hub.detach(client)

    def writable(self, client: Client) -> None:
        """A client's socket has taken all that was written; it receives the changes that it missed."""
        self._hub.writable(client)
        self._scheduler.request_flush()

    # --- for the HTTP endpoints ---

    async def ready(self, scope: Scope) -> None:
        """Waits, if the shards of a scope were released, until their stored values have been read, or for `WAIT_SECONDS`."""
        shards = self._hub.states.of_scope(scope)
        self._require(shards)
        self._needed_at.update(dict.fromkeys(shards, asyncio.get_running_loop().time()))
        while self._hub.states.is_awaited(shards):
            await self._wait_ended.wait()

    def upstream(self, scope: Scope) -> str:
        """`ok` while the subscriptions of the shards of a scope are confirmed, else `degraded`."""
        return self._hub.states.upstream(self._hub.states.of_scope(scope))

    def resume_version(self, scope: Scope) -> int:
        """The version that a client which has the latest values of a scope can resume from."""
        return self._hub.states.resume_version(self._hub.states.of_scope(scope))

    def latest(self, scope: Scope) -> Iterator[Entry]:
        """The live entries inside a scope."""
        return self._hub.latest(scope)

    # --- the process ---

    def flush_now(self) -> None:
        """Sends everything that is pending without pacing, because the process stops."""
        self._scheduler.flush_now()

    def expire(self, now_seconds: float) -> int:
        """Turns values that outlived their TTL into expiries; returns how many."""
        expired = self._hub.expire(now_seconds)
        self._scheduler.request_flush()
        return expired

    # --- shards on demand ---

    def _require(self, shards: Shards) -> None:
        """Has the listeners of some shards listen again, if they were released."""
        for shard in self._released & shards:
            now = asyncio.get_running_loop().time()
            self._released.discard(shard)
            self._needed_at[shard] = now
            self._hub.await_shard(shard)
            if self._hub.states.is_awaited(Shards((shard,))):
                self._awaited_until[shard] = now + WAIT_SECONDS
            self.demands[shard].require()

    def release_unneeded(self, now: float) -> None:
        """Releases the shards that no client has needed for `RELEASE_SECONDS`, and ends waits that took too long.

        `now` is the loop's time.
        """
        for shard in [shard for shard, until in self._awaited_until.items() if now >= until]:
            self._end_wait(shard)
        needed = self._hub.needed_shards() if self._hub.clients else self._hub.states.all
        for shard, demand in enumerate(self.demands):
            if shard in needed:
                self._needed_at[shard] = now
            elif demand.is_required and now - self._needed_at.setdefault(shard, now) >= RELEASE_SECONDS:
                self._released.add(shard)
                demand.release()
        metrics.shards_required.set(len(self.demands) - len(self._released))

    def _end_wait(self, shard: int) -> None:
        self._hub.end_wait(shard)
        if self._awaited_until.pop(shard, None) is not None:
            self._wait_ended.set()
            self._wait_ended = asyncio.Event()
            self._scheduler.request_flush()

    def adapt_reading(self, seconds: float) -> None:
        """Decides from the unwanted readings of the last `seconds` whether such readings are read together."""
        per_second = (self._hub.unwanted - self._unwanted_before) / seconds
        self._unwanted_before = self._hub.unwanted
        delay = UNWANTED_DELAY_SECONDS if self._hub.clients else NO_CLIENTS_DELAY_SECONDS
        self._unwanted_delay_seconds = delay if per_second >= MANY_UNWANTED * (len(self.demands) - len(self._released)) else 0.0

    async def run(self) -> None:
        """Every second: expiries, checkpoints, and when it is due a heartbeat. Raises the exception of a flush that failed."""
        loop = asyncio.get_running_loop()
        next_heartbeat = loop.time() + self._heartbeat_seconds
        while True:
            await sleep(TICK_SECONDS)
            self._scheduler.raise_failure()
            self.adapt_reading(TICK_SECONDS)
            self.release_unneeded(loop.time())
            metrics.readings_expired.inc(self.expire(time.time()))
            self._hub.log.checkpoint()
            metrics.feeds.set(len(self))
            if loop.time() >= next_heartbeat:
                next_heartbeat = loop.time() + self._heartbeat_seconds
                self._scheduler.request_heartbeat()
