"""A worker that cannot start says why in one line, without a password, and does nothing else."""

import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import sys

import pytest

from tests.support import warm_services
from tools.processes import ROOT, free_port

WITHOUT_A_PACKAGE = """
import contextlib, io, json, runpy, sys
sys.modules[{package!r}] = None
ends = []
for arguments in {commands!r}:
    sys.argv[1:] = arguments
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            runpy.run_module("worker_service", run_name="__main__")
        except SystemExit as end:
            ends.append([end.code, said.getvalue()])
print(json.dumps(ends))
"""
POSTGRESQL = "postgresql+psycopg://worker:canary@127.0.0.1:1/archive"


def environment(**settings: str) -> dict[str, str]:
    """Settings with which nothing is reached."""
    nowhere = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "WORKER_PORT": "0", "METRICS_PORT": "0"}
    return {"PATH": os.environ["PATH"], **nowhere, **settings}


def start(directory: pathlib.Path, **settings: str) -> tuple[int, str]:
    """Runs a worker that is expected to end by itself; returns its exit status and what it wrote to stderr."""
    done = warm_services.run([sys.executable, "-m", "worker_service"], environment(**settings), cwd=directory)
    return done.returncode, done.stderr.decode()


def start_without(package: str, directory: pathlib.Path, *commands: list[str], **settings: str) -> list[tuple[int, str]]:
    """The same of several command lines where a package is not installed."""
    script = WITHOUT_A_PACKAGE.format(package=package, commands=commands)
    given = environment(PYTHONPATH=str(ROOT), **settings)
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=directory, env=given, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return [(status, said) for status, said in json.loads(done.stdout)]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"REDIS_URL": ""}, "REDIS_URL is not set"),
        ({"DATABASE_URL": "mysql://worker:canary@host/archive"}, "DATABASE_URL should be sqlite:///path"),
        ({"DATABASE_URL": "sqlite:///nowhere/archive.db"}, "DATABASE_URL: "),
        ({"ARCHIVE_MINUTES_DAYS": "1", "WORKER_PORT": "x"}, "WORKER_PORT should be"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_what_to_do(tmp_path: pathlib.Path, settings: dict[str, str], reason: str) -> None:
    status, said = start(tmp_path, **settings)
    assert status == 2
    assert said.startswith("worker_service cannot start:\n")
    assert reason in said
    assert "canary" not in said
    assert "Traceback" not in said
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("revision", "reason"), [("9999", "newer version"), ("0000", "no version has: restore a backup"), (None, "not a SQLite database")]
)
def test_a_database_that_this_version_cannot_use_ends_the_start_and_stays_as_it_is(
    tmp_path: pathlib.Path, revision: str | None, reason: str
) -> None:
    path = tmp_path / "archive.db"
    if revision is None:
        path.write_text("this is no database, but a text of some length" * 20)
    else:
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE archive_version (version_num TEXT)")
            connection.execute("INSERT INTO archive_version VALUES (?)", (revision,))
    before = path.read_bytes()
    status, said = start(tmp_path, DATABASE_URL=f"sqlite:///{path}")
    assert (status, "Traceback" in said) == (2, False)
    assert said.startswith("worker_service cannot start:\n  DATABASE_URL: ")
    assert reason in said
    if revision is None:
        assert path.read_bytes() == before
    else:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("archive_version",)]


def test_a_package_that_is_missing_is_named_with_the_file_that_has_it(tmp_path: pathlib.Path) -> None:
    """`make run` installs no driver of PostgreSQL."""
    commands: list[list[str]] = [[], ["backup", "file"], ["restore", "-"]]
    ends = start_without("psycopg", tmp_path, *commands, DATABASE_URL=POSTGRESQL)
    assert [status for status, _ in ends] == [2, 1, 1]
    assert [said for _, said in ends if "psycopg: install requirements-worker.txt" not in said or "Traceback" in said] == []


@pytest.mark.parametrize("package", ["sqlalchemy", "alembic"])
def test_without_the_packages_of_the_worker_nothing_starts_and_one_line_says_what_to_install(tmp_path: pathlib.Path, package: str) -> None:
    """`pip install -r requirements.txt` alone installs neither."""
    commands: list[list[str]] = [[], ["backup", "file"], ["export", "--from", "2026-01-01", "--to", "2026-01-02"]]
    ends = start_without(package, tmp_path, *commands)
    assert [(status, said.count("\n"), "Traceback" in said) for status, said in ends] == [(2, 1, False)] * 3
    needed = f"needs the package {package}", "install requirements-worker.txt"
    assert [said for _, said in ends if not all(words in said for words in needed)] == []
