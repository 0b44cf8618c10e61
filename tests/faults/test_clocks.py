"""Clocks that are minutes off: of Redis, of the services, of producers. Versions come from Redis and only grow, whatever a clock does."""

import asyncio
import pathlib
import time

import pytest

from shared import keys
from tests.faults.catalogue import note
from tests.faults.scene import ROOMS, Scene, play
from tests.stack import ROOT

pytestmark = pytest.mark.faults

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
        note(21, "Redis' clock steps back by 5 min", "nothing", healed)

    play(tmp_path, story)


def test_services_whose_clocks_are_wrong_and_step(tmp_path: pathlib.Path) -> None:
    """One of each is five minutes ahead and the other behind; then each steps to where the other was, which nobody sees."""
    ahead, behind = tmp_path / "ahead", tmp_path / "behind"
    ahead.write_text(str(OFF_SECONDS))
    behind.write_text(str(-OFF_SECONDS))

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
        ahead.write_text(str(-OFF_SECONDS))
        behind.write_text(str(OFF_SECONDS))
        published = len(wiretap.published)
        healed = await scene.mended()
        await scene.until(lambda: len(wiretap.published) > published + 20, "readings go on")
        assert scene.connections == {1}
        scene.broadcasts[0].kill()
        await scene.until(lambda: changing.connections == 2, "it resumes where the clock is another")
        await asyncio.to_thread(scene.broadcasts[0].start)
        await scene.mended()
        note(21, "Services' clocks 5 min ahead and behind, then the other way round", "nothing; resumed across them", healed)

    play(tmp_path, story, settings={"PYTHONPATH": str(ROOT / "tests" / "faults" / "clock"), "CLOCK_FILE": str(ahead)})


def test_producers_whose_clocks_are_wrong(tmp_path: pathlib.Path) -> None:
    """Readings of some rooms come from five minutes ahead, of others from five minutes ago: all are accepted and shown."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        for offset in (OFF_SECONDS, -OFF_SECONDS):
            scene.start(scene.new_producer([f"{room}-by-{offset}" for room in ROOMS[:2]], clock_offset_seconds=offset))
        await scene.until(lambda: len(scene.checker.posts) == len(ROOMS) + 4, "all of them post")
        healed = await scene.mended()
        assert {post.stored for posts in scene.checker.posts.values() for post in posts} == {True}
        note(21, "Producers' clocks 5 min ahead and behind", "accepted and shown as ever", healed)

    play(tmp_path, story)
