"""Commits while the store refuses, moves or changes its clock: a reading is stored and published, or neither; no producer is locked out."""

import asyncio
import pathlib
import time

import httpx
import pytest

from shared.contract import keys
from tests.faults.actors import reading
from tests.faults.catalogue import record
from tests.faults.scene import ROOMS, Scene, play
from tests.support import needs
from tests.support.readings import PLATFORM
from tests.support.redis_topologies import Cluster, slot_of

pytestmark = pytest.mark.faults

SHARDS = 4
STEP_SECONDS = 30


def test_a_redis_clock_that_steps_back_locks_nobody_out(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis' clock is half a minute ahead for some seconds and then back: producers within their rate are refused nothing."""
    clock = tmp_path / "clock"
    clock.write_text("+0")

    async def set_clock(scene: Scene, seconds: int) -> None:
        clock.write_text(f"+{seconds}")
        await scene.until(lambda: abs(scene.redis.admin.time()[0] - time.time() - seconds) < 3, "Redis' clock has stepped")

    async def story(scene: Scene) -> None:
        early = int(5 - time.time()) % 60  # all of it within one of the limits' minutes
        for offset in (early, early + STEP_SECONDS):
            await set_clock(scene, offset)
            posts = len(scene.producer.answers)
            await scene.until(lambda posts=posts: len(scene.producer.answers) > posts + 60, "readings go on", within=20)  # type: ignore[misc]
        await set_clock(scene, early)
        stepped_at, posts = time.monotonic(), len(scene.producer.answers)
        await scene.until(lambda: len(scene.producer.answers) > posts + 120, "readings go on", within=20)
        assert scene.producer.statuses(stepped_at) == {200}
        record(41, f"Redis' clock {STEP_SECONDS} s ahead, then right", "nothing", None)

    # Only the processes that start inside `play` see it, and of these only those that are given the library: the server.
    with monkeypatch.context() as environment:
        for name, value in needs.faketime(clock).items():
            environment.setenv(name, value)
        play(tmp_path, story, dashboards=0)


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
