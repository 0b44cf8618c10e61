"""When a broadcast process asks for no new clients."""

import pytest

from broadcast_service.relay.flush_scheduler import FlushScheduler
from broadcast_service.relay.hub import Hub
from broadcast_service.relay.listener import ShardListener, mostly_confirmed
from shared.store.redis import RedisUrl, Store


@pytest.mark.parametrize(("shards", "proven"), [(1, 1), (2, 2), (3, 2), (16, 9)])
def test_it_is_ready_while_more_than_half_of_its_shards_are_proven(shards: int, proven: int) -> None:
    """With one shard it is that one's subscription that counts; with many a sick node takes only its own shards away."""
    store, hub = Store(RedisUrl.parse("redis://127.0.0.1:1/0")), Hub(shards, ttl_seconds=60)
    scheduler = FlushScheduler(hub, share=1, max_pause_seconds=0, heartbeat_seconds=15)
    listeners = [ShardListener(store, shard, hub, scheduler, "here") for shard in range(shards)]
    for listener in listeners[: proven - 1]:
        listener.confirmed = True
    assert not mostly_confirmed(listeners)
    listeners[-1].confirmed = True
    assert mostly_confirmed(listeners)
