"""Redis as operators run it, for tests: a primary and a replica watched by Sentinels, or a Cluster."""

import contextlib
import functools
import pathlib
from collections.abc import Iterator
from typing import Any, Final

import redis
from redis.crc import key_slot

from shared.contract import keys
from tools.processes import free_port
from tools.redis_server import RedisServer
from tools.waiting import wait_until

SLOTS: Final = 16384

wait_for_redis = functools.partial(wait_until, ignoring=(redis.RedisError, OSError))  # a server may be away meanwhile


def slot_of(room_id: str, shards: int) -> int:
    """The Cluster slot of a room's shard."""
    return key_slot(keys.index(keys.shard_of(room_id, shards)).encode())


class Sentinels:
    """A primary, a replica, and three Sentinels that promote the replica when the primary is gone."""

    NAME = "pulse"

    def __init__(self, directory: pathlib.Path) -> None:
        self.primary = RedisServer(directory / "primary")
        self.replica = RedisServer(directory / "replica", replicaof=f"127.0.0.1 {self.primary.port}")
        self.sentinels = [RedisServer(directory / f"sentinel-{number}", "--sentinel") for number in range(3)]
        for sentinel in self.sentinels:
            sentinel.configure(
                f"sentinel monitor {self.NAME} 127.0.0.1 {self.primary.port} 2",
                f"sentinel down-after-milliseconds {self.NAME} 1000",
                f"sentinel failover-timeout {self.NAME} 5000",
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
            wait_for_redis(self._settled, "the Sentinels know each other and the replica")
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

    def _make(self, directory: pathlib.Path) -> RedisServer:
        return RedisServer(
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
        wait_for_redis(lambda: all(len(self._known(node)) == len(self.nodes) for node in self.nodes), "all nodes know each other")
        for primary, replica in zip(self.primaries, self.replicas, strict=False):
            self.command(replica, "REPLICATE", self.id(primary))
        wait_for_redis(lambda: all(self._is_healthy(node) for node in self.nodes), "the cluster is healthy")

    def _known(self, node: RedisServer) -> list[bytes]:
        lines: list[bytes] = self.command(node, "NODES").splitlines()
        return [line for line in lines if b"handshake" not in line]

    def _is_healthy(self, node: RedisServer) -> bool:
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
        wait_for_redis(lambda: any(self._serves(node, slot) for node in self._primaries() if node is not victim), "a replica is promoted")
        victim.start()
        wait_for_redis(lambda: all(self._is_healthy(node) for node in self.nodes), "the cluster is healthy again")

    def _primaries(self) -> Iterator[RedisServer]:
        for node in self.nodes:
            with contextlib.suppress(redis.RedisError, OSError):
                if node.admin.info("replication")["role"] == "master":
                    yield node

    def command(self, node: RedisServer, name: str, *arguments: Any) -> Any:
        """Runs a CLUSTER subcommand on one node; the answer is what the server sent."""
        admin = node.admin
        admin.response_callbacks.clear()
        return admin.execute_command("CLUSTER", name, *arguments)  # type: ignore[no-untyped-call]

    def id(self, node: RedisServer) -> str:
        """The node's name within the cluster."""
        return str(self.command(node, "MYID").decode())

    def owner(self, slot: int) -> RedisServer:
        """The primary that serves a slot, as its majority sees it."""
        return next(node for node in self._primaries() if self._serves(node, slot))

    def _serves(self, node: RedisServer, slot: int) -> bool:
        for first, last, primary, *_ in self.command(node, "SLOTS"):
            if first <= slot <= last:
                return int(primary[1]) == node.port
        return False

    def move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Moves a slot with all its keys, as an operator's rebalancing does."""
        self.command(target, "SETSLOT", slot, "IMPORTING", self.id(source))
        self.command(source, "SETSLOT", slot, "MIGRATING", self.id(target))
        while keys := self.command(source, "GETKEYSINSLOT", slot, 100):
            source.admin.migrate("127.0.0.1", target.port, keys, 0, 2000)
        for node in (target, source, *self.primaries):
            self.command(node, "SETSLOT", slot, "NODE", self.id(target))
