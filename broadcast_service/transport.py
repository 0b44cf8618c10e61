"""The uvicorn WebSocket protocol that lets a session have the bare transport.

Authentication, routing and the handshake are ordinary ASGI. After `accept` the application may take the connection over through the
scope extension `studio_pulse.takeover`: from then on frames go to a `Receiver` as they arrive, the application's task ends, and ready-made
frames are written to the transport without a message, a task or a copy per client. Everything else of the server stays stock.

A connection that must end is given a moment to take its close frame and is then aborted: `transport.close()` alone would wait for ever for
a reader that never reads.
"""

import http
import socket
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.server import ServerProtocol

from broadcast_service.frames import close_frame
from shared.messages import encode
from shared.problems import MEDIA_TYPE, Problem

EXTENSION: Final = "studio_pulse.takeover"
CLOSE_TIMEOUT_SECONDS: Final = 2.0
SEND_BUFFER_BYTES: Final = 64 * 1024
MAX_CONTROL_BACKLOG_BYTES: Final = 64 * 1024  # unread pongs that a client may pile up
# Without context takeover a compressed payload means the same to everyone, so it can be made once for a whole audience.
DEFLATE: Final = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)


class Receiver(Protocol):
    """Who hears of a connection that was taken over."""

    def on_text(self, data: bytes) -> None:
        """A whole text message arrived."""

    def on_binary(self) -> None:
        """A binary message arrived."""

    def on_pause(self) -> None:
        """The socket did not take all that was written."""

    def on_resume(self) -> None:
        """The socket has taken everything."""

    def on_lost(self) -> None:
        """The connection is gone."""


class Connection:
    """The writing end of a connection that was taken over."""

    __slots__ = ("_protocol", "deflates", "write")

    def __init__(self, protocol: "PulseProtocol") -> None:
        self._protocol = protocol
        self.deflates = any(map(_takes_shared, protocol.conn.extensions))
        self.write: Callable[[bytes], None] = protocol.transport.write

    def unsent_bytes(self) -> int:
        """What was written and the socket has not taken."""
        return self._protocol.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Ends the connection now."""
        self._protocol.transport.abort()

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame and ends the connection, with or without the client's help."""
        self._protocol.close_with(code, reason)


def _takes_shared(extension: object) -> bool:
    """Whether the client agreed to compression, and to a window that shared payloads fit."""
    return isinstance(extension, PerMessageDeflate) and extension.local_max_window_bits == zlib.MAX_WBITS


class Upgrade(ServerProtocol):
    """The library's side of the upgrade. Its refusals are put into our words, because its own repeat what was sent."""

    def process_origin(self, _headers: Headers) -> None:
        """Origins are `handshake.agree`'s to judge, also where the header stands twice."""

    def reject(self, status: http.HTTPStatus | int, _text: str) -> Response:
        """A refusal as a problem."""
        status = http.HTTPStatus(status)
        problem = Problem(status, f"this upgrade request is refused: {status.phrase.lower()}")
        response = super().reject(status, encode(problem.as_dict()).decode())
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = MEDIA_TYPE
        return response


class PulseProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, able to hand its transport over."""

    receiver: Receiver | None = None

    def __init__(self, config: uvicorn.Config, *arguments: Any, **options: Any) -> None:
        super().__init__(config, *arguments, **options)
        extensions = [DEFLATE] if config.ws_per_message_deflate else None
        self.conn = Upgrade(extensions=extensions, max_size=config.ws_max_size, logger=self.logger)

    def data_received(self, data: bytes) -> None:
        """Frames, or before them the request; the library refuses one with too long a header by itself, unheard by uvicorn."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_connect(self, event: Any) -> None:
        """Offers the takeover in the scope; the application's task starts with the next turn of the loop."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = self.take_over

    def take_over(self, receiver: Receiver) -> Connection:
        """From now on `receiver` hears what arrives, and only the returned connection writes."""
        self.receiver = receiver
        # With no allowance `pause_writing` means exactly: the socket did not take it all.
        self.transport.set_write_buffer_limits(high=0)
        # The kernel would else hold megabytes for a slow reader: minutes of values that were long superseded, told as if they were new.
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        while not self.queue.empty():
            message = self.queue.get_nowait()
            if message["type"] == "websocket.receive":
                self._deliver(message.get("text"))
        self._resume_reading()
        return Connection(self)

    def _deliver(self, text: str | None) -> None:
        assert self.receiver is not None
        if text is None:
            self.receiver.on_binary()
        else:
            self.receiver.on_text(text.encode())

    async def run_asgi(self) -> None:
        """Runs the application for the handshake; a connection that was taken over outlives it."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception:
            self.logger.exception("socket.crashed")
            self.send_500_response()
        if self.receiver is None and self.close_timer is None:
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """A whole message: to the receiver, where there is one."""
        if self.receiver is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "text":
            self.receiver.on_text(data)
        else:
            self.receiver.on_binary()

    def handle_ping(self) -> None:
        """Answers, unless the client reads none of the answers."""
        if self.transport.get_write_buffer_size() > MAX_CONTROL_BACKLOG_BYTES:
            self.transport.abort()
        else:
            super().handle_ping()

    def handle_close(self, event: Frame) -> None:
        """The client's close frame, or its answer to ours."""
        super().handle_close(event)
        self._abort_later()

    def handle_parser_exception(self) -> None:
        """A frame that breaks the protocol or is too big: the close frame is on its way, the rest is abandoned."""
        super().handle_parser_exception()
        self._abort_later()

    def close_with(self, code: int, reason: str) -> None:
        """Our close frame; the client may answer it until the connection is aborted."""
        if self.close_sent or self.transport.is_closing():
            return
        self.close_sent = True
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()) or close_frame(code, reason))
        self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_SECONDS, self.transport.abort)

    def _abort_later(self) -> None:
        if self.close_timer is None and not self.disconnected:
            self.close_timer = self.loop.call_later(CLOSE_TIMEOUT_SECONDS, self.transport.abort)

    def _resume_reading(self) -> None:
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        """The socket did not take all that was written."""
        super().pause_writing()
        if self.receiver is not None:
            self.receiver.on_pause()

    def resume_writing(self) -> None:
        """The socket has taken everything."""
        super().resume_writing()
        if self.receiver is not None:
            self.receiver.on_resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.on_lost()

    def shutdown(self) -> None:
        """The server stops; sessions have been drained before, what is left now gets no more time."""
        if self.receiver is None:
            super().shutdown()
        else:
            self.close_with(1012, "restart")
