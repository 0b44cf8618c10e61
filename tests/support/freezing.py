"""Where a process was stopped: at all, and within a transaction of the archive or not."""

import contextlib
import pathlib
import sqlite3

import psycopg
from psycopg import errors

from shared.store.database_url import DatabaseUrl


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def is_locked(url: str) -> bool:
    """Whether a transaction that writes is under way."""
    parsed = DatabaseUrl.parse(url)
    if parsed.path is not None:
        with contextlib.closing(sqlite3.connect(parsed.path, isolation_level=None, timeout=0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                return "locked" in str(error)
            return False
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        try:
            connection.execute("SELECT 1 FROM archive_state FOR UPDATE NOWAIT")
        except errors.LockNotAvailable:
            return True
        return False
