"""Long runs: dashboards, rooms, scopes and subscriptions come and go, and what the processes hold stays where it was.

SOAK_SECONDS says for how long. A sample a minute goes to test-results/soak.tsv, which docs/reliability.md quotes.
"""

import asyncio
import os
import pathlib
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import pytest

from shared.contract import keys
from tests.faults.catalogue import SAMPLES, record
from tests.faults.scene import ROOMS, Scene, play
from tests.faults.test_clients import memory_kilobytes
from tests.faults.test_processes import descriptors
from tests.support.raw_websocket import RawDashboard
from tools.processes import Service

pytestmark = pytest.mark.faults

SOAK_SECONDS: Final = float(os.environ.get("SOAK_SECONDS", "12"))
SAMPLE_SECONDS: Final = min(60.0, SOAK_SECONDS / 6)
ROUNDS: Final = int(SOAK_SECONDS / SAMPLE_SECONDS)
COMERS: Final = 5  # rooms, and pairs of dashboards, that come a second; none stays
TTL_SECONDS: Final = 5
REMEMBERED_SECONDS: Final = 1260  # for this long a resuming dashboard may need an expiry
INDEXED_SECONDS: Final = 360  # for how long the index names a room after its last reading


class Footprint(NamedTuple):
    """What a process holds."""

    megabytes: float
    descriptors: int
    tasks: int


class Sample(NamedTuple):
    """Resources held at a moment when every passing dashboard had left."""

    seconds: float
    broadcast: Footprint
    ingest: Footprint
    rooms: int
    indexed: int


@pytest.mark.timeout(SOAK_SECONDS * 1.5 + 60)
def test_a_soak_with_churn(tmp_path: pathlib.Path) -> None:
    """Memory, descriptors and tasks of the second half stay within those of the first, and rooms that are gone are forgotten."""

    async def story(scene: Scene) -> None:
        SAMPLES.parent.mkdir(exist_ok=True)
        SAMPLES.write_text("seconds\tbroadcast MB\tdescriptors\ttasks\tingest MB\tdescriptors\ttasks\trooms held\trooms indexed\n")
        started, samples, came = time.monotonic(), [], 0
        for _ in range(ROUNDS):
            came += await churn(scene, until=time.monotonic() + SAMPLE_SECONDS)
            healed = await cut(scene)
            samples.append(await sample(scene, started))
            write_down(samples[-1])
            assert samples[-1].rooms <= len(ROOMS) + min(came, COMERS * REMEMBERED_SECONDS)
            assert samples[-1].indexed <= len(ROOMS) + min(came, COMERS * INDEXED_SECONDS)
        half = ROUNDS // 2
        for service in ("broadcast", "ingest"):
            assert_flat([getattr(s, service) for s in samples[:half]], [getattr(s, service) for s in samples[half:]])
        record(29, f"Soak with churn for {SOAK_SECONDS:.0f} s", in_words(samples[half - 1].broadcast, samples[-1].broadcast), healed)

    play(tmp_path, story, settings={"TELEMETRY_TTL_SECONDS": str(TTL_SECONDS)}, rooms=frozenset(ROOMS))


async def churn(scene: Scene, *, until: float) -> int:
    """Every second some rooms post for the only time, dashboards of everything and of one room take a little and leave without a word."""
    everything = scene.stack.token("dashboard", subject="churn", ttl_seconds=600)
    extras, came = scene.new_producer(), 0
    while time.monotonic() < until:
        rooms = [f"churn-{time.monotonic_ns() + number}" for number in range(COMERS)]
        await extras.post_batch(rooms)
        narrow = [scene.stack.token("dashboard", subject=room, rooms=(room, f"{room}*")) for room in rooms]
        clients = [await RawDashboard.connect(scene.broadcasts[0].url, token) for token in (*narrow, *[everything] * COMERS)]
        for client in clients:
            assert await client.take(2048)
            client.close()
        came += COMERS
        await asyncio.sleep(1)
    return came


async def cut(scene: Scene) -> float:
    """Redis hangs up on the subscription; returns how long it took until values flowed again and all who came had left."""
    scene.redis.admin.client_kill_filter(_type="pubsub")
    healed = await scene.mended()
    async with asyncio.timeout(10):
        while await scene.metric(scene.broadcasts[0], "pulse_clients") > len(scene.dashboards):
            await asyncio.sleep(0.05)
    return healed


async def sample(scene: Scene, started: float) -> Sample:
    """Looks at everything."""
    broadcast, ingest = [await footprint(scene, service) for service in (*scene.broadcasts, *scene.ingests)]
    rooms = int(await scene.metric(scene.broadcasts[0], "pulse_feeds"))
    return Sample(time.monotonic() - started, broadcast, ingest, rooms, int(scene.redis.admin.zcard(keys.index(0))))


async def footprint(scene: Scene, service: Service) -> Footprint:
    """Looks at one process, a few times: what belongs to a request under way is gone at the next look."""
    looks = [(descriptors(service.pid), int(await scene.metric(service, "pulse_event_loop_tasks"))) for _ in range(10)]
    return Footprint(memory_kilobytes(service.pid) / 1000, *map(min, zip(*looks, strict=True)))


def write_down(sample: Sample) -> None:
    """A line for docs/reliability.md."""
    values = [sample.seconds, *sample.broadcast, *sample.ingest, sample.rooms, sample.indexed]
    with SAMPLES.open("a") as file:
        file.write("\t".join(f"{value:.1f}".removesuffix(".0") for value in values) + "\n")


def assert_flat(first: Sequence[Footprint], second: Sequence[Footprint]) -> None:
    """No more is held in the second half than in the first, but for an allocator's whim and connections that producers keep."""
    before, after = (Footprint(*map(max, zip(*half, strict=True))) for half in (first, second))
    assert after.megabytes < 4 + before.megabytes * 1.05, (before, after)
    assert after.descriptors <= before.descriptors + len(ROOMS), (before, after)
    assert after.tasks <= before.tasks + 3, (before, after)


def in_words(half: Footprint, end: Footprint) -> str:
    """A soak's outcome."""
    at = [f"{sample.megabytes:.1f} MB, {sample.descriptors} descriptors and {sample.tasks} tasks" for sample in (half, end)]
    return f"{at[0]} at half time, {at[1]} at the end"
