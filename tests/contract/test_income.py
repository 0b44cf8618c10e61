"""Reports of generated studios with a known truth."""

import random
import time

import msgspec
import pytest
from redis.asyncio import Redis

from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.days import RedisDays
from broadcast_service.reports.report import Detail, Report
from broadcast_service.reports.wanted import Wanted
from ingest_service.writer import ShardWriter, WriterOptions
from shared.auth.scope import Scope
from shared.contract.readings import Reading
from shared.income.steps import Steps
from tests.contract.committing import NO_LIMITS, OneNode, at_work, commit
from tests.support.generated import ROOMS, generate

pytestmark = pytest.mark.anyio

SEEDS = 12
HOURS = 3


async def report_of(redis: Redis, steps: Steps) -> Report:
    """A report of all rooms."""
    analytics = Analytics(RedisDays(OneNode(redis), 1, step_seconds=60, retention_days=35))
    tally, measured = await analytics.make(Wanted(Scope.of(["*"]), steps, Detail.ACCOUNTS), lambda _price: None)
    return msgspec.json.decode(b"".join(tally.json(measured)), type=Report)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_report_is_true_of_a_generated_studio(real: Redis, seed: int) -> None:
    """Reported is at most the truth, the truth at most reported and unsettled; both are equal where every change was read."""
    start = int(time.time()) // 86400 * 86400 - 86400 + random.Random(seed).randrange(20) * 3600
    story = generate(seed, start, HOURS)
    readings = story.readings
    for first in range(0, len(readings), 1000):
        await commit(real, *readings[first : first + 1000])
    end = start + (HOURS + 1) * 3600
    report = await report_of(real, Steps(start, end, 3600))
    for row in report.accounts:
        assert row.account is not None
        true = story.truth[row.account].seen
        assert row.earned <= true <= row.earned + row.unsettled, row
        if story.is_calm:
            assert row.earned == true, row
    assert report.total == sum(row.earned for row in report.accounts) == sum(report.earned)
    cut = start + 60 * random.Random(-seed).randrange(1, 60 * HOURS)
    parts = [await report_of(real, Steps(start, cut, 60)), await report_of(real, Steps(cut, end, 60))]
    assert sum(part.total for part in parts) == report.total
    assert sum(part.unsettled for part in parts) == report.unsettled
    assert sum(part.set_aside for part in parts) == report.set_aside


@pytest.mark.parametrize("shift_ms", [0, 1000, -1000])
@pytest.mark.parametrize("seed", range(2))
async def test_repeated_batches_change_no_income(real: Redis, seed: int, shift_ms: int) -> None:
    """A producer whose answer was lost sends them again, and its clock may be corrected by a second more or less then."""
    start, rng = int(time.time()) // 60 * 60 - HOURS * 3600 - 300, random.Random(seed)
    story = generate(seed, start, HOURS)
    async with at_work(ShardWriter(OneNode(real), 0, WriterOptions(86_400, 60, retention_days=7, limits=NO_LIMITS))) as writer:
        for room in ROOMS:
            readings = [reading for reading in story.readings if reading.room_id == room]
            while readings:
                size = rng.randint(1, 300)
                batch, readings = readings[:size], readings[size:]
                await writer.submit(batch, "token")
                if rng.random() < 0.5:
                    await writer.submit([moved(reading, shift_ms) for reading in batch], "token")
    report = await report_of(real, Steps(start - 3600, start + (HOURS + 1) * 3600, 60))
    for row in report.accounts:
        assert row.account is not None
        true = story.truth[row.account].seen
        assert row.earned <= true <= row.earned + row.unsettled, row
        assert row.earned == true or not story.is_calm, row


def moved(reading: Reading, by_ms: int) -> Reading:
    """The reading as another clock would show it."""
    at_ms = reading.sequence + by_ms
    return msgspec.structs.replace(reading, timestamp=at_ms // 1000, sequence=at_ms)
