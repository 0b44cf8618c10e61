"""One pub/sub connection, whose bytes are parsed as they arrive.

redis-py connects, encrypts and authenticates; then this module takes over the transport, because redis-py's way of reading (a stream, a
future and two coroutines per message) costs more than processing the message. hiredis parses the protocol, as it does for redis-py.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

from shared.store.connection import connection_errors, new_connection, pack_command, parse_error, transport_of

SUBSCRIBE_TIMEOUT_SECONDS: Final = 2.0
BUSY_SECONDS: Final = 0.005  # for which messages are dispatched before the loop runs other work
CONFIRMATIONS: Final = (b"subscribe", b"ssubscribe")
MESSAGES: Final = (b"message", b"smessage")

OnMessage = Callable[[bytes, bytes, bytes], None]


class Subscription(asyncio.Protocol):
    """Takes a transport over and hands `on_message` each message's kind, channel and payload.

    `on_read` is called after the messages that were read together, so that work which they share is done once; it is also called when an
    error ends them. An exception of either ends the subscription, as a lost connection does; no message is dispatched after the end.
    `busy_seconds` is the time that the last dispatch took.
    """

    def __init__(
        self, transport: asyncio.Transport, on_message: OnMessage, *, channels: int, on_read: Callable[[], None] = lambda: None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._on_message = on_message
        self._on_read = on_read
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=parse_error)
        self._unconfirmed = channels
        self._confirmed = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._paused: asyncio.Handle | None = None  # while set, no bytes are read
        self.busy_seconds = 0.0
        transport.set_protocol(self)

    async def confirmed(self) -> None:
        """Returns when the server has confirmed every channel; raises what ended the subscription instead."""
        await self._confirmed.wait()
        if self._error is not None:
            raise self._error

    async def lost(self) -> None:
        """Waits for the end, and raises its exception."""
        await self._ended.wait()
        assert self._error is not None
        raise self._error

    def pause(self, seconds: float) -> None:
        """Stops reading for so many seconds; messages published meanwhile are read together afterwards.

        They wait in the socket, or with TLS in the loop's buffer, without using CPU.
        """
        if self._paused is None and not self._is_closed:
            self._transport.pause_reading()
            self._paused = self._loop.call_later(seconds, self._continue)

    def data_received(self, data: bytes) -> None:
        """Parses received bytes: any number of messages, the last one possibly incomplete."""
        self._reader.feed(data)
        if self._paused is None:
            self._dispatch()

    def _dispatch(self) -> None:
        """Dispatches the received messages, for at most `BUSY_SECONDS` at a time."""
        started = time.perf_counter()
        try:
            try:
                while not self._is_closed and (reply := self._reader.gets()) is not False:
                    self._handle_reply(reply)
                    if time.perf_counter() - started > BUSY_SECONDS:
                        self._yield_to_loop()
                        break
            finally:
                self._on_read()
        except Exception as error:  # noqa: BLE001 - `lost` raises it
            self._end(error)
        self.busy_seconds = time.perf_counter() - started

    def _yield_to_loop(self) -> None:
        """Continues in the loop's next iteration, unless a pause continues later."""
        if self._paused is None and not self._is_closed:
            self._transport.pause_reading()
            self._paused = self._loop.call_soon(self._continue)

    def _continue(self) -> None:
        self._paused = None
        self._dispatch()
        self._resume_reading()

    def _resume_reading(self) -> None:
        if self._paused is None and not self._is_closed:
            self._transport.resume_reading()

    def _handle_reply(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            raise reply
        if not isinstance(reply, list) or len(reply) != 3:
            raise InvalidResponse("the server sent something that is no message")
        kind, channel, data = reply
        if kind in CONFIRMATIONS:
            self._unconfirmed -= 1
            if not self._unconfirmed:
                self._confirmed.set()
        elif kind in MESSAGES:
            self._on_message(kind, channel, data)
        else:
            raise RedisConnectionError("the server ended the subscription")

    @property
    def _is_closed(self) -> bool:
        return self._ended.is_set() or self._transport.is_closing()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection was closed, by either side or by the network."""
        if error is None or not isinstance(error, OSError):
            error = RedisConnectionError("the connection was closed")
        self._end(error)

    def _end(self, error: Exception) -> None:
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
        self._error = self._error or error
        self._confirmed.set()
        self._ended.set()


@contextlib.asynccontextmanager
async def subscription(
    node: Redis, command: str, channels: list[bytes], on_message: OnMessage, on_read: Callable[[], None] = lambda: None
) -> AsyncIterator[Subscription]:
    """A confirmed subscription on its own connection; raises RedisError, OSError or TimeoutError."""
    connection = new_connection(node)
    try:
        async with asyncio.timeout(SUBSCRIBE_TIMEOUT_SECONDS):
            with connection_errors():
                await connection.connect()  # type: ignore[no-untyped-call]
                transport = transport_of(connection)
                found = Subscription(transport, on_message, channels=len(channels), on_read=on_read)
                transport.write(pack_command(command, *channels))
            await found.confirmed()
        yield found
    finally:
        await connection.disconnect(nowait=True)
