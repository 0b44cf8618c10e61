"""When a broadcast process asks for no new clients."""

import pytest

from broadcast_service.hub import Hub


@pytest.mark.parametrize(
    ("shards", "proven", "ready"), [(1, 0, False), (1, 1, True), (2, 1, False), (3, 2, True), (16, 8, False), (16, 9, True)]
)
def test_it_is_ready_while_more_than_half_of_its_shards_are_proven(shards: int, proven: int, *, ready: bool) -> None:
    """With one shard it is that one's subscription that counts; with many a sick node takes only its own shards away."""
    hub = Hub(shards, ttl_seconds=60)
    for shard in range(proven):
        hub.set_synced(shard, synced=True)
    assert hub.mostly_synced is ready
