"""Brings the archive's schema to a revision, in one transaction, on SQLite as on PostgreSQL."""

import pathlib
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from shared.archive.database import Database, WrongSchema, revision_in
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
    """Raises ArchiveError for a database that cannot be used, that a newer version has upgraded, or that no version can have."""
    found = database.revision()
    if found is None or found == REVISION:
        return
    if found > REVISION:
        database.check()
    if found not in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}:
        raise WrongSchema(f"{database.url!r} has schema {found}, which no version has: restore a backup into an empty database")


def migrate(database: Database, revision: str) -> None:
    """Migrates up or down to a revision, `base` for no archive at all; raises ArchiveError."""
    with database.transaction() as connection:
        if not database.url.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = _config()
        config.attributes["connection"] = connection
        current = revision_in(connection)
        if revision == current:
            return
        if revision == "base" or (current is not None and revision < current):
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
