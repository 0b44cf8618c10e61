"""The worker's archive amid failures of real processes and disks, in SQLite and PostgreSQL: nothing is lost, and nothing is there twice."""

import asyncio
import contextlib
import itertools
import json
import os
import pathlib
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from shared.store.database_url import DatabaseUrl
from shared.store.redis import RedisUrl, Store
from tests.contract.committing import commit
from tests.support.archived_rows import Archived, archived
from tests.support.archiving import minute_by_minute, new_archive
from tests.support.clients import metric
from tests.support.freezing import is_locked, is_stopped
from tests.support.postgres import PostgresServer, postgres
from tests.support.small_disk import SIZE, SmallDisk
from tools.processes import Service, free_port
from tools.stack import Stack
from tools.waiting import wait_until

pytestmark = pytest.mark.faults
FEEDS = 250
EARNED = 10  # by each
WITHIN_SECONDS = 120.0  # on a busy machine
FAILURES = 'pulse_archive_failures_total{side="database"}'


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests."""
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def stack(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Stack]:
    """A Redis, and an empty database of each kind."""
    url = f"sqlite:///{tmp_path}/archive.db" if request.param == "sqlite" else request.getfixturevalue("server").new_database()
    with Stack(tmp_path, DATABASE_URL=url) as stack:
        yield stack


def fill(stack: Stack, feeds: range, minutes: int = 3) -> None:
    """Commits readings of each feed, on yesterday's first minutes."""
    start = (int(time.time()) // 86_400 - 1) * 86_400
    tokens = [100, *itertools.repeat(103, minutes - 2), 100 + EARNED]

    async def run() -> None:
        """Commits a hundred feeds at a time."""
        async with Store(RedisUrl.parse(stack.redis_url)) as store:
            redis = store.owner("any")
            for first in range(feeds.start, feeds.stop, 20):
                some = range(first, min(first + 20, feeds.stop))
                readings = [minute_by_minute(start, *tokens, account=f"a{one}", room=f"r{one}") for one in some]
                await commit(redis, *itertools.chain.from_iterable(readings))

    asyncio.run(run())


def wait_for_all(url: str, feeds: int) -> Archived:
    """The archive once it has all feeds; each has its income once."""

    def complete() -> Archived | None:
        now = archived(url)
        return now if len(now.rows) >= feeds else None

    found = wait_until(complete, "the whole copy", seconds=WITHIN_SECONDS)
    assert len(found.rows) == found.minutes == feeds
    assert {earned for _, _, earned in found.rows} == {EARNED}
    assert is_sound(url)
    return found


def is_sound(url: str) -> bool:
    """Whether SQLite finds no damage in the file."""
    path = DatabaseUrl.parse(url).path
    if path is None:
        return True
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def ready(worker: Service) -> dict[str, str]:
    """What `/readyz` answers; empty while it does not, or is not ready."""
    try:
        answer = httpx.get(f"{worker.url}/readyz", timeout=2)
        return dict(answer.json()) if answer.status_code == 200 else {}
    except httpx.HTTPError:
        return {}


def wait_for_words(worker: Service, *words: str) -> dict[str, str]:
    """Waits until `/readyz` says what the archive waits for."""
    found = wait_until(lambda: (now := ready(worker)) and "archive" in now and now, "a reason in /readyz", seconds=WITHIN_SECONDS)
    assert all(word in found["archive"] for word in words), found
    return found


@pytest.mark.timeout(300)
def test_a_worker_that_is_killed_in_the_middle_of_a_copy_repeats_it_and_nothing_is_there_twice(stack: Stack) -> None:
    """Each transaction is there in full or not at all, and the file is sound."""
    url = stack.database_url
    fill(stack, range(FEEDS))
    worker = stack.worker()
    seen = wait_until(lambda: archived(url).rows, "a first transaction", seconds=WITHIN_SECONDS)
    worker.kill()
    partly = archived(url)
    assert len(seen) <= len(partly.rows) <= FEEDS
    assert partly.minutes == len(partly.rows)  # a transaction has both
    assert is_sound(url)
    worker.start()
    assert {*partly.rows} <= {*wait_for_all(url, FEEDS).rows}


@pytest.mark.timeout(300)
def test_a_holder_that_is_frozen_within_a_transaction_keeps_its_lock_and_writes_nothing_afterwards(stack: Stack) -> None:
    """Its successor reports the lock, and copies everything once the process goes on or PostgreSQL ends the transaction."""
    url, is_sqlite = stack.database_url, stack.database_url.startswith("sqlite")
    fill(stack, range(FEEDS))
    frozen = stack.worker()
    wait_until(lambda: archived(url).rows, "a first transaction", seconds=WITHIN_SECONDS)
    feeds = freeze_within_a_transaction(stack, frozen)
    partly = archived(url)
    try:
        successor = stack.worker()
        words = "holds its write lock" if is_sqlite else "another transaction holds a lock"
        assert wait_for_words(successor, "waits: ", words)["lease"] == "held"
        assert metric(successor.url, FAILURES) >= 1
        assert '"archive.waits"' in successor.log.read_text()
        assert archived(url) == partly
        if not is_sqlite:
            end_idle_transactions(url)
            assert wait_for_all(url, feeds).token > partly.token
    finally:
        frozen.signal(signal.SIGCONT)
    while is_sqlite and (now := archived(url)).token == partly.token:
        assert now == partly  # the transaction was rolled back
        assert successor.poll() is None
    wait_until(lambda: '"lease.lost"' in frozen.log.read_text(), "the end of the lease", seconds=WITHIN_SECONDS)
    final = wait_for_all(url, feeds)
    assert final.token > partly.token
    assert {*partly.rows} <= {*final.rows}
    wait_until(lambda: ready(frozen).get("lease") == "standby", "a standby", seconds=WITHIN_SECONDS)
    wait_until(lambda: "archive" not in ready(successor), "the end of the trouble", seconds=WITHIN_SECONDS)
    assert archived(url) == final


def freeze_within_a_transaction(stack: Stack, worker: Service) -> int:
    """Stops a worker that copies; where that was between two transactions, it goes on and is stopped again. Returns the number of feeds."""
    feeds = FEEDS
    while True:
        worker.signal(signal.SIGSTOP)
        wait_until(lambda: is_stopped(worker.pid), "the stop")
        if is_locked(stack.database_url):
            return feeds
        worker.signal(signal.SIGCONT)
        if len(archived(stack.database_url).rows) == feeds:  # the copy is over; the next one begins within a minute
            fill(stack, range(feeds, feeds + FEEDS))
            wait_until(lambda: len(archived(stack.database_url).rows) > feeds, "the next copy", seconds=WITHIN_SECONDS)  # noqa: B023
            feeds += FEEDS


def end_idle_transactions(url: str) -> None:
    """Does what the server does by itself after `idle_in_transaction_session_timeout`."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND pid != pg_backend_pid()"
        ).fetchall()
    assert ended == [(True,)]


def test_a_worker_whose_server_cannot_be_reached_starts_and_says_what_it_waits_for(tmp_path: pathlib.Path) -> None:
    with Stack(tmp_path, DATABASE_URL=f"postgresql+psycopg://pulse:canary@127.0.0.1:{free_port()}/pulse") as stack:
        worker = stack.worker()
        found = wait_for_words(worker, "waits: ", "nothing listens there: start the server, or correct DATABASE_URL")
        assert found["status"] == "ready"
        assert metric(worker.url, FAILURES) >= 1
        assert "canary" not in found["archive"] + worker.log.read_text()


class WorkerOnDisk(Service):
    """A worker whose archive is on a small disk."""

    def __init__(self, stack: Stack, disk: SmallDisk) -> None:
        port = free_port()
        own = {"TOKEN_KEYS": "", "DATABASE_URL": f"sqlite:///{disk.directory}/archive.db", "WORKER_PORT": str(port)}
        super().__init__("worker_service", stack.environment(**own), host="127.0.0.1", port=port, log=stack.directory / "worker.log")
        self._disk = disk

    def command(self) -> list[str]:
        """The command line within the disk's limits."""
        return [*self._disk.prefix(), *super().command()]

    def copy_of_archive(self) -> str:
        """The archive as it is, without the memory that its processes share; a copy taken in the middle of a write may be damaged."""
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.log.parent))
        self._disk.copy(self.pid, ["archive.db", "archive.db-wal"], directory)
        return f"sqlite:///{directory}/archive.db"


