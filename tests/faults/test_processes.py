"""What may happen to our own processes: killed mid-request, stopped, restarted in turn, frozen, out of descriptors, busy for long."""

import asyncio
import contextlib
import pathlib
import resource
import signal
import time

import httpx
import pytest

from tests.faults.catalogue import record
from tests.faults.scene import ROOMS, Scene, play
from tests.faults.test_clients import burden
from tests.support.raw_websocket import RawDashboard
from tools.processes import Service

pytestmark = pytest.mark.faults

EXIT_SECONDS = 10.0


async def exits(service: Service) -> float:
    """Waits for a process that is stopping; returns how long it took. uvicorn ends by the signal that it was sent."""
    started = time.monotonic()
    assert await asyncio.to_thread(service.wait, EXIT_SECONDS) in (0, -signal.SIGTERM)
    return time.monotonic() - started


def test_ingest_killed_mid_request(tmp_path: pathlib.Path) -> None:
    """Requests in flight are stored and published, or neither; producers go to the other one and publish nothing twice."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        for service in (*scene.ingests, *scene.ingests):
            service.kill()
            await asyncio.to_thread(service.start)
            healed = await scene.mended()
        record(23, "ingest kill -9 mid-request, four times", "connection lost; the other one answers; published once each", healed)

    play(tmp_path, story, ingests=2)


def test_broadcast_told_to_stop_under_load(tmp_path: pathlib.Path) -> None:
    """Dashboards receive RECONNECT and 1012 and go to the other one; a stuck reader does not hold up the exit."""

    async def story(scene: Scene) -> None:
        leaving, staying = scene.broadcasts
        stuck = await RawDashboard.connect(leaving.url, scene.stack.token("dashboard", subject="stuck"))
        load = asyncio.create_task(burden(scene))
        there = await scene.dashboard("there", rooms=frozenset(ROOMS), urls=[leaving.url, staying.url])
        since = time.monotonic()
        leaving.signal(signal.SIGTERM)
        took = await exits(leaving)
        load.cancel()
        assert there.received("RECONNECT", since)
        assert 1012 in there.closes
        stuck.close()
        record(24, "broadcast SIGTERM under load, with a stuck reader", f"RECONNECT, 1012; exit after {took:.1f} s", await scene.mended())

    play(tmp_path, story, broadcasts=2, rooms=frozenset(ROOMS))


def test_broadcast_told_to_stop_during_handshakes(tmp_path: pathlib.Path) -> None:
    """Sockets that are just opening, or stopped halfway, get in and out again or are refused; nothing hangs."""

    async def story(scene: Scene) -> None:
        leaving = scene.broadcasts[0]
        half = [await asyncio.open_connection("127.0.0.1", leaving.port) for _ in range(5)]
        for _, writer in half:
            writer.write(b"GET /ws/dashboard HTTP/1.1\r\nHost: half")
        entered: list[RawDashboard] = []
        coming = [asyncio.create_task(come_until_refused(scene, leaving, entered)) for _ in range(20)]
        await scene.until(lambda: entered, "the first is in")
        leaving.signal(signal.SIGTERM)
        took = await exits(leaving)
        async with asyncio.timeout(5):
            await asyncio.gather(*coming)
        for writer in (*(client.writer for client in entered), *(writer for _, writer in half)):
            writer.transport.abort()
        seen = f"{len(entered)} let in and sent away, then refused; 5 half requests dropped; exit after {took:.1f} s"
        record(25, "broadcast SIGTERM during handshakes", seen, await scene.mended())

    play(tmp_path, story, broadcasts=2)


async def come_until_refused(scene: Scene, service: Service, entered: list[RawDashboard]) -> None:
    """Opens one socket after the other until the service refuses one."""
    token = scene.stack.token("dashboard", subject="opening")
    with contextlib.suppress(OSError, AssertionError, asyncio.IncompleteReadError):
        while True:
            entered.append(await RawDashboard.connect(service.url, token))


def test_a_rolling_restart_of_both_services(tmp_path: pathlib.Path) -> None:
    """Every process is stopped and started in turn under load; no dashboard ends with a wrong value, none has to reload."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        for service in (*scene.ingests, *scene.broadcasts):
            service.signal(signal.SIGTERM)
            await exits(service)
            await asyncio.to_thread(service.start)
            healed = await scene.mended()
        record(26, "Rolling restart of 2 + 2 processes", "RECONNECT, 1012, resumed elsewhere", healed)

    play(tmp_path, story, ingests=2, broadcasts=2, dashboards=6)


def test_no_descriptors_left(tmp_path: pathlib.Path) -> None:
    """New sockets are refused, those that are open go on, health still answers, and all is well once there are descriptors again."""

    async def story(scene: Scene) -> None:
        service = scene.broadcasts[0]
        in_use = descriptors(service.pid)
        async with httpx.AsyncClient(base_url=service.url, timeout=2) as health:
            assert (await health.get("/livez")).status_code == 200
            limits = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (in_use + 6, limits[1]))
            token = scene.stack.token("dashboard", subject="many")
            coming = [asyncio.create_task(RawDashboard.connect(service.url, token)) for _ in range(30)]
            done, waiting = await asyncio.wait(coming, timeout=2)
            assert (await health.get("/livez")).status_code == 200
            await scene.mended()
            for task in waiting:
                task.cancel()
            connected = [task.result() for task in done if not task.exception()]
            assert len(connected) < 10
            for client in connected:
                client.close()
            resource.prlimit(service.pid, resource.RLIMIT_NOFILE, limits)
        await scene.dashboard("afterwards")
        record(
            27, "broadcast without descriptors", f"{30 - len(connected)} of 30 refused; open sockets and /livez go on", await scene.mended()
        )

    play(tmp_path, story)


def test_a_loop_that_does_not_turn(tmp_path: pathlib.Path) -> None:
    """No client is disconnected when the event loop is blocked for two seconds."""

    async def story(scene: Scene) -> None:
        with scene.broadcasts[0].frozen():
            await asyncio.sleep(2)
        healed = await scene.mended()
        assert [dashboard.connections for dashboard in scene.dashboards] == [1] * len(scene.dashboards)
        record(28, "broadcast's loop blocked for 2 s", "no client is disconnected", healed)

    play(tmp_path, story, dashboards=10)


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
