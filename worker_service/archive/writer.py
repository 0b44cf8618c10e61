"""Writes days of history to the archive, and calculates their income. One transaction for each batch; it runs in a thread.

Writing is idempotent: a batch that is written again after a crash changes nothing. The fencing token is stored in the same transaction,
which refuses a smaller one, so a holder of the lease that was suspended cannot write after its successor.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, and_, delete, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from shared.archive.blocks import BLOCK_DAYS, DayParts, build, first_day, is_sound_day
from shared.archive.database import Database
from shared.archive.packed_day import merged, pack
from shared.archive.rollup import HistoryDay, Rollup, rollups
from shared.archive.store import series_ids, stored_days
from shared.archive.tables import blocks, minutes, passes, series, state
from shared.archive.tables import days as days_table
from shared.contract.feeds import Series
from shared.contract.history_day import StoredDay, day_balances
from shared.income.account_scan import Stored
from worker_service.archive.bulk import insert_all
from worker_service.archive.plan import Pass
from worker_service.lease import FencedOff, Lease

MAX_NEIGHBOURS: Final = 40  # days with history before and after the changed ones that their income can depend on


class ChangedDay(NamedTuple):
    """A day of a series, as a number since the epoch, and what Redis has of it."""

    day: int
    series: Series
    stored: StoredDay


class Rolling(NamedTuple):
    """Blocks to make anew: the number of the last transaction before, the last day, and series, block and step of each."""

    changes: int
    last_day: int
    blocks: list[tuple[int, int, int]]


class Fence:
    """The right to write, checked at the beginning and right before the end of each transaction."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def enter(self, connection: Connection) -> int:
        """Locks the archive for this transaction, and returns its number; raises LeaseLost, or FencedOff for too small a token."""
        token = self._lease.fence()
        allowed = update(state).where(state.c.id == 1, state.c.token <= token).values(token=token, changes=state.c.changes + 1)
        if connection.execute(allowed).rowcount != 1:
            raise FencedOff(int(connection.execute(select(state.c.token)).scalar() or 0))
        return int(connection.execute(select(state.c.changes)).scalar_one())

    def now(self) -> float:
        """The Unix time by this host's clock or by that of Redis, whichever is earlier: deleted minutes do not come back."""
        return min(time.time(), self._lease.redis_seconds())

    def check(self) -> None:
        """Raises LeaseLost where the lease has ended meanwhile."""
        self._lease.fence()


