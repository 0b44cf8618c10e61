"""`python -m worker_service migrate`."""

import argparse
import sys

from shared.archive.tables import REVISION
from worker_service.archive.backup_commands import opened
from worker_service.archive.schema import upgrade
from worker_service.command import Command
from worker_service.settings import DatabaseSettings


def _migrate(_given: argparse.Namespace, settings: DatabaseSettings) -> None:
    with opened(settings.database_url) as database:
        was_upgraded = upgrade(database)
    print(f"The archive {'now has' if was_upgraded else 'has'} schema {REVISION}.", file=sys.stderr)


COMMANDS = [
    Command(
        "migrate", "Create the archive, or upgrade it to this version, as the service does when it starts", lambda _parser: None, _migrate
    )
]
