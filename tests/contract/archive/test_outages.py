"""The archive when its database, disk or schema is not as it should be: nothing is lost or half done, and errors say what to do."""

import asyncio
import contextlib
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import time
import types
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from redis.asyncio import Redis
from sqlalchemy import event, func, select, text

from shared.archive.database import ArchiveError, ArchiveMisconfigured, ArchiveUnavailable, Database, WrongSchema
from shared.archive.tables import days, metadata, minutes, series
from shared.contract.history_record import DAY_SECONDS
from shared.store.database_url import DatabaseUrl
from tests.contract.committing import OneNode, commit
from tests.support.archiving import archive_job, archive_once, lease_of, minute_by_minute, new_archive, today
from tests.support.postgres import PostgresServer
from tools.processes import ROOT
from worker_service.archive.job import ArchiveJob, lag
from worker_service.archive.schema import migrate, upgrade
from worker_service.lease import seconds

pytestmark = pytest.mark.anyio
WITHIN_SECONDS = 60.0  # on a busy machine


@contextlib.asynccontextmanager
async def at_work(job: ArchiveJob, token: int = 1) -> AsyncIterator[ArchiveJob]:
    """The job with its task running."""
    task = asyncio.create_task(job.run(lease_of(token)))
    try:
        yield job
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.2)


async def wait_for(condition: Callable[[], object]) -> None:
    """Waits until a function of no arguments gives true."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while not condition():
            await asyncio.sleep(0.05)


def counts(opened: Database) -> tuple[int, int]:
    """The numbers of rows with minutes and with income."""
    with opened.transaction() as connection:
        first, second = (connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (minutes, days))
    return first, second


def seconds_behind() -> float:
    """The metric."""
    return next(sample.value for metric in lag.collect() for sample in metric.samples)


@pytest.mark.parametrize("how", ["crash", "shutdown"])
async def test_a_database_that_is_away_for_an_hour_is_reported_and_nothing_is_lost_or_twice(
    server: PostgresServer, redis: Redis, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A real server ends and starts again; the hour passes on the job's clocks."""
    monkeypatch.setattr("worker_service.archive.job.POLL_SECONDS", 0.1)
    passed = 0
    clock = types.SimpleNamespace(time=lambda: time.time() + passed)
    monkeypatch.setattr("worker_service.archive.job.time", clock)
    monkeypatch.setattr("worker_service.archive.job.seconds", lambda: seconds() + passed)
    opened, start = new_archive(server.new_database()), (today() - 1) * DAY_SECONDS
    await commit(redis, *minute_by_minute(start, 1000, 1010))
    job = archive_job(OneNode(redis), opened)
    async with at_work(job):
        await wait_for(lambda: counts(opened) == (1, 1) and seconds_behind() < 60)
        if how == "crash":
            server.kill()
        else:
            server.signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            server.wait(60)
        passed = 3600
        await wait_for(lambda: job.trouble)
        (behind,) = job.unready()
        assert re.match(
            r"the archive is 6[0-9] minutes behind: .*: (nothing listens there|the connection was lost|the server is shutting down)", behind
        ), behind
        assert seconds_behind() >= 3600  # ArchiveBehind fires after 30 minutes
        await commit(redis, *minute_by_minute(start + 600, 1020, 1030), *minute_by_minute(start, 5, 6, room="green", account="eva"))
        server.start()
        await wait_for(lambda: not job.trouble and counts(opened) == (2, 2))
        assert job.unready() == []
    await archive_once(OneNode(redis), opened)
    assert counts(opened) == (2, 2)
    with opened.transaction() as connection:
        assert connection.execute(select(func.sum(days.c.earned))).scalar() == 30 + 1
    opened.close()


