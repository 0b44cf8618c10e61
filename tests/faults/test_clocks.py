"""Clocks of Redis, services and producers that are minutes off: versions come from Redis and only grow."""

import asyncio
import pathlib
import time
from typing import Any, Final

import pytest

from shared.contract import keys
from tests.faults.catalogue import after, record
from tests.faults.scene import ROOMS, Scene, play
from tests.faults.worlds import set_clock
from tests.support.readings import PLATFORM
from tools.processes import ROOT

pytestmark = pytest.mark.faults

CLOCKS: Final = str(ROOT / "tests" / "faults" / "clock")
OFF_SECONDS = 295  # five minutes ahead is as far as a reading may be


def test_a_clock_that_was_ahead(tmp_path: pathlib.Path) -> None:
    """After Redis' clock steps back by five minutes versions still only grow, and resuming dashboards miss nothing."""

    async def story(scene: Scene) -> None:
        wiretap = await scene.tap()
        ahead = wiretap.published[-1].version + 300_000_000
        scene.redis.admin.set(keys.last_version(0), ahead)
        healed = await scene.mended()
        await scene.until(lambda: wiretap.published[-1].version > ahead, "versions go on from there")
        late_comer = await scene.dashboard("late-comer")
        scene.broadcasts[0].kill()
        await asyncio.to_thread(scene.broadcasts[0].start)
        await scene.until(lambda: late_comer.connections == 2, "the dashboard is back")
        await scene.mended()
        record(21, "Redis' clock steps back by 5 min", "nothing", healed)

    play(tmp_path, story)


def test_services_whose_clocks_are_wrong_and_step(tmp_path: pathlib.Path) -> None:
    """One of each is five minutes ahead and the other behind; then each steps to where the other was, without any visible effect."""
    ahead, behind = tmp_path / "ahead", tmp_path / "behind"
    set_clock(ahead, OFF_SECONDS)
    set_clock(behind, -OFF_SECONDS)

    async def story(scene: Scene) -> None:
        wiretap = await scene.tap()
        ingest = await asyncio.to_thread(scene.stack.ingest, CLOCK_FILE=str(behind))
        broadcast = await asyncio.to_thread(scene.stack.broadcast, CLOCK_FILE=str(behind), HEARTBEAT_SECONDS="1")
        scene.start(scene.new_producer(urls=[ingest.url]))
        both = [scene.broadcasts[0].url, broadcast.url]
        slow = await scene.dashboard("behind", urls=both[1:])
        assert abs(slow.events[0][1]["time_ms"] / 1000 + OFF_SECONDS - time.time()) < 10
        changing = await scene.dashboard("changing", urls=both)
        await scene.mended()
        set_clock(ahead, -OFF_SECONDS)
        set_clock(behind, OFF_SECONDS)
        published = len(wiretap.published)
        healed = await scene.mended()
        await scene.until(lambda: len(wiretap.published) > published + 20, "readings go on")
        assert scene.connections == {1}
        scene.broadcasts[0].kill()
        await scene.until(lambda: changing.connections == 2, "it resumes where the clock is another")
        await asyncio.to_thread(scene.broadcasts[0].start)
        await scene.mended()
        record(21, "Services' clocks 5 min ahead and behind, then the other way round", "nothing; resumed across them", healed)

    play(tmp_path, story, settings={"PYTHONPATH": CLOCKS, "CLOCK_FILE": str(ahead)})


