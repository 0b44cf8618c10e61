"""Archives for tests: a SQLite file or a PostgreSQL database of one's own, and one copy of everything into it."""

import time
from typing import Any, Final

from sqlalchemy import event

from shared.archive.database import Database
from shared.contract.readings import Reading
from shared.store.database_url import DatabaseUrl
from shared.store.redis import Store
from worker_service.archive.job import ArchiveJob
from worker_service.archive.schema import upgrade
from worker_service.archive.writer import Fence
from worker_service.lease import Lease, seconds

STEP = 60
RETENTION_DAYS = 35
MINUTES_DAYS = 400
CHANGES: Final = ("CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE")
_MIGRATION: Final[dict[str, list[tuple[str, Any]]]] = {}  # what the migrations execute on each kind of database


def lease_of(token: int = 1, term_seconds: float = 3600) -> Lease:
    """A lease that holds for a while."""
    return Lease(token, seconds() + term_seconds)


def new_archive(url: str) -> Database:
    """The empty database at an address, with the schema of this version.

    The first one of each kind is migrated; for the others the same statements are executed, without the time that Alembic takes to read
    its scripts.
    """
    database = Database(DatabaseUrl.parse(url))
    if database.engine.dialect.name not in _MIGRATION:
        _MIGRATION[database.engine.dialect.name] = migrated(database)
    else:
        with database.transaction() as connection:
            for statement, parameters in _MIGRATION[database.engine.dialect.name]:
                connection.exec_driver_sql(statement, parameters)
    return database


def migrated(database: Database) -> list[tuple[str, Any]]:
    """Migrates a database; returns the statements that changed it."""
    statements: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _is_many: bool) -> None:  # noqa: FBT001
        """Keeps a statement that changes something."""
        if statement.lstrip().upper().startswith(CHANGES):
            statements.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", keep)
    try:
        upgrade(database)
    finally:
        event.remove(database.engine, "before_cursor_execute", keep)
    return statements


def archive_job(store: Store, database: Database, *, shards: int = 1, step_seconds: int = STEP) -> ArchiveJob:
    """The job with the settings' defaults."""
    return ArchiveJob(store, database, shards=shards, step_seconds=step_seconds, retention_days=RETENTION_DAYS, minutes_days=MINUTES_DAYS)


async def archive_once(store: Store, database: Database, token: int = 1) -> None:
    """Copies every day that Redis can have once, whether it is due or not."""
    job, fence = archive_job(store, database), Fence(lease_of(token))
    await job.prepare(fence)
    await job.copy(fence, range(today() - RETENTION_DAYS - 1, today() + 1))
    await job.roll(fence, int(time.time()))


def today() -> int:
    """Today's number."""
    return int(time.time()) // 86400


def minute_by_minute(start: int, *tokens: int, account: str = "ana", room: str = "blue") -> list[Reading]:
    """A reading a minute."""
    moments = range(start, start + 60 * len(tokens), 60)
    return [Reading(room, "camsoda", at, balance, 1000 * at, account=account) for at, balance in zip(moments, tokens, strict=True)]
