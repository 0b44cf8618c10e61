"""Shards that are listened to on demand, on a real server with four shards: nothing is missed when a subscription begins, ends or fails."""

import asyncio
import contextlib
import json
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from broadcast_service.relay import relay as relay_module
from broadcast_service.relay.audiences import Client
from broadcast_service.relay.relay import Pacing, Relay
from broadcast_service.websocket.frames import Encoding
from ingest_service.commit_script import Result
from ingest_service.writer import Writer, WriterOptions
from shared.auth.scope import Scope
from shared.contract import keys
from shared.store import listener
from shared.store.demand import Demand
from shared.store.listener import ShardListener
from shared.store.reading_sink import Source
from shared.store.redis import RedisUrl, Store
from shared.web.jobs import end
from tests.contract.committing import NO_LIMITS, STEP, TTL, OneNode, at_work, commit
from tests.support.archive import Archive
from tests.support.readings import make_reading
from tests.unit.broadcast.test_hub_properties import payloads
from tools.redis_server import RedisServer
from tools.waiting import wait_until_async

pytestmark = pytest.mark.anyio
SHARDS = 4
KEPT, OTHER = "blue", "red"  # rooms of different shards
WITHIN_SECONDS = 60.0
ROUNDS = 12


@pytest.fixture(autouse=True)
def patient_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine that delays a reconcile must not end a wait: a test says when."""
    monkeypatch.setattr(relay_module, "WAIT_SECONDS", 60.0)


async def until(condition: Callable[[], Any], what: str) -> None:
    """Waits for a condition."""
    await wait_until_async(condition, what, seconds=WITHIN_SECONDS, poll_seconds=0.005)


class Dashboard:
    """A client of some rooms, and the events that it received."""

    def __init__(self, relay: Relay, *patterns: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.client = Client(lambda data: self.events.extend(json.loads(line) for text in payloads(data) for line in text.split(b"\n")))
        relay.attach(self.client, Scope.of(patterns), Encoding.LINES)

    def tokens(self, room_id: str) -> list[int]:
        """The balances of a room, in the order in which they came."""
        return [
            event["data"]["tokens"] for event in self.events if event["event_type"] == "TELEMETRY_UPDATE" and event["room_id"] == room_id
        ]

    def status(self) -> str:
        """The last status of the link to Redis, empty before the first."""
        return next((event["status"] for event in reversed(self.events) if event["event_type"] == "UPSTREAM"), "")

    def has_snapshot(self) -> bool:
        """Whether a snapshot is complete."""
        return any(event["event_type"] == "SYNC" and event["snapshot"] for event in self.events)


class Process:
    """A relay with its listeners, and a writer, on one server."""

    def __init__(self, store: Store) -> None:
        self.relay = Relay(SHARDS, TTL, Pacing(share=1, max_pause_seconds=0, heartbeat_seconds=60))
        self.listeners = [ShardListener(store, shard, self.relay, "test", demand=self.relay.demands[shard]) for shard in range(SHARDS)]
        self.writer = Writer(store, SHARDS, WriterOptions(TTL, STEP, retention_days=7, limits=NO_LIMITS))
        self.count = 0

    async def post(self, room_id: str) -> int:
        """Commits the next balance of a room, and returns it."""
        self.count += 1
        outcome = await self.writer.write_one(make_reading(room_id=room_id, tokens_count=self.count, sequence=self.count), "token")
        assert outcome.result is Result.ACCEPTED
        return self.count

    def listens_to(self) -> set[int]:
        """The confirmed shards."""
        return {shard for shard, listener_ in enumerate(self.listeners) if listener_.confirmed}

    async def release_unneeded(self) -> None:
        """A long time passes; the shards that no client needs are then no longer listened to."""
        now = asyncio.get_running_loop().time()
        for later in (0, 10 * relay_module.RELEASE_SECONDS):
            self.relay.release_unneeded(now + later)
        await until(lambda: self.listens_to() == {keys.shard_of(KEPT, SHARDS)}, "the other shards are released")


@contextlib.asynccontextmanager
async def process(url: str) -> AsyncIterator[Process]:
    """The process at work on an empty server, with all shards confirmed."""
    async with Store(RedisUrl.parse(url)) as store:
        await store.owner("any").flushall()
        running = Process(store)
        jobs = [*(shard.run() for shard in running.listeners), running.writer.run()]
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            await until(lambda: len(running.listens_to()) == SHARDS, "all shards are confirmed")
            yield running
            assert not any(task.done() for task in tasks)
        finally:
            await end(tasks)


@contextlib.asynccontextmanager
async def posting(process: Process, room_id: str) -> AsyncIterator[None]:
    """Posts to a room again and again, while the body runs."""

    async def post() -> None:
        while True:
            await process.post(room_id)

    task = asyncio.create_task(post())
    try:
        yield
        assert not task.done()
    finally:
        await end([task])


async def test_a_released_shard_has_no_subscription_on_the_server(embedded_url: str) -> None:
    """The readings of its rooms are no longer sent to the process, and those of the others are."""
    async with process(embedded_url) as here, Store(RedisUrl.parse(embedded_url)) as store:
        redis = store.owner("any")

        async def subscribers() -> list[int]:
            counts: Any = await redis.pubsub_numsub(*map(keys.events_channel, range(SHARDS)))
            return [count for _, count in counts]

        assert await subscribers() == [1] * SHARDS
        dashboard = Dashboard(here.relay, KEPT)
        await here.release_unneeded()
        async with asyncio.timeout(WITHIN_SECONDS):
            while await subscribers() != [int(shard == keys.shard_of(KEPT, SHARDS)) for shard in range(SHARDS)]:
                await asyncio.sleep(0.01)
        await here.post(OTHER)
        await here.post(KEPT)
        await until(lambda: dashboard.tokens(KEPT) == [2], "the reading")
        assert dashboard.status() == "ok"


async def test_a_client_that_connects_while_its_shard_is_being_subscribed_misses_nothing(embedded_url: str) -> None:
    """Its first value is at least as new as the last one before it connected, its values only grow, and it ends on the last one."""
    async with process(embedded_url) as here:
        Dashboard(here.relay, KEPT)
        for number in range(ROUNDS):
            await here.release_unneeded()
            before = await here.post(OTHER)
            async with posting(here, OTHER):
                if number % 3 == 2:
                    for _ in range(number):
                        await here.post(KEPT)
                dashboard = Dashboard(here.relay, *((OTHER,), ("re*",), ("*",))[number % 3])
                early = Dashboard(here.relay, OTHER)  # leaves before it has anything
                if number % 2:
                    await asyncio.sleep(0)
                here.relay.detach(early.client)
                await until(dashboard.has_snapshot, "the snapshot")
            last = await here.post(OTHER)
            await until(lambda dashboard=dashboard, last=last: dashboard.tokens(OTHER)[-1:] == [last], "the last value")  # type: ignore[misc]
            tokens = dashboard.tokens(OTHER)
            assert tokens[0] >= before
            assert tokens == sorted(set(tokens))
            assert dashboard.status() == "ok"
            here.relay.detach(dashboard.client)


async def test_a_read_waits_for_the_values_of_a_released_shard(embedded_url: str) -> None:
    """It returns what Redis stores, and not what the process had before the release."""
    async with process(embedded_url) as here:
        Dashboard(here.relay, KEPT)
        everything = Scope.of(["*"])
        await here.post(OTHER)
        await here.release_unneeded()
        last = await here.post(OTHER)
        await here.relay.ready(everything)
        events = [json.loads(entry.event) for entry in here.relay.latest(everything)]
        assert [event["data"]["tokens"] for event in events if event["room_id"] == OTHER] == [last]
        assert here.relay.upstream(everything) == "ok"


async def test_every_reading_is_received_or_lies_in_a_known_gap_while_demand_comes_and_goes(real: Redis) -> None:
    """A sink of all readings, whose shard is released and required while readings are committed."""
    archive, demand, committed = Archive(), Demand(), list[tuple[str, str, int]]()

    async def post() -> None:
        while True:
            reading = make_reading(room_id=f"room-{len(committed) % 3}", tokens_count=len(committed), sequence=len(committed))
            (outcome,) = await commit(real, reading)
            committed.append((reading.room_id, reading.platform, outcome.value))

    async with at_work(ShardListener(OneNode(real), 0, archive, "archive", demand=demand)):
        task = asyncio.create_task(post())
        for number in range(ROUNDS):
            await until(lambda: archive.is_confirmed, "the shard is confirmed")
            received = len(archive.readings)
            await until(lambda received=received: len(archive.readings) > received, "readings")  # type: ignore[misc]
            demand.release()
            if number % 3 == 0:
                await until(lambda: not archive.is_confirmed, "the shard is released")
            elif number % 3 == 1:
                await asyncio.sleep(0)
            demand.require()
        await until(lambda: archive.is_confirmed, "the shard is confirmed")
        await end([task])
        (outcome,) = await commit(real, make_reading(room_id="last"))
        await until(lambda: ("last", "camsoda", outcome.value) in archive.readings, "the last reading")
    missing = [key for key in committed if key not in archive.readings]
    assert all(archive.may_lack(version) for *_, version in missing)
    assert len(archive.readings) > ROUNDS
    versions = [reading.version for reading, source in archive.received if source is Source.LIVE]
    assert versions == sorted(set(versions))


async def test_connections_that_fail_while_demand_changes_are_built_again(embedded_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server cuts off every subscriber in the middle of a change; each client ends on the last values."""
    monkeypatch.setattr(listener, "MAX_BACKOFF_SECONDS", 0.1)
    async with process(embedded_url) as here, Store(RedisUrl.parse(embedded_url)) as store:
        Dashboard(here.relay, KEPT)
        for _ in range(ROUNDS // 3):
            await here.release_unneeded()
            dashboard = Dashboard(here.relay, "*")
            await store.owner("any").client_kill_filter(_type="pubsub")
            last = await here.post(OTHER)
            await until(lambda dashboard=dashboard, last=last: dashboard.tokens(OTHER)[-1:] == [last], "the last value")  # type: ignore[misc]
            await until(lambda dashboard=dashboard: dashboard.status() == "ok" and dashboard.has_snapshot(), "the link")  # type: ignore[misc]
            here.relay.detach(dashboard.client)


async def test_redis_restarts_while_demand_changes(tmp_path: pathlib.Path) -> None:
    """A client whose shards were released receives `degraded` after a while, and the values when Redis is back."""
    server = RedisServer(tmp_path, appendonly="yes", appendfsync="always")
    server.start()
    try:
        async with process(server.url) as here:
            kept = Dashboard(here.relay, KEPT)
            await here.post(OTHER)
            await here.release_unneeded()
            last = await here.post(OTHER)
            server.kill()
            waiting = Dashboard(here.relay, "*")
            await until(lambda: kept.status() == "degraded", "the loss is noticed")
            assert waiting.events == []
            here.relay.release_unneeded(asyncio.get_running_loop().time() + 10 * relay_module.WAIT_SECONDS)
            await until(lambda: waiting.status() == "degraded", "the wait ends")
            assert not waiting.has_snapshot()
            server.start()
            await until(lambda: waiting.has_snapshot() and waiting.status() == "ok", "the snapshot")
            assert waiting.tokens(OTHER)[-1] == last
            await until(lambda: kept.status() == "ok", "the link of the other client")
    finally:
        server.kill()


async def test_a_malformed_event_is_counted_once_and_ends_nothing(real: Redis) -> None:
    """Also between good readings of one message, and among the stored values; no client needs any of them."""
    relay = Relay(1, TTL, Pacing(share=1, max_pause_seconds=0, heartbeat_seconds=60))
    relay.attach(Client(lambda _: None), Scope.of(["mine"]), Encoding.LINES)

    def count(name: str) -> float:
        return sum(sample.value for metric in REGISTRY.collect() for sample in metric.samples if sample.name == name)

    async with at_work(ShardListener(OneNode(real), 0, relay, "test")) as shard:
        await until(lambda: shard.confirmed, "the shard is confirmed")
        malformed, lost = count("pulse_readings_malformed_total"), count("pulse_subscriptions_lost_total")
        await commit(real, make_reading(room_id="good"))
        await until(lambda: len(relay) == 1, "the reading")
        good: Any = await real.get(keys.latest(0, "good", "camsoda"))
        lines = [
            b"\xff",
            b"",
            b"{}",
            good.replace(b'"tokens_count":1', b'"tokens_count":"1"'),
            good.replace(b'"tokens_count":1', b'"tokens_count":-1'),
            good[:-2],
            good.replace(b'"version":', b'"version":9'),
        ]
        fine = good.replace(b'"good"', b'"fine"')
        await real.publish(keys.events_channel(0), b"\n".join([*lines, fine]))
        await until(lambda: len(relay) == 2, "the good reading among malformed ones")
        assert count("pulse_readings_malformed_total") == malformed + len(lines)
        await commit(real, make_reading(room_id="later"))
        await until(lambda: len(relay) == 3, "the next reading")
        assert count("pulse_readings_malformed_total") == malformed + len(lines)
        assert count("pulse_subscriptions_lost_total") == lost
    assert sorted(json.loads(entry.event)["room_id"] for entry in relay.latest(Scope.of(["*"]))) == ["fine", "good", "later"]
