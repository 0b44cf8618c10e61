"""Commits while the store refuses, moves or changes its clock: a reading is stored and published, or neither; no producer is locked out."""

import asyncio
import json
import pathlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from shared.contract import keys
from tests.faults.actors import reading
from tests.faults.catalogue import record
from tests.faults.scene import ROOMS, Scene, play
from tests.faults.worlds import set_clock
from tests.support import needs
from tests.support.posting import BATCH
from tests.support.readings import PLATFORM, make_body
from tests.support.redis_topologies import Cluster, slot_of
from tests.support.studio import request

pytestmark = pytest.mark.faults

SHARDS = 4
STEP_SECONDS = 30


async def step_clock(scene: Scene, clock: pathlib.Path, seconds: int) -> None:
    """Has Redis' clock be so many seconds ahead, and waits until it is."""
    set_clock(clock, seconds)
    await scene.until(lambda: abs(scene.redis.admin.time()[0] - time.time() - seconds) < 3, "Redis' clock has stepped")


def play_with_clock(directory: pathlib.Path, story: Callable[[Scene, pathlib.Path], Awaitable[None]], **options: Any) -> None:
    """Plays a story in which Redis has a clock of its own."""
    clock = directory / "clock"
    set_clock(clock, 0)
    # Only the processes that start inside `play` see it, and of these only those that are given the library: the server.
    with pytest.MonkeyPatch.context() as environment:
        for name, value in needs.faketime(clock).items():
            environment.setenv(name, value)
        play(directory, lambda scene: story(scene, clock), **options)


def test_a_redis_clock_that_steps_back_locks_nobody_out(tmp_path: pathlib.Path) -> None:
    """Redis' clock is half a minute ahead for some seconds and then back: producers within their rate are refused nothing."""

    async def story(scene: Scene, clock: pathlib.Path) -> None:
        for _ in range(5):
            early = int(5 - time.time()) % 60  # all of it within one of the limits' minutes, unless the machine is slow
            for offset in (early, early + STEP_SECONDS):
                await step_clock(scene, clock, offset)
                posts = len(scene.producer.answers)
                await scene.until(lambda posts=posts: len(scene.producer.answers) > posts + 60, "readings go on", within=20)  # type: ignore[misc]
            latest_minute = (time.time() + early + STEP_SECONDS) // 60
            await step_clock(scene, clock, early)
            stepped_at, posts = time.monotonic(), len(scene.producer.answers)
            await scene.until(lambda posts=posts: len(scene.producer.answers) > posts + 120, "readings go on", within=20)  # type: ignore[misc]
            if (time.time() + early) // 60 == latest_minute:
                break
            scene.redis.admin.delete(*scene.redis.admin.keys("rate:*"))
        else:
            raise AssertionError("no minute was long enough")
        assert scene.producer.statuses(stepped_at) == {200}
        record(41, f"Redis' clock {STEP_SECONDS} s ahead, then right", "nothing", None)

    play_with_clock(tmp_path, story, dashboards=0)


