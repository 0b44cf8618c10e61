"""What reports read from the archive. Every query runs in a thread, so that none of them stalls the event loop."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from shared.archive.database import Database, in_thread
from shared.archive.packed_day import UnreadableDay
from shared.archive.rollup import MINUTES, minutes_of
from shared.archive.store import IDS_AT_ONCE, series_ids, stored_days
from shared.archive.tables import blocks, days, minutes, state
from shared.contract.feeds import Series
from shared.contract.history_day import StoredDay

ROWS_AT_ONCE: Final = 50
DAYS_AT_ONCE: Final = 8  # of minutes
YIELD_SECONDS: Final = 0.0002  # in which the event loop gets the interpreter, between some rows and the next


class RecentDay(NamedTuple):
    """A day that Redis may have too, and the minutes that the archive has of it, as bits: the first minute is the highest one."""

    series: Series
    day: int
    minutes: int


class BlockDays(NamedTuple):
    """Which days, as bits, a block of a series has, the damaged ones among them."""

    series: Series
    block: int
    days: int


class Changes(NamedTuple):
    """The days and blocks written since an earlier call, the last day in blocks (`rolled_day`), and the first day with minutes."""

    recent: list[RecentDay]
    blocks: list[BlockDays]
    rolled_day: int
    first_minutes: int | None


class BlockRow(NamedTuple):
    """A block of a series; see `blocks.Block`."""

    series: Series
    block: int
    damaged: int
    gained: bytes
    odd: bytes
    minutes: bytes
    on_air: bytes


class ArchivedMinutes(NamedTuple):
    """Days with their minutes, and why each of the others cannot be read."""

    days: dict[tuple[Series, int], StoredDay]
    unreadable: dict[tuple[Series, int], str]


_BLOCK_COLUMNS: Final = tuple(blocks.c[name] for name in ("series_id", "block", "damaged", "gained", "odd", "minutes", "on_air"))


class ArchiveReader:
    """Reads the archive of one step; the methods raise ArchiveError. One `changes` runs at a time."""

    def __init__(self, database: Database, step_seconds: int) -> None:
        self._database = database
        self._step_seconds = step_seconds
        self._ids: dict[Series, int] = {}
        self._seen = 0
        self._is_checked = False

    def forget(self) -> None:
        """Makes the next `changes` return everything."""
        self._seen = 0

    async def changes(self, first_recent: int) -> Changes:
        """The days and blocks written since the last call; the first call returns all. Recent days begin with `first_recent`."""
        seen, found = await in_thread(lambda: self._changes(first_recent))
        self._seen = seen
        return found

    def _changes(self, first_recent: int) -> tuple[int, Changes]:
        if not self._is_checked:
            self._database.check()
            self._is_checked = True
        with self._database.transaction() as connection:
            seen, rolled_day = connection.execute(select(state.c.changes, state.c.rolled_day)).one()
            first_minutes = connection.execute(select(func.min(minutes.c.day))).scalar()
            if seen == self._seen:
                return seen, Changes([], [], rolled_day, first_minutes)
            since = self._seen if seen > self._seen else 0  # else another database is there now
            self._ids = series_ids(connection)
            names = {number: one for one, number in self._ids.items()}
            own = days.c.changed > since, days.c.day >= first_recent, days.c.step_seconds == self._step_seconds
            recent = select(days.c.series_id, days.c.day, days.c.minutes).where(*own)
            rolled = select(blocks.c.series_id, blocks.c.block, blocks.c.days, blocks.c.damaged).where(
                blocks.c.changed > since, blocks.c.step_seconds == self._step_seconds
            )
            return seen, Changes(
                [RecentDay(names[number], day, _mirrored(bits)) for number, day, bits in _rows(connection, recent)],
                [BlockDays(names[number], block, held | damaged) for number, block, held, damaged in _rows(connection, rolled)],
                rolled_day,
                first_minutes,
            )

    async def days(self, wanted: Collection[tuple[Series, int]]) -> ArchivedMinutes:
        """The minutes of some days of some series; left out where the archive has none, or no longer has them."""
        names = {number: one for one, _ in wanted if (number := self._ids.get(one)) is not None}
        parts, found = _parts([(self._ids[one], day) for one, day in wanted if one in self._ids]), ArchivedMinutes({}, {})

        def damaged(key: tuple[int, int], error: UnreadableDay) -> None:
            """Keeps the reason."""
            found.unreadable[names[key[0]], key[1]] = str(error)

        def read() -> ArchivedMinutes:
            """Reads them in a thread, some at a time, so that the event loop gets the interpreter between them."""
            with self._database.transaction() as connection:
                for place, (ids, days) in enumerate(parts):
                    if place:
                        time.sleep(YIELD_SECONDS)
                    stored = stored_days(connection, ids, days, self._step_seconds, damaged)
                    found.days.update({(names[number], day): one for (number, day), one in stored.items()})
            return found

        return await in_thread(read) if parts else found

    async def each_block(self, wanted: Iterable[Series], span: range, visit: Callable[[BlockRow], None]) -> None:
        """Calls `visit`, in a thread, with each block of some series within a range of blocks."""
        names = {number: one for one in wanted if (number := self._ids.get(one)) is not None}
        ids = sorted(names)

        def read() -> None:
            """Reads the blocks of so many series per statement, in a thread."""
            with self._database.transaction() as connection:
                for start in range(0, len(ids), IDS_AT_ONCE):
                    some = select(*_BLOCK_COLUMNS).where(
                        blocks.c.series_id.in_(ids[start : start + IDS_AT_ONCE]),
                        blocks.c.block.between(span.start, span.stop - 1),
                        blocks.c.step_seconds == self._step_seconds,
                    )
                    for number, *others in _rows(connection, some):
                        visit(BlockRow(names[number], *others))

        if ids:
            await in_thread(read)


def _parts(wanted: Iterable[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Numbers of series and days in few parts of at most `DAYS_AT_ONCE`: a part is every day listed of every series listed."""
    days_of, ids_of = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    for number, day in wanted:
        days_of[number].append(day)
        ids_of[day].append(number)
    if len(days_of) < len(ids_of):
        return [([number], [*some]) for number, days in days_of.items() for some in _slices(days)]
    return [([*some], [day]) for day, ids in sorted(ids_of.items()) for some in _slices(ids)]


def _slices(items: list[int]) -> Iterator[list[int]]:
    return (items[first : first + DAYS_AT_ONCE] for first in range(0, len(items), DAYS_AT_ONCE))


def _mirrored(minutes: bytes) -> int:
    return int(f"{minutes_of(minutes):0{MINUTES}b}"[::-1], 2)


def _rows(connection: Connection, wanted: Any) -> Iterator[Any]:
    """The rows of a query. Between some of them and the next the event loop gets a turn."""
    result = connection.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE).execute(wanted)
    for some in result.partitions():
        yield from some
        time.sleep(YIELD_SECONDS)
