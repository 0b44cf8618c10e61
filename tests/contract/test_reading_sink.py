"""A second consumer of readings on each real server: it needs nothing of a service, and receives every reading or knows of the gap."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from broadcast_service.relay.relay import Pacing, Relay
from ingest_service.commit_script import Result
from shared.auth.scope import Scope
from shared.contract import keys
from shared.contract.readings import StoredReading
from shared.store import listener
from shared.store.listener import ShardListener
from shared.store.reading_sink import ReadingSink, Source
from tests.contract.committing import TTL, OneNode, at_work, commit
from tests.support.archive import Archive
from tests.support.readings import make_reading
from tools.processes import ROOT
from tools.waiting import wait_until_async

pytestmark = pytest.mark.anyio
WITHIN_SECONDS = 60.0


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition."""
    await wait_until_async(condition, "the condition", seconds=WITHIN_SECONDS, poll_seconds=0.005)


async def committed(redis: Redis, room_id: str, tokens: Sequence[int], **changed: Any) -> list[tuple[str, str, int]]:
    """Commits readings of a feed one after the other; returns their feed and version."""
    keys = []
    for count in tokens:
        reading = make_reading(room_id=room_id, tokens_count=count, **changed)
        (outcome,) = await commit(redis, reading)
        assert outcome.result is Result.ACCEPTED
        keys.append((room_id, reading.platform, outcome.value))
        await asyncio.sleep(0.002)  # the next reading has a later millisecond
    return keys


async def test_an_archive_receives_every_live_reading_in_the_order_of_versions(real: Redis) -> None:
    """Also several readings of one feed in one commit, none of them conflated."""
    archive = Archive()
    async with at_work(ShardListener(OneNode(real), 0, archive, "archive")):
        await until(lambda: archive.is_confirmed)
        batch = [make_reading(milliseconds_ago=50 - n, room_id=f"room-{n % 3}", tokens_count=n) for n in range(30)]
        outcomes = await commit(real, *batch)
        single = await committed(real, "room-1", range(100, 110))
        await until(lambda: len(archive.received) >= 40)
    assert [reading.tokens_count for reading, _ in archive.received] == [*range(30), *range(100, 110)]
    assert {source for _, source in archive.received} == {Source.LIVE}
    versions = [outcome.value for outcome in outcomes] + [version for *_, version in single]
    assert [reading.version for reading, _ in archive.received] == versions == sorted(versions)
    assert not any(map(archive.may_lack, versions))


async def test_an_archive_knows_where_readings_may_have_been_conflated(real: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there is no subscription, the store keeps one reading of a feed; each missing reading lies in a known gap."""
    monkeypatch.setattr(listener, "INITIAL_BACKOFF_SECONDS", 1.0)
    archive = Archive()
    early = await committed(real, "blue", (1, 2, 3)) + await committed(real, "red", (10,))
    async with at_work(ShardListener(OneNode(real), 0, archive, "archive")):
        await until(lambda: archive.is_confirmed and archive.reconciles == 1)
        live = await committed(real, "blue", (4, 5, 6))
        await until(lambda: len(archive.readings) == 5)
        await real.client_kill_filter(_type="pubsub")
        await until(lambda: not archive.is_confirmed)
        lost = await committed(real, "blue", (7, 8, 9)) + await committed(real, "green", (20,))
        await until(lambda: archive.is_confirmed and archive.reconciles == 2)
        after = await committed(real, "blue", (11, 12))
        await until(lambda: after[-1] in archive.readings)
    missing = [key for key in early + live + lost + after if key not in archive.readings]
    assert missing == early[:2] + lost[:2]
    assert all(archive.may_lack(version) for *_, version in missing)
    assert not any(archive.may_lack(version) for *_, version in live + after)
    stored = [(reading.room_id, reading.tokens_count) for reading, source in archive.received if source is Source.STORED]
    assert stored == [("blue", 3), ("red", 10), ("blue", 9), ("green", 20)]


async def test_a_reading_that_expires_within_a_gap_lies_in_the_known_gap(real: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stored value shows that it was there, and its version is the newest one when the gap ends."""
    monkeypatch.setattr(listener, "INITIAL_BACKOFF_SECONDS", 1.0)
    archive = Archive()
    async with at_work(ShardListener(OneNode(real), 0, archive, "archive")):
        await until(lambda: archive.is_confirmed)
        await committed(real, "blue", (1,))
        await until(lambda: len(archive.readings) == 1)
        await real.client_kill_filter(_type="pubsub")
        await until(lambda: not archive.is_confirmed)
        (brief,) = await committed(real, "brief", (2,))
        await real.delete(keys.latest(0, "brief", brief[1]))
        await real.zrem(keys.index(0), f"brief:{brief[1]}")
        await until(lambda: archive.is_confirmed and archive.reconciles == 2)
        (after,) = await committed(real, "blue", (3,))
        await until(lambda: after in archive.readings)
    assert brief not in archive.readings
    assert archive.may_lack(brief[2])
    assert not archive.may_lack(after[2])


async def test_a_late_reading_reaches_no_sink(real: Redis) -> None:
    """It is in the history alone, which the contract of a sink says."""
    archive = Archive()
    async with at_work(ShardListener(OneNode(real), 0, archive, "archive")):
        await until(lambda: archive.is_confirmed)
        await committed(real, "blue", (1,))
        assert (await commit(real, make_reading(milliseconds_ago=30_000, room_id="blue", tokens_count=0)))[0].result is Result.LATE
        await committed(real, "blue", (2,))
        await until(lambda: len(archive.received) >= 2)
    assert [reading.tokens_count for reading, _ in archive.received] == [1, 2]


async def test_the_relay_and_an_archive_listen_side_by_side(real: Redis) -> None:
    """Each has its own probes, and one does not take from the other."""
    relay, archive = Relay(1, TTL, Pacing(share=0.5, max_pause_seconds=0, heartbeat_seconds=60)), Archive()
    sinks: dict[str, ReadingSink] = {"relay": relay, "archive": archive}
    shards = [ShardListener(OneNode(real), 0, sink, name) for name, sink in sinks.items()]
    async with at_work(shards[0]), at_work(shards[1]):
        await until(lambda: all(shard.confirmed for shard in shards))
        keys = await committed(real, "blue", (1, 2, 3))
        await until(lambda: len(archive.readings) == 3)

        def latest() -> list[int]:
            return [entry.version for entry in relay.latest(Scope.of(["*"]))]

        await until(lambda: latest() == [keys[-1][2]])
    assert sorted(archive.readings) == keys


async def test_a_sink_that_fails_ends_its_listener(real: Redis) -> None:
    """The exception is not mistaken for a lost connection: the job ends with it, and the process stops."""

    class Failing(Archive):
        def receive(self, readings: Sequence[StoredReading], source: Source, now_seconds: float) -> int:
            raise ZeroDivisionError

    sink = Failing()
    running = asyncio.create_task(ShardListener(OneNode(real), 0, sink, "failing").run())
    await until(lambda: sink.is_confirmed)
    await commit(real, make_reading())
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(WITHIN_SECONDS):
            await running


def test_a_sink_loads_nothing_of_a_service() -> None:
    """A process with a listener and an archive imports neither service."""
    code = (
        "import sys, shared.store.listener, tests.support.archive\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('broadcast_service', 'ingest_service', 'starlette')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
