"""Reports of generated studios with a known truth."""

import random
import time

import msgspec
import pytest
from redis.asyncio import Redis

from broadcast_service.reports.analytics import Analytics, Wanted
from broadcast_service.reports.report import Detail, Report, Steps
from shared.auth.scope import Scope
from tests.contract.committing import OneNode, commit
from tests.support.generated import generate

pytestmark = pytest.mark.anyio

SEEDS = 12
HOURS = 3


async def report_of(redis: Redis, steps: Steps) -> Report:
    """A report of all rooms."""
    analytics = Analytics(OneNode(redis), 1, step_seconds=60, retention_days=35)
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
