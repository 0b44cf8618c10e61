"""The scripts of the profile `postgres`, run by a real server: who may do what, and daily dumps that can be restored."""

import os
import pathlib
import subprocess
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors, sql

from tests.deploy.compose import services
from tests.support import needs
from tests.support.postgres import HOST, USER, PostgresServer, postgres
from tools.processes import ROOT
from tools.waiting import wait_until

DIRECTORY = ROOT / "deploy" / "postgres"
PASSWORDS = {"worker": "worker-p4ss'word", "broadcast": "broadcast-p4ssword"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server after its first start, on which the image has run the script that creates users and database."""
    with postgres() as server:
        given = {"POSTGRES_USER": USER, **{f"POSTGRES_{user.upper()}_PASSWORD": password for user, password in PASSWORDS.items()}}
        subprocess.run([DIRECTORY / "create.sh"], env=environment(server) | given, check=True, capture_output=True, timeout=60)
        yield server


def environment(server: PostgresServer) -> dict[str, str]:
    """What PostgreSQL's own programs need to reach the server."""
    path = f"{needs.postgresql()}:{os.environ['PATH']}"
    return {"PATH": path, "PGHOST": HOST, "PGPORT": str(server.port), "PGUSER": USER, "PGPASSWORD": server.password}


def connect(server: PostgresServer, user: str, database: str = "archive") -> "psycopg.Connection":
    """A connection of one of the users."""
    password = PASSWORDS[user]
    return psycopg.connect(host=HOST, port=server.port, user=user, password=password, dbname=database, autocommit=True)


def test_the_worker_owns_the_archive_and_broadcast_reads_it(server: PostgresServer) -> None:
    with connect(server, "worker") as worker, connect(server, "broadcast") as broadcast:
        worker.execute("CREATE TABLE kept (number int)")
        worker.execute("INSERT INTO kept VALUES (1)")
        assert broadcast.execute("SELECT number FROM kept").fetchall() == [(1,)]
        for forbidden in ("INSERT INTO kept VALUES (2)", "DELETE FROM kept", "DROP TABLE kept", "CREATE TABLE mine (number int)"):
            with pytest.raises((errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)):
                broadcast.execute(sql.SQL(forbidden))
        broadcast.execute("SET default_transaction_read_only = off")
        for forbidden in ("INSERT INTO kept VALUES (2)", "DROP TABLE kept", "CREATE TABLE mine (number int)"):
            with pytest.raises(errors.InsufficientPrivilege):
                broadcast.execute(sql.SQL(forbidden))
        worker.execute("DROP TABLE kept")


@pytest.mark.parametrize("user", PASSWORDS)
def test_neither_user_can_do_more(server: PostgresServer, user: str) -> None:
    """No other database, no role, no file and no program of the server."""
    for database in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            connect(server, user, database)
    with connect(server, user) as connection:
        for forbidden in (
            "CREATE ROLE other",
            "CREATE DATABASE other",
            "COPY (SELECT 1) TO PROGRAM 'cat'",
            "SELECT pg_read_file('PG_VERSION')",
        ):
            with pytest.raises((errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)):
                connection.execute(sql.SQL(forbidden))


def test_a_dump_a_day_can_be_restored_into_an_empty_database(server: PostgresServer, tmp_path: pathlib.Path) -> None:
    """The newest are kept, an unfinished one has another name, and health says when there was none for a day."""
    with connect(server, "worker") as worker:
        worker.execute("CREATE TABLE dumped AS SELECT generate_series(1, 1000) AS number")
    given = environment(server) | {"PGDATABASE": "archive", "BACKUPS": str(tmp_path), "KEEP": "2"}
    check = ["sh", str(DIRECTORY / "backups" / "check.sh")]
    for name in ("2026-01-01T000000", "2026-01-02T000000"):
        old = tmp_path / f"archive-{name}.dump"
        old.touch()
        os.utime(old, (time.time() - 30 * 3600,) * 2)
    assert subprocess.run(check, env=given, check=False).returncode == 1
    daily = ["sh", str(DIRECTORY / "backups" / "daily.sh")]
    subprocess.run([*daily, "once"], env=given, check=True, timeout=60)
    *_, dump = dumps = sorted(tmp_path.iterdir())
    assert [path.name for path in dumps] == ["archive-2026-01-02T000000.dump", dump.name]
    assert dump.stat().st_mode & 0o777 == 0o600
    assert subprocess.run(check, env=given, check=False).returncode == 0
    empty = server.new_database().rpartition("/")[2]
    subprocess.run(["pg_restore", "--no-owner", "--exit-on-error", "-d", empty, str(dump)], env=given, check=True, timeout=60)
    with server.connect(empty) as restored:
        assert restored.execute("SELECT count(*), sum(number) FROM dumped").fetchall() == [(1000, 500500)]


def test_the_daily_loop_dumps_at_once_and_stops_when_asked(server: PostgresServer, tmp_path: pathlib.Path) -> None:
    given = environment(server) | {"PGDATABASE": "archive", "BACKUPS": str(tmp_path)}
    with subprocess.Popen(["sh", str(DIRECTORY / "backups" / "daily.sh")], env=given) as loop:
        children = pathlib.Path(f"/proc/{loop.pid}/task/{loop.pid}/children")
        wait_until(lambda: list(tmp_path.glob("archive-*.dump")), "the first dump", seconds=60)
        (sleeper,) = wait_until(lambda: [pid for pid in children.read_text().split() if _is_sleep(pid)], "the pause", seconds=60)
        loop.terminate()
        assert loop.wait(60) == 0
        wait_until(lambda: not _is_sleep(sleeper), "the end of the pause", seconds=60)


def test_a_signal_as_soon_as_the_pause_has_begun_ends_it(server: PostgresServer, tmp_path: pathlib.Path) -> None:
    """The shell may be slow between the start of the pause and its next command; here it takes a tenth of a second for it."""
    script = tmp_path / "daily.sh"
    original = (DIRECTORY / "backups" / "daily.sh").read_text()
    script.write_text(original.replace('sleep "$pause" &\n', 'sleep "$pause" &\nenv sleep 0.1\n'))
    assert script.read_text() != original
    given = environment(server) | {"PGDATABASE": "archive", "BACKUPS": str(tmp_path)}
    with subprocess.Popen(["sh", str(script)], env=given) as loop:
        children = pathlib.Path(f"/proc/{loop.pid}/task/{loop.pid}/children")
        sleeper = wait_until(lambda: next(filter(_is_sleep, children.read_text().split()), None), "the pause", seconds=60)
        loop.terminate()
        assert loop.wait(60) == 0
        wait_until(lambda: not _is_sleep(sleeper), "the end of the pause", seconds=60)


def _is_sleep(pid: str) -> bool:
    """Whether a process waits for the next day; one that has ended has no command line."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep\0")
    except OSError:
        return False


def test_a_dump_that_fails_leaves_nothing_that_looks_like_one(server: PostgresServer, tmp_path: pathlib.Path) -> None:
    given = environment(server) | {"PGDATABASE": "nowhere", "BACKUPS": str(tmp_path)}
    done = subprocess.run(["sh", str(DIRECTORY / "backups" / "daily.sh"), "once"], env=given, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "nowhere" in done.stderr
    assert list(tmp_path.glob("*.dump")) == []


def test_what_compose_mounts_is_what_the_scripts_need() -> None:
    """The image runs the script at the top of the directory, as a program, and not the ones below; each has its variables."""
    server, backup = services()["postgres"], services()["postgres-backup"]
    assert os.access(DIRECTORY / "create.sh", os.X_OK)
    assert [path.name for path in DIRECTORY.iterdir() if path.is_file()] == ["create.sh"]
    assert "./deploy/postgres:/docker-entrypoint-initdb.d:ro" in server["volumes"]
    assert server["environment"].keys() >= {"POSTGRES_WORKER_PASSWORD", "POSTGRES_BROADCAST_PASSWORD"}
    assert backup["volumes"][-1] == f"backups:{backup['environment']['BACKUPS']}"
    assert backup["command"][-1].replace("/etc/pulse", str(DIRECTORY)) == str(DIRECTORY / "backups" / "daily.sh")
