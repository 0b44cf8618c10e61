"""How a handshake is run and answered: at once and in one write, or in a task where it waits."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from broadcast_service.websocket.handshake_limiter import HandshakeLimiter, run_at_once
from broadcast_service.websocket.protocol import EXTENSION, PulseProtocol
from shared.web.address_budget import AddressBudget

pytestmark = pytest.mark.anyio

HEADERS = [(b"host", b"x"), (b"sec-websocket-version", b"13"), (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")]
HELLO = b"\x81\x05hello"


class Transport(asyncio.Transport):
    """Records writes."""

    def __init__(self) -> None:
        super().__init__({"socket": SimpleNamespace(setsockopt=lambda *_: None)})
        self.written: list[bytes] = []
        self.closed = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It has none."""

    def write(self, data: Any) -> None:
        """Keeps it."""
        self.written.append(bytes(data))

    def close(self) -> None:
        """Closes."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed


class Handshake:
    """A handshake whose application does what a test says: it waits, it ends early, or it opens the socket with some bytes."""

    def __init__(self, *, opens_with: bytes | None = HELLO, waits: asyncio.Event | None = None, per_iteration: int = 16) -> None:
        self.opens_with = opens_with
        self.waits = waits
        self.transport = Transport()
        self.state = ServerState()
        config: Any = SimpleNamespace(
            ws_max_size=4096, ws_per_message_deflate=False, asgi_version="3.0", root_path="", loaded_app=self._app
        )
        self.protocol = PulseProtocol(
            config, self.state, self.transport, HandshakeLimiter(per_iteration), budget=AddressBudget(0), account="192.0.2.1"
        )

    async def _app(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if self.waits is not None:
            await self.waits.wait()
        await send({"type": "websocket.accept", "subprotocol": "pulse.v1"})
        connection = scope["extensions"][EXTENSION](SimpleNamespace(on_lost=lambda: None))
        if self.opens_with is None:
            raise ZeroDivisionError
        connection.open(self.opens_with)

    def receive(self, *more: tuple[bytes, bytes]) -> None:
        """The request."""
        self.protocol.open({"method": "GET", "headers": [*HEADERS, *more], "scheme": "http"}, b"/ws/dashboard")


async def test_the_answer_and_the_first_frame_are_one_write() -> None:
    """Without a task: they are written when the request has been received."""
    handshake = Handshake()
    handshake.receive()
    (written,) = handshake.transport.written
    head, _, rest = written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert rest == HELLO
    assert not handshake.state.tasks


async def test_a_socket_without_a_first_frame_is_accepted_as_well() -> None:
    """A client that speaks no `pulse.v1` is sent no HELLO."""
    handshake = Handshake(opens_with=b"")
    handshake.receive()
    assert [written[:12] for written in handshake.transport.written] == [b"HTTP/1.1 101"]
    assert not handshake.transport.closed


async def test_a_handshake_with_a_cookie_may_wait() -> None:
    """Its screen is looked up; other handshakes go on meanwhile."""
    looked_up = asyncio.Event()
    handshake = Handshake(waits=looked_up)
    handshake.receive((b"cookie", b"session=x"))
    await asyncio.sleep(0)
    (task,) = handshake.state.tasks
    assert handshake.transport.written == []
    looked_up.set()
    await task
    assert handshake.transport.written[0].endswith(HELLO)


async def test_handshakes_beyond_the_limit_of_an_iteration_wait_in_tasks() -> None:
    """In order of arrival, as before."""
    handshake = Handshake(per_iteration=0)
    handshake.receive()
    assert handshake.state.tasks
    assert handshake.transport.written == []
    for task in handshake.state.tasks:
        task.cancel()


async def test_an_error_before_the_first_frame_is_answered_with_its_status() -> None:
    """The client has not been sent a 101 that nothing would follow."""
    handshake = Handshake(opens_with=None)
    handshake.receive()
    assert handshake.transport.written[0].startswith(b"HTTP/1.1 500 ")
    assert handshake.transport.closed


async def test_a_coroutine_that_waits_is_not_run_at_once() -> None:
    """It is ended, and its caller learns of it."""
    ended = []

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    with pytest.raises(RuntimeError, match="waited"):
        run_at_once(waits())
    assert ended
