"""Reports from Redis and the archive together equal those from a Redis that has kept everything."""

import random
import time
from array import array
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from sqlalchemy import text

from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.archived_days import ArchivedDays
from broadcast_service.reports.days import DaySource, RedisDays
from broadcast_service.reports.explanation import Span
from broadcast_service.reports.explanations import Explanations
from broadcast_service.reports.files import machine_csv
from broadcast_service.reports.history import History
from broadcast_service.reports.history import Span as ChartSpan
from broadcast_service.reports.report import Detail
from broadcast_service.reports.wanted import Wanted
from shared.archive.blocks import BLOCK_QUARTERS
from shared.archive.database import Database
from shared.archive.reader import ArchiveReader
from shared.archive.tables import blocks
from shared.auth.scope import Scope
from shared.contract.feeds import Feed
from shared.contract.history_record import DAY_SECONDS
from shared.contract.keys import day_of
from shared.contract.problems import Problem
from shared.contract.readings import Reading
from shared.income.steps import Steps
from tests.contract.committing import OneNode, commit
from tests.support.archiving import RETENTION_DAYS, archive_job, archive_once, lease_of, minute_by_minute, today
from tests.support.generated import generate
from worker_service.archive.writer import Fence

pytestmark = pytest.mark.anyio
SHORT_DAYS = 2  # that Redis keeps for those who ask the archive


def some_days(seed: int) -> list[Reading]:
    """Some hours on several days; accounts change rooms, and one room has two accounts at the same time."""
    rng, readings = random.Random(seed), list[Reading]()
    for day in (7, 5, 4, 2, 1):
        start = (today() - day) * DAY_SECONDS + rng.randrange(0, 21 * 3600, 60)
        readings += generate(seed + day, start, hours=1.5).readings
        readings += minute_by_minute(start, *range(500, 2500, 23), account="two", room="blue")
    last: dict[str, int] = {}
    for reading in sorted(readings, key=lambda one: one.sequence):
        last[str(reading.account)] = reading.tokens_count or 0
    evening = (today() - 4) * DAY_SECONDS + DAY_SECONDS - 60
    readings += minute_by_minute(evening, last["ana"] + 9000, account="ana", room="red")  # only a later day decides
    return sorted(readings, key=lambda one: one.sequence)


async def commit_all(redis: Redis, readings: Sequence[Reading]) -> None:
    """Commits readings of any number."""
    for first in range(0, len(readings), 1000):
        await commit(redis, *readings[first : first + 1000])


class Studio(NamedTuple):
    """Some days, all that Redis has when they are committed, and the reports of it, which the tests with either database share."""

    readings: list[Reading]
    stored: dict[Any, Any]
    reports: list[str]


_STUDIOS: Final[dict[tuple[int, int], Studio]] = {}  # by seed and day, since all is reckoned from today


async def studio(redis: Redis, seed: int, *, with_reports: bool = False) -> Studio:
    """Fills an empty Redis with some days, which are committed for the first test and restored for those after it."""
    key = seed, today()
    if (known := _STUDIOS.get(key)) is not None and (known.reports or not with_reports):
        for name, value in known.stored.items():
            await redis.restore(name, 0, value)
        return known
    readings = some_days(seed)
    await commit_all(redis, readings)
    stored = {name: await redis.dump(name) for name in await redis.keys()}
    reports = [await made(redis_days(redis), *one) for one in asked()] if with_reports else []
    _STUDIOS[key] = Studio(readings, stored, reports)
    return _STUDIOS[key]


def redis_days(redis: Redis, retention_days: int = RETENTION_DAYS) -> RedisDays:
    """What Redis has."""
    return RedisDays(OneNode(redis), 1, step_seconds=60, retention_days=retention_days)


def with_archive(redis: Redis, database: Database, retention_days: int = SHORT_DAYS) -> ArchivedDays:
    """What both have."""
    return ArchivedDays(redis_days(redis, retention_days), ArchiveReader(database, 60))


async def made(source: DaySource, steps: Steps, detail: Detail = Detail.NONE) -> str:
    """A report as it is sent."""
    tally, measured = await Analytics(source).make(Wanted(Scope.of(["*"]), steps, detail), lambda _price: None)
    return "".join(machine_csv(tally)) if detail.is_file else b"".join(tally.json(measured)).decode()


