"""What history costs: Redis per committed reading, memory per day of a feed, and the process that makes a week's report of 1,000 rooms.

Readings are committed in batches of 500 rooms, five seconds apart, with every limit on; the floor is what a SET of a latest value and a
SETRANGE of a record cost the same server in a pipeline. The day has a reading every five seconds, tips in three of a hundred, four large
tips and three cash-outs; the week is that day in each room on each day.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Iterator
from typing import Any, Final

from redis.asyncio import Redis

from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.days import RedisDays
from broadcast_service.reports.report import Detail
from broadcast_service.reports.wanted import Wanted
from ingest_service.limits import Limits
from ingest_service.writer import ShardWriter, WriterOptions
from shared.auth.scope import Scope
from shared.contract import keys
from shared.contract.feeds import Series
from shared.contract.history_record import DAY_SECONDS, LAYOUT
from shared.contract.readings import Reading
from shared.income.steps import Steps
from shared.store.redis import RedisUrl, Store
from tools.bench.lab import Figures, Lab
from tools.bench.processes import cpu_seconds

ROOMS: Final = 500
BATCHES: Final = 60
ROUNDS: Final = 5
WEEK_ROOMS: Final = 1000
DAYS: Final = 7
STEP_SECONDS: Final = 60
PLATFORM: Final = "camsoda"
HIGH_LIMITS: Final = Limits(10_000, 1_000_000, 4, 2, 100_000, 100_000, 64, 1_000_000)  # all of them count, and none refuses


def history(lab: Lab) -> Figures:
    """The commit script, a day of one feed, and a week's report of 1,000 rooms"""
    return asyncio.run(_measure(lab))


async def _measure(lab: Lab) -> Figures:
    async with Store(RedisUrl.parse(lab.redis_url)) as store:
        redis = store.owner("any")
        rounds = [(await _floor(lab, redis), await _script(lab, store)) for _ in range(ROUNDS)]
        day_bytes, start = await _day(store)
        return {
            "floor_cpu_us": statistics.median(floor for floor, _ in rounds),
            "script_cpu_us": statistics.median(script for _, script in rounds),
            "script_per_floor": statistics.median(script / floor for floor, script in rounds),
            "day_bytes": day_bytes,
            "week_report_cpu_seconds": await _week(store, start, int(WEEK_ROOMS * lab.scale)),
        }


async def _floor(lab: Lab, redis: Redis) -> float:
    """Microseconds of Redis per pair of plain writes."""
    await redis.flushall()
    before = cpu_seconds(lab.redis_pid)
    for batch in range(BATCHES):
        pipeline = redis.pipeline(transaction=False)
        for room in range(ROOMS):
            pipeline.set(f"value:{room}", "x" * 300)
            pipeline.setrange(f"record:{room}", LAYOUT.record_bytes * batch, "y" * LAYOUT.record_bytes)
        await pipeline.execute()
    return 1e6 * (cpu_seconds(lab.redis_pid) - before) / (BATCHES * ROOMS)


async def _script(lab: Lab, store: Store) -> float:
    """Microseconds of Redis per reading, once each room's first readings are committed."""
    await store.owner("any").flushall()
    rng, start = random.Random(1), int(time.time()) - 5 * BATCHES - 60
    balances = [rng.randint(0, 9000) for _ in range(ROOMS)]
    batches = []
    for at in range(start, start + 5 * BATCHES, 5):
        balances = [tokens + (rng.choice((1, 20, 100)) if rng.random() < 0.1 else 0) for tokens in balances]
        batches.append([_reading(at, tokens, f"room-{n}", f"account-{n}") for n, tokens in enumerate(balances)])
    warm = BATCHES // 6
    await _commit(store, batches[:warm])
    before = cpu_seconds(lab.redis_pid)
    await _commit(store, batches[warm:])
    return 1e6 * (cpu_seconds(lab.redis_pid) - before) / ((BATCHES - warm) * ROOMS)


def _reading(at: int, tokens: int, room: str, account: str) -> Reading:
    return Reading(room, PLATFORM, at, tokens, 1000 * at + at % 7, viewers_count=at % 50, account=account)


async def _commit(store: Store, batches: list[list[Reading]]) -> None:
    options = WriterOptions(DAY_SECONDS, STEP_SECONDS, retention_days=35, limits=HIGH_LIMITS)
    writer = ShardWriter(store, 0, options)
    running = asyncio.create_task(writer.run())
    try:
        for batch in batches:
            await writer.submit(batch, "bench")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _day(store: Store) -> tuple[float, int]:
    """Bytes of a full day of one feed, and the day's first second."""
    redis = store.owner("any")
    await redis.flushall()
    start = (int(time.time()) // DAY_SECONDS - DAYS) * DAY_SECONDS
    readings = list(_readings_of_day(start))
    await _commit(store, [readings[first : first + 1000] for first in range(0, len(readings), 1000)])
    sizes = [await redis.memory_usage(name, samples=0) async for name in redis.scan_iter("history:*")]
    return float(sum(filter(None, sizes))), start


def _readings_of_day(start: int) -> Iterator[Reading]:
    rng, tokens = random.Random(5), 3000
    for second in range(0, DAY_SECONDS, 5):
        if rng.random() < 0.03:
            tokens += rng.choice((1, 20, 50, 100, 240))
        if second in {9000, 30_000, 60_000, 70_000}:
            tokens += 600
        if second in {20_000, 50_000, 80_000}:
            tokens = rng.randint(0, 60)
        yield _reading(start + second, tokens, "day", "day")


async def _week(store: Store, start: int, rooms: int) -> float:
    """CPU seconds of this process for a report by the hour of all rooms over seven such days; median of three."""
    redis: Any = store.owner("any")
    days = range(start, start + DAYS * DAY_SECONDS, DAY_SECONDS)
    prefix = keys.history_day_prefix(0, LAYOUT.number, _series("day", "day"), keys.day_of(start), STEP_SECONDS)
    stored = {name.decode().removeprefix(prefix): await redis.get(name) async for name in redis.scan_iter(f"{prefix}*")}
    for day in days:
        for room in (f"week-{n}" for n in range(rooms)):
            series = _series(room, room)
            own = keys.history_day_prefix(0, LAYOUT.number, series, keys.day_of(day), STEP_SECONDS)
            pipeline = redis.pipeline(transaction=False)
            pipeline.mset({own + end: value for end, value in stored.items()})
            pipeline.sadd(keys.history_feeds(0, keys.day_of(day)), ":".join(series))
            pipeline.sadd(keys.history_names(0, room, day), f"{PLATFORM}:{room}")
            await pipeline.execute()
    seconds = []
    for _ in range(3):
        analytics = Analytics(RedisDays(store, 1, step_seconds=STEP_SECONDS, retention_days=35))
        before = time.process_time()
        wanted = Wanted(Scope.of(["week-*"]), Steps(days.start, days.stop, 3600), Detail.NONE)
        tally, measured = await analytics.make(wanted, lambda _price: None)
        b"".join(tally.json(measured))
        seconds.append(time.process_time() - before)
    return statistics.median(seconds)


def _series(room: str, account: str) -> Series:
    return Series(room, PLATFORM, account)
