"""How a service reaches Redis: one node, the master that Sentinel names, or the nodes of a Cluster. The only module that knows which.

Whatever the topology, the question is the same: which node owns this key? A `Store` answers from a map, which one job keeps fresh by
asking all the nodes it knows at once, so that one that does not answer delays nobody. Where answers differ the highest configuration
epoch is right, as it is among Sentinels and Cluster nodes themselves. For a second after a failover or a slot's move the map is wrong:
a command then fails, and whoever sent it comes back.

Every retry in this system has one owner: the producer for a POST, the listener for its subscription, the next tick for anything
periodic. A client that retried by itself would run a script twice behind their backs, so it never does. All timeouts are explicit.
"""

import asyncio
import contextlib
import enum
import re
import types
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, Self, cast

import hiredis
import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, DefaultParser
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.jobs import sleep

__all__ = [
    "OPERATION_TIMEOUT_SECONDS",
    "RedisError",
    "RedisUrl",
    "Store",
    "Topology",
    "connection_errors",
    "new_connection",
    "pack_command",
    "parse_error",
    "transport_of",
]

OPERATION_TIMEOUT_SECONDS: Final = 0.9  # under the one second that a producer is promised
CONNECT_TIMEOUT_SECONDS: Final = 0.9
DISCOVERY_SECONDS: Final = 1.0
CONNECTIONS_PER_NODE: Final = 8

log = structlog.get_logger()

_URL = re.compile(r"\A(?P<scheme>rediss?)\+(?P<kind>sentinel|cluster)://(?P<user>[^@/]*@)?(?P<hosts>[^@/]+)(?:/(?P<path>.*))?\Z")
_HOST = re.compile(r"\A(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+):[0-9]{1,5}\Z")
_SENTINEL_PATH = re.compile(r"\A([A-Za-z0-9._-]+)(?:/([0-9]{1,4}))?\Z")


class Topology(enum.Enum):
    """What stands behind a REDIS_URL."""

    NODE = ""
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class NoOwner(RedisError):
    """No node that answers knows who owns the key."""


class RedisUrl:
    """A parsed REDIS_URL. `seeds` are the URLs of the nodes, or the Sentinels, to ask first."""

    def __init__(self, topology: Topology, seeds: list[str], *, node_prefix: str = "", master: str = "", database: str = "0") -> None:
        self.topology = topology
        self.seeds = seeds
        self.master = master
        self._node_prefix = node_prefix
        self._database = database
        for node in (*seeds, self.node("localhost", 1) if node_prefix else ""):
            _check(node)

    @classmethod
    def parse(cls, text: str) -> "RedisUrl":
        """Reads one of the forms of docs/operations.md; raises ValueError without repeating anything, since a URL may hold a password."""
        if re.match(r"\A(redis|rediss|unix)://", text):
            return cls(Topology.NODE, [text])
        match = _URL.match(text)
        if not match or not all(_HOST.match(host) for host in match["hosts"].split(",")):
            raise ValueError("each node is host:port")
        hosts, path = match["hosts"].split(","), match["path"] or ""
        node_prefix = f"{match['scheme']}://{match['user'] or ''}"
        if match["kind"] == Topology.CLUSTER.value:
            if path:
                raise ValueError("a cluster has no databases")
            return cls(Topology.CLUSTER, [node_prefix + host for host in hosts], node_prefix=node_prefix)
        if not (name := _SENTINEL_PATH.match(path)):
            raise ValueError("the master's name follows the nodes")
        sentinels = [f"{match['scheme']}://{host}" for host in hosts]
        return cls(Topology.SENTINEL, sentinels, node_prefix=node_prefix, master=name[1], database=name[2] or "0")

    def node(self, host: str, port: int | str) -> str:
        """The URL of a data node."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{self._node_prefix}{address}" + (f"/{self._database}" if self._database != "0" else "")


class Owned(NamedTuple):
    """A node's slots, as some node sees it; the highest epoch is the latest word."""

    epoch: int
    first: int
    last: int
    url: str


