"""How a service reaches the archive's database, and errors that say what to do. No error contains a password."""

import asyncio
import contextlib
import pathlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.archive.tables import REVISION
from shared.store.database_url import DatabaseUrl
from shared.web.jobs import MAX_PAUSE_SECONDS, report_alive

CONNECT_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 30
BUSY_SECONDS: Final = 5.0  # that a statement waits for another writer of a SQLite file, or for a lock of PostgreSQL
CONNECTIONS: Final = 4
KEEPALIVE: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 15_000}
SQLITE_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "cache_size=-16000")

T = TypeVar("T")


class ArchiveError(Exception):
    """The archive cannot be used; the text says why and what to do."""


class ArchiveUnavailable(ArchiveError):
    """The database does not respond, or has no space; the same operation may succeed later."""


class ArchiveMisconfigured(ArchiveError):
    """The database refuses this service, or is none; only an operator can change that."""


class WrongSchema(ArchiveError):
    """The database has no archive, or one of another version."""


class Database:
    """Connections to the archive, for use in threads. Every method that uses it raises ArchiveError."""

    def __init__(self, url: DatabaseUrl, *, read_only: bool = False) -> None:
        self.url = url
        self.engine = _engine(url, read_only=read_only)

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, unless that raises."""
        with self.translating(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def translating(self) -> Iterator[None]:
        """Turns errors of the database into an ArchiveError."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            reason = reason_of(error, is_sqlite=self.url.is_sqlite)
            kind = ArchiveMisconfigured if reason in _PERMANENT else ArchiveUnavailable
            raise kind(f"{self.url!r}: {reason}") from None

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection without a transaction, for migrations."""
        with self.translating(), self.engine.connect() as connection:
            yield connection

    def revision(self) -> str | None:
        """The revision of the schema, None for a database without an archive."""
        with self.transaction() as connection:
            return revision_in(connection)

    def check(self) -> None:
        """Raises WrongSchema where the schema is not the one that this version uses."""
        found = self.revision()
        if found is None:
            raise WrongSchema(f"{self.url!r} has no archive yet; the worker service creates it, or: python -m worker_service migrate")
        if found > REVISION:
            raise WrongSchema(
                f"{self.url!r} has the archive of a newer version (schema {found}, this version uses {REVISION}): install that version"
            )
        if found < REVISION:
            raise WrongSchema(
                f"{self.url!r} has schema {found} of an older version, this one uses {REVISION}: "
                "start the worker service of this version, or: python -m worker_service migrate"
            )


def revision_in(connection: Connection) -> str | None:
    """The revision of the schema that a transaction sees, None for no archive."""
    if not connection.dialect.has_table(connection, "archive_version"):
        return None
    return connection.execute(text("SELECT version_num FROM archive_version")).scalar()


async def in_thread(work: Callable[[], T]) -> T:
    """Runs work in a thread. A cancelled caller waits until the thread has ended, so that nothing goes on without an owner."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task], timeout=MAX_PAUSE_SECONDS)
            report_alive()
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        with contextlib.suppress(Exception):
            task.result()
        raise cancelled
    return task.result()


def _engine(url: DatabaseUrl, *, read_only: bool) -> Engine:
    if url.path is None:
        milliseconds = f"-c statement_timeout={STATEMENT_SECONDS * 1000} -c lock_timeout={int(BUSY_SECONDS * 1000)}"
        options = f"{milliseconds} -c idle_in_transaction_session_timeout={STATEMENT_SECONDS * 1000}"
        if read_only:
            options += " -c default_transaction_read_only=on"
        arguments = {"connect_timeout": CONNECT_SECONDS, "options": options, "application_name": "studio-pulse", **KEEPALIVE}
        return create_engine(
            url.text, connect_args=arguments, pool_size=CONNECTIONS, pool_timeout=CONNECT_SECONDS, pool_pre_ping=True, hide_parameters=True
        )
    path = url.path.absolute()
    mode = "rw" if read_only else "rwc"
    address = URL.create("sqlite", database=f"file:{_quoted(path)}", query={"uri": "true", "mode": mode})
    engine = create_engine(
        address, connect_args={"timeout": BUSY_SECONDS}, pool_size=CONNECTIONS, pool_timeout=CONNECT_SECONDS, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        """Configures each new connection."""
        connection.isolation_level = None  # the module would begin transactions only before some statements
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        """Begins a transaction before the first statement of any kind."""
        connection.exec_driver_sql("BEGIN")

    return engine


def _quoted(path: pathlib.Path) -> str:
    """A path as SQLite's URIs spell it."""
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


_SQLITE_REASONS: Final = {
    "unable to open database file": "the file cannot be opened: its directory has to exist and the service needs to be able to write there",
    "file is not a database": "the file is not a SQLite database: choose another path",
    "database disk image is malformed": "the file is damaged: restore a backup",
    "database or disk is full": "the disk is full: make space",
    "disk i/o error": "the disk reports an error, or is full",
    "attempt to write a readonly database": "the file may not be written: correct its owner or mode",
    "database is locked": "another process holds its write lock for too long: continue or end a suspended worker",
}
_POSTGRES_REASONS: Final = {
    "28P01": "the server refuses user or password: correct DATABASE_URL",
    "28000": "the server refuses this user: correct DATABASE_URL or pg_hba.conf",
    "3D000": "the server has no such database: create it, or correct DATABASE_URL",
    "42501": "the user lacks a right: make it the owner of the database",
    "53100": "the server's disk is full: make space",
    "53300": "the server has no connection left: raise max_connections",
    "55P03": "another transaction holds a lock for too long",
    "57014": "the statement took too long",
    "57P03": "the server is starting",
}
_LOST: Final = "the connection was lost"
_POSTGRES_TEXTS: Final = {
    "password authentication failed": _POSTGRES_REASONS["28P01"],
    "no password supplied": _POSTGRES_REASONS["28P01"],
    "does not exist": "the server has no such database or user: create it, or correct DATABASE_URL",
    "connection refused": "nothing listens there: start the server, or correct DATABASE_URL",
    "could not translate host name": "the host name cannot be resolved: correct DATABASE_URL",
    "failed to resolve host": "the host name cannot be resolved: correct DATABASE_URL",
    "no pg_hba.conf entry": _POSTGRES_REASONS["28000"],
    "timeout expired": "the server does not answer in time",
    "starting up": _POSTGRES_REASONS["57P03"],
    "shutting down": "the server is shutting down",
    **dict.fromkeys(("closed the connection", "terminating connection", "connection reset", "broken pipe", "eof detected"), _LOST),
}

_WRONG_NAME: Final = _POSTGRES_TEXTS["does not exist"]
_PERMANENT: Final = {
    *(
        _SQLITE_REASONS[known]
        for known in ("unable to open database file", "file is not a database", "attempt to write a readonly database")
    ),
    *(_POSTGRES_REASONS[code] for code in ("28P01", "28000", "3D000", "42501")),
    _WRONG_NAME,
}


def reason_of(error: Exception, *, is_sqlite: bool) -> str:
    """Why the database failed and what to do, without any value of a statement."""
    if isinstance(error, PoolTimeout):
        return "all connections are in use for too long"
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    said = str(cause).lower()
    if is_sqlite:
        return next((reason for known, reason in _SQLITE_REASONS.items() if known in said), type(cause).__name__)
    if known := _POSTGRES_REASONS.get(getattr(cause, "sqlstate", None) or ""):
        return known
    found = next((reason for known, reason in _POSTGRES_TEXTS.items() if known in said), None)
    return found or (_LOST if isinstance(error, DBAPIError) and error.connection_invalidated else type(cause).__name__)
