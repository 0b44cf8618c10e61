"""The uvicorn protocols that give a session direct access to its transport.

Authentication, routing and the handshake are ordinary ASGI. After `accept` the application takes the connection over through the scope
extension `studio_pulse.takeover`: from then on frames go to a `Receiver` as they arrive, and encoded frames are written to the transport
without a message, a task or a copy per client. An accepted socket must be taken over and opened, in one write with its first frame; this
protocol does not support any other use.

Most connections are idle, so state that only the handshake needs is released after it, and the library's frame parser is created when the
first frame arrives that is not the empty pong of a heartbeat.

A connection that is closed has a short time to read its close frame and is then aborted: `transport.close()` alone would wait forever for a
client that does not read.
"""

import asyncio
import socket
from collections.abc import Callable, MutableMapping
from typing import Any, Final
from urllib.parse import unquote

import structlog
import uvicorn
from uvicorn.server import ServerState

from broadcast_service.websocket.frames import close_frame
from broadcast_service.websocket.handshake_limiter import HandshakeLimiter, run_at_once
from broadcast_service.websocket.message_reader import MessageReader
from broadcast_service.websocket.opening_handshake import Upgrade, closing_head, read_upgrade
from broadcast_service.websocket.receiver import Receiver
from shared.contract.codec import encode
from shared.contract.problems import MEDIA_TYPE, CloseCode, Problem, internal_error
from shared.web.address_budget import CHUNK, FRAME, MESSAGE, PAUSE_SECONDS, AddressBudget

EXTENSION: Final = "studio_pulse.takeover"
CLOSE_TIMEOUT_SECONDS: Final = 2.0
SEND_BUFFER_BYTES: Final = 64 * 1024
MAX_EARLY_BYTES: Final = 16 * 1024  # frames that a client may send before it was accepted
EMPTY_PONG: Final = b"\x8a\x80"  # followed by four bytes of mask

log = structlog.get_logger()


class Connection:
    """The sending side of a connection that was taken over."""

    __slots__ = ("_protocol", "deflates", "write")

    def __init__(self, protocol: "PulseProtocol", transport: asyncio.Transport, *, deflates: bool) -> None:
        self._protocol = protocol
        self.deflates = deflates
        self.write: Callable[[bytes], None] = transport.write

    def open(self, first: bytes) -> None:
        """Accepts the upgrade and sends the first frame, if there is one. Must be called once, before anything is written."""
        self._protocol.accept(first)

    def unsent_bytes(self) -> int:
        """The bytes that were written and that the socket has not taken."""
        return self._protocol.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Ends the connection immediately, without a close frame."""
        self._protocol.transport.abort()

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame and ends the connection, whether or not the client answers it."""
        self._protocol.close_with(code, reason)


