"""The bytes of one pub/sub connection, read as they arrive.

redis-py connects, encrypts and authenticates; after that its transport is ours, because its way of reading (a stream, a future and two
coroutines for every message) costs more than all that is done with the message. hiredis reads the protocol, as it does for redis-py.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

from shared.redis import new_connection, pack_command, parse_error, transport_of

SUBSCRIBE_TIMEOUT_SECONDS: Final = 2.0
CONFIRMATIONS: Final = (b"subscribe", b"ssubscribe")

Hear = Callable[[bytes, bytes, bytes], None]


class Subscription(asyncio.Protocol):
    """Takes a transport over and hands `hear` each message's kind, channel and payload.

    What `hear` raises ends the subscription, as a lost connection does.
    """

    def __init__(self, transport: asyncio.Transport, hear: Hear, *, channels: int) -> None:
        self._transport = transport
        self._hear = hear
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=parse_error)
        self._unconfirmed = channels
        self._confirmed = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._resting: asyncio.TimerHandle | None = None
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

    def rest(self, seconds: float) -> None:
        """Reads nothing for so long; what is published meanwhile waits in the socket and is then read at once."""
        if self._resting is None and self._is_open:
            self._transport.pause_reading()
            self._resting = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _wake(self) -> None:
        self._resting = None
        if self._is_open:
            self._transport.resume_reading()

    @property
    def _is_open(self) -> bool:
        return not self._ended.is_set() and not self._transport.is_closing()

    def data_received(self, data: bytes) -> None:
        """Any number of messages, the last one perhaps in part."""
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self._take(reply)
        except Exception as error:  # noqa: BLE001 - whoever waits for the end gets it
            self._end(error)

    def _take(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            raise reply
        kind, channel, data = reply
        if kind in CONFIRMATIONS:
            self._unconfirmed -= 1
            if not self._unconfirmed:
                self._confirmed.set()
        else:
            self._hear(kind, channel, data)

    def connection_lost(self, error: Exception | None) -> None:
        """The server, the network or we ended it."""
        if self._resting is not None:
            self._resting.cancel()
        self._end(error or RedisConnectionError("the connection was closed"))

    def _end(self, error: Exception) -> None:
        self._error = self._error or error
        self._confirmed.set()
        self._ended.set()


@contextlib.asynccontextmanager
async def subscription(node: Redis, command: str, channels: list[bytes], hear: Hear) -> AsyncIterator[Subscription]:
    """A confirmed subscription on a connection of its own; raises RedisError, OSError or TimeoutError."""
    connection = new_connection(node)
    try:
        async with asyncio.timeout(SUBSCRIBE_TIMEOUT_SECONDS):
            await connection.connect()  # type: ignore[no-untyped-call]
            transport = transport_of(connection)
            found = Subscription(transport, hear, channels=len(channels))
            transport.write(pack_command(command, *channels))
            await found.confirmed()
        yield found
    finally:
        await connection.disconnect(nowait=True)
