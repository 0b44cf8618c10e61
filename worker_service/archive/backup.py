"""Backs the archive up into a file, and restores it: also into the other kind of database, and into an archive that is at work.

A backup is one consistent snapshot, taken while the worker goes on. It has what cannot be calculated again; blocks are made anew from the
days. Restoring into an empty archive is one transaction. Restoring into one that has history merges each day with the stored one, keeps
every balance of both, and calculates the income anew; it can be repeated, and changes nothing then.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, BinaryIO, Final, NamedTuple

from sqlalchemy import Connection, Table, insert, select, text, update

from shared.archive.database import Database
from shared.archive.packed_day import UnreadableDay, unpack
from shared.archive.store import series_ids
from shared.archive.tables import REVISION, days, minutes, passes, series, state
from shared.contract.feeds import Series
from worker_service.archive.backup_file import FORMAT, KIND, Head, Rows, UnreadableBackup, as_mappings, in_batches, read, write
from worker_service.archive.bulk import insert_all
from worker_service.archive.schema import upgrade
from worker_service.archive.writer import ArchiveWriter, ChangedDay, Fence

TABLES: Final[Sequence[Table]] = (series, minutes, days, passes)  # series first: the others name its rows
ROWS_AT_ONCE: Final = 200
MERGED_AT_ONCE: Final = 50
_BY_NAME: Final = {table.name: table for table in TABLES}


class Restored(NamedTuple):
    """What a restore did: days of feeds that it read, whether it merged them, and how many it could not read."""

    days: int
    was_merged: bool
    unreadable: int


class OperatorsFence(Fence):
    """The right of an operator to write beside the worker: each transaction takes its turn, and the holder's token stays."""

    def __init__(self) -> None:
        """Needs no lease."""

    def enter(self, connection: Connection) -> int:
        """Locks the archive for this transaction, and returns its number."""
        connection.execute(update(state).where(state.c.id == 1).values(changes=state.c.changes + 1))
        return int(connection.execute(select(state.c.changes)).scalar_one())

    def check(self) -> None:
        """There is no term that could have ended."""


def back_up(database: Database, file: IO[bytes]) -> int:
    """Writes a backup; returns the number of rows. Raises ArchiveError and OSError."""
    database.check()
    with database.transaction() as connection:
        if not database.url.is_sqlite:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        return write(file, Head(KIND, FORMAT, REVISION, int(time.time())), _rows(connection))


def _rows(connection: Connection) -> Iterator[Rows]:
    for table in TABLES:
        found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table).order_by(*table.primary_key.columns))
        yield from in_batches(str(table.name), [str(column.name) for column in table.columns], found, ROWS_AT_ONCE)


def restore(database: Database, opened: Callable[[], BinaryIO]) -> Restored:
    """Restores a backup, which `opened` opens anew each time. Nothing is written unless all of the file can be read.

    Raises UnreadableBackup, ArchiveError and OSError.
    """
    _verify(opened)
    upgrade(database)
    with opened() as file:
        restored = _into_empty(database, _tables(file))
    if restored is None:
        with opened() as file:
            restored = _merge(database, _tables(file))
    return restored


def _verify(opened: Callable[[], BinaryIO]) -> None:
    with opened() as file:
        for frame in read(file):
            if isinstance(frame, Head):
                if frame.revision > REVISION:
                    raise UnreadableBackup("a newer version wrote the file: install that version")
            elif frame.table not in _BY_NAME or {*frame.columns} != {*_BY_NAME[frame.table].columns.keys()}:
                raise UnreadableBackup("the file has a table that this version does not know")
            else:
                for _ in as_mappings(frame):
                    pass


def _tables(file: BinaryIO) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    for frame in read(file):
        if isinstance(frame, Rows):
            yield _BY_NAME[frame.table], [*as_mappings(frame)]


