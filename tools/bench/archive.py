"""An archive for the bench of costs: rooms with a year of equal days, written as the worker writes them."""

import time
from typing import Final

from sqlalchemy import insert, update

from shared.archive import tables
from shared.archive.blocks import Block, block_of, build, first_day
from shared.archive.database import Database
from shared.archive.packed_day import pack
from shared.archive.rollup import HistoryDay, rollups
from shared.contract.history_day import Part, StoredDay, day_balances
from shared.contract.history_record import DAY_SECONDS, LAYOUT
from shared.contract.readings import METRICS
from shared.income.account_scan import Stored
from shared.store.database_url import DatabaseUrl
from worker_service.archive.schema import upgrade

ROOMS: Final = 1000
ROOMS_WITH_MINUTES: Final = 20
DAYS: Final = 366
FALLS: Final = (333, 833, 1333)  # minutes of the day
PLATFORM: Final = "camsoda"
STEP_SECONDS: Final = 60


def fill(url: str) -> None:
    """Creates an archive of `ROOMS` rooms named archived-0000 and so on, up to the day before yesterday."""
    database = Database(DatabaseUrl.parse(url))
    upgrade(database)
    today = int(time.time()) // DAY_SECONDS
    span, day = range(today - DAYS, today - 1), _day()
    rows = [{"block": number, "step_seconds": STEP_SECONDS, "changed": 1, **block._asdict()} for number, block in _blocks(day, span)]
    with database.transaction() as connection:
        connection.execute(update(tables.state).values(changes=1, rolled_changes=1, rolled_day=today - 2))
        for number in range(1, ROOMS + 1):
            name = {"room_id": f"archived-{number - 1:04d}", "platform": PLATFORM, "account": f"account-{number}"}
            connection.execute(insert(tables.series).values(id=number, **name))
            connection.execute(insert(tables.blocks), [{"series_id": number, **row} for row in rows])
        packed = {"step_seconds": STEP_SECONDS, "packed": pack(day)}
        for number in range(1, ROOMS_WITH_MINUTES + 1):
            connection.execute(insert(tables.minutes), [{"series_id": number, "day": one, **packed} for one in span])


def _day() -> StoredDay:
    """A day with a gain every other minute and three cash-outs."""
    records, tokens = b"", 3000
    for minute in range(1440):
        first = tokens = 30 if minute in FALLS else tokens
        tokens += 20 * (minute % 2)
        records += LAYOUT.record.pack(first + 1, 0, 0, tokens + 1, 40_000, 40_001, *[5] * (len(METRICS) - 1))
    size = LAYOUT.chunk_bytes
    return StoredDay([Part(LAYOUT, [records[at : at + size] for at in range(0, len(records), size)])])


def _blocks(day: StoredDay, span: range) -> list[tuple[int, Block]]:
    """The blocks of a series that has this day on each day of a span."""
    held = [HistoryDay(number, [Stored("room", day_balances(day, STEP_SECONDS))]) for number in range(3)]
    rolled = rollups(held, [1], STEP_SECONDS, int(time.time() * 1000))[1, "room"]
    numbers = range(block_of(span.start), block_of(span.stop - 1) + 1)
    return [(number, build({one - first_day(number): rolled for one in span if block_of(one) == number})) for number in numbers]