@pytest.mark.parametrize("readings", [1, 8])
@pytest.mark.parametrize(("off_seconds", "ahead_seconds"), [(-295, 0), (-100, 60), (200, 60)])
def test_a_redis_clock_that_steps_and_is_right_again_earns_nothing(
    tmp_path: pathlib.Path, readings: int, off_seconds: int, ahead_seconds: int
) -> None:
    """Readings of that time, also of a desk whose clock is ahead, are recorded after those before them: no balance rises twice."""

    async def story(scene: Scene, clock: pathlib.Path) -> None:
        start = int(time.time()) + ahead_seconds - 355
        seconds = [*range(start, start + 355, 5)]
        headers = {"Authorization": f"Bearer {scene.stack.token('ingest')}"}

        async def post(*at: int) -> None:
            """Posts a reading of each of those seconds: two tokens more for each."""
            batch = [make_body(room_id="paid", account="ana", timestamp=n, sequence=n, tokens_count=1000 + 2 * (n - start)) for n in at]
            async with httpx.AsyncClient(timeout=20, headers=headers) as client:
                answer = await client.post(scene.ingests[0].url + BATCH, json=batch)
            assert [item["result"] for item in answer.json()["results"]] == ["accepted"] * len(at)

        await post(*seconds)
        await step_clock(scene, clock, off_seconds)
        last = int(time.time()) + ahead_seconds
        for number in range(readings):
            await post(last + 5 * number)
        await step_clock(scene, clock, 0)
        await post(last + 5 * readings, last + 5 * readings + 5)
        query = f"from={start - 3600}&to={start + 3600}&step=3600&by=account"
        token = scene.stack.token("dashboard")
        status, body = await asyncio.to_thread(request, f"{scene.broadcasts[0].url}/api/tracking/analytics?{query}", token)
        assert status == 200, body
        [row] = [row for row in json.loads(body)["accounts"] if row["account"] == "ana"]
        true = 2 * (last + 5 * readings + 5 - start)
        assert row["earned"] <= true <= row["earned"] + row["unsettled"], row
        done = f"Redis' clock off by {off_seconds} s for {readings} readings of a desk {ahead_seconds} s ahead, then right"
        record(41, done, "no income that was not earned", None)

    play_with_clock(tmp_path, story, dashboards=0, settings={"RATE_LIMIT_ROOM_PER_SECOND": "0"})


@pytest.mark.parametrize("right", ["publish", "zadd", "set", "setrange", "expireat"])
def test_a_commit_that_may_not_be_finished_is_taken_when_it_may(tmp_path: pathlib.Path, right: str) -> None:
    """A right is missing for a moment: 503, and the same reading sent again is shown at once."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        await scene.leave(scene.producer)
        scene.redis.admin.execute_command("ACL", "SETUSER", "default", f"-{right}")  # type: ignore[no-untyped-call]
        update = reading(ROOMS[0])
        async with httpx.AsyncClient(timeout=3) as client:
            refused = await scene.producer.post(client, update)
            scene.redis.admin.execute_command("ACL", "SETUSER", "default", f"+{right}")  # type: ignore[no-untyped-call]
            taken = await scene.producer.post(client, update)
        assert (refused, taken) == (503, 200)
        shown = await scene.until(lambda: not scene.checker.behind(), "every dashboard shows it", within=5)
        record(42, f"ACL without {right.upper()} for one commit", f"503; sent again: 200, shown after {shown:.1f} s", None)

    play(tmp_path, story)


def test_a_slot_on_the_move_is_an_outage_and_no_damage(tmp_path: pathlib.Path) -> None:
    """Some keys of a slot have gone to another node and the slot has not: 503 for their room, never 500, and it ends with the move."""
    cluster = Cluster(tmp_path / "cluster")

    async def story(scene: Scene) -> None:
        room = ROOMS[0]
        slot = slot_of(room, SHARDS)
        source = await asyncio.to_thread(cluster.owner, slot)
        target = next(node for node in cluster.primaries if node is not source)
        broken_at = time.monotonic()
        cluster.command(target, "SETSLOT", slot, "IMPORTING", cluster.id(source))
        cluster.command(source, "SETSLOT", slot, "MIGRATING", cluster.id(target))
        gone = keys.latest(keys.shard_of(room, SHARDS), room, PLATFORM)
        source.admin.migrate("127.0.0.1", target.port, [gone], 0, 2000)
        await scene.until(lambda: 503 in scene.producer.statuses(broken_at), "its room is refused")
        posts = len(scene.producer.answers)
        await scene.until(lambda: len(scene.producer.answers) > posts + 60, "the others go on")
        await asyncio.to_thread(cluster.move, slot, source, target)
        healed = await scene.mended()
        assert scene.producer.statuses(broken_at) <= {200, 503}
        record(43, "Cluster: a slot half moved", "503 for the rooms whose keys have gone", healed)

    with cluster.running():
        play(tmp_path, story, url=cluster.url, settings={"TELEMETRY_SHARDS": str(SHARDS)})
