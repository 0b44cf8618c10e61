"""Backups of the archive: from either database into either, into an empty one and into one at work, whole or not at all."""

import csv
import datetime as dt
import gzip
import importlib
import io
import itertools
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pytest
from sqlalchemy import delete, inspect, select, text

from shared.archive.database import ArchiveError, Database, WrongSchema
from shared.archive.packed_day import unpack
from shared.archive.tables import REVISION, blocks, days, minutes, passes, series, state
from shared.contract.history_day import day_balances, kept_balances
from shared.contract.history_record import DAY_SECONDS
from shared.store.database_url import DatabaseUrl
from tests.contract import servers
from tests.contract.committing import OneNode, commit, empty_store
from tests.support import warm_services
from tests.support.archiving import STEP, archive_job, archive_once, lease_of, new_archive, today
from tests.support.generated import generate
from tests.support.postgres import PostgresServer, postgres
from tools.processes import ROOT
from worker_service.archive import backup
from worker_service.archive.backup import back_up, restore
from worker_service.archive.backup_file import FORMAT, KIND, Head, Rows, UnreadableBackup, write
from worker_service.archive.export import EPOCH, TABLES, write_csv, write_parquet
from worker_service.archive.schema import migrate, upgrade
from worker_service.archive.writer import Fence

pytestmark = pytest.mark.anyio
KINDS = ("sqlite", "postgresql")
New = Callable[[str], Database]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests."""
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server that holds history."""
    with servers.embedded(tmp_path_factory.mktemp("redis")) as running:
        yield running.url