def calendar(start: int, end: int, offset: int) -> Steps:
    """Steps of days that begin so many seconds after midnight in UTC."""
    begins = [begin for begin in range(start // DAY_SECONDS * DAY_SECONDS + offset, end, DAY_SECONDS) if start < begin]
    return Steps(start, end, 0, (start, *begins), "day", "America/Bogota")


def asked() -> list[tuple[Steps, Detail]]:
    """Reports of many kinds that begin before the time of Redis."""
    start, end = (today() - 8) * DAY_SECONDS, (today() + 1) * DAY_SECONDS
    return [
        (Steps(start, end, DAY_SECONDS), Detail.NONE),
        (Steps(start, end, 3600), Detail.FEEDS),
        (Steps(start, end, 900), Detail.ACCOUNTS),
        (Steps(start, end, 420), Detail.ROOMS),
        (calendar(start + 5 * 3600, end, 5 * 3600), Detail.CSV),
        (calendar(start + 7 * 60, end - 11 * 60, 5 * 3600 + 1800), Detail.FEEDS),
        (calendar((today() - 4) * DAY_SECONDS + 7 * 60, end, 5 * 3600), Detail.ACCOUNTS),  # a rolled-up day decides about a scanned one
        (Steps(start + 123 * 60, end - 7 * 3600, 6 * 3600), Detail.PLATFORMS),
        (Steps(start + 3 * DAY_SECONDS + 8 * 900, start + 4 * DAY_SECONDS + 900, 1800), Detail.CSV),
    ]


@pytest.mark.parametrize("seed", range(2))
async def test_a_report_has_no_seam_between_redis_and_the_archive(redis: Redis, database: Database, seed: int) -> None:
    """Whole days come from blocks, others from minutes, the newest from Redis; each figure is the same."""
    expected = (await studio(redis, seed, with_reports=True)).reports
    await archive_once(OneNode(redis), database)
    both = with_archive(redis, database)
    for (steps, detail), report in zip(asked(), expected, strict=True):
        assert await made(both, steps, detail) == report, (steps, detail)
    rolled = both.rolled(asked()[0][0], range(9), with_read=False)
    assert rolled is not None
    assert {*range(today() - 6, today() - 1)} <= rolled.days


async def test_a_report_is_the_same_after_redis_lost_everything(redis: Redis, database: Database) -> None:
    expected = (await studio(redis, 3, with_reports=True)).reports
    await archive_once(OneNode(redis), database)
    await redis.flushall()
    for retention_days in (SHORT_DAYS, RETENTION_DAYS):
        assert [await made(with_archive(redis, database, retention_days), *one) for one in asked()] == expected


async def test_an_explanation_of_days_that_redis_no_longer_keeps_is_read_from_the_archive(redis: Redis, database: Database) -> None:
    """The lines and sums are the same as from Redis."""
    readings = (await studio(redis, 5)).readings
    await archive_once(OneNode(redis), database)
    feed, span = Feed("blue", readings[0].platform), Span(1000 * (today() - 8) * DAY_SECONDS, 1000 * (today() - 3) * DAY_SECONDS)
    expected, found = [
        await Explanations(Analytics(source), 60).make(feed, span, lambda _price: None)
        for source in (redis_days(redis), with_archive(redis, database))
    ]
    assert expected.earned > 0
    assert found == expected


async def test_the_chart_of_a_room_has_no_seam_between_redis_and_the_archive(redis: Redis, database: Database) -> None:
    """Points of days that Redis no longer keeps, of days that it lost and of today are those of a Redis that has kept everything."""
    readings = (await studio(redis, 6)).readings
    await archive_once(OneNode(redis), database)
    charts = [
        ((today() - 8) * DAY_SECONDS, int(time.time()), 60),
        ((today() - 7) * DAY_SECONDS + 4321, (today() - 4) * DAY_SECONDS + 5000, 300),
        ((today() - SHORT_DAYS - 1) * DAY_SECONDS, (today() - 1) * DAY_SECONDS, 3600),
        ((today() - 400) * DAY_SECONDS, (today() - 60) * DAY_SECONDS, 3600),
    ]
    rooms = [("blue", "camsoda"), ("red", "camsoda"), ("unknown", "camsoda")]

    async def drawn(archive: ArchivedDays | None, charged: list[float]) -> list[Any]:
        """All charts; from Redis alone without an archive."""
        days = SHORT_DAYS if archive else RETENTION_DAYS
        history = History(OneNode(redis), 1, step_seconds=60, retention_days=days, older=archive)
        return [await history.points(*room, ChartSpan(*chart), charged.append) for chart in charts for room in rooms]

    prices: tuple[list[float], ...] = ([], [], [])
    expected = await drawn(None, prices[0])
    assert len(expected[0]) > 200
    assert await drawn(with_archive(redis, database), prices[1]) == expected
    assert sum(prices[1]) > sum(prices[0])
    await redis.flushall()
    await commit(redis, *readings[:5])  # Redis has a few minutes of a day again
    for retention_days in (SHORT_DAYS, RETENTION_DAYS):
        assert await drawn(with_archive(redis, database, retention_days), prices[2]) == expected


async def test_a_chart_is_503_where_the_archive_is_needed_and_away(redis: Redis, database: Database) -> None:
    await studio(redis, 4)
    await archive_once(OneNode(redis), database)
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE archive_blocks RENAME TO hidden")
    history = History(OneNode(redis), 1, step_seconds=60, retention_days=SHORT_DAYS, older=with_archive(redis, database))
    assert await history.points("blue", "camsoda", ChartSpan((today() - 1) * DAY_SECONDS, today() * DAY_SECONDS, 60))
    with pytest.raises(Problem) as refused:
        await history.points("blue", "camsoda", ChartSpan((today() - 6) * DAY_SECONDS, today() * DAY_SECONDS, 60))
    assert refused.value.status == 503


async def test_a_span_whose_readings_are_no_longer_kept_is_not_explained(redis: Redis, database: Database) -> None:
    """The answer says from when on readings are kept; a chart has no points there, since they are unknown."""
    start = (today() - 6) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010), *minute_by_minute(start + DAY_SECONDS, 1020, 1030))
    await archive_once(OneNode(redis), database)
    with database.transaction() as connection:
        connection.exec_driver_sql(f"DELETE FROM archive_minutes WHERE day = {today() - 6}")
    await redis.flushall()
    both = with_archive(redis, database)
    explanations = Explanations(Analytics(both), 60)
    with pytest.raises(Problem) as refused:
        await explanations.make(Feed("blue", "camsoda"), Span(1000 * start, 1000 * (start + 3600)), lambda _price: None)
    assert refused.value.status == 422
    assert f"should not be before {day_of(start + DAY_SECONDS)}" in str(refused.value.errors)
    later = Span(1000 * (start + DAY_SECONDS), 1000 * (start + DAY_SECONDS + 3600))
    assert (await explanations.make(Feed("blue", "camsoda"), later, lambda _price: None)).earned == 10
    history = History(OneNode(redis), 1, step_seconds=60, retention_days=SHORT_DAYS, older=both)
    points = await history.points("blue", "camsoda", ChartSpan(start, start + 2 * DAY_SECONDS, 60))
    assert [point.t for point in points] == [start + DAY_SECONDS, start + DAY_SECONDS + 60]


