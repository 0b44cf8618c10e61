"""Sentinel and Cluster: a failover, a killed primary, a moved slot and a sick node, with producers and dashboards at work."""

import asyncio
import pathlib
import time

import pytest
import redis
from redis.crc import key_slot

from shared.contract import keys
from tests.faults.actors import Dashboard, Producer
from tests.faults.catalogue import after, record
from tests.faults.scene import ROOMS, Scene, play
from tests.faults.test_clients import p99
from tests.support.readings import PLATFORM
from tests.support.redis_topologies import Cluster, Sentinels, slot_of
from tools.redis_server import RedisServer

pytestmark = pytest.mark.faults

SHARDS = 16


def test_a_cluster_carries_everything_and_survives_the_loss_of_a_primary(tmp_path: pathlib.Path) -> None:
    """Sixteen shards on three nodes; the owner of a room is killed, its replica is promoted, and values flow again."""
    cluster = Cluster(tmp_path / "cluster", replicas=3)

    async def story(scene: Scene) -> None:
        victim = await asyncio.to_thread(cluster.owner, slot_of(ROOMS[0], SHARDS))
        broken_at = time.monotonic()
        victim.kill()
        known = await scene.all_know_of_it(broken_at)
        await scene.until(lambda: 503 in scene.producer.statuses(broken_at), "producers are asked to retry")
        healed = await scene.mended(within=20)
        record(13, "Cluster: kill -9 a primary, replica promoted", f"`degraded` {after(known)}", healed)

    with cluster.running():
        play(tmp_path, story, url=cluster.url, ingests=1, broadcasts=2, settings={"TELEMETRY_SHARDS": str(SHARDS)})


def test_a_slot_moves_to_another_node_under_load(tmp_path: pathlib.Path) -> None:
    """The listener follows the shard to its new owner, and no accepted value is lost on the way."""
    cluster = Cluster(tmp_path / "cluster")

    async def story(scene: Scene) -> None:
        slot = slot_of(ROOMS[0], SHARDS)
        source = await asyncio.to_thread(cluster.owner, slot)
        target = next(node for node in cluster.primaries if node is not source)
        await asyncio.to_thread(cluster.move, slot, source, target)
        healed = await scene.mended()
        assert await asyncio.to_thread(cluster.owner, slot) is target
        record(14, "Cluster: a slot moved", "503 or a wait for its rooms alone", healed)

    with cluster.running():
        play(tmp_path, story, url=cluster.url, settings={"TELEMETRY_SHARDS": str(SHARDS)})


def test_a_sick_node_stalls_only_its_own_shards(tmp_path: pathlib.Path) -> None:
    """While one node is frozen, rooms on the others are delivered as before, `degraded` is sent, and new dashboards are admitted."""
    cluster = Cluster(tmp_path / "cluster")

    async def story(scene: Scene) -> None:
        owners = {room: await asyncio.to_thread(cluster.owner, slot_of(room, SHARDS)) for room in ROOMS}
        guard = await asyncio.to_thread(cluster.owner, key_slot(keys.REVOKED_TOKENS.encode()))
        sick = next(node for node in owners.values() if node is not guard)
        well = [room for room, node in owners.items() if node is not sick]
        await scene.leave(scene.producer)
        others, began = scene.new_producer(well), time.monotonic()
        scene.start(others)
        await scene.until(lambda: len(others.answers) > 40, "the other rooms post")
        calm_posts, calm = slowest_percent(others, began), p99(scene, began)
        with sick.frozen():
            start = time.monotonic()
            known = await scene.all_know_of_it(start)
            await scene.until(lambda: len([1 for at, _, _ in others.answers if at > start]) > 100, "the other rooms go on", within=30)
            assert await scene.status(scene.broadcasts[0]) == 200
            assert others.statuses(start) == {200}
            posts, shown = slowest_percent(others, start), p99(scene, start)
            assert posts < 0.5 + calm_posts
            assert shown < 0.5 + calm
            late_comer = await scene.dashboard("late-comer", wait=False)
            await scene.until(lambda: shows(scene, late_comer, well), "a new dashboard shows the other rooms")
        scene.start(scene.producer)
        healed = await scene.mended()
        figures = f"p99 to store {in_ms(posts)}, before {in_ms(calm_posts)}; to show {in_ms(shown)}, before {in_ms(calm)}"
        record(31, "Cluster: one of three nodes frozen", f"`degraded` {after(known)}; the others' rooms: 200, {figures}", healed)

    with cluster.running():
        play(tmp_path, story, url=cluster.url, settings={"TELEMETRY_SHARDS": str(SHARDS)})


def slowest_percent(producer: Producer, since: float) -> float:
    """How long the answers took after a moment, but for the slowest hundredth."""
    took = sorted(took for at, took, _ in producer.answers if at >= since)
    return took[int(len(took) * 0.99)]


def shows(scene: Scene, dashboard: Dashboard, rooms: list[str]) -> bool:
    """Whether a dashboard shows a value of every room."""
    return all(scene.checker.views[dashboard.name].tokens((room, PLATFORM)) >= 0 for room in rooms)


def in_ms(seconds: float) -> str:
    """In milliseconds, for the table."""
    return f"{seconds * 1000:.0f} ms"


def test_sentinel_promotes_the_replica(tmp_path: pathlib.Path) -> None:
    """The primary is killed; both services find the promoted replica by themselves, and versions only grow."""
    sentinels = Sentinels(tmp_path / "sentinel")

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        sentinels.primary.kill()
        known = await scene.all_know_of_it(broken_at)
        healed = await scene.mended(within=20)
        record(13, "Sentinel: kill -9 the primary", f"`degraded` {after(known)}", healed)

    with sentinels.running():
        play(tmp_path, story, url=sentinels.url, broadcasts=2)


def test_an_orderly_failover_is_followed(tmp_path: pathlib.Path) -> None:
    """An operator has Sentinel change the roles; producers see at most a 503, and both services follow."""
    sentinels = Sentinels(tmp_path / "sentinel")

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        await asyncio.to_thread(sentinels.sentinels[0].admin.execute_command, "SENTINEL FAILOVER", Sentinels.NAME)
        await scene.until(lambda: _role(sentinels.replica) == "master", "the replica is the primary", within=20)
        healed = await scene.mended(within=20)
        assert scene.producer.statuses(broken_at) <= {200, 503}
        record(13, "Sentinel: orderly failover", "at most a 503", healed)

    with sentinels.running():
        play(tmp_path, story, url=sentinels.url)


def _role(node: RedisServer) -> str:
    """The role of a node; a node that changes its role closes all connections."""
    try:
        return str(node.admin.info("replication")["role"])
    except redis.ConnectionError:
        return ""
