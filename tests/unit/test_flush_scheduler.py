"""When the hub is flushed: at once after a silence, together when many join, paced under load."""

import asyncio

import pytest

from broadcast_service.relay import flush_scheduler
from broadcast_service.relay.audiences import Client
from broadcast_service.relay.flush_scheduler import FlushScheduler
from broadcast_service.relay.hub import Hub
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract.messages import StoredReading

pytestmark = pytest.mark.anyio
EVERYTHING = Scope.of(["*"])


class Crowd:
    """A hub with clients that keep what they are told."""

    def __init__(self, *, max_pause_seconds: float = 0.04) -> None:
        self.hub = Hub(1, 3600)
        self.scheduler = FlushScheduler(self.hub, share=0.25, max_pause_seconds=max_pause_seconds, heartbeat_seconds=15)
        self.told: list[list[bytes]] = []

    def join(self) -> list[bytes]:
        """One more client; returns what it will have been told."""
        told: list[bytes] = []
        self.told.append(told)
        self.hub.attach(Client(told.append), EVERYTHING, Encoding.LINES)
        self.scheduler.client_joined()
        return told

    def change(self, version: int) -> None:
        """A room's value changes."""
        self.hub.apply(StoredReading("room", "p", 1000, version, 0, None, None, None, version, 10**9), now_seconds=1000)
        self.scheduler.request_flush()


async def turns(count: int = 5) -> None:
    """Lets the loop run callbacks that are due now, and no timers of later."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_first_change_after_a_silence_goes_out_at_once() -> None:
    """In the same turn of the loop, without a timer."""
    crowd = Crowd()
    told = crowd.join()
    await turns()
    crowd.scheduler._not_before = 0.0  # a silence
    assert crowd.scheduler.seconds_until_flush() == 0
    told.clear()
    crowd.change(1)
    await turns(2)
    assert b"TELEMETRY_UPDATE" in told[0]


async def test_who_joins_alone_is_told_at_once() -> None:
    """A person who opens the page does not wait for others."""
    told = Crowd().join()
    await turns(2)
    assert b'"SYNC"' in told[0]


async def test_who_joins_in_a_crowd_shares_a_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who join within a moment are handed the same object."""
    monkeypatch.setattr(flush_scheduler, "JOIN_SPACING_SECONDS", 0.05)
    crowd = Crowd()
    crowd.join()
    await turns()
    crowd.join()
    await turns()
    crowd.join()
    async with asyncio.timeout(5):
        while not (crowd.told[1] and crowd.told[2]):
            await asyncio.sleep(0.005)
    assert crowd.told[1][0] is crowd.told[2][0]


async def test_under_load_the_next_flush_waits_for_its_share() -> None:
    """What changes during the pause is told together."""
    crowd = Crowd(max_pause_seconds=10)
    told = crowd.join()
    await turns()
    crowd.scheduler._not_before = asyncio.get_running_loop().time() + 0.3
    told.clear()
    for version in (1, 2, 3):
        crowd.change(version)
        await turns()
    assert not told
    assert 0 < crowd.scheduler.seconds_until_flush() <= 0.3
    async with asyncio.timeout(5):
        while not told:
            await asyncio.sleep(0.005)
    assert told[0].count(b"TELEMETRY_UPDATE") == 1  # the latest of the one room


async def test_a_flush_that_crashes_is_raised_by_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody awaits a callback, so the job that is awaited raises for it."""
    monkeypatch.setattr(flush_scheduler, "TICK_SECONDS", 0.01)
    crowd = Crowd()
    job = asyncio.create_task(crowd.scheduler.run())
    client = Client(lambda _: 1 // 0)  # type: ignore[arg-type]
    crowd.hub.attach(client, EVERYTHING, Encoding.LINES)
    crowd.scheduler.client_joined()
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(job, 5)


async def test_a_flush_over_many_audiences_gives_the_loop_back() -> None:
    """As many scopes as clients: there is a pause after each."""
    crowd = Crowd()
    for number in range(1000):
        crowd.hub.attach(Client(lambda _: None), Scope.of([f"room-{number}"]), Encoding.LINES)
    assert sum(1 for _ in crowd.hub.flush(1000)) >= 1000