async def test_a_day_of_which_redis_lost_a_part_is_completed_from_the_archive(redis: Redis, database: Database) -> None:
    start = (today() - 1) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010, 1020))
    await archive_once(OneNode(redis), database)
    await redis.flushall()
    await commit(redis, *minute_by_minute(start + 180, 1030, 1040, 1050, 1060))
    both = with_archive(redis, database, RETENTION_DAYS)
    assert '"total":60,' in await made(both, Steps(start, start + DAY_SECONDS, 3600))


async def test_what_is_archived_later_is_found(redis: Redis, database: Database) -> None:
    """A process that has read the archive once finds later days without reading everything again."""
    both, start = with_archive(redis, database), (today() - 6) * DAY_SECONDS
    steps = Steps(start, start + DAY_SECONDS, DAY_SECONDS)
    assert '"total":0,' in await made(both, steps)
    await commit(redis, *minute_by_minute(start, 1000, 1010), *minute_by_minute(start - 86_400, 5, 10, account="eva"))
    await archive_once(OneNode(redis), database)
    both.look_again()
    assert '"total":10,' in await made(both, steps)
    await commit(redis, *minute_by_minute(start + 120, 1015))
    await archive_once(OneNode(redis), database)
    both.look_again()
    assert '"total":15,' in await made(both, steps)


