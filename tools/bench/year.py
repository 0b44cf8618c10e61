"""What reports of a year cost where an archive answers: wall-clock time, CPU, and the longest stretch of the event loop.

The archive is a SQLite file with a year of blocks of 32 days, written in bulk. Each room is on air for 21 hours a day, earns in half of
its quarters of an hour, and has one with unsettled tokens a day. Redis is empty, so each figure is of the archive alone. A stretch is the
CPU time of one callback of the event loop: a thread that reads the database, and other processes, do not count; the garbage collector
does, as in a service (`set_up_interpreter`). How late a timer of the loop is, by the wall clock, has all of these in it.
"""

import asyncio
import contextlib
import gc
import itertools
import random
import statistics
import struct
import sys
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import insert, update

from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.archived_days import open_archive
from broadcast_service.reports.days import RedisDays
from broadcast_service.reports.report import Detail
from broadcast_service.reports.report_queue import Reports
from broadcast_service.reports.wanted import Wanted
from shared.archive.blocks import BLOCK_DAYS, DayParts, block_of, build, first_day
from shared.archive.database import Database
from shared.archive.rollup import MINUTE_BYTES, ODD, QUARTERS
from shared.archive.tables import blocks, series, state
from shared.auth.scope import Scope
from shared.contract.history_record import DAY_SECONDS
from shared.income.steps import Steps
from shared.store.database_url import DatabaseUrl
from shared.store.redis import RedisUrl, Store
from shared.web.startup import set_up_interpreter
from tools.bench.lab import Figures, Lab
from worker_service.archive.schema import upgrade

YEAR_DAYS: Final = 365
MONTH_DAYS: Final = 31  # a step of a report by month
FEEDS_OF_MONTHS: Final = 36
FEEDS_OF_DAYS: Final = 1000
ROUNDS: Final = 3
STEP_SECONDS: Final = 60
TICK_SECONDS: Final = 0.002
TEMPLATES: Final = 20  # different days


class _Cost(NamedTuple):
    wall_seconds: float
    cpu_seconds: float
    stretch_ms: float
    late_ms: list[float]  # of each tick of a timer, sorted


def archive(lab: Lab) -> Figures:
    """Reports of a year from the archive: 36 feeds by month, 1,000 feeds by day"""
    gc.collect()
    thresholds, switch_seconds = gc.get_threshold(), sys.getswitchinterval()
    set_up_interpreter()
    try:
        return asyncio.run(_measure(lab))
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(switch_seconds)


async def _measure(lab: Lab) -> Figures:
    figures: Figures = {}
    for name, feeds, step_days in (("months_of_36", FEEDS_OF_MONTHS, MONTH_DAYS), ("days_of_1000", int(FEEDS_OF_DAYS * lab.scale), 1)):
        url = DatabaseUrl.parse(f"sqlite:///{lab.directory / f'archive-{feeds}-{time.monotonic_ns()}.db'}")
        assert url.path is not None
        today = int(time.time()) // DAY_SECONDS
        try:
            _fill(url, feeds, today)
            costs = [await _report(lab, url, today, step_days * DAY_SECONDS) for _ in range(ROUNDS)]
        finally:
            for suffix in ("", "-wal", "-shm"):
                url.path.with_name(url.path.name + suffix).unlink(missing_ok=True)
        figures[f"{name}_wall_ms"] = 1000 * statistics.median(cost.wall_seconds for cost in costs)
        figures[f"{name}_cpu_ms"] = 1000 * statistics.median(cost.cpu_seconds for cost in costs)
        figures[f"{name}_stretch_ms"] = max(cost.stretch_ms for cost in costs)
        late = sorted(itertools.chain.from_iterable(cost.late_ms for cost in costs))
        figures[f"{name}_late_p99_ms"], figures[f"{name}_late_max_ms"] = late[len(late) * 99 // 100], late[-1]
    return figures


def _fill(url: DatabaseUrl, feeds: int, today: int) -> None:
    """Writes a year of blocks up to the day before yesterday."""
    rng, last = random.Random(11), today - 2
    days = [_day(rng) for _ in range(TEMPLATES)]
    database = Database(url)
    upgrade(database)
    numbers = range(block_of(last - YEAR_DAYS), block_of(last) + 1)
    with database.transaction() as connection:
        connection.execute(update(state).values(token=1, changes=1, rolled_changes=1, rolled_day=last))
        names = ({"id": one + 1, "room_id": f"room-{one}", "platform": "camsoda", "account": f"account-{one}"} for one in range(feeds))
        connection.execute(insert(series), [*names])
        for number in numbers:
            some = range(first_day(number), min(first_day(number) + BLOCK_DAYS, last + 1))
            built = [build({day - some.start: days[(day + shift) % TEMPLATES] for day in some}) for shift in range(TEMPLATES)]
            rows = [
                {"series_id": one + 1, "block": number, "step_seconds": STEP_SECONDS, "changed": 1, **built[one % TEMPLATES]._asdict()}
                for one in range(feeds)
            ]
            connection.execute(insert(blocks), rows)
    database.close()


def _day(rng: random.Random) -> DayParts:
    total, sums = 0, []
    for _ in range(QUARTERS):
        total += rng.choice((0, rng.randrange(400)))
        sums.append(total)
    odd = [ODD.pack(quarter, 5, 20, 1, 1000, 2000) for quarter in sorted(rng.sample(range(QUARTERS), 1))]
    on_air = ((1 << 21 * 60) - 1) << rng.randrange(180)
    return DayParts(struct.pack(f">{QUARTERS}I", *sums), b"".join(odd), on_air.to_bytes(MINUTE_BYTES, "little"), b"")


async def _report(lab: Lab, url: DatabaseUrl, today: int, step_seconds: int) -> _Cost:
    """A report as the first one that a process makes: it lists the archive's days, reads the blocks and encodes the answer."""
    async with Store(RedisUrl.parse(lab.redis_url)) as store:
        days = open_archive(url, RedisDays(store, 1, step_seconds=STEP_SECONDS, retention_days=35))
        steps = Steps((today - YEAR_DAYS) * DAY_SECONDS, (today - 1) * DAY_SECONDS, step_seconds)
        late: list[float] = []
        ticking = asyncio.create_task(_tick(late))
        await asyncio.sleep(0)
        began, cpu = time.perf_counter(), time.process_time()
        with _watched() as longest:
            await Reports(Analytics(days)).get(Wanted(Scope.of(["*"]), steps, Detail.FEEDS), "bench", lambda _price: None)
        cost = _Cost(time.perf_counter() - began, time.process_time() - cpu, longest[0], late)
        ticking.cancel()
        await asyncio.wait([ticking])
        return cost


async def _tick(late: list[float]) -> None:
    """Adds how late each tick of a timer is, in milliseconds, until cancelled."""
    while True:
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        late.append(1000 * (time.perf_counter() - due))


@contextlib.contextmanager
def _watched() -> Iterator[list[float]]:
    """Measures each callback of the event loop; the list has the CPU time of the longest one in milliseconds."""
    longest, run = [0.0], asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        """Runs a callback."""
        since = time.thread_time()
        run(handle)
        longest[0] = max(longest[0], 1000 * (time.thread_time() - since))

    asyncio.Handle._run = timed  # type: ignore[assignment, method-assign]
    try:
        yield longest
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]
