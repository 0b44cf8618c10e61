"""Connections to one node of Redis: a fair pool, and connections whose errors are all of the types that callers expect.

All timeouts are explicit, and no connection retries by itself.
"""

import asyncio
import contextlib
import functools
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

import hiredis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, DefaultParser, RedisSSLContext, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

OPERATION_TIMEOUT_SECONDS: Final = 0.9  # under the one second that a producer is promised
CONNECT_TIMEOUT_SECONDS: Final = 0.9
MAX_WAIT_SECONDS: Final = 2.0  # for a connection
MAX_WAITING: Final = 256


def new_client(url: str, connections: int) -> Redis:
    """A client of one node. A command without an answer in time fails, and it is unknown whether it ran."""
    pool = _FairPool.from_url(
        url,
        max_connections=connections,
        socket_timeout=OPERATION_TIMEOUT_SECONDS,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,  # the library would send it with CLIENT SETINFO, which the services' users may not run
        protocol=2,  # 8.1 under RESP3 hands out connections that the server has closed (redis-py issue 4252)
    )
    pool.connection_class = type(f"Guarded{pool.connection_class.__name__}", (_Guarded, pool.connection_class), {})
    return _Client.from_pool(pool)


class _Client(Redis):
    """The library's client, with a short way for the commit script, which is the load of a service."""

    async def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        """Runs a script that the server knows; raises RedisError, NoScriptError among them.

        The library's layers of retries, callbacks, timeouts and observations take 60 µs for each command.
        """
        pool = cast("_FairPool", self.connection_pool)
        connection = await pool.get_connection()
        try:
            return await cast("_Guarded", connection).run("EVALSHA", sha, numkeys, *keys_and_args)
        finally:
            await pool.release(connection)


class _FairPool(ConnectionPool):
    """Gives connections to callers in order of arrival. A caller waits up to `MAX_WAIT_SECONDS` for one, unless `MAX_WAITING` callers wait.

    The library's blocking pool is not fair: a caller that returns a connection and takes another is served before the callers that wait.
    """

    def __init__(self, max_connections: int, **options: Any) -> None:
        super().__init__(max_connections=max_connections, **options)
        self._free = asyncio.Semaphore(max_connections)
        self._waiting = 0

    def make_connection(self) -> AbstractConnection:
        """A new connection. Those over TLS with equal options share a context, until a file that they name is replaced.

        To make one takes 30 ms of CPU, in which the authorities of the system are read: a listener connects once for each shard.
        """
        connection: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call]
        if isinstance(connection, SSLConnection):
            connection.ssl_context = _shared(_Tls(connection.ssl_context))
        return connection

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        """An open connection; raises RedisError."""
        await self._wait_for_turn()
        connection: AbstractConnection | None = None
        try:
            connection = self.get_available_connection()  # type: ignore[no-untyped-call]
            await self.ensure_connection(connection)
        except BaseException:
            if connection is None:
                self._free.release()
            else:
                await self.release(connection)
            raise
        return connection

    async def _wait_for_turn(self) -> None:
        if self._waiting >= MAX_WAITING:
            raise RedisConnectionError("too many wait for a connection")
        if not self._free.locked():
            await self._free.acquire()  # returns without waiting
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise RedisConnectionError("no connection became free in time") from None
        finally:
            self._waiting -= 1

    async def release(self, connection: AbstractConnection) -> None:
        """Returns a connection to the pool; the caller that has waited longest is next."""
        self._in_use_connections.discard(connection)
        try:
            if connection.should_reconnect():  # type: ignore[no-untyped-call]
                await connection.disconnect()
        finally:
            self._available_connections.append(connection)
            self._free.release()


