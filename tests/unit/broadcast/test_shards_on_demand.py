"""Which shards a relay requires of its listeners, and how long clients and reads wait for one."""

import asyncio

import pytest

from broadcast_service.relay import relay as relay_module
from broadcast_service.relay.audiences import Client
from broadcast_service.relay.relay import Pacing, Relay
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract import keys
from shared.store.reading_sink import Source
from tests.support.readings import make_stored_reading

pytestmark = pytest.mark.anyio
SHARDS = 4
ROOM = "blue"
SHARD = keys.shard_of(ROOM, SHARDS)
OTHER = next(name for name in ("red", "green", "a", "b") if keys.shard_of(name, SHARDS) != SHARD)


class Process:
    """A relay, and listeners that follow it immediately."""

    def __init__(self, shards: int = SHARDS) -> None:
        self.relay = Relay(shards, 3600, Pacing(share=1, max_pause_seconds=0, heartbeat_seconds=15))
        self.now = asyncio.get_running_loop().time()
        self.listening: set[int] = set()
        self.follow()

    def follow(self) -> None:
        """Subscriptions begin and end as required."""
        for shard, demand in enumerate(self.relay.demands):
            if demand.is_required and shard not in self.listening:
                self.listening.add(shard)
                self.relay.set_confirmed(shard, confirmed=True)
                self.relay.advance(shard, 1_000_000, of_commit=False)
                self.relay.mark_reconciled(shard)
            elif not demand.is_required and shard in self.listening:
                self.listening.discard(shard)
                self.relay.set_confirmed(shard, confirmed=False)

    def pass_seconds(self, seconds: float) -> set[int]:
        """The shards that are listened to after so many ticks."""
        for _ in range(int(seconds)):
            self.now += 1
            self.relay.release_unneeded(self.now)
            self.follow()
        return self.listening

    def join(self, *patterns: str) -> tuple[Client, list[bytes]]:
        """A client, and the frames sent to it."""
        received: list[bytes] = []
        client = Client(received.append)
        self.relay.attach(client, Scope.of(patterns), Encoding.LINES)
        return client, received


