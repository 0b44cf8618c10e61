"""The explanation of a room adds up to its report: for any generated studio, any span, and each account."""

import random
import time

import msgspec
import pytest
from redis.asyncio import Redis

from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.days import RedisDays
from broadcast_service.reports.explanation import Explanation, Span
from broadcast_service.reports.explanations import Explanations
from broadcast_service.reports.report import Detail, Report
from broadcast_service.reports.wanted import Wanted
from shared.auth.scope import Scope
from shared.contract.codec import encode
from shared.contract.feeds import Feed
from shared.income.steps import Steps
from tests.contract.committing import OneNode, commit
from tests.contract.test_income import HOURS
from tests.support.generated import ROOMS, generate

pytestmark = pytest.mark.anyio

DAY = 86_400


async def explain(redis: Redis, room: str, start: int, end: int) -> Explanation:
    """An explanation as a client decodes it."""
    analytics = Analytics(RedisDays(OneNode(redis), 1, step_seconds=60, retention_days=35))
    made = await Explanations(analytics, 60).make(Feed(room, "camsoda"), Span(1000 * start, 1000 * end), lambda _price: None)
    return msgspec.json.decode(encode(made), type=Explanation)


async def report(redis: Redis, room: str, start: int, end: int) -> Report:
    """A report of one room."""
    analytics = Analytics(RedisDays(OneNode(redis), 1, step_seconds=60, retention_days=35))
    wanted = Wanted(Scope.of([room]), Steps(start, end, (end - start) // 60 * 60 or 60), Detail.ACCOUNTS)
    tally, measured = await analytics.make(wanted, lambda _price: None)
    return msgspec.json.decode(b"".join(tally.json(measured)), type=Report)


@pytest.mark.parametrize("seed", range(4))
async def test_an_explanation_adds_up_to_the_report(real: Redis, seed: int) -> None:
    """Across midnight too: accounts change rooms, cash out, are read wrongly, and have pauses without readings."""
    rng = random.Random(1000 + seed)
    midnight = int(time.time()) // DAY * DAY - DAY
    start = midnight + rng.choice([-3600, 0, 5 * 3600, 20 * 3600])
    readings = sorted(generate(seed, start).readings, key=lambda reading: reading.sequence)
    for first in range(0, len(readings), 1000):
        await commit(real, *readings[first : first + 1000])
    spans = [(start, start + (HOURS + 1) * 3600), (start - 2 * DAY, start + 2 * DAY)]
    for _ in range(4):
        begin = start + 60 * rng.randrange(60 * HOURS)
        spans.append((begin, begin + 60 * rng.choice([1, 7, 60, 130])))
    verdicts = set()
    for begin, end in spans:
        for room in ROOMS:
            found, expected = await explain(real, room, begin, end), await report(real, room, begin, end)
            assert (found.earned, found.between_sessions) == (expected.total, expected.between_sessions)
            assert (found.unsettled, found.set_aside) == (expected.unsettled, expected.set_aside)
            assert {one.account: (one.earned, one.between_sessions, one.unsettled, one.set_aside) for one in found.accounts} == {
                one.account: (one.earned, one.between_sessions, one.unsettled, one.set_aside) for one in expected.accounts
            }
            assert found.omitted == 0
            assert sum(line.earned for line in found.lines) == found.earned
            assert sum(doubt.tokens for line in found.lines for doubt in line.unsettled) == found.unsettled
            assert all(begin <= line.from_ms / 1000 and line.at_ms / 1000 < end for line in found.lines)
            verdicts |= {line.verdict for line in found.lines}
    assert {"baseline", "income", "unchanged"} <= verdicts


async def test_a_room_without_history_is_explained_by_nothing(real: Redis) -> None:
    now = int(time.time()) // 60 * 60
    found = await explain(real, "nowhere", now - 3600, now)
    assert (found.earned, found.accounts, found.lines) == (0, [], [])
