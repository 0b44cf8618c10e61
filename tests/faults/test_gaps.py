"""What a server does not know: what happened while it was cut off, and everything while it has not yet read Redis."""

import asyncio
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any, Final

import pytest
from redis.crc import key_slot
from websockets.asyncio.client import ClientConnection, connect

from shared.contract import keys
from tests.faults.catalogue import record
from tests.faults.scene import ROOMS, Scene, play
from tests.support.clients import connect_async
from tests.support.redis_topologies import Cluster, slot_of
from tools.processes import Service

pytestmark = pytest.mark.faults

SHARDS: Final = 16
TTL_SECONDS: Final = 3
OVERLAP_SECONDS: Final = 10.0  # of a resume


class Visitor:
    """A bare socket, and what came over it."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.events: list[dict[str, Any]] = []

    async def until(self, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Reads until an event is of the wanted kind."""
        async with asyncio.timeout(8):
            while True:
                for line in str(await self._connection.recv()).splitlines():
                    self.events.append(json.loads(line))
                for event in self.events:
                    if is_wanted(event):
                        return event


def visit(scene: Scene, service: Service, since: int = 0) -> connect:
    """A socket to one server."""
    return connect_async(service.url, scene.stack.token("dashboard"), f"?since={since}")


def test_nobody_resumes_on_a_server_that_was_cut_off_for_longer_than_a_value_lives(tmp_path: pathlib.Path) -> None:
    """The value came and went while the server was away: a dashboard that holds it gets a snapshot, and forgets it."""

    async def story(scene: Scene) -> None:
        here, away = scene.broadcasts[0], await asyncio.to_thread(scene.stack.broadcast, REDIS_URL=scene.link.url, HEARTBEAT_SECONDS="1")
        started = time.monotonic()
        await scene.until(lambda: time.monotonic() - started > OVERLAP_SECONDS + 2, "both could be resumed on", within=20)
        scene.link.drop()
        async with visit(scene, here) as connection:
            visitor = Visitor(connection)
            await visitor.until(lambda event: event["event_type"] == "SYNC")
            await scene.producer.post_batch(["brief"])
            held = await visitor.until(lambda event: event.get("room_id") == "brief")
            since = (await visitor.until(lambda event: event["event_type"] == "SYNC" and event["version"] >= held["version"]))["version"]
        gone_at = time.monotonic() + TTL_SECONDS + 2
        await scene.until(lambda: time.monotonic() > gone_at, "the value has expired")
        scene.link.restore()
        async with asyncio.timeout(10):
            while await scene.status(away) != 200:
                await asyncio.sleep(0.05)
        async with visit(scene, away, since) as connection:
            visitor = Visitor(connection)
            await visitor.until(lambda event: event["event_type"] == "SYNC")
            assert visitor.events[0]["resumed"] is False
            assert visitor.events[-1]["snapshot"] is True
            assert not any(event.get("room_id") == "brief" for event in visitor.events)
        record(38, f"A server cut off for {OVERLAP_SECONDS:.0f} s while a value came and expired", "a snapshot instead of a resume", None)

    play(tmp_path, story, settings={"TELEMETRY_TTL_SECONDS": str(TTL_SECONDS)})


def test_a_server_that_starts_while_a_shard_is_away_promises_no_snapshot(tmp_path: pathlib.Path) -> None:
    """It does not know all rooms, so dashboards keep theirs: the snapshot comes when every shard has been read, on the same socket."""
    cluster = Cluster(tmp_path / "cluster")

    async def story(scene: Scene) -> None:
        broadcast = scene.broadcasts[0]
        guard = await asyncio.to_thread(cluster.owner, key_slot(keys.REVOKED_TOKENS.encode()))
        owners = [await asyncio.to_thread(cluster.owner, slot_of(room, SHARDS)) for room in ROOMS]
        away = next(node for node in owners if node is not guard)
        await asyncio.to_thread(broadcast.kill)
        with away.frozen():
            await asyncio.to_thread(broadcast.start, until="/livez")
            async with asyncio.timeout(8):
                while not await scene.metric(broadcast, 'pulse_reconciliations_total{kind="full"}'):
                    await asyncio.sleep(0.05)
            connection = await visit(scene, broadcast)
            visitor = Visitor(connection)
            first = await visitor.until(lambda event: event["event_type"] == "SYNC")
            assert first["snapshot"] is False
            assert [event.get("status") for event in visitor.events[:2]] == [None, "degraded"]
        scene.mended_at = time.monotonic()
        await visitor.until(lambda event: event["event_type"] == "SYNC" and event["snapshot"])
        assert {event["room_id"] for event in visitor.events if event["event_type"] == "TELEMETRY_UPDATE"} == set(ROOMS)
        await connection.close()
        record(
            39, "Cluster: broadcast started while a node was frozen", "values as known, no promise; then the snapshot", await scene.mended()
        )

    with cluster.running():
        play(tmp_path, story, url=cluster.url, settings={"TELEMETRY_SHARDS": str(SHARDS)})
