"""Where random faults happen: every topology with all that can be broken in it at hand.

Every process has a clock of its own, and every way from a service to Redis leads over a link.
"""

import concurrent.futures
import contextlib
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from tests.faults.link import Link
from tests.support import needs
from tests.support.redis_topologies import Cluster, Sentinels, wait_for_redis
from tools.processes import ROOT, Service
from tools.redis_server import RedisServer
from tools.stack import Stack

SHARDS: Final = {"single": 1, "shards": 4, "sentinel": 1, "cluster": 16}
HISTORY_STEP_SECONDS: Final = 1
EACH: Final = 2  # processes of each service


@dataclass
class Redis:
    """The servers of a topology, the links that lead to them, and how to find out that all is well."""

    urls: dict[str, str]
    nodes: list[RedisServer]
    lines: dict[str, list[Link]]
    settle: Callable[[], None] = lambda: None
    sentinels: Sentinels | None = None
    cluster: "LinkedCluster | None" = None

    def primaries(self) -> list[RedisServer]:
        """The nodes that are primaries now and answer."""
        found = []
        for node in self.nodes:
            with contextlib.suppress(redis.RedisError, OSError):
                if node.admin.info("replication")["role"] == "master":
                    found.append(node)
        return found


@dataclass
class World:
    """Everything that a random fault may break."""

    topology: str
    redis: Redis
    stack: Stack
    clocks: dict[int, pathlib.Path] = field(default_factory=dict)
    orders: dict[int, pathlib.Path] = field(default_factory=dict)
    ingests: list[Service] = field(default_factory=list)
    broadcasts: list[Service] = field(default_factory=list)

    @property
    def shards(self) -> int:
        """How many shards the rooms are in."""
        return SHARDS[self.topology]

    @property
    def node(self) -> RedisServer:
        """The one server of a topology that has one."""
        return self.redis.nodes[0]

    @property
    def links(self) -> list[Link]:
        """Every link once."""
        return list(dict.fromkeys(link for links in self.redis.lines.values() for link in links))

    def clock(self, port: int) -> pathlib.Path:
        """The file that says how far the clock of the process on a port is off."""
        return self.clocks[port]


def set_clock(path: pathlib.Path, seconds: int) -> None:
    """Has a clock step; no process reads half a number."""
    draft = path.with_suffix(".draft")
    draft.write_text(f"{seconds:+d}")
    draft.rename(path)