class PulseProtocol(asyncio.Protocol):
    """One WebSocket: an ASGI handshake, then a receiver."""

    __slots__ = (
        "_account",
        "_budget",
        "_close_timer",
        "_early",
        "_handshakes",
        "_head",
        "_pause_timer",
        "_reader",
        "_receiver",
        "_state",
        "_upgrade",
        "config",
        "transport",
    )

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        transport: asyncio.Transport,
        handshakes: HandshakeLimiter,
        *,
        budget: AddressBudget,
        account: str,
    ) -> None:
        self._budget = budget
        self._account = account
        self._pause_timer: asyncio.TimerHandle | None = None
        self.config = config
        self.transport = transport
        self._state = state
        self._handshakes = handshakes
        self._receiver: Receiver | None = None
        self._reader: MessageReader | None = None
        self._early = b""
        self._upgrade: Upgrade | None = None
        self._head = b""
        self._close_timer: asyncio.TimerHandle | None = None

    def open(self, scope: Any, url: bytes) -> None:
        """Runs the application for a parsed request, if it is a valid upgrade."""
        self._state.connections.add(self)  # type: ignore[arg-type]
        try:
            self._upgrade = read_upgrade(scope["method"], url, scope["headers"], compression=bool(self.config.ws_per_message_deflate))
        except Problem as problem:
            self._refuse(problem)
            return
        raw_path, _, query = url.partition(b"?")
        upgrade_scope = {
            **scope,
            "type": "websocket",
            "asgi": {"version": self.config.asgi_version, "spec_version": "2.4"},
            "scheme": "wss" if scope["scheme"] == "https" else "ws",
            "path": self.config.root_path + unquote(raw_path.decode("latin-1")),
            "raw_path": raw_path,
            "query_string": query,
            "subprotocols": self._upgrade.subprotocols,
            "extensions": {"websocket.http.response": {}, EXTENSION: self.take_over},
        }
        del upgrade_scope["method"]
        if any(name == b"cookie" for name, _ in scope["headers"]) or not self._handshakes.takes_turn():
            task = asyncio.get_running_loop().create_task(self._run_in_turn(upgrade_scope))
            self._state.tasks.add(task)
            task.add_done_callback(self._state.tasks.discard)
        else:
            run_at_once(self._run(upgrade_scope))

    async def _run_in_turn(self, scope: MutableMapping[str, Any]) -> None:
        await self._handshakes.wait_turn()
        if not self.transport.is_closing():  # else the client left while it waited
            await self._run(scope)

    async def _run(self, scope: MutableMapping[str, Any]) -> None:
        """Runs the application for the handshake; a connection that was taken over stays open after it."""
        try:
            await self.config.loaded_app(scope, self._receive, self._send)
        except Exception:
            log.exception("socket.crashed")
            self._refuse(internal_error())
        if not self._is_accepted:
            self.transport.close()

    async def _receive(self) -> dict[str, Any]:
        """ASGI `receive`, used only before `accept`."""
        if self.transport.is_closing():
            return {"type": "websocket.disconnect", "code": 1006}
        return {"type": "websocket.connect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        """ASGI `send`: the response to the upgrade."""
        kind = message["type"]
        if kind == "websocket.accept":
            assert self._upgrade is not None
            self._head = self._upgrade.response(message.get("subprotocol"))  # `accept` sends it
        elif kind == "websocket.http.response.start":
            self._head = closing_head(message["status"], message["headers"])
        elif kind == "websocket.http.response.body":
            self.transport.write(self._head + message.get("body", b""))
        elif kind == "websocket.close":
            self._refuse(Problem(403, "there is no WebSocket endpoint on this path"))

    def _refuse(self, problem: Problem) -> None:
        """Sends a problem and ends the connection."""
        if not self._is_accepted and not self.transport.is_closing():
            body = encode(problem.as_dict())
            headers = problem.headers | {"content-type": MEDIA_TYPE, "content-length": str(len(body))}
            self.transport.write(closing_head(problem.status, [(name.encode(), value.encode()) for name, value in headers.items()]) + body)
        self.transport.close()

    def take_over(self, receiver: Receiver) -> Connection:
        """Directs the connection's events to `receiver`, which opens the returned connection; from then on only that one writes."""
        self._receiver = receiver
        assert self._upgrade is not None
        # With a high-water mark of 0 `pause_writing` is called exactly when the socket has not taken everything.
        self.transport.set_write_buffer_limits(high=0)
        # The kernel would otherwise buffer megabytes for a slow reader: minutes of superseded values, received as if they were new.
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        connection = Connection(self, self.transport, deflates=self._upgrade.deflates)
        if self._upgrade.extension is None:
            self._upgrade = None
        if self._early:
            asyncio.get_running_loop().call_soon(self.data_received, b"")  # after the session has started
            self.transport.resume_reading()
        return connection

    def accept(self, first: bytes) -> None:
        """Sends the response that accepts the upgrade, and a first frame with it."""
        self.transport.write(self._head + first)
        self._head = b""

    @property
    def _is_accepted(self) -> bool:
        return self._receiver is not None and not self._head

    # --- frames ---

    def data_received(self, data: bytes) -> None:
        """Handles received bytes. Most often they are the six bytes of the pong to a heartbeat.

        They are charged to the client's address. While the address or the client's subject is over its budget nothing more is read, and
        TCP lets the client wait; sending to it goes on.
        """
        now = asyncio.get_running_loop().time()
        self._budget.charge(self._account, CHUNK, now)
        if self._receiver is None:
            self._early += data
            if len(self._early) > MAX_EARLY_BYTES:
                self.transport.pause_reading()
            return
        if self._early:
            data, self._early = self._early + data, b""
        if self._reader is None:
            if len(data) == 6 and data.startswith(EMPTY_PONG):
                self._pause_if_over_budget(now)
                return
            self._reader = MessageReader(self._upgrade.extension if self._upgrade else None, self.config.ws_max_size)
        before, messages = self._reader.frames, 0
        for message in self._reader.messages(data, now):
            messages += 1
            self._deliver(message)
        self._budget.charge(self._account, FRAME * (self._reader.frames - before) + MESSAGE * messages, now)
        if self._reader.flooded and not self._closing and self._receiver is not None:
            self._receiver.on_flood()
            self.transport.pause_reading()
        self._answer(self._reader)
        self._pause_if_over_budget(now)

    def _pause_if_over_budget(self, now: float) -> None:
        """Reads no further for a second where the client's address or subject has to wait."""
        if self._pause_timer is None and self._is_over_budget(now) and not self._closing:
            self.transport.pause_reading()
            self._pause_timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._end_pause)

    def _is_over_budget(self, now: float) -> bool:
        return self._budget.is_over(self._account, now) or (self._receiver is not None and self._receiver.is_over_budget())

    def _end_pause(self) -> None:
        loop = asyncio.get_running_loop()
        self._pause_timer = None
        if self._closing:
            return
        if self._is_over_budget(loop.time()):
            self._pause_timer = loop.call_later(PAUSE_SECONDS, self._end_pause)
        else:
            self.transport.resume_reading()

    def _deliver(self, message: bytes | None) -> None:
        if self._closing or self._receiver is None:
            return
        try:
            if message is None:
                self._receiver.on_binary()
            else:
                self._receiver.on_text(message)
        except Exception:
            log.exception("session.crashed")
            self._receiver.on_crash()

    def _answer(self, reader: MessageReader) -> None:
        """Sends pongs, which the limit on frames bounds as well, and ends the connection after a close frame."""
        answers = reader.answers()
        if answers and not self._closing:
            self.transport.write(answers)
        if reader.ended:
            self.transport.close()
            self._abort_later()

    @property
    def _closing(self) -> bool:
        return self._close_timer is not None or self.transport.is_closing()

    def close_with(self, code: int, reason: str) -> None:
        """Sends a close frame; the client can answer it until the connection is aborted."""
        if not self._closing:
            self.transport.write(close_frame(code, reason))
            self._abort_later()

    def _abort_later(self) -> None:
        if self._close_timer is None:
            self._close_timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_SECONDS, self.transport.abort)

    def pause_writing(self) -> None:
        """The socket has not taken everything that was written."""
        if self._receiver is not None:
            self._receiver.on_pause()

    def resume_writing(self) -> None:
        """The socket has taken everything. Nothing may follow a close frame."""
        if self._receiver is not None and not self._closing:
            self._receiver.on_resume()

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection is gone."""
        self._state.connections.discard(self)
        for timer in (self._close_timer, self._pause_timer):
            if timer is not None:
                timer.cancel()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.on_lost()

    def shutdown(self) -> None:
        """The server stops. Sessions were drained before; the remaining connections are closed."""
        if not self._is_accepted:
            self._refuse(Problem(503, "the server is shutting down", retry_after_seconds=1))
        else:
            self.close_with(CloseCode.RESTART, CloseCode.RESTART.reason)
