"""The archive on SQLite and PostgreSQL: generated studios with a known truth, losses of Redis, and repeated copies."""

import io
import random
import time
import types
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import event, func, select

from ingest_service.writer import ShardWriter, WriterOptions
from shared.archive.blocks import BLOCK_DAYS, Block, DayParts, block_of, build
from shared.archive.database import Database
from shared.archive.store import series_ids, stored_days
from shared.archive.tables import blocks, days, minutes
from shared.contract import keys
from shared.contract.history_day import day_balances, kept_balances
from shared.contract.history_record import DAY_SECONDS
from shared.contract.readings import Reading
from shared.income.steps import Steps
from tests.contract.committing import NO_LIMITS, OneNode, at_work, commit
from tests.contract.test_income import report_of
from tests.support.archiving import MINUTES_DAYS, RETENTION_DAYS, STEP, archive_job, archive_once, lease_of, minute_by_minute, today
from tests.support.generated import generate
from worker_service.archive.backup import back_up, restore
from worker_service.archive.plan import UNROLLED_DAYS
from worker_service.archive.redis_history import RedisHistory
from worker_service.archive.writer import Fence
from worker_service.lease import FencedOff, LeaseLost

pytestmark = pytest.mark.anyio
LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")


def rows(database: Database) -> dict[tuple[int, int], Any]:
    """The rows of income by series and day, without the number of the transaction."""
    with database.transaction() as connection:
        found = connection.execute(select(days).order_by(days.c.day, days.c.series_id)).mappings().all()
        assert blocks_of(connection.execute(select(blocks)).mappings().all()) == blocks_of_days(found)
        return {(row["series_id"], row["day"]): {key: value for key, value in row.items() if key != "changed"} for row in found}


def blocks_of(found: Sequence[Any]) -> dict[tuple[int, int], tuple[Any, ...]]:
    """The blocks by series and number."""
    return {(row["series_id"], row["block"]): tuple(row[name] for name in Block._fields) for row in found}


def blocks_of_days(found: Sequence[Any]) -> dict[tuple[int, int], tuple[Any, ...]]:
    """The blocks that the days should have: all but the newest ones."""
    days_of: dict[tuple[int, int], dict[int, DayParts]] = {}
    for row in found:
        if row["day"] <= today() - UNROLLED_DAYS:
            key = row["series_id"], block_of(row["day"])
            days_of.setdefault(key, {})[row["day"] % BLOCK_DAYS] = DayParts(*(row[name] for name in DayParts._fields))
    return {key: tuple(build(of_block)) for key, of_block in days_of.items()}


def balances(database: Database) -> dict[tuple[str, int], list[Any]]:
    """Every balance that the archive has, by series and day."""
    with database.transaction() as connection:
        ids = series_ids(connection)
        wanted = connection.execute(select(minutes.c.day).distinct()).scalars().all()
        found = stored_days(connection, [*ids.values()], wanted, STEP)
    names = {number: one.member() for one, number in ids.items()}
    return {
        (names[number], day): kept_balances(day_balances(stored, STEP), range(DAY_SECONDS // STEP), STEP)
        for (number, day), stored in found.items()
    }


@pytest.mark.parametrize("seed", range(3))
async def test_the_archive_is_true_of_a_generated_studio(redis: Redis, database: Database, seed: int) -> None:
    """Archived income is at most the truth, the truth at most income and unsettled, and both are what the report says."""
    start = (today() - 1) * DAY_SECONDS - 2 * 3600  # across midnight
    story = generate(seed, start)
    readings = sorted(story.readings, key=lambda reading: reading.sequence)
    cut = random.Random(seed).randrange(len(readings))
    for some in (readings[:cut], readings[cut:]):  # a copy in the middle, as at work
        for first in range(0, len(some), 1000):
            await commit(redis, *some[first : first + 1000])
        await archive_once(OneNode(redis), database)
    report = await report_of(redis, Steps(start, start + 4 * 3600, 3600))
    with database.transaction() as connection:
        accounts = {number: one.account for one, number in series_ids(connection).items()}
    earned, unsettled, on_air = Counter[str](), Counter[str](), Counter[str]()
    for (number, _), row in rows(database).items():
        earned[accounts[number]] += row["earned"]
        unsettled[accounts[number]] += row["unsettled"]
        on_air[accounts[number]] += row["on_air_seconds"]
    for row in report.accounts:
        assert row.account is not None
        true = story.truth[row.account].seen
        assert earned[row.account] <= true <= earned[row.account] + unsettled[row.account]
        assert (row.earned, row.unsettled, row.on_air_seconds) == (earned[row.account], unsettled[row.account], on_air[row.account])


async def test_a_repeated_copy_changes_nothing(redis: Redis, database: Database) -> None:
    start = (today() - 1) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010, 1050, 0, 30))
    await archive_once(OneNode(redis), database)
    before = rows(database), balances(database)
    await archive_once(OneNode(redis), database)
    assert (rows(database), balances(database)) == before


