"""Concurrent reports on a real server: their cost, the order of waiting, and the cached results."""

import asyncio
import functools
import struct
from collections.abc import AsyncIterator

import msgspec
import pytest

from broadcast_service.http import budget
from broadcast_service.http.budget import Budget
from broadcast_service.reports import report_queue as queue
from broadcast_service.reports.analytics import Analytics, parts_of
from broadcast_service.reports.days import Fetched, RedisDays
from broadcast_service.reports.report import Detail, Report
from broadcast_service.reports.report_queue import Kept, Made, Reports
from broadcast_service.reports.wanted import Wanted
from shared.auth.scope import Scope
from shared.contract import keys
from shared.contract.feeds import Feed, Series
from shared.contract.history_record import DAY_SECONDS, LAYOUT
from shared.contract.problems import Problem
from shared.income.steps import Steps
from shared.store.redis import RedisUrl, Store
from tests.contract.reports import midnight, store_with_days

pytestmark = pytest.mark.anyio

ROOMS = 120
DAYS = 7
ALL = Scope.of(["*"])
ONE = Scope.of(["room-7"])


@pytest.fixture
async def store(embedded_url: str) -> AsyncIterator[Store]:
    """A week of a hundred and twenty rooms that earn every minute."""
    async with store_with_days(embedded_url, rooms=ROOMS, days=DAYS) as store:
        yield store


def wanted(scope: Scope, days: int, *, ago: int = 0, detail: Detail = Detail.NONE) -> Wanted:
    """A report by the hour of so many days, up to so many seconds before midnight."""
    end = midnight() - ago
    return Wanted(scope, Steps(end - days * DAY_SECONDS, end, 3600), detail)


def made_by(store: Store) -> Reports:
    """A queue of its own."""
    return Reports(Analytics(RedisDays(store, 1, step_seconds=60, retention_days=DAYS)))


class Spent:
    """Adds up prices."""

    def __init__(self) -> None:
        self.total = 0.0

    def __call__(self, price: float) -> None:
        """One part of the work."""
        self.total += price


async def test_a_year_costs_what_the_kept_days_cost_and_is_padded(store: Store) -> None:
    """Days that cannot exist are neither read nor summed up; the answer has all its steps, and says that they were not measured."""
    week, year = Spent(), Spent()
    short = msgspec.json.decode(await made_by(store).get(wanted(ALL, DAYS), "tester", week), type=Report)  # type: ignore[arg-type]
    long = msgspec.json.decode(await made_by(store).get(wanted(ALL, 366), "tester", year), type=Report)  # type: ignore[arg-type]
    assert year.total < 1.5 * week.total
    assert (len(long.earned), len(long.measured_minutes), long.total) == (366 * 24, 366 * 24, short.total)
    assert long.earned[-DAYS * 24 :] == short.earned
    assert long.measured_minutes[-DAYS * 24 :] == [60] * DAYS * 24
    assert not any(long.measured_minutes[: -DAYS * 24])


async def test_a_report_reads_the_days_of_several_feeds_in_one_round_trip(store: Store) -> None:
    """A round trip for each day of each feed would cost more than adding it up."""
    redis = store.owner(keys.index(0))

    async def reads() -> int:
        found = await redis.info("commandstats")
        return int(found.get("cmdstat_mget", {}).get("calls", 0))

    before = await reads()
    await made_by(store).get(wanted(ALL, DAYS), "tester", Spent())
    assert 0 < await reads() - before <= ROOMS * DAYS / 20


async def test_a_feed_is_charged_for_the_hours_that_are_stored(embedded_url: str) -> None:
    """A room that had one reading on a day costs less than one that had a reading in each hour."""
    async with Store(RedisUrl.parse(embedded_url)) as store:
        redis = store.owner(keys.index(0))
        days, prices = RedisDays(store, 1, step_seconds=60, retention_days=DAYS), []
        day = midnight() // DAY_SECONDS - 1
        for room, hours in (("brief", 1), ("long", 24)):
            series = Series(room, "camsoda", "ana")
            prefix = keys.history_day_prefix(0, LAYOUT.number, series, keys.day_of(day * DAY_SECONDS), 60)
            await redis.mset({f"{prefix}{hour}": bytes(LAYOUT.chunk_bytes) for hour in range(hours)})
            spent = Spent()
            await days.read(series, day, spent, Fetched(), set())
            prices.append(spent.total)
        assert prices == [pytest.approx(budget.DAY + 60 * budget.SLOT), pytest.approx(budget.DAY + 1440 * budget.SLOT)]


def test_a_span_outside_of_what_is_kept_has_no_parts() -> None:
    """Whether it is long over or has not begun."""
    days = range(100, 107)
    assert parts_of(Steps(0, 99 * DAY_SECONDS, 3600), days, 60) == []
    assert parts_of(Steps(108 * DAY_SECONDS, 200 * DAY_SECONDS, 3600), days, 60) == []
    assert [len(part.span) for part in parts_of(Steps(0, 366 * DAY_SECONDS, 3600), days, 60)] == [1440] * 7


async def test_a_small_report_does_not_wait_for_large_ones_of_others(store: Store) -> None:
    """Eight weeks of everything are waiting, and another subject's one room is answered before the first of them."""
    reports = made_by(store)
    large = [asyncio.create_task(reports.get(wanted(ALL, 6, ago=60 * n), "greedy", Spent())) for n in range(8)]
    await asyncio.sleep(0)
    await reports.get(wanted(ONE, 6), "modest", Spent())
    assert not any(task.done() for task in large)
    for task in large:
        task.cancel()
    await asyncio.gather(*large, return_exceptions=True)


