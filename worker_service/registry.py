"""Which jobs the worker runs. A new job is added here."""

from collections.abc import Sequence

from shared.store.redis import Store
from worker_service.job import Job
from worker_service.settings import WorkerSettings


def create_jobs(_settings: WorkerSettings, _store: Store) -> Sequence[Job]:
    """All jobs, each created once; raises SettingsError for what only an operator can mend, before anything runs."""
    return []