async def test_what_redis_lost_stays_archived_and_what_comes_later_is_added(redis: Redis, database: Database) -> None:
    """Redis is emptied in the middle of a day, so it has neither the days before nor the first part of this one."""
    start = (today() - 1) * DAY_SECONDS
    morning = [*minute_by_minute(start - 600, 1000, 1010, 1020), *minute_by_minute(start, 1100, 1110, 1120)]
    await commit(redis, *morning)
    await archive_once(OneNode(redis), database)
    before = rows(database)
    await redis.flushall()
    await archive_once(OneNode(redis), database)
    assert rows(database) == before
    await commit(redis, *minute_by_minute(start + 120, 1130, 1200))  # the first one in the minute of the last archived one
    await archive_once(OneNode(redis), database)
    found = balances(database)
    assert [one.tokens for one in found["blue:camsoda:ana", today() - 2]] == [1000, 1010, 1020]
    assert {one.tokens for one in found["blue:camsoda:ana", today() - 1]} == {1100, 1110, 1120, 1130, 1200}
    assert sum(row["earned"] for row in rows(database).values()) == 200


async def test_a_late_reading_changes_the_income_of_its_day_and_of_the_next_one(redis: Redis, database: Database) -> None:
    """What an outbox delivers hours later is found when the day is read again."""
    start = (today() - 2) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start + 80_000, 1000, 1010), *minute_by_minute(start + DAY_SECONDS + 60, 1500, 1510))
    await archive_once(OneNode(redis), database)
    assert [(row["earned"], row["between_sessions"]) for row in rows(database).values()] == [(10, 0), (500, 490)]
    await commit(redis, *minute_by_minute(start + DAY_SECONDS - 60, 1400))
    await archive_once(OneNode(redis), database)
    assert [(row["earned"], row["between_sessions"]) for row in rows(database).values()] == [(400, 390), (110, 0)]


async def test_a_reading_that_only_the_next_day_decides_is_corrected_when_that_is_copied(redis: Redis, database: Database) -> None:
    start = (today() - 2) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start + 80_000, 1000, 9000))
    await archive_once(OneNode(redis), database)
    assert [(row["earned"], row["unsettled"]) for row in rows(database).values()] == [(0, 8000)]
    await commit(redis, *minute_by_minute(start + DAY_SECONDS + 80_000, 9000, 9010))
    await archive_once(OneNode(redis), database)
    assert [(row["earned"], row["unsettled"]) for row in rows(database).values()] == [(8000, 0), (10, 0)]


async def test_a_day_of_which_one_shard_alone_has_readings_is_copied(redis: Redis, database: Database) -> None:
    """The days without any are recorded together, and each of them as copied."""
    written = [(today() - 9, 0), (today() - 5, 1), (today() - 2, 2), (today() - 2, 0)]
    for day, shard in written:
        options = WriterOptions(RETENTION_DAYS * DAY_SECONDS, STEP, retention_days=RETENTION_DAYS, limits=NO_LIMITS)
        async with at_work(ShardWriter(OneNode(redis), shard, options)) as writer:
            await writer.submit(minute_by_minute(day * DAY_SECONDS, 5, 9, account="", room=f"room-{shard}"), "token")
    job, fence = archive_job(OneNode(redis), database, shards=3), Fence(lease_of())
    await job.prepare(fence)
    wanted = range(today() - RETENTION_DAYS, today() + 1)
    await job.copy(fence, wanted)
    ids = {f"room-{shard}": shard for shard in range(3)}
    with database.transaction() as connection:
        names = {number: ids[one.room_id] for one, number in series_ids(connection).items()}
        found = connection.execute(select(days.c.day, days.c.series_id)).all()
    assert sorted((day, names[number]) for day, number in found) == sorted(written)
    passes = job.writer.passes()
    assert sorted(passes) == [*wanted]
    assert {one.is_final for day, one in passes.items() if day < today()} == {False}


async def test_a_day_whose_names_cannot_be_read_is_not_taken_for_empty(redis: Redis) -> None:
    """An error does not show that there are none; here the set is damaged."""
    days_before = [today() - 4, today() - 3]
    await redis.set(keys.history_feeds(1, keys.day_of(days_before[0] * DAY_SECONDS)), "no set")
    assert await RedisHistory(OneNode(redis), 2, STEP).empty(days_before) == {days_before[1]}