@pytest.mark.timeout(300)
def test_a_worker_whose_disk_is_full_says_so_and_goes_on_when_there_is_room(tmp_path: pathlib.Path) -> None:
    """Readings committed meanwhile wait in Redis."""
    disk = SmallDisk(tmp_path / "disk", free_bytes=300_000)
    with Stack(tmp_path) as stack:
        fill(stack, range(FEEDS), minutes=40)
        worker = WorkerOnDisk(stack, disk)
        stack.services.append(worker)
        worker.start()
        wait_for_words(worker, "waits: ", "the disk", "full")
        assert metric(worker.url, FAILURES) >= 1
        log = [json.loads(line) for line in worker.log.read_text().splitlines() if line.startswith("{")]
        assert "full" in next(entry["reason"] for entry in log if entry["event"] == "archive.waits")
        partly = archived(worker.copy_of_archive())
        assert partly.minutes == len(partly.rows) < FEEDS
        fill(stack, range(FEEDS, FEEDS + 20))
        disk.make_room(worker.pid)

        def complete() -> str | None:
            """A copy of the archive once it has all feeds."""
            url = worker.copy_of_archive()
            return url if len(archived(url).rows) == FEEDS + 20 else None

        final = wait_for_all(wait_until(complete, "the whole copy", seconds=WITHIN_SECONDS, poll_seconds=0.5), FEEDS + 20)
        assert {*partly.rows} <= {*final.rows}
        wait_until(lambda: "archive" not in ready(worker), "the end of the trouble", seconds=WITHIN_SECONDS)
        assert '"archive.recovered"' in worker.log.read_text()
        assert worker.poll() is None