async def test_where_minutes_are_no_longer_kept_income_is_reported_by_quarters_of_an_hour(redis: Redis, database: Database) -> None:
    start = (today() - 6) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010))
    await archive_once(OneNode(redis), database)
    with database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM archive_minutes")
    both = with_archive(redis, database)
    assert '"total":10,' in await made(both, Steps(start, start + DAY_SECONDS, 900))
    with pytest.raises(Problem) as refused:
        await made(both, Steps(start + 60, start + DAY_SECONDS, 900))
    assert refused.value.status == 422
    assert "quarter of an hour" in str(refused.value.errors)


async def test_recent_spans_are_answered_while_the_archive_is_away_and_others_are_not(redis: Redis, database: Database) -> None:
    await studio(redis, 4)
    await archive_once(OneNode(redis), database)
    both = with_archive(redis, database)
    old, recent = asked()[0][0], Steps((today() - 1) * DAY_SECONDS, int(time.time()) // 60 * 60, 3600)
    expected = await made(both, recent)
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE archive_blocks RENAME TO hidden")
    both.look_again()
    assert await made(both, recent) == expected
    with pytest.raises(Problem) as refused:
        await made(both, old)
    assert refused.value.status == 503
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO archive_blocks")
    assert await made(both, old)


def damage(database: Database, table: str, column: str, where: str) -> None:
    """Overwrites a column of some rows with bytes that cannot be read."""
    with database.transaction() as connection:
        found = connection.execute(text(f"UPDATE {table} SET {column} = :bytes WHERE {where}"), {"bytes": b"\x01damaged"})
        assert found.rowcount == 1


async def test_a_damaged_day_is_named_and_the_report_has_all_others(redis: Redis, database: Database) -> None:
    """It is unknown, never 0: in JSON by name, in files as a line without figures."""
    first = (today() - 6) * DAY_SECONDS
    await commit(redis, *minute_by_minute(first, 1000, 1010), *minute_by_minute(first + DAY_SECONDS, 1020, 1050))
    await commit(redis, *minute_by_minute(first, 10, 15, room="green", account="eva"))
    await archive_once(OneNode(redis), database)
    damage(database, "archive_minutes", "packed", f"day = {today() - 6} AND series_id = 1")
    named = f'"damaged":[{{"day":"{day_of(first)}","room_id":"blue","platform":"camsoda","account":"ana"}}]'
    uneven = Steps(first + 60, first + 2 * DAY_SECONDS, 420)  # from minutes alone
    assert '"total":35,' in (report := await made(with_archive(redis, database), uneven))
    assert named in report
    await redis.flushall()
    both = with_archive(redis, database, RETENTION_DAYS)
    assert '"total":35,' in (report := await made(both, Steps(first, first + 2 * DAY_SECONDS, DAY_SECONDS)))
    assert named in report
    lines = (await made(both, Steps(first, first + 2 * DAY_SECONDS, 3600), Detail.CSV)).splitlines()
    assert lines[-1] == f"{day_of(first)}T00:00:00Z,blue,camsoda,,ana,,,,,,,"
    assert "damaged" not in await made(both, Steps(first + DAY_SECONDS, first + 2 * DAY_SECONDS, DAY_SECONDS))
    tally, _ = await Analytics(both).make(Wanted(Scope.of(["green"]), uneven, Detail.NONE), lambda _price: None)
    assert tally.damaged == []  # other rooms are not named


async def test_a_damaged_block_is_named_by_the_days_that_it_has(redis: Redis, database: Database) -> None:
    first = (today() - 6) * DAY_SECONDS
    await commit(redis, *minute_by_minute(first, 1000, 1010), *minute_by_minute(first, 10, 15, room="green", account="eva"))
    await archive_once(OneNode(redis), database)
    steps = Steps(first, first + 2 * DAY_SECONDS, DAY_SECONDS)
    assert '"total":15,' in await made(with_archive(redis, database), steps)
    for column in ("minutes", "gained"):
        damage(database, "archive_blocks", column, "series_id = 1")
        assert '"total":5,' in (report := await made(with_archive(redis, database), steps))
        assert f'"damaged":[{{"day":"{day_of(first)}","room_id":"blue","platform":"camsoda","account":"ana"}}]' in report


async def test_a_day_whose_income_is_damaged_is_named_also_where_its_minutes_are_no_longer_kept(redis: Redis, database: Database) -> None:
    """Blocks are made of the days that can be read; reports name the others, and count them once."""
    first = (today() - 6) * DAY_SECONDS
    await commit(redis, *minute_by_minute(first, 1000, 1010), *minute_by_minute(first + DAY_SECONDS, 1020, 1050))
    await commit(redis, *minute_by_minute(first, 10, 15, room="green", account="eva"))
    await archive_once(OneNode(redis), database)
    damage(database, "archive_days", "gained", f"day = {today() - 6} AND series_id = 1")
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM archive_minutes"))
        connection.execute(text("UPDATE archive_state SET rolled_changes = 0"))
    await redis.flushall()
    job, fence = archive_job(OneNode(redis), database), Fence(lease_of())
    await job.prepare(fence)
    await job.roll(fence, int(time.time()))
    both = with_archive(redis, database)
    named = f'"damaged":[{{"day":"{day_of(first)}","room_id":"blue","platform":"camsoda","account":"ana"}}]'
    for _ in range(2):
        assert '"total":45,' in (report := await made(both, Steps(first, first + 2 * DAY_SECONDS, DAY_SECONDS)))
        assert named in report
        assert REGISTRY.get_sample_value("pulse_archive_damaged_days") == 1
    assert "damaged" not in await made(both, Steps(first + DAY_SECONDS, first + 2 * DAY_SECONDS, DAY_SECONDS))
    lines = (await made(both, Steps(first, first + 2 * DAY_SECONDS, DAY_SECONDS), Detail.CSV)).splitlines()
    assert lines[-1] == f"{day_of(first)}T00:00:00Z,blue,camsoda,,ana,,,,,,,"


async def test_a_block_whose_sums_fall_is_damaged(redis: Redis, database: Database) -> None:
    """Its length is right and its numbers are not: it is named, and the report has all others."""
    first = (today() - 6) * DAY_SECONDS
    await commit(redis, *minute_by_minute(first, 1000, 1010), *minute_by_minute(first, 10, 15, room="green", account="eva"))
    await archive_once(OneNode(redis), database)
    steps = Steps(first, first + 2 * DAY_SECONDS, DAY_SECONDS)
    falling = array("I", range(BLOCK_QUARTERS, 0, -1))
    huge = array("Q", (quarter << 50 for quarter in range(BLOCK_QUARTERS)))
    for sums in (falling, huge):
        sums.byteswap()  # as stored, on the machines that run tests
        with database.transaction() as connection:
            connection.execute(blocks.update().where(blocks.c.series_id == 1).values(gained=sums.tobytes()))
        assert '"total":5,' in (report := await made(with_archive(redis, database), steps))
        assert f'"damaged":[{{"day":"{day_of(first)}","room_id":"blue"' in report


async def test_damaged_readings_are_not_explained_and_leave_a_gap_in_the_chart(redis: Redis, database: Database) -> None:
    start = (today() - 6) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010), *minute_by_minute(start + DAY_SECONDS, 1020, 1030))
    await archive_once(OneNode(redis), database)
    damage(database, "archive_minutes", "packed", f"day = {today() - 6}")
    await redis.flushall()
    both = with_archive(redis, database)
    explanations = Explanations(Analytics(both), 60)
    with pytest.raises(Problem) as refused:
        await explanations.make(Feed("blue", "camsoda"), Span(1000 * start, 1000 * (start + 3600)), lambda _price: None)
    assert refused.value.status == 422
    assert f"{day_of(start)}, of which the archive's readings are damaged" in str(refused.value.errors)
    later = Span(1000 * (start + DAY_SECONDS), 1000 * (start + DAY_SECONDS + 3600))
    assert (await explanations.make(Feed("blue", "camsoda"), later, lambda _price: None)).earned == 10
    history = History(OneNode(redis), 1, step_seconds=60, retention_days=SHORT_DAYS, older=both)
    points = await history.points("blue", "camsoda", ChartSpan(start, start + 2 * DAY_SECONDS, 60))
    assert [point.t for point in points] == [start + DAY_SECONDS, start + DAY_SECONDS + 60]
