"""A worker that cannot start says why in one line, without a password, and does nothing else."""

import contextlib
import os
import pathlib
import sqlite3
import subprocess
import sys

import pytest

from tools.processes import ROOT, free_port

WITHOUT_A_PACKAGE = """
import runpy, sys
sys.modules[{package!r}] = None
sys.argv[1:] = {arguments!r}
runpy.run_module("worker_service", run_name="__main__")
"""
POSTGRESQL = "postgresql+psycopg://worker:canary@127.0.0.1:1/archive"


def start(directory: pathlib.Path, *command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Runs a worker that is expected to end by itself."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "WORKER_PORT": "0", "METRICS_PORT": "0", **settings}
    environment = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", **environment}
    return subprocess.run(
        [sys.executable, *command], cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


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
    done = start(tmp_path, "-m", "worker_service", **settings)
    assert done.returncode == 2
    assert done.stderr.startswith("worker_service cannot start:\n")
    assert reason in done.stderr
    assert "canary" not in done.stderr
    assert "Traceback" not in done.stderr
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
    done = start(tmp_path, "-m", "worker_service", DATABASE_URL=f"sqlite:///{path}")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert done.stderr.startswith("worker_service cannot start:\n  DATABASE_URL: ")
    assert reason in done.stderr
    if revision is None:
        assert path.read_bytes() == before
    else:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("archive_version",)]


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["backup", "file"], 1), (["restore", "-"], 1)])
def test_a_package_that_is_missing_is_named_with_the_file_that_has_it(tmp_path: pathlib.Path, arguments: list[str], status: int) -> None:
    """`make run` installs no driver of PostgreSQL."""
    done = start(tmp_path, "-c", WITHOUT_A_PACKAGE.format(package="psycopg", arguments=arguments), DATABASE_URL=POSTGRESQL)
    assert (done.returncode, "psycopg: install requirements-worker.txt" in done.stderr, "Traceback" in done.stderr) == (status, True, False)


@pytest.mark.parametrize("arguments", [[], ["backup", "file"], ["export", "--from", "2026-01-01", "--to", "2026-01-02"]])
@pytest.mark.parametrize("package", ["sqlalchemy", "alembic"])
def test_without_the_packages_of_the_worker_nothing_starts_and_one_line_says_what_to_install(
    tmp_path: pathlib.Path, package: str, arguments: list[str]
) -> None:
    """`pip install -r requirements.txt` alone installs neither."""
    done = start(tmp_path, "-c", WITHOUT_A_PACKAGE.format(package=package, arguments=arguments))
    assert (done.returncode, done.stderr.count("\n"), "Traceback" in done.stderr) == (2, 1, False)
    assert f"needs the package {package}" in done.stderr
    assert "install requirements-worker.txt" in done.stderr