class LinkedCluster(Cluster):
    """Three primaries and three replicas that announce the ports of links to them."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory, replicas=3)
        self.links = [Link(node.port) for node in self.nodes]
        self._announced = {node.port: link.port for node, link in zip(self.nodes, self.links, strict=True)}
        for node, link in zip(self.nodes, self.links, strict=True):
            node.configure(f"cluster-announce-port {link.port}", "appendonly yes")

    def _serves(self, node: RedisServer, slot: int) -> bool:
        ranges: list[Any] = self.command(node, "SLOTS")
        return any(first <= slot <= last and int(primary[1]) == self._announced[node.port] for first, last, primary, *_ in ranges)

    def other_primary(self, node: RedisServer) -> RedisServer:
        """A primary besides a given one."""
        return next(other for other in self._primaries() if other is not node)

    def settle(self) -> None:
        """Waits until three primaries each have a replica and the Cluster is well."""
        wait_for_redis(lambda: all(self._is_healthy(node) for node in self.nodes), "the cluster is well again", seconds=30)

    def start_moving(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Begins to move a slot."""
        self.command(target, "SETSLOT", slot, "IMPORTING", self.id(source))
        self.command(source, "SETSLOT", slot, "MIGRATING", self.id(target))

    def finish_moving(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Moves all that is left in it, and the slot."""
        while keys := self.command(source, "GETKEYSINSLOT", slot, 100):
            source.admin.migrate("127.0.0.1", target.port, keys, 0, 2000)
        for node in (target, source):
            self.command(node, "SETSLOT", slot, "NODE", self.id(target))


def linked_sentinels(directory: pathlib.Path) -> tuple[Sentinels, list[Link], list[Link]]:
    """Three Sentinels, a primary and a replica which all know each other by links; the links to the two, and those to the Sentinels."""
    sentinels = Sentinels(directory)
    data = [sentinels.primary, sentinels.replica]
    links, watchers = [Link(node.port) for node in data], [Link(node.port) for node in sentinels.sentinels]
    for node, link in zip(data, links, strict=True):
        node.configure(f"replica-announce-port {link.port}", "replica-announce-ip 127.0.0.1", "appendonly yes")
    for node in [sentinels.replica, *sentinels.sentinels]:
        node.config.write_text(node.config.read_text().replace(f"127.0.0.1 {sentinels.primary.port}", f"127.0.0.1 {links[0].port}"))
    return sentinels, links, watchers


@contextlib.contextmanager
def one_server(directory: pathlib.Path) -> Iterator[Redis]:
    """One server with an append-only file and a clock of its own, and a link for each kind of service."""
    node = RedisServer(directory / "node", appendonly="yes", enable_debug_command="yes")
    clock = directory / "clock"
    set_clock(clock, 0)
    node.environment |= needs.faketime(clock)
    links = {kind: Link(node.port) for kind in ("ingest", "broadcast")}
    with contextlib.ExitStack() as open_now:
        open_now.callback(node.kill)
        node.start()
        for link in links.values():
            open_now.enter_context(link.running())
        yield Redis({kind: link.url for kind, link in links.items()}, [node], {kind: [link] for kind, link in links.items()})


@contextlib.contextmanager
def behind_sentinels(directory: pathlib.Path) -> Iterator[Redis]:
    """A primary and a replica that change roles."""
    sentinels, data, watchers = linked_sentinels(directory)

    def settle() -> None:
        """Waits until the Sentinels agree."""
        wait_for_redis(lambda: well(sentinels), "a primary has a replica, and the Sentinels know it", seconds=40)

    with contextlib.ExitStack() as open_now:
        for link in (*data, *watchers):
            open_now.enter_context(link.running())
        open_now.enter_context(sentinels.running())
        url = "redis+sentinel://" + ",".join(f"127.0.0.1:{link.port}" for link in watchers) + f"/{Sentinels.NAME}"
        lines = {kind: [*data, *watchers] for kind in ("ingest", "broadcast")}
        yield Redis(dict.fromkeys(lines, url), [sentinels.primary, sentinels.replica], lines, settle, sentinels=sentinels)


def well(sentinels: Sentinels) -> bool:
    """Whether one of the two is a primary, the other its replica, and every Sentinel sees that."""
    states = [node.admin.info("replication") for node in (sentinels.primary, sentinels.replica)]
    roles = sorted(state["role"] for state in states)
    linked = all(state.get("master_link_status", "up") == "up" for state in states)
    watched: list[Any] = [sentinel.admin.sentinel_master(Sentinels.NAME) for sentinel in sentinels.sentinels]
    return roles == ["master", "slave"] and linked and all(state["flags"] == "master" or state["is_master"] for state in watched)


@contextlib.contextmanager
def in_a_cluster(directory: pathlib.Path) -> Iterator[Redis]:
    """Three primaries and a replica of each."""
    cluster = LinkedCluster(directory)
    with contextlib.ExitStack() as open_now:
        for link in cluster.links:
            open_now.enter_context(link.running())
        open_now.enter_context(cluster.running())
        url = f"redis+cluster://127.0.0.1:{cluster.links[0].port}"
        lines = dict.fromkeys(("ingest", "broadcast"), cluster.links)
        yield Redis(dict.fromkeys(lines, url), cluster.nodes, lines, cluster.settle, cluster=cluster)


TOPOLOGIES: Final = {"single": one_server, "shards": one_server, "sentinel": behind_sentinels, "cluster": in_a_cluster}


@contextlib.contextmanager
def world(topology: str, directory: pathlib.Path) -> Iterator[World]:
    """Starts everything of one topology: Redis, and two processes of each service."""
    with contextlib.ExitStack() as open_now:
        open_now.callback(forget_clocks)
        servers = open_now.enter_context(TOPOLOGIES[topology](directory / "redis"))
        settings = {"TELEMETRY_SHARDS": str(SHARDS[topology]), "HISTORY_STEP_SECONDS": str(HISTORY_STEP_SECONDS)}
        stack = open_now.enter_context(Stack(directory, redis_url="unused", **settings))
        here = World(topology, servers, stack)
        if clock := servers.nodes[0].environment.get("FAKETIME_TIMESTAMP_FILE"):
            here.clocks[servers.nodes[0].port] = pathlib.Path(clock)
        with concurrent.futures.ThreadPoolExecutor() as threads:
            ingests = [threads.submit(_start, here, "ingest", number) for number in range(EACH)]
            broadcasts = [threads.submit(_start, here, "broadcast", number) for number in range(EACH)]
            here.ingests, here.broadcasts = [future.result() for future in ingests], [future.result() for future in broadcasts]
        yield here


def forget_clocks() -> None:
    """Removes what libfaketime leaves in shared memory of processes that were killed."""
    for path in pathlib.Path("/dev/shm").glob("*faketime_*"):
        if not pathlib.Path("/proc", path.name.rsplit("_", 1)[1]).exists():
            path.unlink(missing_ok=True)


def _start(here: World, kind: str, number: int) -> Service:
    clock, order = here.stack.directory / f"{kind}-{number}.clock", here.stack.directory / f"{kind}-{number}.order"
    set_clock(clock, 0)
    settings = {"REDIS_URL": here.redis.urls[kind], "PYTHONPATH": str(ROOT / "tests" / "faults" / "killing"), "KILL_FILE": str(order)}
    settings |= needs.faketime_of_service(clock)
    start = here.stack.ingest if kind == "ingest" else here.stack.broadcast
    service = start(None, HEARTBEAT_SECONDS="1", **settings)
    here.clocks[service.port], here.orders[service.port] = clock, order
    return service
