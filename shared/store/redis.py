"""How a service reaches Redis: one node, the master that Sentinel names, or the nodes of a Cluster. Only this module knows the topology.

In every topology a caller needs the node that owns a key. A `Store` looks it up in a map, which one job updates by querying all known nodes
concurrently, so that a node without an answer delays no other. When answers differ, the highest configuration epoch is valid, as among
Sentinels and Cluster nodes themselves. For about a second after a failover or the move of a slot the map is outdated: commands fail, and
their callers retry.

Each retry has one owner: the producer for a POST, the listener for its subscription, the next tick for a periodic job. A client that
retried by itself could run a script twice, so clients never retry. All timeouts are explicit.
"""

import asyncio
import contextlib
import enum
import re
import types
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qsl, quote, urlencode

import structlog
from redis.asyncio import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError

from shared.store.connection import OPERATION_TIMEOUT_SECONDS, new_client, new_connection
from shared.store.reasons import reason_of
from shared.web.jobs import sleep

__all__ = ["OPERATION_TIMEOUT_SECONDS", "RedisError", "RedisUrl", "Store", "Topology"]

DISCOVERY_SECONDS: Final = 1.0
CONNECTIONS_PER_NODE: Final = 8
HEALTH_CONNECTIONS_PER_NODE: Final = 1000

log = structlog.get_logger()

_URL = re.compile(
    r"\A(?P<scheme>rediss?)\+(?P<kind>sentinel|cluster)://(?P<user>[^@/]*@)?(?P<hosts>[^@/?#]+)"
    r"(?:/(?P<path>[^?#]*))?(?:\?(?P<query>[^#]*))?\Z"
)
_HOST = re.compile(r"\A(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+):[0-9]{1,5}\Z")
_SENTINEL_PATH = re.compile(r"\A([A-Za-z0-9._-]+)(?:/([0-9]{1,4}))?\Z")


class Topology(enum.Enum):
    """The topology that a REDIS_URL names."""

    NODE = ""
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class NoOwner(RedisError):
    """No node that answers knows the owner of the key."""


class RedisUrl:
    """A parsed REDIS_URL. `seeds` are the URLs of the nodes, or the Sentinels, to ask first."""

    def __init__(
        self, topology: Topology, seeds: list[str], *, node_prefix: str = "", master: str = "", database: str = "0", options: str = ""
    ) -> None:
        self.topology = topology
        self.seeds = seeds
        self.master = master
        self._node_prefix = node_prefix
        self._database = database
        self._options = options
        for node in (*seeds, self.node("localhost", 1) if node_prefix else ""):
            _check(node)

    @classmethod
    def parse(cls, text: str) -> "RedisUrl":
        """Reads one of the forms of docs/operations.md; raises ValueError without the URL, which can contain a password."""
        if re.match(r"\A(redis|rediss|unix)://", text):
            return cls(Topology.NODE, [text])
        match = _URL.match(text)
        if not match or not all(_HOST.match(host) for host in match["hosts"].split(",")):
            raise ValueError("each node is host:port")
        hosts, path = match["hosts"].split(","), match["path"] or ""
        node_prefix = f"{match['scheme']}://{match['user'] or ''}"
        query = dict(parse_qsl(match["query"] or "", keep_blank_values=True))
        if "db" in query:
            raise ValueError("a database is no option; its number follows the master's name")
        if match["kind"] == Topology.CLUSTER.value:
            if path:
                raise ValueError("a cluster has no databases")
            options = _as_query(query)
            seeds = [f"{node_prefix}{host}{options}" for host in hosts]
            return cls(Topology.CLUSTER, seeds, node_prefix=node_prefix, options=options)
        if not (name := _SENTINEL_PATH.match(path)):
            raise ValueError("the master's name follows the nodes")
        sentinel_user, sentinel_password = query.pop("sentinel_username", ""), query.pop("sentinel_password", "")
        if sentinel_user and not sentinel_password:
            raise ValueError("sentinel_username needs a sentinel_password")
        user = f"{quote(sentinel_user, safe='')}:{quote(sentinel_password, safe='')}@" if sentinel_password else ""
        options = _as_query(query)
        sentinels = [f"{match['scheme']}://{user}{host}{options}" for host in hosts]
        return cls(Topology.SENTINEL, sentinels, node_prefix=node_prefix, master=name[1], database=name[2] or "0", options=options)

    def node(self, host: str, port: int | str) -> str:
        """The URL of a data node."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{self._node_prefix}{address}" + (f"/{self._database}" if self._database != "0" else "") + self._options

    @property
    def is_tls(self) -> bool:
        """Whether the data nodes are reached over TLS."""
        return self._node_prefix.startswith("rediss")


class Owned(NamedTuple):
    """A node's range of slots, as reported by some node; the report with the highest epoch is valid."""

    epoch: int
    first: int
    last: int
    url: str


