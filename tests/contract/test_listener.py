"""A shard's listener on each real server: when it reads, and how it ends."""

import time

import pytest
from redis.asyncio import Redis

from broadcast_service.relay.relay import Pacing, Relay
from shared.store import listener
from shared.store.listener import ShardListener
from tests.contract.committing import TTL, OneNode, at_work, commit
from tests.support.readings import make_reading
from tools.waiting import wait_until_async

pytestmark = pytest.mark.anyio
PAUSE_SECONDS = 0.4


class Paced(Relay):
    """A relay whose next flush is always some time away."""

    def read_delay_seconds(self, busy_seconds: float) -> float:
        """Always the same."""
        return PAUSE_SECONDS


async def until(relay: Relay, rooms: int) -> float:
    """The moment at which so many rooms are known."""
    await wait_until_async(lambda: len(relay) >= rooms, f"{rooms} rooms", poll_seconds=0.001)
    return time.monotonic()


async def test_rests_while_no_flush_may_follow(real: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first reading is received immediately; those committed during the pause are received together, shortly before its end."""
    monkeypatch.setattr(listener, "MAX_PAUSE_SECONDS", 10)
    relay = Paced(1, TTL, Pacing(share=0.5, max_pause_seconds=0, heartbeat_seconds=60))
    shard = ShardListener(OneNode(real), 0, relay, "test")
    async with at_work(shard):
        await wait_until_async(lambda: shard.confirmed, "the shard is confirmed")
        await commit(real, make_reading(room_id="first"))
        first = await until(relay, 1)
        for number in range(5):
            await commit(real, make_reading(room_id=f"later-{number}"))
        if time.monotonic() - first < PAUSE_SECONDS / 2:  # otherwise the machine is too busy to measure it
            assert len(relay) == 1
        assert await until(relay, 6) - first > PAUSE_SECONDS / 2
