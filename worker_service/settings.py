"""The worker service's settings."""

from typing import Annotated

from msgspec import Meta

from shared.settings import BackgroundSettings, Database, Port
from shared.store.database_url import DatabaseUrl


class WorkerSettings(BackgroundSettings, frozen=True, kw_only=True):
    """What the worker service reads beside the settings of every process."""

    worker_host: Annotated[str, Meta(description="an address to listen on")] = "127.0.0.1"
    worker_port: Port = 8004
    metrics_port: Port = 9103
    database_url: Database = DatabaseUrl.parse("sqlite:///archive.db")
    archive_minutes_days: Annotated[int, Meta(ge=40, le=36_500, description="days from 40 to 36500")] = 400