class ArchiveWriter:
    """Writes to the archive of one step; the methods raise ArchiveError, LeaseLost and UnreadableDay."""

    def __init__(self, database: Database, step_seconds: int) -> None:
        self._database = database
        self._step_seconds = step_seconds

    def write(self, fence: Fence, changed: Sequence[ChangedDay]) -> set[tuple[int, Series]]:
        """Merges days with their archived records, and calculates the income that they change.

        Returns those of the days at whose end a reading was pending, which the passing of time may confirm.
        """
        with self._database.transaction() as connection:
            change = fence.enter(connection)
            batch = _Batch(connection, self._step_seconds, change)
            batch.write(changed)
            fence.check()
        return batch.unsettled & {(one.day, one.series) for one in changed}

    def finish(self, fence: Fence, done: Mapping[int, Pass]) -> None:
        """Records that everything that Redis had of some days is archived."""
        with self._database.transaction() as connection:
            fence.enter(connection)
            _upsert(connection, passes, [{"day": day, **last._asdict()} for day, last in done.items()])
            fence.check()

    def to_roll(self, last_day: int) -> Rolling:
        """Which blocks lack a change of a day up to a last one."""
        with self._database.transaction() as connection:
            changes, rolled_changes, rolled_day = connection.execute(
                select(state.c.changes, state.c.rolled_changes, state.c.rolled_day)
            ).one()
            last_day = max(rolled_day, last_day)
            block = days_table.c.day // BLOCK_DAYS
            wanted = (
                select(days_table.c.series_id, block, days_table.c.step_seconds)
                .where(or_(days_table.c.changed > rolled_changes, days_table.c.day > rolled_day), days_table.c.day <= last_day)
                .distinct()
            )
            return Rolling(changes, last_day, [tuple(row) for row in connection.execute(wanted)])

    def roll(self, fence: Fence, some: Sequence[tuple[int, int, int]], last_day: int) -> list[tuple[int, int]]:
        """Makes some blocks anew from their days up to a last one.

        Returns the days that are damaged, by number of the series and day; their blocks name them, and have all others.
        """
        damaged: list[tuple[int, int]] = []
        with self._database.transaction() as connection:
            change = fence.enter(connection)
            rows = []
            for number, block, step_seconds in some:
                first = first_day(block)
                wanted = select(days_table.c.day, *(days_table.c[name] for name in DayParts._fields)).where(
                    days_table.c.series_id == number,
                    days_table.c.step_seconds == step_seconds,
                    days_table.c.day.between(first, min(first + BLOCK_DAYS - 1, last_day)),
                )
                found = {day: DayParts(*map(bytes, parts)) for day, *parts in connection.execute(wanted)}
                unsound = [day for day, parts in found.items() if not is_sound_day(parts)]
                damaged += ((number, day) for day in unsound)
                sound = {day - first: parts for day, parts in found.items() if day not in unsound}
                built = build(sound, [day - first for day in unsound])
                key = {"series_id": number, "block": block, "step_seconds": step_seconds}
                rows.append({**key, **built._asdict(), "changed": change})
            _upsert(connection, blocks, rows)
            fence.check()
        return damaged

    def rolled(self, fence: Fence, rolling: Rolling) -> None:
        """Records that all blocks of a `to_roll` were made."""
        with self._database.transaction() as connection:
            fence.enter(connection)
            connection.execute(update(state).values(rolled_changes=rolling.changes, rolled_day=rolling.last_day))
            fence.check()

    def drop_minutes(self, fence: Fence, before: int, limit: int) -> int:
        """Deletes minutes of days before another one, at most so many rows; their income stays. Returns how many were deleted."""
        with self._database.transaction() as connection:
            fence.enter(connection)
            key = tuple_(minutes.c.day, minutes.c.series_id, minutes.c.step_seconds)
            old = select(minutes.c.day, minutes.c.series_id, minutes.c.step_seconds).where(minutes.c.day < before).limit(limit)
            deleted = connection.execute(delete(minutes).where(key.in_(old))).rowcount
            fence.check()
        return deleted

    def passes(self) -> dict[int, Pass]:
        """The last full copy of each day."""
        with self._database.transaction() as connection:
            rows = connection.execute(select(passes.c.day, passes.c.copied_at, passes.c.is_final))
            return {day: Pass(copied_at, bool(is_final)) for day, copied_at, is_final in rows}


