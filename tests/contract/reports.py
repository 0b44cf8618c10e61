"""Stored history for the tests of reports: rooms that earn every minute, on a server of their own."""

import contextlib
import struct
import time
from collections.abc import AsyncIterator

from shared.contract import keys
from shared.contract.feeds import Feed
from shared.contract.history_record import DAY_SECONDS
from shared.store.redis import RedisUrl, Store


def midnight() -> int:
    """The start of today in Unix seconds."""
    return int(time.time()) // DAY_SECONDS * DAY_SECONDS


@contextlib.asynccontextmanager
async def store_with_days(url: str, *, rooms: int, days: int) -> AsyncIterator[Store]:
    """A store with the days before today of rooms that earn every minute. Tests share it: the first one on a server fills it."""
    filled = f"tests:days:{rooms}:{days}:{midnight()}"
    day = b"".join(struct.pack(">5I", 1000 + minute, 1, 1, 1, 0) for minute in range(1440))
    async with Store(RedisUrl.parse(url)) as store:
        redis = store.owner(keys.index(0))
        if not await redis.exists(filled):
            for start in range(midnight() - days * DAY_SECONDS, midnight(), DAY_SECONDS):
                name = keys.day_of(start)
                await redis.sadd(keys.history_feeds(0, name), *(f"room-{n}:camsoda" for n in range(rooms)))
                await redis.mset({keys.history_array(0, Feed(f"room-{n}", "camsoda"), name, 60): day for n in range(rooms)})
            await redis.set(filled, "yes")
        yield store
