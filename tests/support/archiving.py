"""Archives for tests: a SQLite file or a PostgreSQL database of one's own, and one copy of everything into it."""

import time

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


def lease_of(token: int = 1, term_seconds: float = 3600) -> Lease:
    """A lease that holds for a while."""
    return Lease(token, seconds() + term_seconds)


def new_archive(url: str) -> Database:
    """The database at an address, with the schema of this version."""
    database = Database(DatabaseUrl.parse(url))
    upgrade(database)
    return database


def archive_job(store: Store, database: Database, *, shards: int = 1, step_seconds: int = STEP) -> ArchiveJob:
    """The job with the settings' defaults."""
    return ArchiveJob(store, database, shards=shards, step_seconds=step_seconds, retention_days=RETENTION_DAYS, minutes_days=MINUTES_DAYS)


async def archive_once(store: Store, database: Database, token: int = 1) -> None:
    """Copies every day that Redis can have once, whether it is due or not."""
    job, fence = archive_job(store, database), Fence(lease_of(token))
    await job.prepare(fence)
    for day in range(today() - RETENTION_DAYS - 1, today() + 1):
        await job.copy_day(fence, day)
    await job.roll(fence, int(time.time()))


def today() -> int:
    """Today's number."""
    return int(time.time()) // 86400


def minute_by_minute(start: int, *tokens: int, account: str = "ana", room: str = "blue") -> list[Reading]:
    """A reading a minute."""
    moments = range(start, start + 60 * len(tokens), 60)
    return [Reading(room, "camsoda", at, balance, 1000 * at, account=account) for at, balance in zip(moments, tokens, strict=True)]
