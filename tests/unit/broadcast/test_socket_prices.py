"""What a client sends on an open socket is charged to its address and its subject, and is read no further while either has to wait."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from broadcast_service.websocket import protocol as module
from broadcast_service.websocket.handshake_limiter import HandshakeLimiter
from broadcast_service.websocket.protocol import PulseProtocol
from shared.web.address_budget import BURST_SECONDS, CHUNK, FRAME, MESSAGE, AddressBudget

pytestmark = pytest.mark.anyio

SHARE = 0.001  # so small that a slow test is given back little
PEER = "192.0.2.1"
BURST = SHARE * 1000 * BURST_SECONDS
EMPTY_PONG = b"\x8a\x80\0\0\0\0"


class Transport(asyncio.Transport):
    """Records whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = True
        self.resumed = asyncio.Event()
        self.written = b""

    def pause_reading(self) -> None:
        """Reads no more."""
        self.reads = False

    def resume_reading(self) -> None:
        """Reads again."""
        self.reads = True
        self.resumed.set()

    def write(self, data: Any) -> None:
        """Keeps it."""
        self.written += bytes(data)

    def is_closing(self) -> bool:
        """It stays open."""
        return False


class Receiver:
    """Keeps the messages; its subject is over its budget when a test says so."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.over = False

    def on_text(self, data: bytes) -> None:
        """A message."""
        self.messages.append(data)

    def on_lost(self) -> None:
        """The end."""

    def is_over_budget(self) -> bool:
        """As the test says."""
        return self.over


class Socket:
    """An open socket of one address, and what its client would send."""

    def __init__(self) -> None:
        self.budget = AddressBudget(SHARE)
        self.transport = Transport()
        self.receiver = Receiver()
        config: Any = SimpleNamespace(ws_max_size=4096)
        self.protocol = PulseProtocol(config, ServerState(), self.transport, HandshakeLimiter(16), budget=self.budget, account=PEER)
        self.protocol._receiver = self.receiver  # type: ignore[assignment]
        self.client = ClientProtocol(parse_uri("ws://studio.example/"), state=State.OPEN)

    def left(self) -> float:
        """What the address may still spend."""
        return self.budget.left(PEER, asyncio.get_running_loop().time())

    def receive(self) -> None:
        """Receives what the client has written."""
        self.protocol.data_received(b"".join(self.client.data_to_send()))


@pytest.fixture
async def opened(monkeypatch: pytest.MonkeyPatch) -> Socket:
    """A socket whose pauses are short."""
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)
    return Socket()


async def test_each_frame_and_each_message_is_charged_to_the_address(opened: Socket) -> None:
    """Pings and fragments too; a message costs more than a frame."""
    before = opened.left()
    opened.client.send_text(b"a", fin=False)
    opened.client.send_ping(b"x")
    opened.client.send_continuation(b"b", fin=True)
    opened.client.send_text(b"c")
    opened.receive()
    assert opened.receiver.messages == [b"ab", b"c"]
    assert opened.left() == pytest.approx(before - CHUNK - 4 * FRAME - 2 * MESSAGE, abs=0.05)


async def test_answers_to_heartbeats_cost_little_and_are_not_free(opened: Socket) -> None:
    """A client that sends them without end has to wait as well."""
    before = opened.left()
    opened.protocol.data_received(EMPTY_PONG)
    assert before - 2 * CHUNK < opened.left() < before
    opened.budget.charge(PEER, BURST, asyncio.get_running_loop().time())
    opened.protocol.data_received(EMPTY_PONG)
    assert not opened.transport.reads


async def test_a_socket_is_not_read_while_its_address_is_over_its_budget(opened: Socket) -> None:
    """The messages that have arrived are answered, sending to the client goes on, and it is read again when the debt is paid."""
    opened.budget.charge(PEER, BURST + 0.05, asyncio.get_running_loop().time())
    opened.client.send_ping(b"x")
    opened.client.send_text(b"late")
    opened.receive()
    assert opened.receiver.messages == [b"late"]
    assert opened.transport.written == b"\x8a\x01x"
    assert not opened.transport.reads
    async with asyncio.timeout(60):
        await opened.transport.resumed.wait()
    assert not opened.budget.is_over(PEER, asyncio.get_running_loop().time())


async def test_a_socket_is_not_read_while_its_subject_is_over_its_budget(opened: Socket) -> None:
    """Also when its address is within its own."""
    opened.receiver.over = True
    opened.client.send_text(b"a")
    opened.receive()
    assert not opened.transport.reads
    opened.receiver.over = False
    async with asyncio.timeout(60):
        await opened.transport.resumed.wait()


async def test_a_socket_that_is_lost_while_it_is_not_read_leaves_no_timer(opened: Socket) -> None:
    """It is not read again."""
    opened.receiver.over = True
    opened.receive()
    timer = opened.protocol._pause_timer
    assert timer is not None
    opened.protocol.connection_lost(None)
    assert timer.cancelled()


async def test_other_addresses_are_read_on(opened: Socket) -> None:
    """A flood of one address stops no client of another one."""
    opened.budget.charge("192.0.2.2", 10 * BURST, asyncio.get_running_loop().time())
    opened.client.send_text(b"a")
    opened.receive()
    assert opened.transport.reads