class Store:
    """The nodes of Redis, and which of them owns a key. `run` is the task that keeps this up to date."""

    def __init__(self, url: RedisUrl) -> None:
        self._url = url
        clustered = url.topology is Topology.CLUSTER
        self.publish = "SPUBLISH" if clustered else "PUBLISH"
        self.subscribe = "SSUBSCRIBE" if clustered else "SUBSCRIBE"
        self._nodes: dict[str, Redis] = {}
        self._owned: list[Owned] = []
        if url.topology is Topology.NODE:
            self._owned = [_all_slots(0, url.seeds[0])]

    def owner(self, key: str) -> Redis:
        """The node that owns a key, as far as is known; raises NoOwner."""
        slot = key_slot(key.encode())
        owned = max((owned for owned in self._owned if owned.first <= slot <= owned.last), default=None)
        if owned is None:
            raise NoOwner("no node of Redis is known to own this key")
        return self._node(owned.url)

    def _node(self, url: str) -> Redis:
        if url not in self._nodes:
            self._nodes[url] = _client(url)
        return self._nodes[url]

    async def __aenter__(self) -> Self:
        """Looks for the nodes once; that none answers shows when a key's owner is asked for."""
        await self.discover()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None) -> None:
        """Closes all connections."""
        await self._forget(set())

    async def run(self) -> None:
        """Keeps the map up to date until cancelled."""
        while True:
            await sleep(DISCOVERY_SECONDS)
            await self.discover()

    async def discover(self) -> None:
        """Asks every node for the map; without an answer the old one stays."""
        if self._url.topology is Topology.NODE:
            return
        urls = {*self._url.seeds, *(owned.url for owned in self._owned if self._url.topology is Topology.CLUSTER)}
        answers = await asyncio.gather(*map(self._ask, urls))
        if found := {owned for answer in answers for owned in answer}:
            self._owned = list(found)
            await self._forget(urls | {owned.url for owned in found})

    async def _ask(self, url: str) -> list[Owned]:
        """One node's or Sentinel's view, empty if it does not tell it in time."""
        try:
            async with asyncio.timeout(OPERATION_TIMEOUT_SECONDS):
                if self._url.topology is Topology.SENTINEL:
                    state: dict[str, Any] = await self._node(url).sentinel_master(self._url.master)  # type: ignore[assignment]
                    return [_all_slots(int(state["config-epoch"]), self._url.node(state["ip"], state["port"]))]
                nodes: dict[str, dict[str, Any]] = await self._node(url).cluster("NODES")
                return list(self._parse(nodes, url))
        except (RedisError, OSError, TimeoutError):
            return []
        except (KeyError, TypeError, ValueError) as error:  # something answers that is no Sentinel or Cluster node
            log.warning("discovery.unreadable", error=type(error).__name__)
            return []

    def _parse(self, nodes: dict[str, dict[str, Any]], asked: str) -> Iterator[Owned]:
        """The slots of a `CLUSTER NODES` answer. A node that was never contacted by address does not know its own host."""
        for address, node in nodes.items():
            host, _, port = address.rpartition(":")
            url = self._url.node(host, port) if host else asked
            for slots in node["slots"]:
                yield Owned(int(node["epoch"]), int(slots[0]), int(slots[-1]), url)

    async def _forget(self, keep: set[str]) -> None:
        """Closes the connections to nodes that are gone; a node that does not take part in that is gone all the same."""
        for url in self._nodes.keys() - keep:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._nodes.pop(url).aclose()


def _check(url: str) -> None:
    """Raises ValueError where the library could not connect to a URL; its own errors repeat parts of it, say of a password with a `#`."""
    try:
        if url:
            new_connection(_client(url))
    except (TypeError, ValueError):
        raise ValueError("what follows the scheme cannot be read; a password is percent-encoded") from None


def _all_slots(epoch: int, url: str) -> Owned:
    return Owned(epoch, 0, REDIS_CLUSTER_HASH_SLOTS - 1, url)


