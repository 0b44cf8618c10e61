"""`python -m tools.simulator.archived_past --rooms 36 --now …`: gives a new archive the past of the studio of `make run`.

The ingest service limits what a token may post, so two weeks would take five minutes. A backup with them is made here, by several
processes, and restored as any other backup. An archive that has some of these days is left as it is.
"""

import argparse
import functools
import io
import itertools
import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

from sqlalchemy import select

from shared.archive.database import ArchiveError, Database
from shared.archive.packed_day import pack
from shared.archive.rollup import HistoryDay, Rollup, rollups
from shared.archive.tables import REVISION, days, minutes, series
from shared.contract.feeds import Series
from shared.contract.history_day import Part, StoredDay, day_balances
from shared.contract.history_record import DAY_SECONDS, LAYOUT, chunks_of_day, series_of, slot_of
from shared.contract.readings import Reading
from shared.income.account_scan import Stored
from shared.store.database_url import DatabaseUrl
from tools.simulator.past import SEED, archived_days, recent_past, recent_start, simulate_days, simulate_past
from tools.simulator.studio import studio
from worker_service.archive.backup import restore
from worker_service.archive.backup_file import FORMAT, KIND, Head, Rows, in_batches, write

STEP_SECONDS: Final = 60
MAX_PROCESSES: Final = 8
ROWS_PER_FRAME: Final = 200


class ArchivedDay(NamedTuple):
    """A day of a series as the archive stores it."""

    day: int
    packed: bytes
    rollup: Rollup


ArchivedSeries = tuple[Series, list[ArchivedDay]]


def readings_of(rooms: int, some: slice, now_seconds: int) -> Iterator[Reading]:
    """The past of some of the studio's rooms, up to now; what of it is posted too is the same."""
    start = recent_start(rooms, now_seconds)
    earlier = range(now_seconds // DAY_SECONDS - archived_days(rooms), start // DAY_SECONDS)
    for room in studio(rooms, SEED, earlier.start * DAY_SECONDS)[some]:
        room.rng.seed(f"{room.room_id} {start}")  # else the first day would be equal to yesterday
        yield from simulate_days(room, earlier)
    made, _ = recent_past(rooms, now_seconds)
    yield from simulate_past(made[some], now_seconds, (now_seconds - start) // 60)


def archived(readings: Iterator[Reading], now_seconds: int) -> list[ArchivedSeries]:
    """The days of readings as the worker would have archived them. Each account works in one room."""
    chunks: dict[Series, dict[int, bytearray]] = defaultdict(lambda: defaultdict(lambda: bytearray(_DAY_BYTES)))
    for reading in readings:
        slot, day = slot_of(reading, STEP_SECONDS), reading.timestamp // DAY_SECONDS
        at = int(slot.key_end.rpartition(":")[2]) * LAYOUT.chunk_bytes + slot.offset
        chunks[series_of(reading)][day][at : at + len(slot.record)] = slot.record
    found = []
    for one, by_day in chunks.items():
        stored = {day: _stored(records) for day, records in by_day.items()}
        history = [HistoryDay(day, [Stored(one.room_id, day_balances(held, STEP_SECONDS))]) for day, held in stored.items()]
        rolled = rollups(history, stored, STEP_SECONDS, 1000 * now_seconds)
        found.append((one, [ArchivedDay(day, pack(held), rolled[day, one.room_id]) for day, held in stored.items()]))
    return found


_DAY_BYTES: Final = chunks_of_day(STEP_SECONDS) * LAYOUT.chunk_bytes


def _stored(records: bytearray) -> StoredDay:
    """The records of a day in chunks, None for an empty one, as Redis has them."""
    chunks = [bytes(records[at : at + LAYOUT.chunk_bytes]) for at in range(0, len(records), LAYOUT.chunk_bytes)]
    return StoredDay([Part(LAYOUT, [chunk if any(chunk) else None for chunk in chunks])])


def frames(found: Sequence[ArchivedSeries]) -> Iterator[Rows]:
    """The rows of a backup."""
    numbered = [*enumerate(found, 1)]
    rows = ((number, *one) for number, (one, _) in numbered)
    yield from in_batches(str(series.name), ["id", *Series._fields], rows, ROWS_PER_FRAME)
    packed = ((one.day, number, STEP_SECONDS, one.packed) for number, (_, own) in numbered for one in own)
    yield from in_batches(str(minutes.name), ["day", "series_id", "step_seconds", "packed"], packed, ROWS_PER_FRAME)
    income = ((one.day, number, STEP_SECONDS, *one.rollup, 0) for number, (_, own) in numbered for one in own)
    yield from in_batches(str(days.name), ["day", "series_id", "step_seconds", *Rollup._fields, "changed"], income, ROWS_PER_FRAME)


def _some(rooms: int, now_seconds: int, some: slice) -> list[ArchivedSeries]:
    return archived(readings_of(rooms, some, now_seconds), now_seconds)


def made(rooms: int, now_seconds: int) -> list[ArchivedSeries]:
    """The past of all rooms, made by as many processes as there are cores."""
    processes = min(os.cpu_count() or 1, MAX_PROCESSES, rooms)
    parts = [slice(number, None, processes) for number in range(processes)]
    with multiprocessing.Pool(processes) as pool:
        return [*itertools.chain.from_iterable(pool.map(functools.partial(_some, rooms, now_seconds), parts, chunksize=1))]


def is_known(database: Database, first_day: int) -> bool:
    """Whether the archive has a day from a first one on."""
    if database.revision() is None:
        return False
    database.check()
    with database.transaction() as connection:
        return connection.execute(select(days.c.day).where(days.c.day >= first_day).limit(1)).first() is not None


def fill(url: DatabaseUrl, rooms: int, now_seconds: int) -> int:
    """Writes the past; returns the number of days of series, 0 where there was nothing to do. Raises ArchiveError."""
    number = archived_days(rooms)
    database = Database(url)
    try:
        if not number or is_known(database, now_seconds // DAY_SECONDS - number):
            return 0
        file = io.BytesIO()
        write(file, Head(KIND, FORMAT, REVISION, now_seconds), frames(made(rooms, now_seconds)))

        def opened() -> BinaryIO:
            """The backup from its beginning."""
            return io.BytesIO(file.getvalue())

        return restore(database, opened).days
    finally:
        database.close()


def main() -> int:
    """Writes the past to the archive of DATABASE_URL; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.simulator.archived_past", description="Gives a new archive a simulated past.")
    parser.add_argument("--rooms", type=int, required=True)
    parser.add_argument("--now", type=int, required=True, help="Unix seconds")
    given = parser.parse_args()
    try:
        count = fill(DatabaseUrl.parse(os.environ["DATABASE_URL"]), given.rooms, given.now)
    except ArchiveError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} days of series")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
