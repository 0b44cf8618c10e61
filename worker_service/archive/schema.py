"""Brings the archive's schema to a revision, in one transaction, on SQLite as on PostgreSQL."""

import pathlib
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from shared.archive.database import Database, revision_in
from shared.archive.tables import REVISION

MIGRATIONS: Final = pathlib.Path(__file__).parent / "migrations"
LOCK: Final = 7_203_911  # PostgreSQL's advisory lock of migrations; any number that nothing else uses


def upgrade(database: Database) -> bool:
    """Upgrades to the revision of this version; returns whether there was anything to do. Raises ArchiveError."""
    check_upgradable(database)
    if database.revision() == REVISION:
        return False
    migrate(database, REVISION)
    return True


def check_upgradable(database: Database) -> None:
    """Raises ArchiveError for a database that cannot be used, or that a newer version has upgraded."""
    found = database.revision()
    if found is not None and found > REVISION:
        database.check()


def migrate(database: Database, revision: str) -> None:
    """Migrates up or down to a revision, `base` for no archive at all; raises ArchiveError."""
    with database.transaction() as connection:
        if not database.url.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        current = revision_in(connection)
        if revision == current:
            return
        if revision == "base" or (current is not None and revision < current):
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)
