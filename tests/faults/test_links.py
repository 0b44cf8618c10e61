"""A cut link between one service and Redis, first silent, then with a reset."""

import asyncio
import pathlib
import time
from collections import Counter
from typing import Final

import httpx
import pytest

from shared.contract.codec import encode
from tests.faults.actors import reading
from tests.faults.catalogue import after, record
from tests.faults.scene import ROOMS, Scene, play
from tests.support.readings import PLATFORM

pytestmark = pytest.mark.faults

MANY_ROOMS: Final = 1000
THIN_SECONDS: Final = 15.0
READERS: Final = 60
READING_SECONDS: Final = 60.0
ABOUT_SECONDS: Final = 5.0  # longer than it takes to be degraded


def test_broadcast_cut_off_silently(tmp_path: pathlib.Path) -> None:
    """The socket stays open and nothing comes: the probe finds out, dashboards are notified, and later receive everything."""

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        scene.link.drop()
        known = await scene.all_know_of_it(broken_at)
        assert scene.producer.statuses(broken_at) <= {200}
        scene.link.restore()
        record(9, "broadcast cut off from Redis, silently", f"`degraded` {after(known)}", await scene.mended())

    play(tmp_path, story, cut="broadcast")


def test_broadcast_cut_off_with_a_reset(tmp_path: pathlib.Path) -> None:
    """A reset is noticed immediately; readings accepted meanwhile arrive when the link is back."""

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        scene.link.reset()
        known = await scene.all_know_of_it(broken_at)
        posted = len(scene.producer.answers)
        await scene.until(lambda: len(scene.producer.answers) > posted + 20, "producers go on")
        scene.link.restore()
        record(9, "broadcast cut off from Redis, reset", f"`degraded` {after(known)}", await scene.mended())

    play(tmp_path, story, cut="broadcast")


def test_ingest_cut_off(tmp_path: pathlib.Path) -> None:
    """503 with Retry-After within its second; a reading that is sent again afterwards is published once."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        scene.link.drop()
        headers = {"Authorization": f"Bearer {scene.stack.token('ingest')}", "Content-Type": "application/json"}
        lost = reading("lost-room")
        async with httpx.AsyncClient(base_url=scene.ingests[0].url, headers=headers) as client:
            started = time.monotonic()
            refused = await client.post("/api/tracking/telemetry", content=encode(lost))
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert time.monotonic() - started < 2
            scene.link.restore()
            scene.mended_at = time.monotonic()
            await scene.until(lambda: 200 in scene.producer.statuses(scene.mended_at), "producers are accepted again")
            again = await client.post("/api/tracking/telemetry", content=encode(lost))
            assert again.json()["result"] in ("accepted", "duplicate")
            assert scene.wiretap is not None
            await scene.until(lambda: scene.wiretap and any(r.room_id == "lost-room" for r in scene.wiretap.published), "it is published")
        record(10, "ingest cut off from Redis", "503 with Retry-After; sending again is safe", await scene.mended())

    play(tmp_path, story, cut="ingest")


def test_a_thin_line_catches_up(tmp_path: pathlib.Path) -> None:
    """A thousand rooms over 100 kB/s: more than one page carries in time, so each page must be kept and the next one be smaller."""

    async def story(scene: Scene) -> None:
        rooms = [f"many-{number}" for number in range(MANY_ROOMS)]
        await scene.producer.post_batch(rooms)
        broadcast = scene.broadcasts[0]
        await asyncio.to_thread(broadcast.kill)
        scene.link.thin(100_000)
        started = time.monotonic()
        await asyncio.to_thread(broadcast.start, until="/livez")
        scene.mended_at = started
        while await scene.status(broadcast) != 200:
            assert time.monotonic() - started < THIN_SECONDS
            await asyncio.sleep(0.1)
        seconds = time.monotonic() - started
        await scene.counted(broadcast, "pulse_feeds", MANY_ROOMS)
        record(40, f"{MANY_ROOMS} rooms over 100 kB/s", f"all held after {seconds:.1f} s", await scene.mended(within=20))

    play(tmp_path, story, cut="broadcast", rooms=frozenset(ROOMS[:1]))


def test_readers_starve_nobody(tmp_path: pathlib.Path) -> None:
    """Sixty readers of a week over a line of 20 ms: every one is answered, and neither the probe nor readiness waits behind them."""

    async def story(scene: Scene) -> None:
        broadcast, statuses, began = scene.broadcasts[0], Counter[int](), time.monotonic()
        scene.link.delay(0.01)
        readers = [asyncio.create_task(read_history(scene, number, statuses)) for number in range(READERS)]
        ready = set()
        async with asyncio.timeout(READING_SECONDS):  # a busy machine may take long, but not for ever
            while sum(statuses.values()) < 2 * READERS or time.monotonic() - began < ABOUT_SECONDS:
                ready.add(await scene.status(broadcast))
                await asyncio.sleep(0.1)
        assert not any(reader.done() for reader in readers)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        scene.link.delay(0)
        assert ready == {200}
        assert not any(dashboard.received("UPSTREAM", began, status="degraded") for dashboard in scene.dashboards)
        assert set(statuses) == {200}
        record(
            37,
            f"{READERS} readers of 6 days of history, Redis 20 ms away",
            f"{statuses[200]} answers, all 200; ready",
            await scene.mended(),
        )

    play(tmp_path, story, cut="broadcast")


async def read_history(scene: Scene, number: int, statuses: Counter[int]) -> None:
    """Reads six days of a room again and again."""
    headers = {"Authorization": f"Bearer {scene.stack.token('dashboard', subject=f'reader-{number}')}"}
    now = int(time.time())
    async with httpx.AsyncClient(base_url=scene.broadcasts[0].url, headers=headers, timeout=20) as client:
        while True:
            path = f"/api/tracking/telemetry/{ROOMS[0]}/{PLATFORM}/history?from={now - 6 * 86400}&to={now}"
            statuses[(await client.get(path)).status_code] += 1
