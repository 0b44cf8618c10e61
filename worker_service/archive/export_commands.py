"""`python -m worker_service export --from 2026-01-01 --to 2026-02-01 --format parquet`."""

import argparse
import datetime as dt
import io
import pathlib
import sys
from typing import BinaryIO, Final

from shared.archive.database import Database
from worker_service.archive.backup_commands import opened, replaced
from worker_service.archive.export import EPOCH, TABLES, OnDamage, write_csv, write_parquet
from worker_service.command import Command, CommandError
from worker_service.settings import DatabaseSettings

MAX_NAMED: Final = 50  # damaged days that are listed


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="start", type=dt.date.fromisoformat, required=True, metavar="YYYY-MM-DD", help="the first UTC day")
    parser.add_argument("--to", dest="end", type=dt.date.fromisoformat, required=True, metavar="YYYY-MM-DD", help="the day after the last")
    parser.add_argument("--rows", choices=sorted(TABLES), default="days", help="income by day (default), or the readings of minutes")
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv", help="csv (default), or parquet, which needs pyarrow")
    parser.add_argument("--output", default="-", metavar="FILE", help="the file to write; by default standard output")


def _export(given: argparse.Namespace, settings: DatabaseSettings) -> None:
    if given.start >= given.end:
        raise CommandError("--to is the day after the last one, so it is later than --from")
    damaged: list[str] = []
    with opened(settings.database_url, read_only=True) as database:
        if given.output != "-":
            with replaced(pathlib.Path(given.output)) as file:
                count = _write(given, database, file, damaged.append)
        elif given.format == "parquet" and sys.stdout.isatty():
            raise CommandError("Parquet is no text: name a file with --output, or redirect the output to one")
        else:
            count = _write(given, database, sys.stdout.buffer, damaged.append)
            sys.stdout.buffer.flush()
    print(f"Exported {count} rows.", file=sys.stderr)
    for day in damaged[:MAX_NAMED]:
        print(f"Not exported: {day}.", file=sys.stderr)
    if damaged:
        raise CommandError(f"{len(damaged)} days of feeds cannot be read and are not in the export: restore a backup that has them")


def _write(given: argparse.Namespace, database: Database, file: BinaryIO, on_damage: OnDamage) -> int:
    table, wanted = TABLES[given.rows], range((given.start - EPOCH).days, (given.end - EPOCH).days)
    try:
        if given.format == "parquet":
            return write_parquet(database, table, wanted, file, on_damage)
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        try:
            return write_csv(database, table, wanted, text, on_damage)
        finally:
            text.detach()
    except ModuleNotFoundError as error:
        raise CommandError(f"Parquet needs the package {error.name}: install requirements-parquet.txt") from None


COMMANDS = [Command("export", "Write income by day, or the readings of minutes, of a range of days", _add_arguments, _export)]
