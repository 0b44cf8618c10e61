"""What dashboards may do to us: read slowly or never, ping without end, all come at once, stay longer than their token."""

import asyncio
import os
import pathlib
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

import httpx
import jwt
import pytest

from shared.auth.revocations import revoke
from shared.store.redis import RedisUrl, Store
from tests.faults.catalogue import record
from tests.faults.scene import ROOMS, Scene, play
from tests.support.raw_websocket import RawDashboard
from tests.support.readings import PLATFORM
from tools.processes import Service

pytestmark = pytest.mark.faults

DEAF_SECONDS = float(os.environ.get("DEAF_SECONDS", "10"))
CLIENTS = 100
CUT_SECONDS = 30.0
CUT = 'pulse_websocket_closes_total{reason="too slow"}'


async def burden(scene: Scene, rooms: int = 1000) -> None:
    """Posts a thousand rooms once a second until cancelled: a quarter of a megabyte for each dashboard that may see them."""
    many = scene.new_producer()
    while True:
        await many.post_batch([f"many-{number}" for number in range(rooms)])
        await asyncio.sleep(0.7)


@pytest.mark.timeout(DEAF_SECONDS + 120)
def test_clients_that_never_read(tmp_path: pathlib.Path) -> None:
    """Of a hundred clients one, then again and again twenty, take nothing: each is cut, memory is flat, and the others feel nothing."""

    async def story(scene: Scene) -> None:
        elsewhere = [scene.broadcasts[1].url]
        for number in range(5):
            await scene.dashboard(f"elsewhere-{number}", urls=elsewhere, rooms=frozenset(ROOMS))
        load, started = asyncio.create_task(burden(scene)), time.monotonic()
        for deaf in (1, 20):
            rounds = [await deafness(scene, deaf)]
            while deaf > 1 and time.monotonic() - started < DEAF_SECONDS:
                rounds.append(await deafness(scene, deaf))
            half = (len(rounds) + 1) // 2
            peaks = [max(round_.megabytes for round_ in part) for part in (rounds[:half], rounds[half:] or rounds)]
            assert peaks[1] < 4 + peaks[0] * 1.05
            assert [round_ for round_ in rounds if round_.p99_seconds > 1 + round_.p99_elsewhere] == []
            record(16, f"{deaf} of {CLIENTS} clients read nothing, {len(rounds)}\N{MULTIPLICATION SIGN}", in_words(rounds, peaks), None)
        load.cancel()
        assert scene.connections == {1}

    play(tmp_path, story, broadcasts=2, dashboards=CLIENTS - 20, rooms=frozenset(ROOMS))


class Deafness(NamedTuple):
    """A round of clients that never read: the others' p99, that of dashboards of another process, until all were cut, the most memory."""

    p99_seconds: float
    p99_elsewhere: float
    seconds: float
    megabytes: float


async def deafness(scene: Scene, count: int) -> Deafness:
    """So many clients take nothing until they are cut, then leave."""
    service, token = scene.broadcasts[0], scene.stack.token("dashboard", subject="deaf")
    cut, peak = await scene.metric(service, CUT), 0
    clients = [await RawDashboard.connect(service.url, token) for _ in range(count)]
    started = time.monotonic()
    while await scene.metric(service, CUT) < cut + count:
        assert time.monotonic() - started < CUT_SECONDS
        peak = max(peak, memory_kilobytes(service.pid))
        await asyncio.sleep(0.2)
    took = time.monotonic() - started
    for client in clients:
        client.close()
    return Deafness(p99(scene, started, of="wall"), p99(scene, started, of="elsewhere"), took, peak / 1000)


def in_words(rounds: Sequence[Deafness], peaks: Sequence[float]) -> str:
    """What the others felt, typically."""
    ours, elsewhere = (statistics.median(values) * 1000 for values in list(zip(*rounds, strict=True))[:2])
    longest = max(round_.seconds for round_ in rounds)
    felt = f"p99 of the others {ours:.0f} ms, of another process {elsewhere:.0f} ms"
    return f"cut within {longest:.0f} s; {felt}; {peaks[0]:.0f} MB at most in the first half, {peaks[1]:.0f} MB in the second"


def p99(scene: Scene, since: float, *, of: str = "") -> float:
    """How long after its answer a value was shown, for all but the slowest hundredth."""
    delays = scene.checker.delays(since=since, of=of)
    return delays[int(len(delays) * 0.99)]