def test_producers_whose_clocks_are_wrong(tmp_path: pathlib.Path) -> None:
    """Readings of some rooms come from five minutes ahead, of others from five minutes ago: all are accepted and shown."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        for offset in (OFF_SECONDS, -OFF_SECONDS):
            scene.start(scene.new_producer([f"{room}-by-{offset}" for room in ROOMS[:2]], clock_offset_seconds=offset))
        await scene.until(lambda: len(scene.checker.posts) == len(ROOMS) + 4, "all of them post")
        healed = await scene.mended()
        assert {post.stored for posts in scene.checker.posts.values() for post in posts} == {True}
        record(21, "Producers' clocks 5 min ahead and behind", "accepted and shown as ever", healed)

    play(tmp_path, story)


def test_a_clock_beyond_the_ttl_hides_no_room_for_good(tmp_path: pathlib.Path) -> None:
    """A broadcast whose clock is an hour ahead reports `degraded`; later it also delivers values that are not posted again."""
    clock = tmp_path / "clock"
    set_clock(clock, 0)

    async def story(scene: Scene) -> None:
        await scene.producer.post_batch(["quiet"])
        broadcast = await asyncio.to_thread(scene.stack.broadcast, CLOCK_FILE=str(clock), HEARTBEAT_SECONDS="1", PYTHONPATH=CLOCKS)
        dashboard = await scene.dashboard("astray", urls=[broadcast.url])
        quiet = ("quiet", PLATFORM)
        await scene.until(lambda: scene.checker.views["astray"].tokens(quiet) >= 0, "the quiet room is shown")
        wrong_at = time.monotonic()
        set_clock(clock, 4000)
        await scene.until(lambda: dashboard.received("UPSTREAM", wrong_at, status="degraded"), "it reports degraded", within=5)
        known = time.monotonic() - wrong_at
        await scene.until(lambda: scene.checker.views["astray"].tokens(quiet) < 0, "the quiet room expires")
        assert await scene.status(broadcast) == 200
        right_at = time.monotonic()
        set_clock(clock, 0)
        await scene.until(lambda: scene.checker.views["astray"].tokens(quiet) >= 0, "the quiet room is shown again")
        await scene.until(lambda: dashboard.received("UPSTREAM", right_at, status="ok"), "it reports that it is well", within=2)
        assert scene.connections == {1}
        assert '"clock.skewed"' in broadcast.log.read_text()
        record(
            36, "broadcast's clock 4000 s ahead, and right again", f"`degraded` {after(known)}; every room comes back", await scene.mended()
        )

    play(tmp_path, story)


def test_a_restart_that_loses_a_clock_ahead_hides_nothing(tmp_path: pathlib.Path) -> None:
    """Versions were two minutes ahead and Redis has forgotten it, as has a new ingest: the probe lifts them above what dashboards hold."""

    async def story(scene: Scene) -> None:
        ahead = time.time_ns() // 1000 + 120_000_000
        scene.redis.admin.set(keys.last_version(0), ahead)
        await scene.mended()
        scene.ingests[0].kill()
        scene.redis.kill()
        await asyncio.to_thread(scene.redis.start)
        await scene.until(lambda: scene.redis.admin.get(keys.last_version(0)), "the probe has set the version")
        await asyncio.to_thread(scene.ingests[0].start)
        healed = await scene.mended()
        scene.redis.admin.flushall()
        scene.ingests[0].kill()
        await asyncio.to_thread(scene.ingests[0].start)
        await scene.mended()
        version: Any = scene.redis.admin.get(keys.last_version(0))
        assert int(version) > ahead
        record(35, "Redis, whose clock had been 2 min ahead, restarted empty and flushed", "nothing; shown at once", healed)

    play(tmp_path, story)


@pytest.mark.parametrize("poison", ["5000000000000000", str(2**53 + 10), "nonsense", "list"])
def test_a_poisoned_version_hides_nothing(tmp_path: pathlib.Path, poison: str) -> None:
    """A version far ahead of the clock, or none at all, is damage: the probe starts from the clock, and readings go on being shown."""

    async def story(scene: Scene) -> None:
        admin, key = scene.redis.admin, keys.last_version(0)
        await asyncio.to_thread(scene.ingests[0].kill)  # its script would mend the version with the next reading
        if poison == "list":
            admin.delete(key)
            admin.rpush(key, "x")
        else:
            admin.set(key, poison)
        await scene.until(lambda: admin.type(key) == b"string" and is_recent(admin.get(key)), "the probe has started from the clock")
        await asyncio.to_thread(scene.ingests[0].start)
        healed = await scene.mended()
        assert is_recent(admin.get(key))
        assert scene.connections == {1}
        record(35, f"The version set to {poison}", "nothing", healed)

    play(tmp_path, story)


def is_recent(version: Any) -> bool:
    """Whether a version was given by a clock that is right."""
    return bool(version.isdigit() and abs(int(version) - time.time_ns() // 1000) < 60_000_000)
