"""A primary steps down: refused writes, data that its replica lacks, and versions that only grow."""

import itertools
import pathlib
import time

import pytest

from tests.faults.catalogue import record
from tests.faults.link import Link
from tests.faults.scene import Scene, Wiretap, play
from tools.redis_server import RedisServer

pytestmark = pytest.mark.faults

LAG_US = 1_500_000


def test_a_primary_turned_replica(tmp_path: pathlib.Path) -> None:
    """READONLY is a 503; when writes are taken again, versions have only grown."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        since = time.monotonic()
        scene.redis.admin.replicaof("127.0.0.1", 1)
        await scene.until(lambda: 503 in scene.producer.statuses(since), "READONLY is a 503")
        assert scene.producer.statuses(since) <= {200, 503}
        scene.redis.admin.replicaof("NO", "ONE")
        record(13, "Primary turned replica and back (READONLY)", "503", await scene.mended())

    play(tmp_path, story)


def test_a_failover_to_a_replica_that_lags(tmp_path: pathlib.Path) -> None:
    """The old primary refuses with READONLY, its replica lacks the last seconds, and yet no dashboard sees a value go back."""
    primary = RedisServer(tmp_path / "primary")
    replication, address = Link(primary.port), Link(primary.port)
    replica = RedisServer(tmp_path / "replica", replicaof=f"127.0.0.1 {replication.port}")

    async def story(scene: Scene) -> None:
        old, new = Wiretap(primary), Wiretap(replica)
        for wiretap in (old, new):
            scene.start(wiretap)
        await scene.until(lambda: old.published and new.published, "the replica follows")
        replication.drop()
        await scene.until(lambda: old.published[-1].version > new.published[-1].version + LAG_US, "the replica lags")
        since = time.monotonic()
        primary.admin.replicaof("127.0.0.1", replica.port)
        await scene.until(lambda: 503 in scene.producer.statuses(since), "READONLY is a 503")
        last, lacking = old.published[-1].version, len(new.published)
        replica.admin.replicaof("NO", "ONE")
        address.lead_to(replica.port)
        healed = await scene.mended()
        assert scene.producer.statuses(since) <= {200, 503}
        assert scene.connections == {1}
        lost_us = last - new.published[lacking - 1].version
        versions = [last, *(reading.version for reading in new.published[lacking:])]
        assert all(before < after for before, after in itertools.pairwise(versions))
        record(13, f"Failover to a replica that lags by {lost_us / 1e6:.1f} s", "503; nothing goes back", healed)

    try:
        for node in (primary, replica):
            node.start()
        with replication.running(), address.running():
            play(tmp_path, story, url=address.url)
    finally:
        for node in (primary, replica):
            node.kill()