@pytest.mark.timeout(300)
def test_a_worker_whose_servers_disk_is_full_says_so_and_goes_on_when_there_is_room(tmp_path: pathlib.Path) -> None:
    """The data of PostgreSQL are on a disk of their own, as in production; readings committed meanwhile wait in Redis."""
    with tempfile.TemporaryDirectory(prefix="pulse-disk-") as name:
        pathlib.Path(name).chmod(0o755)  # for the server's user
        disk = SmallDisk(pathlib.Path(name) / "disk", free_bytes=SIZE)
        if not disk.is_mounted or os.geteuid() != 0:
            pytest.skip("only root may give a server that is not root a disk of its own")
        with postgres(disk.prefix()) as server:
            server.add_tablespace("small", disk.directory / "data", disk.seen_from_here(server.pid) / "data")
            url = server.new_database("small")
            new_archive(url).close()
            disk.fill(server.pid, free_bytes=120_000)
            with Stack(tmp_path, DATABASE_URL=url) as stack:
                fill(stack, range(FEEDS), minutes=40)
                worker = stack.worker()
                wait_for_words(worker, "waits: ", "the server's disk is full: make space")
                assert metric(worker.url, FAILURES) >= 1
                partly = archived(url)
                assert partly.minutes == len(partly.rows) < FEEDS
                fill(stack, range(FEEDS, FEEDS + 20))
                disk.make_room(server.pid)
                assert {*partly.rows} <= {*wait_for_all(url, FEEDS + 20).rows}
                wait_until(lambda: "archive" not in ready(worker), "the end of the trouble", seconds=WITHIN_SECONDS)
                assert '"archive.recovered"' in worker.log.read_text()
                assert worker.poll() is None
