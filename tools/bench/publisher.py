"""`python -m tools.bench.publisher REDIS_URL RATE SECONDS ROOMS SHARDS`: commits readings at an even pace, with the product's own script.

It replaces the ingest service where only fan-out is measured. Rooms are taken in turn: as long as a room does not come up twice
between two flushes, nothing may be conflated and every client must receive every reading.
"""

import asyncio
import json
import sys
import time

from ingest_service.commit_script import Result
from ingest_service.limits import Limits
from ingest_service.outcomes import Outcome
from ingest_service.writer import Writer, WriterOptions
from shared.contract.readings import Reading
from shared.store.redis import RedisUrl, Store


def _reading(number: int, rooms: int) -> Reading:
    now_ms = int(time.time() * 1000)
    return Reading(f"room-{number % rooms:05d}", "chaturbate", now_ms // 1000, number % 100_000, now_ms, 250, 45, None)


async def _at_pace(writer: Writer, rate: float, count: int, rooms: int) -> list[Outcome]:
    loop = asyncio.get_running_loop()
    start = loop.time()
    under_way = []
    for number in range(count):
        due = start + number / rate
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        under_way.append(loop.create_task(writer.write_one(_reading(number, rooms), "publisher")))
    return await asyncio.gather(*under_way)


async def publish(url: str, rate: float, seconds: float, rooms: int, shards: int) -> int:
    """Runs for so long; returns how many readings were committed."""
    async with (
        Store(RedisUrl.parse(url)) as store,
        asyncio.TaskGroup() as group,
    ):  # should the writer die, this fails instead of waiting for ever
        writer = Writer(store, shards, WriterOptions(3600, 60, retention_days=7, limits=Limits(1000, 1_000_000)))
        committing = group.create_task(writer.run())
        outcomes = await _at_pace(writer, rate, int(rate * seconds), rooms)
        committing.cancel()
    return sum(outcome.result is Result.ACCEPTED for outcome in outcomes)


def main() -> None:
    """Prints how many readings were committed."""
    url, rate, seconds, rooms, shards = sys.argv[1:]
    print(json.dumps({"published": asyncio.run(publish(url, float(rate), float(seconds), int(rooms), int(shards)))}))


if __name__ == "__main__":
    main()
