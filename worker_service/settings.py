"""The worker service's settings."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from shared.settings import BackgroundSettings, Database, Port
from shared.store.database_url import DatabaseUrl

DEFAULT_DATABASE: Final = DatabaseUrl.parse("sqlite:///archive.db")


class DatabaseSettings(Struct, frozen=True, kw_only=True):
    """What the commands read: where the archive is."""

    database_url: Database = DEFAULT_DATABASE


class WorkerSettings(BackgroundSettings, frozen=True, kw_only=True):
    """What the worker service reads beside the settings of every process."""

    worker_host: Annotated[str, Meta(description="an address to listen on")] = "127.0.0.1"
    worker_port: Port = 8004
    metrics_port: Port = 9103
    database_url: Database = DEFAULT_DATABASE
    archive_minutes_days: Annotated[int, Meta(ge=40, le=36_500, description="days from 40 to 36500")] = 400