async def test_a_subject_may_wait_for_eight_reports(store: Store) -> None:
    """The ninth different one is 429 with Retry-After; one that is equal to a waiting one is not a ninth."""
    reports = made_by(store)
    tasks = [asyncio.create_task(reports.get(wanted(ONE, 1, ago=60 * n), "greedy", Spent())) for n in range(8)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await reports.get(wanted(ONE, 1, ago=600), "greedy", Spent())
    assert (refused.value.status, refused.value.retry_after_seconds) == (429, 2)
    equal = asyncio.create_task(reports.get(wanted(ONE, 1, ago=60), "greedy", Spent()))
    made = await asyncio.gather(*tasks, equal)
    assert made[1] is made[-1]


async def test_a_report_whose_subject_has_used_up_its_budget_by_its_turn_is_429_and_not_made(store: Store) -> None:
    """Eight reports that arrive together cannot all be made on one budget."""
    reports, small = made_by(store), Budget(0.001)

    def get(number: int) -> asyncio.Task[Made]:
        charge = functools.partial(small.charge, "greedy", now=0.0)
        admit = functools.partial(small.admit, "greedy", 0.0)
        return asyncio.create_task(reports.get(wanted(ALL, 6, ago=60 * number), "greedy", charge, admit))

    made, *refused = await asyncio.gather(*(get(number) for number in range(8)), return_exceptions=True)
    assert isinstance(made, bytes)
    assert [problem.status for problem in refused if isinstance(problem, Problem)] == [429] * 7


async def test_all_subjects_together_may_wait_for_so_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit every caller gets 503 with Retry-After."""
    monkeypatch.setattr(queue, "MAX_JOBS", 2)
    reports = made_by(store)
    tasks = [asyncio.create_task(reports.get(wanted(ALL, 1), f"subject {n}", Spent())) for n in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await reports.get(wanted(ALL, 1), "one more", Spent())
    assert refused.value.status == 503
    await asyncio.gather(*tasks)


async def test_a_report_that_no_caller_waits_for_is_cancelled(store: Store) -> None:
    """A caller that disconnects pays for the work done until then, and the next in the queue starts."""
    reports, spent, whole = made_by(store), Spent(), Spent()
    await made_by(store).get(wanted(ALL, 6), "tester", whole)
    task = asyncio.create_task(reports.get(wanted(ALL, 6), "gone", spent))
    while not spent.total:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await reports.get(wanted(ONE, 6), "gone", Spent())
    assert spent.total < whole.total / 2


async def test_one_of_two_who_wait_may_leave(store: Store) -> None:
    """The other one still gets the report."""
    reports = made_by(store)
    first, second = (asyncio.create_task(reports.get(wanted(ALL, 2), "tester", Spent())) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert msgspec.json.decode(await second, type=Report).total > 0  # type: ignore[arg-type]


async def test_equal_reports_of_two_subjects_are_made_once(store: Store) -> None:
    """After a restart every dashboard asks for the same."""
    reports, first, second = made_by(store), Spent(), Spent()
    asked = wanted(ALL, 1)
    one, other = await asyncio.gather(reports.get(asked, "a", first), reports.get(asked, "b", second))
    assert one is other
    assert (first.total > 0, second.total) == (True, 0)


async def test_a_report_that_takes_too_long_is_503(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is given up."""
    monkeypatch.setattr(queue, "DEADLINE_SECONDS", 0.02)
    with pytest.raises(Problem) as refused:
        await made_by(store).get(wanted(ALL, 6), "tester", Spent())
    assert refused.value.status == 503


async def test_what_is_stored_while_the_index_is_known_is_found(store: Store) -> None:
    """A feed that begins after the first report is in the second one."""
    reports = made_by(store)
    scope = Scope.of(["newcomer"])
    await reports.get(wanted(scope, 1), "tester", Spent())
    name = keys.day_of(midnight() - DAY_SECONDS)
    redis = store.owner(keys.index(0))
    await redis.sadd(keys.history_feeds(0, name), "newcomer:camsoda")
    await redis.set(keys.history_array(0, Feed("newcomer", "camsoda"), name, 60), struct.pack(">10I", 11, 0, 0, 0, 0, 21, 0, 0, 0, 0))
    made = msgspec.json.decode(await reports.get(wanted(scope, 2), "tester", Spent()), type=Report)  # type: ignore[arg-type]
    await redis.srem(keys.history_feeds(0, name), "newcomer:camsoda")
    assert (made.total, [feed.room_id for feed in made.feeds]) == (10, ["newcomer"])


def test_reports_are_kept_by_bytes_and_age() -> None:
    """Old ones go when their time is up, large ones are never kept, and together they hold no more than their bound."""
    kept = Kept(limit_bytes=1000, limit_one=400)
    for number in range(5):
        kept.put(wanted(ALL, 1, ago=60 * number), b"x" * 300, until=100.0 + number)
    assert kept.held_bytes == 900
    assert kept.get(wanted(ALL, 1), 0.0) is None
    kept.put(wanted(ALL, 2), b"x" * 401, until=100.0)
    assert kept.get(wanted(ALL, 2), 0.0) is None
    assert kept.get(wanted(ALL, 1, ago=240), 103.9) is not None
    kept.sweep(103.0)
    assert kept.held_bytes == 300
    kept.sweep(104.0)
    assert kept.held_bytes == 0