async def turns(count: int = 5) -> None:
    """Lets the loop run the callbacks that are due now."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_process_without_clients_keeps_all_shards() -> None:
    """A spare process is ready for any client, and has the last values if Redis fails."""
    assert Process().pass_seconds(1000) == set(range(SHARDS))


@pytest.mark.parametrize("patterns", [("*",), ("b*",), (ROOM, "b*")], ids=["wildcard", "prefix", "room and prefix"])
async def test_a_prefix_needs_all_shards(patterns: tuple[str, ...]) -> None:
    """Any shard can have a room with that prefix."""
    process = Process()
    process.join(*patterns)
    process.join(ROOM)
    assert process.pass_seconds(1000) == set(range(SHARDS))


async def test_exact_rooms_need_their_shards_alone() -> None:
    """The others are released after a minute."""
    process = Process()
    process.join(ROOM)
    assert process.pass_seconds(relay_module.RELEASE_SECONDS - 2) == set(range(SHARDS))
    assert process.pass_seconds(4) == {SHARD}


async def test_a_shard_is_released_a_minute_after_its_last_client_left() -> None:
    """The demand ends, and the relay does not count the shard as lost."""
    process = Process()
    process.join(ROOM)
    everything, _ = process.join("*")
    process.pass_seconds(100)
    process.relay.detach(everything)
    assert process.pass_seconds(relay_module.RELEASE_SECONDS - 2) == set(range(SHARDS))
    assert process.pass_seconds(3) == {SHARD}
    assert process.relay.upstream(Scope.of([ROOM])) == "ok"


async def test_a_single_shard_is_never_released() -> None:
    """Every room is in it."""
    process = Process(1)
    process.join(ROOM)
    assert process.pass_seconds(1000) == {0}


async def test_the_last_client_that_leaves_releases_nothing() -> None:
    """What the process has then it keeps."""
    process = Process()
    client, _ = process.join(ROOM)
    assert process.pass_seconds(100) == {SHARD}
    process.relay.detach(client)
    assert process.pass_seconds(1000) == {SHARD}


async def test_a_client_that_needs_a_released_shard_waits_for_its_values() -> None:
    """It receives nothing before, and then its snapshot; clients that need nothing more are served meanwhile."""
    process = Process()
    process.join(ROOM)
    process.pass_seconds(100)
    _, waiting = process.join(OTHER)
    _, served = process.join(ROOM)
    await turns()
    assert waiting == []
    assert b'"SYNC"' in b"".join(served)
    shard = keys.shard_of(OTHER, SHARDS)
    process.relay.receive([make_stored_reading(5, now=process.now, room_id=OTHER)], Source.STORED, process.now)
    process.follow()
    await turns()
    assert b'"status":"ok"' in b"".join(waiting)
    assert b"TELEMETRY_UPDATE" in b"".join(waiting)
    assert b'"snapshot":true' in b"".join(waiting)
    assert process.pass_seconds(1000) == {SHARD, shard}


async def test_a_filter_that_widens_a_scope_requires_its_shards() -> None:
    """A client that moves to another scope waits as one that connects."""
    process = Process()
    client, received = process.join(ROOM)
    process.pass_seconds(100)
    await turns()
    received.clear()
    process.relay.attach(client, Scope.of(["*"]), Encoding.LINES)
    await turns()
    assert received == []
    process.follow()
    await turns()
    assert b'"snapshot":true' in b"".join(received)


async def test_a_wait_ends_when_the_values_do_not_come() -> None:
    """Redis is away: the client receives what the process has, as degraded, and a read is answered."""
    process = Process()
    process.join(ROOM)
    process.pass_seconds(100)
    _, waiting = process.join("*")
    read = asyncio.create_task(process.relay.ready(Scope.of(["*"])))
    await turns()
    assert not read.done()
    process.relay.release_unneeded(asyncio.get_running_loop().time() + relay_module.WAIT_SECONDS - 1)
    await turns()
    assert waiting == []
    process.relay.release_unneeded(asyncio.get_running_loop().time() + relay_module.WAIT_SECONDS + 1)
    async with asyncio.timeout(60):
        await read
    await turns()
    assert b'"status":"degraded"' in b"".join(waiting)
    assert b'"snapshot":false' in b"".join(waiting)


async def test_a_read_requires_the_shards_of_its_scope() -> None:
    """It waits for their values, and they stay for a minute after it."""
    process = Process()
    process.join(ROOM)
    process.pass_seconds(100)
    await process.relay.ready(Scope.of([ROOM]))
    read = asyncio.create_task(process.relay.ready(Scope.of(["*"])))
    await turns()
    assert not read.done()
    process.follow()
    async with asyncio.timeout(60):
        await read
    assert process.listening == set(range(SHARDS))
    process.now = asyncio.get_running_loop().time()
    assert process.pass_seconds(relay_module.RELEASE_SECONDS - 2) == set(range(SHARDS))
    assert process.pass_seconds(4) == {SHARD}


async def test_a_shard_that_is_required_before_its_listener_has_stopped_is_an_ordinary_loss() -> None:
    """The client that came first has its snapshot, learns of the gap, and receives the rest."""
    process = Process()
    process.join(ROOM)
    everything, _ = process.join("*")
    process.relay.detach(everything)
    process.now += 100
    process.relay.release_unneeded(process.now)
    _, received = process.join("*")
    await turns()
    assert b'"snapshot":true' in b"".join(received)
    for shard in set(range(SHARDS)) - {SHARD}:  # each listener had seen the release
        process.relay.set_confirmed(shard, confirmed=False)
    await turns()
    process.listening = {SHARD}
    received.clear()
    process.relay.receive([make_stored_reading(5, now=process.now, room_id=OTHER)], Source.STORED, process.now)
    process.follow()
    await turns()
    assert b"TELEMETRY_UPDATE" in b"".join(received)
    assert b'"status":"ok"' in b"".join(received)


@pytest.mark.parametrize(
    ("patterns", "delay"),
    [((), relay_module.NO_CLIENTS_DELAY_SECONDS), (("mine",), relay_module.UNWANTED_DELAY_SECONDS), (("*",), 0)],
    ids=["no clients", "other rooms", "these rooms"],
)
async def test_many_readings_that_no_client_receives_are_read_together(patterns: tuple[str, ...], delay: float) -> None:
    """Few are read immediately, and so is every reading that a client receives."""
    process = Process(1)
    if patterns:
        process.join(*patterns)
    await turns()

    def receive(first: int, count: int) -> float:
        for number in range(first, first + count):
            reading = make_stored_reading(number, now=process.now, room_id=f"room-{number}")
            process.relay.receive([reading], Source.LIVE, process.now)
        process.relay.flush_now()
        process.relay.adapt_reading(1.0)
        return process.relay.read_delay_seconds(0.0001)

    assert receive(1, relay_module.MANY_UNWANTED - 1) <= 0
    assert max(0.0, receive(1000, relay_module.MANY_UNWANTED)) == (0 if patterns == ("*",) else delay)
