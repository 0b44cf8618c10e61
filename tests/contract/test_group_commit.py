"""Group commit: one round trip at a time, what gathers meanwhile goes with the next, and nothing waits for ever."""

import asyncio
import os
import signal

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from ingest_service import writer as module
from ingest_service.commit_script import Result
from ingest_service.outcomes import Overloaded, StoreUnavailable
from ingest_service.writer import MAX_WAITING, ShardWriter
from shared.contract.readings import MAX_BATCH_ITEMS, Reading
from tests.contract.committing import at_work, latest, listening, results, shard_writer
from tests.contract.servers import Server
from tests.support.readings import make_reading
from tests.support.speed import Stopwatch
from tools.waiting import wait_until_async

pytestmark = pytest.mark.anyio


def rooms(count: int, prefix: str = "room") -> list[Reading]:
    """A reading of each of many rooms."""
    return [make_reading(room_id=f"{prefix}-{number}") for number in range(count)]


async def until_sent(writer: ShardWriter) -> None:
    """Waits until the submission has been sent."""
    await wait_until_async(lambda: not writer._waiting, "the submission is sent", poll_seconds=0)


async def test_what_arrives_together_is_one_commit(redis: Redis) -> None:
    """Many producers' readings are published with one message."""
    writer = shard_writer(redis)
    submissions = [writer.submit([reading], f"token-{number}") for number, reading in enumerate(rooms(50))]
    async with listening(redis) as published, at_work(writer):
        outcomes = await asyncio.gather(*submissions)
    assert [outcome.result for [outcome] in outcomes] == [Result.ACCEPTED] * 50
    assert [len(batch) for batch in published] == [50]


async def test_a_commit_is_counted_by_what_became_of_its_readings(redis: Redis) -> None:
    """Each by its result; and the delay is that of a reading that was accepted, not of an old one that came again."""

    def counted() -> list[float]:
        results = ("accepted", "duplicate")
        of_each = [REGISTRY.get_sample_value("pulse_ingest_readings_total", {"result": result}) or 0 for result in results]
        return [*of_each, REGISTRY.get_sample_value("pulse_observation_to_commit_seconds_sum") or 0]

    old, fresh = make_reading(milliseconds_ago=30_000, room_id="old"), make_reading(room_id="fresh")
    assert await results(redis, old) == [Result.ACCEPTED]
    before = counted()
    assert await results(redis, old, fresh) == [Result.DUPLICATE, Result.ACCEPTED]
    accepted, duplicate, seconds = (now - then for now, then in zip(counted(), before, strict=True))
    assert (accepted, duplicate) == (1, 1)
    assert seconds < 25


async def test_what_arrives_during_a_round_trip_is_the_next_commit(real: Redis) -> None:
    """One goes alone, fifty follow together."""
    async with listening(real) as published, at_work(shard_writer(real)) as writer:
        await real.client_pause(200)
        first = writer.submit(rooms(1, "first"), "token")
        await until_sent(writer)
        others = [writer.submit([reading], "token") for reading in rooms(50)]
        await asyncio.gather(first, *others)
    assert [len(batch) for batch in published] == [1, 50]


async def test_a_commit_is_bounded(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round trip takes at most a thousand readings (here: a hundred), and no submission is torn."""
    assert MAX_BATCH_ITEMS == 1000
    monkeypatch.setattr(module, "MAX_BATCH_ITEMS", 100)
    writer = shard_writer(redis)
    submissions = [writer.submit(rooms(40, f"part-{part}"), "token") for part in range(4)]
    async with listening(redis) as published, at_work(writer):
        await asyncio.gather(*submissions)
    assert [len(batch) for batch in published] == [80, 80]


async def test_too_much_waiting_is_refused_at_once(real: Redis) -> None:
    """Beyond the bound nothing is taken; what waits is not harmed."""
    writer = shard_writer(real)
    readings = [make_reading()] * 1000
    waiting = [writer.submit(readings, "token") for _ in range(MAX_WAITING // 1000)]
    with pytest.raises(Overloaded):
        writer.submit([make_reading()], "token")
    for submission in waiting[2:]:
        submission.cancel()
    async with at_work(writer):
        assert [len(outcomes) for outcomes in await asyncio.gather(*waiting[:2])] == [1000, 1000]
        assert len(await writer.submit([make_reading()], "token")) == 1


async def test_a_submission_out_of_time_is_not_started(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a 503 the reading must not be stored later."""
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.0)
    with pytest.raises(StoreUnavailable):
        async with asyncio.timeout(60), at_work(shard_writer(redis)) as writer:
            await writer.submit([make_reading()], "token")
    assert await latest(redis) is None


async def test_a_cancelled_submission_is_not_sent(redis: Redis) -> None:
    """Whose producer has gone is left out, the others are not."""
    writer = shard_writer(redis)
    gone, stays = writer.submit([make_reading(room_id="gone")], "token"), writer.submit([make_reading()], "token")
    gone.cancel()
    async with at_work(writer):
        await stays
    assert await latest(redis, "gone") is None


@pytest.mark.own_deadlines
async def test_a_paused_server_is_unavailable_within_a_second(real: Redis) -> None:
    """The producer gets its answer in time; its retry and the unanswered attempt make one commit."""
    reading = make_reading()
    async with listening(real) as published:
        await real.client_pause(1500)
        watch = Stopwatch()
        with pytest.raises(StoreUnavailable):
            await results(real, reading)
        assert watch.seconds < 1.0
        await real.client_unpause()
        assert (await results(real, reading))[0] in (Result.ACCEPTED, Result.DUPLICATE)
        assert await results(real, reading) == [Result.DUPLICATE]
    assert len(published) == 1


@pytest.mark.own_deadlines
async def test_a_stopped_server_is_unavailable_within_a_second(real: Redis, server: Server) -> None:
    """The same for a process that is stopped, which has the command in its socket when it goes on."""
    reading = make_reading()
    async with listening(real) as published:
        os.kill(server.pid, signal.SIGSTOP)
        try:
            watch = Stopwatch()
            with pytest.raises(StoreUnavailable):
                await results(real, reading)
            assert watch.seconds < 1.0
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert (await results(real, reading))[0] in (Result.ACCEPTED, Result.DUPLICATE)
        assert await results(real, reading) == [Result.DUPLICATE]
    assert len(published) == 1