class _Batch:
    """The work of one transaction."""

    def __init__(self, connection: Connection, step_seconds: int, change: int) -> None:
        self._connection = connection
        self._step_seconds = step_seconds
        self._change = change
        self._ids = series_ids(connection)
        self._stored: dict[tuple[int, int], StoredDay] = {}
        self.unsettled: set[tuple[int, Series]] = set()

    def write(self, changed: Sequence[ChangedDay]) -> None:
        """Writes the minutes, then the income of every account that has some of them."""
        self._add_series({one.series for one in changed})
        by_day = defaultdict[int, list[int]](list)
        for one in changed:
            by_day[one.day].append(self._ids[one.series])
        for day, ids in by_day.items():
            self._load(ids, [day])
        rows = []
        days_of_account = defaultdict[tuple[str, str, str], set[int]](set)
        for one in changed:
            key = self._ids[one.series], one.day
            old = self._stored.get(key)
            self._stored[key] = merged(one.stored, old, self._step_seconds) if old else one.stored
            packed = pack(self._stored[key])
            rows.append({"day": one.day, "series_id": key[0], "step_seconds": self._step_seconds, "packed": packed})
            days_of_account[_account(one.series)].add(one.day)
        _upsert(self._connection, minutes, rows)
        rooms = defaultdict[tuple[str, str, str], list[Series]](list)
        for one_series in self._ids:
            rooms[_account(one_series)].append(one_series)
        found: list[dict[str, Any]] = []
        for account, days in days_of_account.items():
            found += self._income(rooms[account], days)
        _upsert(self._connection, days_table, found)

    def _add_series(self, wanted: Iterable[Series]) -> None:
        new = sorted({*wanted} - self._ids.keys())
        if new:
            insert_all(self._connection, insert(series), [one._asdict() for one in new])
            self._ids = series_ids(self._connection)

    def _load(self, ids: Sequence[int], days: Sequence[int]) -> None:
        """Reads days of series that were not read yet."""
        missing = [number for number in ids if any((number, day) not in self._stored for day in days)]
        if missing:
            self._stored = stored_days(self._connection, missing, days, self._step_seconds) | self._stored

    def _income(self, rooms: Sequence[Series], changed: set[int]) -> list[dict[str, Any]]:
        """The rows of the days of an account whose income may have changed."""
        ids = {self._ids[one]: one.room_id for one in rooms}
        names = {one.room_id: one for one in rooms}
        numbers = {room: number for number, room in ids.items()}
        known = self._days_of([*ids], changed)
        now_ms = time.time_ns() // 1_000_000
        found = []
        for wanted in affected(known, changed):
            history = self._history(ids, wanted[0], [*known])
            for (day, room), rollup in rollups(history, wanted, self._step_seconds, now_ms).items():
                found.append(self._row(numbers[room], day, rollup))
                if not rollup.is_settled:
                    self.unsettled.add((day, names[room]))
        return found

    def _days_of(self, ids: Sequence[int], changed: set[int]) -> dict[int, bool]:
        """The days of an account around the changed ones, the earliest first, and whether each was settled."""
        own = and_(minutes.c.series_id.in_(ids), minutes.c.step_seconds == self._step_seconds)
        column, first, last = minutes.c.day, min(changed), max(changed)
        queries = (
            select(column).where(own, column < first).distinct().order_by(column.desc()).limit(MAX_NEIGHBOURS),
            select(column).where(own, column.between(first, last)).distinct(),
            select(column).where(own, column > last).distinct().order_by(column).limit(MAX_NEIGHBOURS),
        )
        known = dict.fromkeys(sorted({day for query in queries for day in self._connection.execute(query).scalars()}), True)
        pending = select(days_table.c.day).where(
            days_table.c.series_id.in_(ids), days_table.c.step_seconds == self._step_seconds, ~days_table.c.is_settled
        )
        for day in self._connection.execute(pending).scalars():
            if day in known:
                known[day] = False
        return known

    def _history(self, ids: dict[int, str], first: int, known: Sequence[int]) -> Iterator[HistoryDay]:
        """The archived records of an account, from the day before another one on."""
        for day in known[max(0, known.index(first) - 1) :]:
            self._load([*ids], [day])
            held = [(room, self._stored[number, day]) for number, room in ids.items() if (number, day) in self._stored]
            yield HistoryDay(day, [Stored(room, day_balances(stored, self._step_seconds)) for room, stored in held])

    def _row(self, number: int, day: int, rollup: Rollup) -> dict[str, Any]:
        return {"day": day, "series_id": number, "step_seconds": self._step_seconds, **rollup._asdict(), "changed": self._change}


def affected(known: Mapping[int, bool], changed: set[int]) -> Iterator[list[int]]:
    """The days whose income may have changed, in groups of days that follow each other among the known ones.

    They are the changed days; the days before them, as long as a reading was still pending at their end; and the day after them, with the
    days after that as long as one was pending. `known` says of each day with history whether none was.
    """
    days = [*known]
    wanted = {*changed}
    for before, day in zip(reversed(days[:-1]), reversed(days), strict=False):
        if day in wanted and not known[before]:
            wanted.add(before)
    for before, day in pairwise(days):
        if before in changed or (before in wanted and not known[before]):
            wanted.add(day)
    group: list[int] = []
    for day in days:
        if day in wanted:
            group.append(day)
        elif group:
            yield group
            group = []
    if group:
        yield group


def _account(one: Series) -> tuple[str, str, str]:
    """The account of a series: an unnamed one works in one room."""
    return one.platform, one.account, "" if one.account else one.room_id


def _upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows, or replaces those with the same primary key."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    insert_all(connection, statement.on_conflict_do_update(index_elements=keys, set_=others), rows)
