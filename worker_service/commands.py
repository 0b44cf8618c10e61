"""The command lines beside the service: `python -m worker_service NAME …`. They need the database alone, not Redis.

A new command is added to `COMMANDS`.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from shared.settings import SettingsError, lines_of_help, load
from worker_service.archive import backup_commands, export_commands, schema_commands
from worker_service.command import Command, CommandError
from worker_service.settings import DatabaseSettings, WorkerSettings

COMMANDS: Final[Sequence[Command]] = [*schema_commands.COMMANDS, *backup_commands.COMMANDS, *export_commands.COMMANDS]


def run_command(arguments: Sequence[str], commands: Sequence[Command] = COMMANDS) -> int:
    """Carries out one command; returns the exit status: 1 if it failed, 2 for wrong settings. Wrong arguments end the process with 2."""
    parser = argparse.ArgumentParser(
        prog="python -m worker_service",
        description="Without a command: runs the worker service until SIGTERM or SIGINT. docs/worker.md describes it.",
        epilog=lines_of_help(WorkerSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = parser.add_subparsers(dest="command", required=True, metavar="command")
    for command in commands:
        command.add_arguments(names.add_parser(command.name, help=command.help, description=command.help))
    given = parser.parse_args(arguments)
    try:
        settings = load(DatabaseSettings)
    except SettingsError as error:
        print(f"{given.command} cannot start:", *error.problems, sep="\n  ", file=sys.stderr)
        return 2
    try:
        next(command for command in commands if command.name == given.command).run(given, settings)
    except CommandError as error:
        print(f"{given.command}: {error}", file=sys.stderr)
        return 1
    return 0