def _into_empty(database: Database, tables: Iterator[tuple[Table, list[dict[str, Any]]]]) -> Restored | None:
    """Restores into an archive without history, all or nothing; None if there is history."""
    count, numbers = 0, dict[int, int]()
    with database.transaction() as connection:
        change = OperatorsFence().enter(connection)
        if any(connection.execute(select(table.c.day).limit(1)).first() for table in (minutes, days)):
            return None
        connection.execute(passes.delete())
        for table, rows in tables:
            if table is series:
                numbers |= _numbers(connection, rows)
                continue
            insert_all(connection, insert(table), [_own(row, numbers, change) for row in rows])
            count += len(rows) if table is minutes else 0
    return Restored(count, was_merged=False, unreadable=0)


def _merge(database: Database, tables: Iterator[tuple[Table, list[dict[str, Any]]]]) -> Restored:
    """Restores into an archive that has history, in small transactions between those of the worker."""
    names, numbers = dict[int, Series](), dict[int, int]()
    count = unreadable = 0
    for table, rows in tables:
        if table is series:
            names |= {row["id"]: Series(row["room_id"], row["platform"], row["account"]) for row in rows}
            with database.transaction() as connection:
                OperatorsFence().enter(connection)
                numbers |= _numbers(connection, rows)
        elif table is minutes:
            unreadable += _merge_minutes(database, names, rows)
            count += len(rows)
        else:
            with database.transaction() as connection:
                change = OperatorsFence().enter(connection)
                _add_missing(connection, table, [_own(row, numbers, change) for row in rows])
    return Restored(count, was_merged=True, unreadable=unreadable)


def _numbers(connection: Connection, rows: Sequence[dict[str, Any]]) -> dict[int, int]:
    """The number here of each series of the file, by its number there. Series that are new here are added."""
    wanted = {row["id"]: Series(row["room_id"], row["platform"], row["account"]) for row in rows}
    known = series_ids(connection)
    if new := sorted({*wanted.values()} - known.keys()):
        insert_all(connection, insert(series), [one._asdict() for one in new])
        known = series_ids(connection)
    return {number: known[one] for number, one in wanted.items()}


def _own(row: dict[str, Any], numbers: dict[int, int], change: int) -> dict[str, Any]:
    """A row with the numbers of this archive."""
    own = {**row, "series_id": numbers[row["series_id"]]} if "series_id" in row else row
    return {**own, "changed": change} if "changed" in row else own


def _merge_minutes(database: Database, names: dict[int, Series], rows: Sequence[dict[str, Any]]) -> int:
    """Merges days with those of the archive; returns how many could not be read."""
    unreadable = 0
    by_step = defaultdict[int, list[ChangedDay]](list)
    for row in rows:
        try:
            stored = unpack(bytes(row["packed"]), row["step_seconds"])
        except UnreadableDay:
            unreadable += 1
        else:
            by_step[row["step_seconds"]].append(ChangedDay(row["day"], names[row["series_id"]], stored))
    for step_seconds, changed in by_step.items():
        writer = ArchiveWriter(database, step_seconds)
        for first in range(0, len(changed), MERGED_AT_ONCE):
            unreadable += _write(writer, changed[first : first + MERGED_AT_ONCE])
    return unreadable


def _write(writer: ArchiveWriter, some: Sequence[ChangedDay]) -> int:
    """Writes some days, each alone where an archived one cannot be read; returns how many were left out."""
    try:
        writer.write(OperatorsFence(), some)
    except UnreadableDay:
        return 1 if len(some) == 1 else sum(_write(writer, [one]) for one in some)
    return 0


def _add_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Adds the rows whose primary key is not there."""
    keys = [column.name for column in table.primary_key]
    first, last = min(row["day"] for row in rows), max(row["day"] for row in rows)
    found = connection.execute(select(*(table.c[key] for key in keys)).where(table.c.day.between(first, last)))
    known = {tuple(row) for row in found}
    if new := [row for row in rows if tuple(row[key] for key in keys) not in known]:
        insert_all(connection, insert(table), new)