def test_a_trickle_reader_sees_the_latest_value(tmp_path: pathlib.Path) -> None:
    """It takes a few bytes at a time, is not cut, skips values, and ends on the last one."""

    async def story(scene: Scene) -> None:
        slow = await RawDashboard.connect(scene.broadcasts[0].url, scene.stack.token("dashboard", subject="slow"), receive_bytes=65536)
        load = asyncio.create_task(burden(scene))
        end = time.monotonic() + 6
        while time.monotonic() < end:
            assert await slow.take(2048)
            await asyncio.sleep(0.02)
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        await scene.settled()
        wanted = {room: scene.checker.last_stored((room, PLATFORM)) for room in ROOMS}
        async with asyncio.timeout(20):
            while {room: slow.tokens.get(room) for room in ROOMS} != wanted:
                assert await slow.take(1 << 20)
        updates = slow.updates
        relayed = await scene.metric(scene.broadcasts[0], 'pulse_readings_received_total{source="live"}')
        assert updates < relayed
        slow.close()
        record(17, "A trickle reader", f"{updates} of {relayed:.0f} values, the last ones among them", None)

    play(tmp_path, story, rooms=frozenset(ROOMS))


def test_a_ping_flood_is_cut(tmp_path: pathlib.Path) -> None:
    """Excessive frames end the connection before unread answers fill the server's memory."""

    async def story(scene: Scene) -> None:
        flooding = await RawDashboard.connect(scene.broadcasts[0].url, scene.stack.token("dashboard", subject="flood"))
        before = memory_kilobytes(scene.broadcasts[0].pid)
        started = time.monotonic()
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flooding.ping_for_ever(), 20)
        grown = memory_kilobytes(scene.broadcasts[0].pid) - before
        assert grown < 20_000
        record(18, "A ping flood", f"cut after {time.monotonic() - started:.1f} s; {grown / 1000:.0f} MB more memory", await scene.mended())

    play(tmp_path, story)


def memory_kilobytes(pid: int) -> int:
    """The resident memory of a process."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_everyone_reconnects_at_once(tmp_path: pathlib.Path) -> None:
    """After a kill all dashboards come back together: the loop stays responsive, and Redis is read once, not once for each."""

    async def story(scene: Scene) -> None:
        scene.broadcasts[0].kill()
        before = reads(scene)
        await asyncio.to_thread(scene.broadcasts[0].start)
        waits: list[tuple[float, float]] = []
        while not all(dashboard.connections == 2 for dashboard in scene.dashboards):
            waits.append((await livez(scene.broadcasts[0]), await livez(scene.ingests[0])))
        slowest, elsewhere = map(max, zip(*waits, strict=True))
        healed = await scene.mended()
        assert slowest < 1 + elsewhere
        assert reads(scene) - before < 5
        seen = f"/livez within {slowest * 1000:.0f} ms, that of ingest within {elsewhere * 1000:.0f} ms"
        record(19, f"{len(scene.dashboards)} dashboards reconnect at once", seen, healed)

    play(tmp_path, story, dashboards=60)


async def livez(service: Service) -> float:
    """How long a service takes to say that it lives; asked from a thread, which the dashboards of this process do not hold up."""
    started = time.monotonic()
    assert (await asyncio.to_thread(httpx.get, service.url + "/livez", timeout=10, verify=False)).status_code == 200
    return time.monotonic() - started


def reads(scene: Scene) -> int:
    """How often Redis was asked for stored values."""
    return int(scene.redis.admin.info("commandstats").get("cmdstat_mget", {"calls": 0})["calls"])


def test_tokens_end(tmp_path: pathlib.Path) -> None:
    """An expiring token is warned of and ended on time, a revoked one within seconds, and neither gets in again."""

    async def story(scene: Scene) -> None:
        short = await scene.dashboard("short", token=scene.stack.token("dashboard", subject="short", ttl_seconds=3))
        revoked_token = scene.stack.token("dashboard", subject="revoked")
        revoked = await scene.dashboard("revoked", token=revoked_token)
        since = time.monotonic()
        async with Store(RedisUrl.parse(scene.redis.url)) as store:
            await revoke(store, jwt.decode(revoked_token, options={"verify_signature": False})["jti"], int(time.time()) + 3600)
        took = await scene.until(lambda: 4401 in revoked.closes, "the revoked one is ended", within=4)
        await scene.until(lambda: 4401 in short.closes, "the expired one is ended", within=5)
        assert short.received("TOKEN_EXPIRING")
        assert time.monotonic() - since < 5
        assert short.connections == revoked.connections == 1
        record(20, "A token is revoked, another expires", f"4401 after {took:.1f} s; 4401 on time", None)

    play(tmp_path, story)


def test_values_that_outlive_their_ttl(tmp_path: pathlib.Path) -> None:
    """Dashboards receive the expiry of a value."""

    async def story(scene: Scene) -> None:
        await scene.leave(scene.producer)
        dashboard = scene.dashboards[0]
        took = await scene.until(
            lambda: all(dashboard.received("TELEMETRY_EXPIRED", room_id=room) for room in ROOMS), "every room's value expires"
        )
        scene.start(scene.producer)
        await scene.mended()
        record(30, "The TTL runs out (3 s here)", f"TELEMETRY_EXPIRED after {took:.1f} s", None)

    play(tmp_path, story, settings={"TELEMETRY_TTL_SECONDS": "3"})