@pytest.fixture
def new(tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> Iterator[New]:
    """Makes empty archives of a kind."""
    opened: list[Database] = []
    taken: list[str] = []

    def make(kind: str) -> Database:
        url = f"sqlite:///{tmp_path}/archive-{len(opened)}.db"
        if kind == "postgresql":
            taken.append(url := request.getfixturevalue("server").used_database())
        opened.append(new_archive(url))
        return opened[-1]

    yield make
    for database in opened:
        database.close()
    for url in taken:
        request.getfixturevalue("server").give_back(url)


async def fill(redis_url: str, *databases: Database, seed: int = 1) -> None:
    """Archives two days of a generated studio, the first day in every database and the second one in the last database alone."""
    midnight = (today() - 1) * DAY_SECONDS
    readings = sorted(generate(seed, midnight - 1500, 0.9).readings, key=lambda reading: reading.sequence)
    first_day = [reading for reading in readings if reading.timestamp < midnight]
    second_day = [reading for reading in readings if reading.timestamp >= midnight]
    assert min(len(first_day), len(second_day)) > 100
    async with empty_store(redis_url) as redis:
        for some, filled in ((first_day, databases), (second_day, databases[-1:])):
            for first in range(0, len(some), 1000):
                await commit(redis, *some[first : first + 1000])
            for database in filled:
                await archive_once(OneNode(redis), database)


def income(database: Database) -> dict[tuple[Any, ...], Any]:
    """All that the archive has of income, by names instead of numbers."""
    with database.transaction() as connection:
        found = connection.execute(select(series.c.room_id, series.c.platform, series.c.account, days).join(series)).mappings().all()
    apart = {"series_id", "changed"}
    return {
        (row["room_id"], row["platform"], row["account"], row["day"]): {key: value for key, value in row.items() if key not in apart}
        for row in found
    }


def balances(database: Database) -> dict[tuple[Any, ...], Any]:
    """Every balance, by names instead of numbers."""
    with database.transaction() as connection:
        found = connection.execute(
            select(series.c.room_id, series.c.platform, series.c.account, minutes.c.day, minutes.c.packed).join(series)
        ).all()
    return {
        tuple(names): kept_balances(day_balances(unpack(bytes(packed), STEP), STEP), range(DAY_SECONDS // STEP), STEP)
        for *names, packed in found
    }


async def blocks_of(database: Database, redis_url: str) -> dict[tuple[Any, ...], Any]:
    """The blocks that the worker makes of the days, by names instead of numbers."""
    async with empty_store(redis_url) as redis:
        job, fence = archive_job(OneNode(redis), database), Fence(lease_of())
        await job.prepare(fence)
        await job.roll(fence, int(time.time()))
    with database.transaction() as connection:
        found = connection.execute(select(series.c.room_id, series.c.platform, series.c.account, blocks).join(series)).mappings().all()
    return {
        (row["room_id"], row["account"], row["block"]): {key: value for key, value in row.items() if key not in {"series_id", "changed"}}
        for row in found
    }


def all_of(database: Database) -> tuple[Any, ...]:
    """Income, balances and passes."""
    with database.transaction() as connection:
        copied = {tuple(row) for row in connection.execute(select(passes))}
    return income(database), balances(database), copied


@pytest.mark.parametrize("kind", KINDS)
def test_the_archives_of_tests_have_the_schema_that_migrations_make(new: New, kind: str) -> None:
    """Their statements are those of the migrations, executed again."""
    migrated_one, another = new(kind), new(kind)
    migrate(migrated_one, "base")
    upgrade(migrated_one)
    made = [inspect(database.engine) for database in (migrated_one, another)]
    names, same_names = (sorted(one.get_table_names()) for one in made)
    assert names == same_names
    assert len(names) > 5
    for name in names:
        described, too = (
            [one.get_columns(name), one.get_pk_constraint(name), one.get_foreign_keys(name), one.get_indexes(name)] for one in made
        )
        assert str(described) == str(too)
    with migrated_one.transaction() as first, another.transaction() as second:
        for query in ("SELECT * FROM archive_version", "SELECT * FROM archive_state"):
            assert [tuple(row) for row in first.execute(text(query))] == [tuple(row) for row in second.execute(text(query))]


def backup_of(database: Database) -> bytes:
    """A backup."""
    file = io.BytesIO()
    assert back_up(database, file) > 0
    return file.getvalue()


def opener(data: bytes) -> Callable[[], BinaryIO]:
    """Opens a backup anew each time."""
    return lambda: io.BytesIO(data)


@pytest.mark.parametrize(("source", "target"), [*itertools.product(KINDS, KINDS)])
async def test_a_backup_restores_everything_into_an_empty_archive(redis_url: str, new: New, source: str, target: str) -> None:
    """Also into the other kind of database, which is how an archive moves to PostgreSQL."""
    original, other = new(source), new(target)
    await fill(redis_url, original)
    restored = restore(other, opener(backup_of(original)))
    assert (restored.was_merged, restored.unreadable, restored.days) == (False, 0, len(balances(original)))
    assert all_of(other) == all_of(original)
    assert len(income(other)) > 3
    assert await blocks_of(other, redis_url) == await blocks_of(original, redis_url) != {}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_restore_creates_the_schema_and_can_be_repeated(redis_url: str, new: New, kind: str) -> None:
    original, other = new("sqlite"), new(kind)
    await fill(redis_url, original)
    data = backup_of(original)
    restore(other, opener(data))
    before = all_of(other)
    assert restore(other, opener(data)).was_merged
    assert all_of(other) == before


@pytest.mark.parametrize("kind", KINDS)
async def test_an_archive_at_work_is_merged_with_an_older_backup(redis_url: str, new: New, kind: str) -> None:
    """The disk was lost, the worker began anew from Redis, and only then the backup of last night is restored."""
    older, newer = new(kind), new(kind)
    await fill(redis_url, older, newer)
    expected = all_of(newer)
    with newer.transaction() as connection:  # what Redis had no more when the worker began anew
        connection.execute(delete(days).where(days.c.day < today() - 1))
        connection.execute(delete(minutes).where(minutes.c.day < today() - 1))
    restored = restore(newer, opener(backup_of(older)))
    assert (restored.was_merged, restored.unreadable) == (True, 0)
    assert (income(newer), balances(newer)) == expected[:2]


async def test_income_whose_minutes_are_deleted_is_backed_up_too(redis_url: str, new: New) -> None:
    """Minutes are kept for ARCHIVE_MINUTES_DAYS, days for ever."""
    original, empty, at_work = new("sqlite"), new("sqlite"), new("sqlite")
    await fill(redis_url, original, at_work)
    with original.transaction() as connection:
        connection.execute(delete(minutes).where(minutes.c.day < today() - 1))
    with at_work.transaction() as connection:
        connection.execute(delete(minutes).where(minutes.c.day < today() - 1))
        connection.execute(delete(days).where(days.c.day < today() - 1))
    data, wanted = backup_of(original), income(original).keys()
    for other in (empty, at_work):
        restore(other, opener(data))
        assert income(other).keys() >= wanted


@pytest.mark.parametrize("kind", KINDS)
async def test_a_restore_leaves_the_worker_its_lease(redis_url: str, new: New, kind: str) -> None:
    """The token of the holder is not replaced by that of the backup, and the number of changes goes on."""
    original, other = new("sqlite"), new(kind)
    await fill(redis_url, original)
    with other.transaction() as connection:
        connection.execute(state.update().values(token=77, changes=5))
    restore(other, opener(backup_of(original)))
    with other.transaction() as connection:
        token, changes = connection.execute(select(state.c.token, state.c.changes)).one()
        assert (token, changes) == (77, 6)
        assert {*connection.execute(select(days.c.changed)).scalars()} == {6}


async def test_a_restore_that_fails_half_way_leaves_an_empty_archive(redis_url: str, new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one transaction, so that no half of a history looks like a whole one."""
    original, other = new("sqlite"), new("sqlite")
    await fill(redis_url, original)
    calls = itertools.count()

    def fail(row: dict[str, Any], numbers: dict[int, int], change: int) -> dict[str, Any]:
        if next(calls) > 5:
            raise OSError(28, "No space left on device")
        return {**row, "series_id": numbers[row["series_id"]]} | ({"changed": change} if "changed" in row else {})

    monkeypatch.setattr(backup, "_own", fail)
    with pytest.raises(OSError, match="space"):
        restore(other, opener(backup_of(original)))
    assert (income(other), balances(other)) == ({}, {})


async def test_a_file_that_is_not_whole_is_refused_before_anything_is_written(redis_url: str, new: New) -> None:
    original, other = new("sqlite"), new("sqlite")
    await fill(redis_url, original)
    data = backup_of(original)
    plain = gzip.decompress(data)
    broken = [b"", b"no backup", data[:-1], data[: len(data) // 2], data[:20], gzip.compress(b""), gzip.compress(plain[:-3])]
    broken += [gzip.compress(plain + b"x"), gzip.compress(plain[:100] + b"\xff" + plain[101:]), gzip.compress(b"\xff\xff\xff\xff" + plain)]
    middle = len(data) // 2
    broken.append(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    for file in broken:
        with pytest.raises(UnreadableBackup):
            restore(other, opener(file))
    assert (income(other), balances(other)) == ({}, {})


@pytest.mark.parametrize(
    ("head", "frames", "reason"),
    [
        (Head(KIND, FORMAT + 1, "0001", 0), [], "newer version"),
        (Head(KIND, FORMAT, "9999", 0), [], "newer version"),
        (Head("other", FORMAT, "0001", 0), [], "no backup"),
        (Head(KIND, FORMAT, "0001", 0), [Rows("archive_state", ["id"], [[1]])], "does not know"),
        (Head(KIND, FORMAT, "0001", 0), [Rows("archive_passes", ["day"], [[1]])], "does not know"),
        (Head(KIND, FORMAT, "0001", 0), [Rows("archive_passes", ["day", "copied_at", "is_final"], [[1, 2]])], "damaged"),
    ],
)
def test_a_file_of_another_version_is_refused_with_what_to_do(new: New, head: Head, frames: list[Rows], reason: str) -> None:
    file = io.BytesIO()
    write(file, head, frames)
    with pytest.raises(UnreadableBackup, match=reason):
        restore(new("sqlite"), opener(file.getvalue()))


def test_there_is_nothing_to_back_up_without_an_archive(tmp_path: pathlib.Path) -> None:
    """No file is made where there was none."""
    path = tmp_path / "none.db"
    with pytest.raises(ArchiveError):
        back_up(Database(DatabaseUrl.parse(f"sqlite:///{path}"), read_only=True), io.BytesIO())
    assert not path.exists()
    path.touch()
    with pytest.raises(WrongSchema, match="has no archive yet"):
        back_up(Database(DatabaseUrl.parse(f"sqlite:///{path}"), read_only=True), io.BytesIO())


def command(database: Database, *arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Runs a command line as an operator does."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": database.url.text}
    return warm_services.run([sys.executable, "-m", "worker_service", *arguments], environment, given=given, timeout=240)


def started(database: Database, *arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """The same in an interpreter of its own."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": database.url.text}
    words = [sys.executable, "-m", "worker_service", *arguments]
    return subprocess.run(words, cwd=ROOT, env=environment, input=given, capture_output=True, check=False, timeout=240)


@pytest.mark.timeout(300)
async def test_the_command_lines_move_an_archive_to_postgresql(redis_url: str, new: New, tmp_path: pathlib.Path) -> None:
    """Through a file, and through a pipe; the file is for its owner, and an older one stays if a backup fails."""
    original, first, second = new("sqlite"), new("postgresql"), new("postgresql")
    await fill(redis_url, original)
    path = tmp_path / "archive.backup"
    done = started(original, "backup", str(path))
    assert (done.returncode, done.stdout, path.stat().st_mode & 0o777) == (0, b"", 0o600)
    done = command(first, "restore", str(path))
    assert (done.returncode, b"into an empty archive" in done.stderr) == (0, True)
    piped = command(original, "backup", "-").stdout
    done = started(second, "restore", "-", given=piped)
    assert (done.returncode, done.stdout) == (0, b"")
    assert all_of(first) == all_of(second) == all_of(original)
    kept = path.read_bytes()
    nothing = Database(DatabaseUrl.parse(f"sqlite:///{tmp_path}/none.db"))
    done = command(nothing, "backup", str(path))
    assert (done.returncode, done.stderr.count(b"\n"), b"Traceback" in done.stderr) == (1, 1, False)
    assert path.read_bytes() == kept
    assert [name for name in os.listdir(tmp_path) if name.endswith(".part")] == []  # noqa: PTH208


def test_a_command_without_an_archive_names_the_command_that_creates_it(new: New) -> None:
    database = new("sqlite")
    migrate(database, "base")
    done = command(database, "export", "--from", "2026-01-01", "--to", "2026-01-02")
    assert (done.returncode, b"python -m worker_service migrate" in done.stderr) == (1, True)
    for said in ("now has schema", "has schema"):
        done = command(database, "migrate")
        assert (done.returncode, done.stdout, said in done.stderr.decode()) == (0, b"", True)
    database.check()


@pytest.mark.parametrize("arguments", [("restore", "/nowhere/archive.backup"), ("backup", "/nowhere/archive.backup"), ("restore", "-")])
def test_a_command_that_fails_says_why_in_one_line(new: New, arguments: tuple[str, ...]) -> None:
    done = command(new("sqlite"), *arguments)
    assert (done.returncode, done.stderr.count(b"\n"), b"Traceback" in done.stderr) == (1, 1, False)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
async def test_income_and_minutes_are_exported_as_csv_and_as_parquet(redis_url: str, new: New, kind: str, tmp_path: pathlib.Path) -> None:
    """Both formats have the same rows, and a range has its days alone."""
    database = new(kind)
    await fill(redis_url, database)
    everything = range(today() - 3, today() + 1)
    for name, table in TABLES.items():
        lines, binary = io.StringIO(newline=""), io.BytesIO()
        count = write_csv(database, table, everything, lines, print)
        assert write_parquet(database, table, everything, binary, print) == count > 3
        rows = list(csv.DictReader(io.StringIO(lines.getvalue())))
        columns = importlib.import_module("pyarrow.parquet").read_table(binary).to_pylist()
        assert rows == [{key: "" if value is None else str(value) for key, value in row.items()} for row in columns]
        assert write_csv(database, table, range(today() - 2, today() - 1), io.StringIO(), print) < count, name
        assert write_csv(database, table, range(0), io.StringIO(), print) == 0
    lines = io.StringIO(newline="")
    write_csv(database, TABLES["days"], everything, lines, print)
    exported = {(row["room_id"], row["account"], row["day"]): int(row["earned"]) for row in csv.DictReader(io.StringIO(lines.getvalue()))}
    wanted = {
        (room, account, f"{EPOCH + dt.timedelta(days=day)}"): row["earned"] for (room, _, account, day), row in income(database).items()
    }
    assert exported == wanted
    lines = io.StringIO(newline="")
    write_csv(database, TABLES["minutes"], everything, lines, print)
    last = {(row["room_id"], row["account"]): int(row["tokens"]) for row in csv.DictReader(io.StringIO(lines.getvalue()))}
    balance = {
        (room, account): kept[-1].tokens for (room, _, account, day), kept in sorted(balances(database).items(), key=lambda one: one[0][-1])
    }
    assert last == balance
    path = tmp_path / "income.csv"
    day = (EPOCH + dt.timedelta(days=today() - 1)).isoformat()
    done = command(database, "export", "--from", day, "--to", day, "--output", str(path))
    assert (done.returncode, b"later than --from" in done.stderr, path.name in os.listdir(tmp_path)) == (1, True, False)  # noqa: PTH208
    following = (EPOCH + dt.timedelta(days=today())).isoformat()
    done = command(database, "export", "--from", day, "--to", following, "--rows", "minutes", "--format", "parquet", "--output", str(path))
    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_an_export_names_a_damaged_day_and_goes_on(redis_url: str, new: New, form: str, tmp_path: pathlib.Path) -> None:
    """The status is 1, and the file has every other day."""
    database, path = new("sqlite"), tmp_path / "export"
    await fill(redis_url, database)
    days_of_export = [(EPOCH + dt.timedelta(days=day)).isoformat() for day in (today() - 3, today() + 1)]
    arguments = ["export", "--from", days_of_export[0], "--to", days_of_export[1], "--rows", "minutes", "--format", form]
    lines = io.StringIO(newline="")
    everything = write_csv(database, TABLES["minutes"], range(today() - 3, today() + 1), lines, print)
    with database.transaction() as connection:
        number, day = connection.execute(select(minutes.c.series_id, minutes.c.day).order_by(minutes.c.day)).first() or (0, 0)
        names = connection.execute(select(series.c.room_id, series.c.platform, series.c.account).where(series.c.id == number)).one()
        own = minutes.c.series_id == number, minutes.c.day == day
        connection.execute(minutes.update().where(*own).values(packed=b"\x01damaged"))
    done = command(database, *arguments, "--output", str(path))
    said = done.stderr.decode()
    assert (done.returncode, "Traceback" in said) == (1, False)
    assert f"Not exported: {EPOCH + dt.timedelta(days=day)} of {':'.join(names)}: the day is damaged." in said
    assert "1 days of feeds cannot be read" in said
    left = int(said.partition("Exported ")[2].partition(" rows")[0])
    assert 0 < left < everything
    if form == "csv":
        with path.open(newline="") as file:
            rows = [*csv.DictReader(file)]
    else:
        rows = importlib.import_module("pyarrow.parquet").read_table(path).to_pylist()
    assert len(rows) == left


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
async def test_an_import_of_another_archive_changes_nothing_when_it_is_repeated(redis_url: str, new: New, source: str, target: str) -> None:
    """Days that both have are merged: every balance of both stays, so none wins over another one."""
    older, newer = new(source), new(target)
    await fill(redis_url, older, newer)
    expected = all_of(newer)
    with newer.transaction() as connection:  # each has a day that the other lacks
        for table in (days, minutes):
            connection.execute(delete(table).where(table.c.day < today() - 1))
    for _ in range(2):
        done = command(newer, "import", older.url.text)
        assert (done.returncode, b"merged with" in done.stderr) == (0, True), done.stderr
        assert (income(newer), balances(newer)) == expected[:2]
    assert all_of(older)[1].keys() < expected[1].keys()  # it was only read


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://pulse:canary@host/archive", "should be a DATABASE_URL"),
        ("postgresql+psycopg://pulse:canary@127.0.0.1:1/archive", "start the server"),
        ("sqlite:////nowhere/archive.db", "its directory has to exist"),
        ("", "is the one of DATABASE_URL itself"),
    ],
)
def test_an_archive_that_cannot_be_imported_is_named_without_a_password(new: New, url: str, reason: str) -> None:
    database = new("sqlite")
    done = command(database, "import", url or database.url.text)
    said = done.stderr.decode()
    assert (done.returncode, said.count("\n"), reason in said, "canary" in said) == (1, 1, True, False), said


@pytest.mark.parametrize(
    ("problem", "arguments"),
    [
        ("password", ("restore", "-")),
        ("unreachable", ("export", "--from", "2026-01-01", "--to", "2026-01-02")),
        ("newer", ("restore", "-")),
        ("newer", ("export", "--from", "2026-01-01", "--to", "2026-01-02")),
        ("newer", ("migrate",)),
        ("unreachable", ("migrate",)),
        ("text", ("backup", "-")),
        ("url", ("restore", "-")),
    ],
)
def test_every_command_says_in_one_line_why_its_database_cannot_be_used(
    new: New, server: PostgresServer, tmp_path: pathlib.Path, problem: str, arguments: tuple[str, ...]
) -> None:
    file = io.BytesIO()
    write(file, Head(KIND, FORMAT, REVISION, 0), [])
    (tmp_path / "text.db").write_text("this is no database, but a text of some length" * 20)
    newer = new("sqlite")
    with newer.transaction() as connection:
        connection.execute(text("UPDATE archive_version SET version_num = '9999'"))
    url, reason, status = {
        "password": (server.url(password="canary"), "refuses user or password: correct DATABASE_URL", 1),
        "unreachable": ("postgresql+psycopg://pulse:canary@127.0.0.1:1/pulse", "start the server", 1),
        "newer": (newer.url.text, "install that version", 1),
        "text": (f"sqlite:///{tmp_path}/text.db", "not a SQLite database", 1),
        "url": ("mysql://pulse:canary@host/archive", "DATABASE_URL should be", 2),
    }[problem]
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    words = [sys.executable, "-m", "worker_service", *arguments]
    done = warm_services.run(words, environment, given=file.getvalue(), timeout=240)
    said = done.stderr.decode()
    assert (done.returncode, reason in said, "canary" in said, "Traceback" in said) == (status, True, False, False), said
    assert done.stdout == b""
