"""Which jobs the worker runs. A new job is added here."""

from collections.abc import Sequence

import structlog

from shared.archive.database import ArchiveError, ArchiveUnavailable, Database
from shared.settings import SettingsError
from shared.store.redis import Store
from worker_service.archive.job import ArchiveJob
from worker_service.archive.schema import check_upgradable
from worker_service.job import Job
from worker_service.settings import WorkerSettings

log = structlog.get_logger()


def create_jobs(settings: WorkerSettings, store: Store) -> Sequence[Job]:
    """All jobs, each created once; raises SettingsError for what only an operator can mend, before anything runs."""
    return [_archive(settings, store)]


def _archive(settings: WorkerSettings, store: Store) -> ArchiveJob:
    try:
        database = Database(settings.database_url)
        check_upgradable(database)
    except ModuleNotFoundError as error:
        raise SettingsError([f"DATABASE_URL needs the package {error.name}: install requirements-worker.txt"]) from None
    except ArchiveUnavailable as error:  # it may still be starting; the job waits for it
        log.warning("archive.waits", side="database", reason=str(error))
    except ArchiveError as error:
        raise SettingsError([f"DATABASE_URL: {error}"]) from None
    return ArchiveJob(
        store,
        database,
        shards=settings.telemetry_shards,
        step_seconds=settings.history_step_seconds,
        retention_days=settings.history_retention_days,
        minutes_days=settings.archive_minutes_days,
    )