class _Tls:
    """The library's context, which it makes when it is needed first; equal to others with equal options and files."""

    def __init__(self, context: RedisSSLContext) -> None:
        self.context = context
        options = [getattr(context, name) for name in RedisSSLContext.__slots__ if name != "context"]
        self._key = repr((options, [_written(file) for file in (context.ca_certs, context.certfile, context.keyfile)]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Tls) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@functools.lru_cache(maxsize=16)
def _shared(tls: _Tls) -> RedisSSLContext:
    return tls.context


def _written(file: str | None) -> int | None:
    """When a file was written, in nanoseconds."""
    with contextlib.suppress(OSError):
        return pathlib.Path(file).stat().st_mtime_ns if file else None
    return None


@contextlib.contextmanager
def connection_errors() -> Iterator[None]:
    """Turns every exception of a transport into a RedisError, so that callers can distinguish a lost connection from a bug.

    uvloop's transport raises RuntimeError when it is written to after a reset; a connection that another task closed has no streams, which
    is an AttributeError. The exceptions that callers expect (RedisError, OSError, TimeoutError) pass unchanged.
    """
    try:
        yield
    except (RedisError, OSError, TimeoutError):
        raise
    except Exception as error:
        raise RedisConnectionError(f"the connection failed: {type(error).__name__}") from error


class _Guarded:
    """A mixin for connections: their errors are RedisErrors, a dead connection is detected before use, and commands are packed in C.

    The library's asyncio connections pack in Python, which takes 1 µs per argument.
    """

    _parser: Any
    _reader: asyncio.StreamReader | None
    _writer: asyncio.StreamWriter | None
    socket_timeout: float | None

    def pack_command(self, *arguments: Any) -> list[bytes]:
        """A command in the Redis protocol; the library passes a name of two words as one argument."""
        try:
            return [pack_command(*str(arguments[0]).split(), *arguments[1:])]
        except TypeError as error:
            raise DataError("an argument is neither text nor bytes nor a number") from error

    async def connect(self) -> None:
        """The library's method, with `connection_errors`."""
        with connection_errors():
            await super().connect()  # type: ignore[misc]

    async def disconnect(self, *arguments: Any, **options: Any) -> None:
        """The library's method, with `connection_errors`."""
        with connection_errors():
            await super().disconnect(*arguments, **options)  # type: ignore[misc]

    async def can_read(self) -> bool:
        """Whether there is data that belongs to no command; raises RedisConnectionError for a dead connection.

        The library checks only for the end of the stream, which a reset is not: it would write to a closed transport.
        """
        if self._reader is None or self._writer is None or self._reader.exception() is not None or self._writer.is_closing():
            raise RedisConnectionError("the connection was lost")
        with connection_errors():
            return bool(await super().can_read())  # type: ignore[misc]

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], **_options: Any) -> None:
        """Writes within the timeout, without the library's `wait_for`, which can swallow a cancellation in Python 3.11."""
        if self._writer is None:
            await self.connect()
        data = [command.encode() if isinstance(command, str) else command] if isinstance(command, str | bytes) else command
        try:
            with connection_errors():
                async with asyncio.timeout(self.socket_timeout):
                    await self._send_packed_command(data)  # type: ignore[attr-defined]
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("the command could not be written in time") from None
        except BaseException:  # part of the command may have been written
            await self.disconnect(nowait=True)
            raise

    async def run(self, *arguments: Any) -> Any:
        """Sends a command and reads its reply, both within the timeout; raises RedisError. After any error but the reply's it is closed."""
        command, writer = self.pack_command(*arguments), cast("asyncio.StreamWriter", self._writer)
        try:
            with connection_errors():
                async with asyncio.timeout(self.socket_timeout):
                    writer.writelines(command)
                    await writer.drain()
                    reply = await self._parser.read_response()
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("the command was not answered in time") from None
        except BaseException:  # a part of the command or of the reply may be on its way
            await self.disconnect(nowait=True)
            raise
        if isinstance(reply, RedisError):
            raise reply
        return reply

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """The library's method, with `connection_errors`."""
        with connection_errors():
            return await super().read_response(*arguments, **options)  # type: ignore[misc]


def new_connection(node: Redis) -> AbstractConnection:
    """A connection to a node outside its pool, for a subscription: it does not reconnect by itself."""
    connection: AbstractConnection = node.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    return connection


def transport_of(connection: AbstractConnection) -> asyncio.Transport:
    """The transport of an open connection that waits for no answer, for another protocol; raises RedisError if it is closed."""
    writer = connection._writer  # noqa: SLF001 - redis-py has no public way to it
    if writer is None:
        raise RedisConnectionError("the connection is closed")
    return cast("asyncio.Transport", writer.transport)


def pack_command(*arguments: Any) -> bytes:
    """A command in the Redis protocol; raises TypeError for an argument that is neither text nor bytes nor a number."""
    packed: bytes = hiredis.pack_command(arguments)
    return packed


def parse_error(text: str) -> Exception:
    """The exception that redis-py raises for an error of the server."""
    error: Exception = DefaultParser.parse_error(text)  # type: ignore[no-untyped-call]
    return error