async def test_a_reading_that_time_alone_confirms_is_corrected_although_no_reading_follows(
    redis: Redis, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy within half a minute of a leap has it as unsettled; a room that is silent from then on changes nothing in Redis."""
    passed, now = 0, int(time.time())
    moments = [(now - 20, 1000), (now - 15, 9000), (now - 10, 9003)]
    await commit(redis, *(Reading("blue", "camsoda", at, tokens, 1000 * at, account="ana") for at, tokens in moments))
    clock = types.SimpleNamespace(time=lambda: time.time() + passed, time_ns=lambda: time.time_ns() + 10**9 * passed)
    for module in ("job", "writer"):
        monkeypatch.setattr(f"worker_service.archive.{module}.time", clock)
    job, fence = archive_job(OneNode(redis), database), Fence(lease_of())
    await job.prepare(fence)
    copies = []
    for later in (0, 60, 180, 300):
        passed = later
        for day in {at // DAY_SECONDS for at, _ in moments}:
            await job.copy_day(fence, day)
        with database.transaction() as connection:
            found = connection.execute(select(func.sum(days.c.earned), func.sum(days.c.unsettled), func.max(days.c.changed))).one()
        copies.append([int(value) for value in found])
    first, second, third, fourth = copies
    assert first == second
    assert first[:2] == [0, 8003]
    assert third[:2] == [8003, 0]
    assert third == fourth  # once


@pytest.mark.parametrize("wrong_by", [-2 * DAY_SECONDS, 2 * DAY_SECONDS])
async def test_a_worker_whose_clock_was_wrong_archives_everything_once_it_is_right(
    redis: Redis, database: Database, monkeypatch: pytest.MonkeyPatch, wrong_by: int
) -> None:
    """Days that were copied in the future are copied again, and none is final too early."""
    offset, start = wrong_by, (today() - 3) * DAY_SECONDS
    clock = types.SimpleNamespace(time=lambda: time.time() + offset, time_ns=lambda: time.time_ns() + 10**9 * offset)
    for module in ("job", "writer"):
        monkeypatch.setattr(f"worker_service.archive.{module}.time", clock)
    job, fence = archive_job(OneNode(redis), database), Fence(lease_of())
    await job.prepare(fence)
    await commit(redis, *minute_by_minute(start, 1000, 1010), *minute_by_minute(start + 2 * DAY_SECONDS, 1020, 1030))
    await job.copy_due(fence)
    offset = 0
    await commit(redis, *minute_by_minute(start + 600, 1011, 1012), *minute_by_minute(start + 2 * DAY_SECONDS + 600, 1031, 1040))
    await job.copy_due(fence)
    with database.transaction() as connection:
        found = connection.execute(select(days.c.day, days.c.earned).order_by(days.c.day)).all()
    assert [(day - today(), earned) for day, earned in found] == [(-3, 12), (-1, 28)]
    passes = job.writer.passes()
    assert all(copied_at <= time.time() for day, (copied_at, _) in passes.items() if day <= today())
    assert not any(is_final for day, (_, is_final) in passes.items() if day > today() - RETENTION_DAYS)


async def test_a_holder_with_a_smaller_token_or_an_ended_lease_writes_nothing(redis: Redis, database: Database) -> None:
    """A holder that was suspended before or within a transaction is refused by the database or by its own clock."""
    start = (today() - 1) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010))
    await archive_once(OneNode(redis), database, token=7)
    await commit(redis, *minute_by_minute(start + 600, 1100, 1110))
    before = rows(database), balances(database)
    suspended = archive_job(OneNode(redis), database)
    with pytest.raises(FencedOff) as refused:
        await suspended.copy_day(Fence(lease_of(6)), today() - 1)
    assert refused.value.highest == 7
    with pytest.raises(LeaseLost):
        await suspended.copy_day(Fence(lease_of(8, term_seconds=-1)), today() - 1)
    assert (rows(database), balances(database)) == before
    await suspended.copy_day(Fence(lease_of(7)), today() - 1)
    assert sum(row["earned"] for row in rows(database).values()) == 110


async def test_a_transaction_whose_lease_ends_before_its_end_is_rolled_back(redis: Redis, database: Database) -> None:
    start = (today() - 1) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010))
    lease = lease_of(3)

    class Suspended(Fence):
        """A holder that is suspended for longer than its lease, right before the end of its transaction."""

        def check(self) -> None:
            lease.end()
            super().check()

    with pytest.raises(LeaseLost):
        await archive_job(OneNode(redis), database).copy_day(Suspended(lease), today() - 1)
    assert rows(database) == {}


async def test_a_damaged_member_and_a_damaged_day_do_not_stop_the_others(redis: Redis, database: Database) -> None:
    start = (today() - 1) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010), *minute_by_minute(start, 50, 60, room="green", account="eva"))
    await archive_once(OneNode(redis), database)
    with database.transaction() as connection:
        connection.execute(minutes.update().where(minutes.c.series_id == 1).values(packed=b"\x01damaged"))
    await redis.sadd(keys.history_feeds(0, keys.day_of(start)), "x" * 200, "blue", b"\xff:camsoda")
    await commit(redis, *minute_by_minute(start + 600, 1100, 1110), *minute_by_minute(start + 600, 70, 80, room="green", account="eva"))
    await archive_once(OneNode(redis), database)
    assert sorted(row["earned"] for row in rows(database).values()) == [10, 30]


async def test_a_day_whose_income_is_damaged_does_not_stop_the_blocks_of_the_others(redis: Redis, database: Database) -> None:
    start = (today() - 3) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010), *minute_by_minute(start, 50, 60, room="green", account="eva"))
    job, fence = archive_job(OneNode(redis), database), Fence(lease_of())
    await job.prepare(fence)
    for day in range(today() - 36, today() + 1):
        await job.copy_day(fence, day)
    with database.transaction() as connection:
        connection.execute(days.update().where(days.c.series_id == 1).values(odd=b"damaged"))
    await job.roll(fence, int(time.time()))
    with database.transaction() as connection:
        masks = connection.execute(select(blocks.c.days, blocks.c.damaged).order_by(blocks.c.series_id)).all()
    assert [(sound.bit_count(), damaged.bit_count()) for sound, damaged in masks] == [(0, 1), (1, 0)]


async def test_a_clock_that_is_far_ahead_deletes_no_minutes(redis: Redis, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleted minutes do not come back, so the clock of Redis has to agree."""
    ahead, kept, old = 500 * DAY_SECONDS, today() - MINUTES_DAYS + 1, today() - MINUTES_DAYS - 1
    clock = types.SimpleNamespace(time=lambda: time.time() + ahead, time_ns=time.time_ns)
    for module in ("job", "writer"):
        monkeypatch.setattr(f"worker_service.archive.{module}.time", clock)
    await commit(redis, *minute_by_minute((today() - 1) * DAY_SECONDS, 1000, 1010))
    await archive_once(OneNode(redis), database)
    with database.transaction() as connection:
        row = dict(connection.execute(select(minutes)).mappings().one())
        connection.execute(minutes.insert(), [row | {"day": day} for day in (kept, old)])
    job, fence = archive_job(OneNode(redis), database), Fence(lease_of(time.time_ns() // 1000))
    await job.prepare(fence)
    await job.copy_due(fence)
    assert {day for _, day in balances(database)} == {kept, today() - 1}


async def test_no_transaction_of_a_suspended_worker_can_last_on_postgresql(redis: Redis, database: Database) -> None:
    """The server ends one that waits for its client, unless the client has sent a part of a pipeline: so none is sent."""
    pipelines: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def watch(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool) -> None:  # noqa: FBT001
        """Keeps statements that are sent with more than one set of parameters."""
        if executemany and isinstance(parameters, list):
            pipelines.append(statement)

    start = (today() - 3) * DAY_SECONDS
    for room in ("blue", "green", "red"):
        await commit(redis, *minute_by_minute(start, 1000, 1010, room=room, account=room))
    await archive_once(OneNode(redis), database)
    file = io.BytesIO()
    back_up(database, file)
    for table in (days, minutes):
        for _ in range(2):  # into one with history, then into an empty one
            with database.transaction() as connection:
                connection.execute(table.delete())
            restore(database, lambda: io.BytesIO(file.getvalue()))
    assert len(rows(database)) == 3
    assert bool(pipelines) is database.url.is_sqlite
    with database.transaction() as connection:
        if not database.url.is_sqlite:
            limits = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in LIMITS]
            assert limits == ["30s", "30s", "5s"]


async def test_minutes_are_deleted_after_their_time_and_income_is_not(redis: Redis, database: Database) -> None:
    start = (today() - 2) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010), *minute_by_minute(start + DAY_SECONDS, 1020, 1040))
    await archive_once(OneNode(redis), database)
    job = archive_job(OneNode(redis), database)
    assert job.writer.drop_minutes(Fence(lease_of()), today() - 1, 100) == 1
    assert {day for _, day in balances(database)} == {today() - 1}
    assert sum(row["earned"] for row in rows(database).values()) == 40
