"""The bytes of one pub/sub connection, read as they arrive.

redis-py connects, encrypts and authenticates; after that its transport is ours, because its way of reading (a stream, a future and two
coroutines for every message) costs more than all that is done with the message. hiredis reads the protocol, as it does for redis-py.
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
BUSY_SECONDS: Final = 0.005  # how long messages may be handed over without giving the loop back
CONFIRMATIONS: Final = (b"subscribe", b"ssubscribe")
MESSAGES: Final = (b"message", b"smessage")

OnMessage = Callable[[bytes, bytes, bytes], None]


class Subscription(asyncio.Protocol):
    """Takes a transport over and hands `on_message` each message's kind, channel and payload.

    An exception of `on_message` ends the subscription, as a lost connection does; no message is dispatched after the end. `busy_seconds` is
    the time that the last dispatch took.
    """

    def __init__(self, transport: asyncio.Transport, on_message: OnMessage, *, channels: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._on_message = on_message
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=parse_error)
        self._unconfirmed = channels
        self._confirmed = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._paused: asyncio.Handle | None = None  # while it waits, for whatever reason, nothing is read
        self.busy_seconds = 0.0
        transport.set_protocol(self)

    async def confirmed(self) -> None:
        """Returns when the server has confirmed every channel; raises what ended the subscription instead."""
        await self._confirmed.wait()
        if self._error is not None:
            raise self._error

    async def lost(self) -> None:
        """Waits for the end, and raises what it was."""
        await self._ended.wait()
        assert self._error is not None
        raise self._error

    def pause(self, seconds: float) -> None:
        """Reads nothing for so long; what is published meanwhile waits and is then read at once.

        It waits in the socket, costing nothing, or with TLS in the loop's buffer for it.
        """
        if self._paused is None and not self._is_closed:
            self._transport.pause_reading()
            self._paused = self._loop.call_later(seconds, self._continue)

    def data_received(self, data: bytes) -> None:
        """Any number of messages, the last one perhaps in part."""
        self._reader.feed(data)
        if self._paused is None:
            self._dispatch()

    def _dispatch(self) -> None:
        """Hands over what has come, or as much as may be at a stretch."""
        started = time.perf_counter()
        try:
            while not self._is_closed and (reply := self._reader.gets()) is not False:
                self._handle_reply(reply)
                if time.perf_counter() - started > BUSY_SECONDS:
                    self._yield_to_loop()
                    break
        except Exception as error:  # noqa: BLE001 - whoever waits for the end gets it
            self._end(error)
        self.busy_seconds = time.perf_counter() - started

    def _yield_to_loop(self) -> None:
        """Gives the loop back, and goes on in its next turn unless there is to be a rest."""
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
        """The server, the network or we ended it."""
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
async def subscription(node: Redis, command: str, channels: list[bytes], on_message: OnMessage) -> AsyncIterator[Subscription]:
    """A confirmed subscription on a connection of its own; raises RedisError, OSError or TimeoutError."""
    connection = new_connection(node)
    try:
        async with asyncio.timeout(SUBSCRIBE_TIMEOUT_SECONDS):
            with connection_errors():
                await connection.connect()  # type: ignore[no-untyped-call]
                transport = transport_of(connection)
                found = Subscription(transport, on_message, channels=len(channels))
                transport.write(pack_command(command, *channels))
            await found.confirmed()
        yield found
    finally:
        await connection.disconnect(nowait=True)
