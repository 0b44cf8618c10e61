"""Exports a range of days of the archive as CSV or Parquet, row by row, so that a range of any length needs little memory.

A day of a feed that cannot be read is passed on to the caller, and the export continues with the next one.
"""

import csv
import datetime as dt
import importlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Final, NamedTuple, TextIO

from sqlalchemy import Connection, select

from shared.archive.database import Database
from shared.archive.packed_day import UnreadableDay, unpack
from shared.archive.tables import days, minutes, series
from shared.contract.history_day import StoredDay
from shared.contract.history_record import DAY_SECONDS, Record, unpack_old
from shared.contract.readings import METRICS

ROWS_AT_ONCE: Final = 200
ROWS_PER_GROUP: Final = 10_000  # of a Parquet file
EPOCH: Final = dt.date(1970, 1, 1)
NAMES: Final = ("room_id", "platform", "account")
INCOME: Final = ("earned", "between_sessions", "unsettled", "set_aside", "on_air_seconds")
Row = Sequence[Any]
OnDamage = Callable[[str], None]
"""Receives the date, the room, the platform, the account and the reason of a day that cannot be read, as text."""


class Table(NamedTuple):
    """What can be exported: its columns, those of them that are text, and its rows of a range of days."""

    columns: tuple[str, ...]
    text: int
    rows: Callable[[Connection, range, OnDamage], Iterator[Row]]


def _income(connection: Connection, wanted: range, _on_damage: OnDamage) -> Iterator[Row]:
    """A row per UTC day and series with its income."""
    found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        select(days.c.day, *(series.c[name] for name in NAMES), *(days.c[name] for name in INCOME))
        .join(series)
        .where(days.c.day >= wanted.start, days.c.day < wanted.stop)
        .order_by(days.c.day, *(series.c[name] for name in NAMES))
    )
    for day, *values in found:
        yield (EPOCH + dt.timedelta(days=day)).isoformat(), *values


def _minutes(connection: Connection, wanted: range, on_damage: OnDamage) -> Iterator[Row]:
    """A row per step of a series that has a reading: its last one."""
    found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        select(minutes.c.day, minutes.c.step_seconds, minutes.c.packed, *(series.c[name] for name in NAMES))
        .join(series)
        .where(minutes.c.day >= wanted.start, minutes.c.day < wanted.stop)
        .order_by(minutes.c.day, *(series.c[name] for name in NAMES))
    )
    for day, step_seconds, packed, *names in found:
        try:
            stored = unpack(bytes(packed), step_seconds)
        except UnreadableDay as error:
            on_damage(f"{EPOCH + dt.timedelta(days=day)} of {':'.join(names)}: {error}")
            continue
        for slot, record in enumerate(last_records(stored, step_seconds)):
            if record:
                moment = dt.datetime.fromtimestamp(day * DAY_SECONDS + slot * step_seconds, dt.UTC)
                yield f"{moment:%Y-%m-%dT%H:%M:%SZ}", *names, *record.values


def last_records(day: StoredDay, step_seconds: int) -> Iterator[Record | None]:
    """The last reading of each step of a day, whichever part of the day has it."""
    slots = DAY_SECONDS // step_seconds
    parts = [part.layout.unpack(part.records(range(slots)), step_seconds) for part in day.parts]
    for records in itertools.islice(itertools.zip_longest(*parts, unpack_old(day.old or b"")), slots):
        yield max((record for record in records if record), key=lambda record: record.moment_ms, default=None)


TABLES: Final = {
    "days": Table(("day", *NAMES, *INCOME), 4, _income),
    "minutes": Table(("time", *NAMES, *(metric.name for metric in METRICS)), 4, _minutes),
}


def write_csv(database: Database, table: Table, wanted: range, file: TextIO, on_damage: OnDamage) -> int:
    """Writes CSV, an unknown value as an empty one; returns the number of rows. Raises ArchiveError and OSError."""
    database.check()
    writer = csv.writer(file)
    writer.writerow(table.columns)
    count = 0
    with database.transaction() as connection:
        for row in table.rows(connection, wanted, on_damage):
            writer.writerow(row)
            count += 1
    return count


def write_parquet(database: Database, table: Table, wanted: range, file: BinaryIO, on_damage: OnDamage) -> int:
    """Writes Parquet, an unknown value as null; returns the number of rows. Raises also ModuleNotFoundError, without pyarrow."""
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    database.check()
    kinds = [arrow.string() if number < table.text else arrow.int64() for number in range(len(table.columns))]
    schema = arrow.schema(list(zip(table.columns, kinds, strict=True)))
    count = 0
    with database.transaction() as connection, parquet.ParquetWriter(file, schema) as writer:
        for group in _groups(table.rows(connection, wanted, on_damage)):
            columns = [arrow.array(column, kind) for column, kind in zip(zip(*group, strict=True), kinds, strict=True)]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
            count += len(group)
    return count


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while group := list(itertools.islice(left, ROWS_PER_GROUP)):
        yield group