async def test_a_full_disk_leaves_no_half_copy_and_the_copy_goes_on_when_there_is_space(tmp_path: pathlib.Path, redis: Redis) -> None:
    opened = new_archive(f"sqlite:///{tmp_path}/archive.db")
    limit = 2**30
    opened.close()

    @event.listens_for(opened.engine, "connect")
    def set_limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={limit}")

    with opened.transaction() as connection:
        limit = int(connection.execute(text("PRAGMA page_count")).scalar_one()) + 4
    opened.close()
    start = (today() - 1) * DAY_SECONDS
    for room in range(40):
        await commit(redis, *minute_by_minute(start, *range(1000, 4000, 7)[:200], room=f"room-{room}", account=f"a{room}"))
    with pytest.raises(ArchiveUnavailable, match="disk is full: make space"):
        await archive_once(OneNode(redis), opened)
    assert counts(opened) == (0, 0)
    limit = 2**30
    opened.close()
    await archive_once(OneNode(redis), opened)
    assert counts(opened) == (40, 40)
    opened.close()


async def test_a_write_lock_of_a_suspended_worker_is_named_and_the_copy_goes_on_when_it_is_free(
    tmp_path: pathlib.Path, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is stopped within a transaction keeps SQLite's lock, also without its lease."""
    monkeypatch.setattr("shared.archive.database.BUSY_SECONDS", 0.1)
    opened = new_archive(f"sqlite:///{tmp_path}/archive.db")
    await commit(redis, *minute_by_minute((today() - 1) * DAY_SECONDS, 1000, 1010))
    job = archive_job(OneNode(redis), opened)
    with contextlib.closing(sqlite3.connect(tmp_path / "archive.db", isolation_level=None)) as suspended:
        suspended.execute("BEGIN IMMEDIATE")
        async with at_work(job, token=2):
            await wait_for(lambda: job.trouble)
            assert "holds its write lock for too long: continue or end a suspended worker" in job.trouble
            assert counts(opened) == (0, 0)
            suspended.execute("ROLLBACK")
            await wait_for(lambda: not job.trouble and counts(opened) == (1, 1))
    opened.close()


async def test_migrations_go_up_and_down_with_data(database: Database, redis: Redis) -> None:
    await commit(redis, *minute_by_minute((today() - 1) * DAY_SECONDS, 1000, 1010))
    await archive_once(OneNode(redis), database)
    assert not upgrade(database)
    migrate(database, "base")
    assert database.revision() is None
    with pytest.raises(WrongSchema, match="python -m worker_service migrate"):
        database.check()
    assert upgrade(database)
    database.check()
    await archive_once(OneNode(redis), database)
    assert counts(database) == (1, 1)


async def test_a_step_down_and_up_again_keeps_every_row_and_makes_the_blocks_anew(database: Database, redis: Redis) -> None:
    """An older version refuses neither its own schema nor the rows; a newer one finds them as they were."""
    await commit(redis, *minute_by_minute((today() - 3) * DAY_SECONDS, 1000, 1010))
    await archive_once(OneNode(redis), database)
    before = rows_of(database)
    migrate(database, "0001")
    assert database.revision() == "0001"
    assert [{**row, "damaged": 0} for row in rows_of(database)["archive_blocks"]] == before["archive_blocks"]
    with pytest.raises(WrongSchema, match="schema 0001 of an older version"):
        database.check()
    assert upgrade(database)
    assert rows_of(database) == before
    await archive_once(OneNode(redis), database)
    after = rows_of(database)
    assert after["archive_blocks"][0]["changed"] > before["archive_blocks"][0]["changed"]
    for row in (row for found in (before, after) for rows in found.values() for row in rows):
        row.pop("changed", None)
    assert after == before


def rows_of(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of history, with any columns."""
    names = ("archive_minutes", "archive_days", "archive_blocks")
    with database.transaction() as connection:
        return {name: [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()] for name in names}


def test_the_migrations_create_what_the_queries_expect(database: Database) -> None:
    """Tables, columns, types, keys and indexes are those of the declared schema."""
    with database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "archive_version", "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_failed_migration_leaves_nothing(database: Database) -> None:
    migrate(database, "base")
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE archive_passes (day INTEGER)"))  # the last one that the migration creates
    with pytest.raises(ArchiveError):
        upgrade(database)
    assert database.revision() is None
    with database.transaction() as connection:
        assert not connection.dialect.has_table(connection, "archive_series")


@pytest.mark.parametrize("kind", ["older", "newer"])
def test_a_schema_of_another_version_is_refused_with_what_to_do(database: Database, kind: str) -> None:
    with database.transaction() as connection:
        connection.execute(text("UPDATE archive_version SET version_num = :revision"), {"revision": "0000" if kind == "older" else "9999"})
    said = "start the worker service of this version" if kind == "older" else "install that version"
    with pytest.raises(WrongSchema, match=said):
        database.check()
    with pytest.raises(WrongSchema, match=said if kind == "newer" else "which no version has: restore a backup"):
        upgrade(database)


def failure(address: str) -> str:
    """What using a database says."""
    opened = Database(DatabaseUrl.parse(address))
    try:
        with pytest.raises(ArchiveMisconfigured) as refused:
            opened.revision()
        return str(refused.value)
    finally:
        opened.close()


def test_a_database_that_cannot_be_used_says_why_without_a_password(server: PostgresServer, tmp_path: pathlib.Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, but a text of some length" * 20)
    assert "its directory has to exist" in failure(f"sqlite:///{tmp_path}/missing/archive.db")
    assert "not a SQLite database" in failure(f"sqlite:///{tmp_path}/text.db")
    assert "no such database" in failure(server.url("nowhere"))
    wrong = failure(server.url(password="canary-of-a-password"))
    assert "refuses user or password" in wrong
    assert "canary" not in wrong
    assert "refuses user or password" in failure(server.url(user="unknown-user"))


def test_a_wrong_password_ends_the_start_of_a_worker_with_what_to_do(server: PostgresServer) -> None:
    url = server.url(password="canary-of-a-password")
    given = {"PATH": os.environ["PATH"], "REDIS_URL": "redis://127.0.0.1:1/0", "METRICS_PORT": "0", "WORKER_PORT": "0", "DATABASE_URL": url}
    command = [sys.executable, "-m", "worker_service"]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the server refuses user or password: correct DATABASE_URL" in done.stderr
    assert ("canary" in done.stderr, "Traceback" in done.stderr) == (False, False)


def test_an_unreachable_server_is_an_outage_that_names_what_to_do() -> None:
    opened = Database(DatabaseUrl.parse("postgresql+psycopg://pulse:canary@127.0.0.1:1/pulse"))
    with pytest.raises(ArchiveUnavailable, match="start the server, or correct DATABASE_URL") as refused:
        opened.revision()
    assert "canary" not in str(refused.value)
    opened.close()


def test_a_name_of_a_series_is_stored_once(database: Database) -> None:
    with database.transaction() as connection, contextlib.suppress(ArchiveError):
        connection.execute(series.insert(), [{"room_id": "blue", "platform": "camsoda", "account": ""}])
    with pytest.raises(ArchiveError), database.transaction() as connection:
        connection.execute(series.insert(), [{"room_id": "blue", "platform": "camsoda", "account": ""}])


async def test_a_holder_that_cannot_copy_is_not_ready_after_a_while(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first copy may take minutes; a standby that never ran the job has nothing to say."""
    opened = Database(DatabaseUrl.parse("postgresql+psycopg://pulse:canary@127.0.0.1:1/pulse"))
    job = archive_job(OneNode(redis), opened)
    async with at_work(job):
        await wait_for(lambda: job.trouble)
        assert job.unready() == []
        monkeypatch.setattr("worker_service.archive.job.LAG_LIMIT_SECONDS", -1)
        behind, deleted = job.unready()
        assert "start the server" in behind
        assert "canary" not in behind
        assert "Redis deletes a day that is not archived" in deleted
    assert job.unready() == []
    opened.close()
