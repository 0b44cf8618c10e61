"""When the relay flushes: immediately after an idle period, once for many joins, paced under load, and after every change."""

import asyncio
from collections.abc import Callable

import pytest

from broadcast_service.relay import flush_scheduler, relay
from broadcast_service.relay.audiences import Client
from broadcast_service.relay.relay import Pacing, Relay
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract.readings import StoredReading
from shared.store.reading_sink import Source
from tests.support.readings import make_stored_reading

pytestmark = pytest.mark.anyio
EVERYTHING = Scope.of(["*"])


class Crowd:
    """A relay with clients that record their events."""

    def __init__(self, *, max_pause_seconds: float = 0.04) -> None:
        self.relay = Relay(1, 3600, Pacing(share=0.25, max_pause_seconds=max_pause_seconds, heartbeat_seconds=15))
        self.scheduler = self.relay._scheduler
        self.received: list[list[bytes]] = []

    def join(self) -> list[bytes]:
        """One more client; returns the list that its writes are appended to."""
        received: list[bytes] = []
        self.received.append(received)
        self.relay.attach(Client(received.append), EVERYTHING, Encoding.LINES)
        return received

    def change(self, version: int) -> None:
        """A room's value changes."""
        self.relay.receive([reading(version)], Source.LIVE, now_seconds=1000)


def reading(version: int) -> StoredReading:
    """A committed reading of one room."""
    return make_stored_reading(version, room_id="room", tokens_count=version)


async def turns(count: int = 5) -> None:
    """Lets the loop run the callbacks that are due now, and no later timers."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_first_change_after_an_idle_period_is_sent_immediately() -> None:
    """It is sent in the same iteration of the loop, without a timer."""
    crowd = Crowd()
    received = crowd.join()
    await turns()
    crowd.scheduler._not_before = 0.0  # as after an idle period
    assert crowd.scheduler.seconds_until_flush() == 0
    received.clear()
    crowd.change(1)
    await turns(2)
    assert b"TELEMETRY_UPDATE" in received[0]


async def test_a_reading_after_a_rest_is_written_before_it_is_counted() -> None:
    """No callback of the loop is between its arrival and the write; those that follow closely are left to the loop and share a write."""
    crowd = Crowd()
    received = crowd.join()
    await turns()
    received.clear()
    crowd.scheduler._not_before = asyncio.get_running_loop().time() - 2 * flush_scheduler.REST_SECONDS
    crowd.change(1)
    assert received[0].count(b"TELEMETRY_UPDATE") == 1
    for version in (2, 3):
        crowd.relay.receive([make_stored_reading(version, room_id=f"room-{version}", tokens_count=version)], Source.LIVE, 1000)
    assert len(received) == 1
    async with asyncio.timeout(60):
        while len(received) < 2:
            await asyncio.sleep(0.005)
    assert received[1].count(b"TELEMETRY_UPDATE") == 2


async def test_after_a_rest_many_clients_are_written_to_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The arrival of a reading does not hold the loop for longer than a slice."""
    monkeypatch.setattr(flush_scheduler, "SLICE_SECONDS", -1.0)
    crowd = Crowd()
    received = [crowd.join() for _ in range(200)]
    async with asyncio.timeout(60):
        while not all(received):
            await asyncio.sleep(0.005)
    await turns(300)
    for written in received:
        written.clear()
    crowd.scheduler._not_before = 0.0
    crowd.change(1)
    assert 0 < sum(map(bool, received)) < 200
    async with asyncio.timeout(60):
        while not all(received):
            await asyncio.sleep(0)
    assert sum(map(len, received)) == 200


async def test_a_stored_reading_after_a_rest_is_left_to_the_loop() -> None:
    """A reconcile delivers many, page by page."""
    crowd = Crowd()
    received = crowd.join()
    await turns()
    received.clear()
    crowd.scheduler._not_before = 0.0
    crowd.relay.receive([reading(1)], Source.STORED, 1000)
    assert not received
    await turns()
    assert received