def _client(url: str) -> Redis:
    """A client of one node. A command that is not answered in time fails; whether it ran is then unknown."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS_PER_NODE,
        timeout=OPERATION_TIMEOUT_SECONDS,
        socket_timeout=OPERATION_TIMEOUT_SECONDS,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,  # it would be told with CLIENT SETINFO, which the services' users may not run
        protocol=2,  # 8.1 under RESP3 hands out connections that the server has closed (redis-py issue 4252)
    )
    pool.connection_class = type(f"Guarded{pool.connection_class.__name__}", (_Guarded, pool.connection_class), {})
    return Redis.from_pool(pool)


@contextlib.contextmanager
def connection_errors() -> Iterator[None]:
    """Turns whatever a transport raises into a RedisError, so that every caller can tell a lost connection from a bug.

    uvloop's transport raises RuntimeError when it is written to after a reset; a connection that another task closed has no streams, which
    is an AttributeError. What callers expect anyway (RedisError, OSError, TimeoutError) passes unchanged.
    """
    try:
        yield
    except (RedisError, OSError, TimeoutError):
        raise
    except Exception as error:
        raise RedisConnectionError(f"the connection failed: {type(error).__name__}") from error


class _Guarded:
    """Mixed into a connection: all its errors are RedisErrors, a dead one is recognized before it is used, and commands are packed in C.

    The library's asyncio connections pack in Python, at 1 µs per argument.
    """

    _reader: asyncio.StreamReader | None
    _writer: asyncio.StreamWriter | None
    socket_timeout: float | None

    def pack_command(self, *arguments: Any) -> list[bytes]:
        """A command in the Redis protocol; the library gives names of two words as one argument."""
        try:
            return [pack_command(*str(arguments[0]).split(), *arguments[1:])]
        except TypeError as error:
            raise DataError("an argument is neither text nor bytes nor a number") from error

    async def connect(self) -> None:
        """As the library does it."""
        with connection_errors():
            await super().connect()  # type: ignore[misc]

    async def disconnect(self, *arguments: Any, **options: Any) -> None:
        """As the library does it."""
        with connection_errors():
            await super().disconnect(*arguments, **options)  # type: ignore[misc]

    async def can_read(self) -> bool:
        """Whether there is data that no command asked for; raises RedisConnectionError for a connection that is dead.

        The library looks for the end of the stream alone, and a reset is no end: it would then write to a closed transport.
        """
        if self._reader is None or self._writer is None or self._reader.exception() is not None or self._writer.is_closing():
            raise RedisConnectionError("the connection was lost")
        with connection_errors():
            return bool(await super().can_read())  # type: ignore[misc]

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], **_options: Any) -> None:
        """Writes within the timeout. Not through `wait_for`, as the library does: Python 3.11's can swallow a cancellation."""
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
        except BaseException:  # how much of it was written is unknown
            await self.disconnect(nowait=True)
            raise

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """As the library does it."""
        with connection_errors():
            return await super().read_response(*arguments, **options)  # type: ignore[misc]


def new_connection(node: Redis) -> AbstractConnection:
    """A connection to a node outside its pool, for a subscription: it never reconnects silently, a lost one raises."""
    connection: AbstractConnection = node.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    return connection


def transport_of(connection: AbstractConnection) -> asyncio.Transport:
    """The transport of a connection that is up and waits for no answer, for a protocol of one's own; raises RedisError if it is down."""
    writer = connection._writer  # noqa: SLF001 - redis-py has no public way to it
    if writer is None:
        raise RedisConnectionError("the connection is closed")
    return cast("asyncio.Transport", writer.transport)


def pack_command(*arguments: Any) -> bytes:
    """A command in the Redis protocol; raises TypeError for what is neither text nor bytes nor a number."""
    packed: bytes = hiredis.pack_command(arguments)
    return packed


def parse_error(text: str) -> Exception:
    """The exception that redis-py raises for an error of the server."""
    error: Exception = DefaultParser.parse_error(text)  # type: ignore[no-untyped-call]
    return error
