"""When a broadcast process asks for no new clients."""

import pytest

from broadcast_service.relay.relay import Pacing, Relay
from shared.store.listener import ShardListener, mostly_confirmed
from shared.store.redis import RedisUrl, Store


@pytest.mark.parametrize(("shards", "confirmed"), [(1, 1), (2, 2), (3, 2), (16, 9)])
def test_it_is_ready_while_more_than_half_of_its_shards_are_confirmed(shards: int, confirmed: int) -> None:
    """With one shard its subscription decides; with many a failing node takes only its own shards away."""
    store, relay = Store(RedisUrl.parse("redis://127.0.0.1:1/0")), Relay(shards, 60, Pacing(1, 0, 15))
    listeners = [ShardListener(store, shard, relay, "here") for shard in range(shards)]
    for listener in listeners[: confirmed - 1]:
        listener.confirmed = True
    assert not mostly_confirmed(listeners)
    listeners[-1].confirmed = True
    assert mostly_confirmed(listeners)


def test_shards_that_are_not_needed_do_not_count() -> None:
    """They decide neither way: not while they are released, and not while the first attempt to subscribe again is under way."""
    store, relay = Store(RedisUrl.parse("redis://127.0.0.1:1/0")), Relay(4, 60, Pacing(1, 0, 15))
    listeners = [ShardListener(store, shard, relay, "here") for shard in range(4)]
    for listener in listeners[1:]:
        listener.is_idle = True
    assert not mostly_confirmed(listeners)
    listeners[0].confirmed = True
    assert mostly_confirmed(listeners)
    listeners[0].confirmed, listeners[0].is_idle = False, True
    assert mostly_confirmed(listeners)