async def test_a_crash_of_a_write_after_a_rest_is_raised_by_the_job_and_not_by_the_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener would take it for a lost subscription."""
    monkeypatch.setattr(relay, "TICK_SECONDS", 0.01)
    crowd = Crowd()
    crowd.join()
    await turns()
    next(iter(next(iter(crowd.relay._hub._audiences.values())).in_sync)).write = lambda _: 1 // 0  # type: ignore[assignment]
    crowd.scheduler._not_before = 0.0
    crowd.change(1)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(crowd.relay.run(), 5)


async def test_a_client_that_joins_alone_receives_its_snapshot_immediately() -> None:
    """A person who opens the page does not wait for other clients."""
    received = Crowd().join()
    await turns(2)
    assert b'"SYNC"' in received[0]


async def test_clients_that_join_together_share_a_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that join in quick succession are written the same bytes object."""
    monkeypatch.setattr(flush_scheduler, "JOIN_SPACING_SECONDS", 0.05)
    crowd = Crowd()
    crowd.join()
    await turns()
    crowd.join()
    await turns()
    crowd.join()
    async with asyncio.timeout(60):
        while not (crowd.received[1] and crowd.received[2]):
            await asyncio.sleep(0.005)
    assert crowd.received[1][0] is crowd.received[2][0]


async def test_under_load_the_next_flush_waits_for_its_share() -> None:
    """What changes during the pause is sent in one flush."""
    crowd = Crowd(max_pause_seconds=10)
    received = crowd.join()
    await turns()
    crowd.scheduler._not_before = asyncio.get_running_loop().time() + 0.3
    received.clear()
    for version in (1, 2, 3):
        crowd.change(version)
        await turns()
    assert not received
    assert 0 < crowd.scheduler.seconds_until_flush() <= 0.3
    async with asyncio.timeout(60):
        while not received:
            await asyncio.sleep(0.005)
    assert received[0].count(b"TELEMETRY_UPDATE") == 1  # the latest of the one room


async def test_a_flush_that_crashes_is_raised_by_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """No task awaits a callback, so the relay's job raises its exception."""
    monkeypatch.setattr(relay, "TICK_SECONDS", 0.01)
    crowd = Crowd()
    job = asyncio.create_task(crowd.relay.run())
    client = Client(lambda _: 1 // 0)  # type: ignore[arg-type]
    crowd.relay.attach(client, EVERYTHING, Encoding.LINES)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(job, 60)


async def test_a_flush_over_many_audiences_gives_the_loop_back() -> None:
    """Where every client has its own scope, there is a pause after each."""
    crowd = Crowd()
    for number in range(1000):
        crowd.relay.attach(Client(lambda _: None), Scope.of([f"room-{number}"]), Encoding.LINES)
    assert sum(1 for _ in crowd.relay._hub.flush(1000)) >= 1000


def confirm(relay: Relay) -> None:
    """The subscription of the only shard is confirmed, so clients receive UPSTREAM."""
    relay.set_confirmed(0, confirmed=True)


def reconcile(relay: Relay) -> None:
    """All stored values are read, so clients receive a complete snapshot."""
    relay.mark_reconciled(0)


def receive(relay: Relay) -> None:
    """A newer reading is received."""
    relay.receive([reading(7)], Source.LIVE, 1000)


def reconcile_one(relay: Relay) -> None:
    """A newer reading is read from the store."""
    relay.receive([reading(7)], Source.STORED, 1000)


def expire(relay: Relay) -> None:
    """The value outlives its TTL."""
    assert relay.expire(1000 + 3600 + 1) == 1


@pytest.mark.parametrize("change", [confirm, reconcile, receive, reconcile_one, expire])
async def test_every_change_is_flushed_without_a_request(change: Callable[[Relay], None]) -> None:
    """The caller changes the relay, and clients receive the change: there is nothing to forget."""
    crowd = Crowd(max_pause_seconds=0)
    received = crowd.join()
    crowd.change(1)
    await turns()
    received.clear()
    change(crowd.relay)
    await turns()
    assert received


async def test_a_client_that_moves_to_another_scope_receives_it_without_a_request() -> None:
    """So does one whose socket has taken everything."""
    crowd = Crowd(max_pause_seconds=0)
    received: list[bytes] = []
    client = Client(received.append)
    crowd.relay.attach(client, Scope.of(["elsewhere"]), Encoding.LINES)
    crowd.change(1)
    await turns()
    received.clear()
    crowd.relay.attach(client, EVERYTHING, Encoding.LINES)
    await turns()
    assert b"TELEMETRY_UPDATE" in received[0]
    received.clear()
    client.blocked = True
    crowd.change(2)
    await turns()
    assert not received
    crowd.relay.writable(client)
    await turns()
    assert b"TELEMETRY_UPDATE" in received[0]


async def test_a_client_that_left_receives_nothing() -> None:
    """Events that were pending for it are discarded too."""
    crowd = Crowd(max_pause_seconds=0)
    received: list[bytes] = []
    client = Client(received.append)
    crowd.relay.attach(client, EVERYTHING, Encoding.LINES)
    crowd.relay.detach(client)
    crowd.change(1)
    await turns()
    assert not received