class Store:
    """The nodes of Redis and the map of the keys that they own. `run` is the task that updates the map."""

    def __init__(self, url: RedisUrl) -> None:
        self._url = url
        clustered = url.topology is Topology.CLUSTER
        self.publish = "SPUBLISH" if clustered else "PUBLISH"
        self.subscribe = "SSUBSCRIBE" if clustered else "SUBSCRIBE"
        self._nodes: dict[tuple[str, int], Redis] = {}
        self._owned: list[Owned] = []
        self._unanswered: dict[str, str] = {}
        if url.topology is Topology.NODE:
            self._owned = [_all_slots(0, url.seeds[0])]

    def owner(self, key: str) -> Redis:
        """The node that owns a key, by the current map; raises NoOwner. Callers share its connections in order of arrival."""
        return self._node(self._owner_url(key))

    def health(self, key: str) -> Redis:
        """The same node over separate connections, for the jobs that check whether Redis answers: they do not wait behind reads.

        Each job has at most one command in progress, so the number of jobs bounds these connections.
        """
        return self._node(self._owner_url(key), HEALTH_CONNECTIONS_PER_NODE)

    async def members(self, key: str, count: int) -> AsyncIterator[list[bytes]]:
        """The members of a set, about `count` in each answer; one may come twice. Raises RedisError."""
        cursor = 0
        while True:
            answer: tuple[int, list[bytes]] = await self.owner(key).sscan(key, cursor, count=count)  # type: ignore[assignment]
            cursor, members = answer
            yield members
            if not cursor:
                return

    def _owner_url(self, key: str) -> str:
        slot = key_slot(key.encode())
        owned = max((owned for owned in self._owned if owned.first <= slot <= owned.last), default=None)
        if owned is None:
            raise NoOwner("no node of Redis is known to own this key")
        return owned.url

    def _node(self, url: str, connections: int = CONNECTIONS_PER_NODE) -> Redis:
        if (url, connections) not in self._nodes:
            self._nodes[url, connections] = new_client(url, connections)
        return self._nodes[url, connections]

    async def __aenter__(self) -> Self:
        """Discovers the nodes once; if no node answers, `owner` raises NoOwner later."""
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
        """Queries all nodes for the map; without an answer the old map stays."""
        if self._url.topology is Topology.NODE:
            return
        urls = {*self._url.seeds, *(owned.url for owned in self._owned if self._url.topology is Topology.CLUSTER)}
        answers = await asyncio.gather(*map(self._ask, urls))
        if found := {owned for answer in answers for owned in answer}:
            self._owned = list(found)
            await self._forget(urls | {owned.url for owned in found})

    async def _ask(self, url: str) -> list[Owned]:
        """The view of one node or Sentinel, empty if it does not answer in time."""
        try:
            async with asyncio.timeout(OPERATION_TIMEOUT_SECONDS):
                if self._url.topology is Topology.SENTINEL:
                    state: dict[str, Any] = await self._node(url, HEALTH_CONNECTIONS_PER_NODE).sentinel_master(self._url.master)  # type: ignore[assignment]
                    found = [_all_slots(int(state["config-epoch"]), self._url.node(state["ip"], state["port"]))]
                else:
                    nodes: dict[str, dict[str, Any]] = await self._node(url, HEALTH_CONNECTIONS_PER_NODE).cluster("NODES")
                    found = list(self._parse(nodes, url))
        except (RedisError, OSError, TimeoutError) as error:
            self._report(url, reason_of(error))
            return []
        except (KeyError, TypeError, ValueError) as error:  # the server that answers is not a Sentinel or Cluster node
            log.warning("discovery.malformed_response", error=type(error).__name__)
            return []
        self._unanswered.pop(url, None)
        return found

    def _report(self, url: str, reason: str) -> None:
        """Logs why a node or Sentinel does not answer, once per reason until it answers again."""
        if self._unanswered.get(url) != reason:
            self._unanswered[url] = reason
            log.warning("redis.no_response", node=url.rpartition("@")[2].partition("?")[0].rpartition("//")[2], reason=reason)

    def _parse(self, nodes: dict[str, dict[str, Any]], asked: str) -> Iterator[Owned]:
        """The slots of a `CLUSTER NODES` answer. A node that was never contacted by address does not know its own host.

        Over TLS a node is reached by the host name that it announces, if any, because that is what its certificate names.
        """
        for address, node in nodes.items():
            host, _, port = address.rpartition(":")
            announced = str(node.get("hostname") or "")
            if self._url.is_tls and announced and "=" not in announced:
                host = announced
            url = self._url.node(host, port) if host else asked
            for slots in node["slots"]:
                yield Owned(int(node["epoch"]), int(slots[0]), int(slots[-1]), url)

    async def _forget(self, keep: set[str]) -> None:
        """Closes the connections to removed nodes, and ignores errors while closing."""
        for url, connections in [node for node in self._nodes if node[0] not in keep]:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._nodes.pop((url, connections)).aclose()


def _as_query(options: Mapping[str, str]) -> str:
    return f"?{urlencode(options)}" if options else ""


def _check(url: str) -> None:
    """Raises ValueError for a URL that the library cannot parse; the library's own errors can contain parts of a password."""
    try:
        if url:
            new_connection(new_client(url, 1))
    except (TypeError, ValueError):
        raise ValueError("what follows the scheme cannot be read; a password is percent-encoded") from None


def _all_slots(epoch: int, url: str) -> Owned:
    return Owned(epoch, 0, REDIS_CLUSTER_HASH_SLOTS - 1, url)
