"""Days of reports from Redis and from the archive, without a seam: Redis has the recent ones, the archive all others.

What Redis has is newer, so it is read first. Where it lacks a day that is archived, or minutes of it, because its data were lost or
its time is over, the archive's are used. Reports that begin before Redis' time read the income of whole days from the archive's blocks.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import structlog

from broadcast_service import metrics
from broadcast_service.http.budget import ARCHIVED_BLOCK, ARCHIVED_DAY, ARCHIVED_STEP, CSV_STEP
from broadcast_service.http.parameters import invalid_parameter
from broadcast_service.reports.account_days import Charge
from broadcast_service.reports.days import Damaged, DayIndex, Fetched, RedisDays, SeriesDay
from broadcast_service.reports.findings import read_steps
from broadcast_service.reports.rolled import Rolled, days_in_blocks
from shared.archive.blocks import first_day
from shared.archive.database import ArchiveError, Database
from shared.archive.packed_day import merged
from shared.archive.reader import ArchivedMinutes, ArchiveReader
from shared.archive.rollup import MINUTES
from shared.contract.feeds import Feed, Series
from shared.contract.history_day import DayBalances, StoredDay, day_balances
from shared.contract.history_record import DAY_SECONDS
from shared.contract.keys import day_of
from shared.contract.problems import Problem
from shared.income.steps import Steps
from shared.store.database_url import DatabaseUrl

REFRESH_SECONDS: Final = 5.0  # between two looks for newly archived days
RETRY_SECONDS: Final = 30
MAX_KNOWN_DAMAGED: Final = 1000  # beyond it damaged days are neither logged nor counted
AT_ONCE: Final = 50  # steps of a loop before others get a turn
MINUTE_SECONDS: Final = 60

log = structlog.get_logger()


class ArchivedDays:
    """A `DaySource` over Redis and the archive; its methods raise RedisError, and a 503 Problem where the archive is needed and away."""

    def __init__(self, redis: RedisDays, reader: ArchiveReader) -> None:
        self._redis = redis
        self._reader = reader
        self.step_seconds = redis.step_seconds
        self._held: dict[Series, int] = {}  # the archived days of each series, as bits since the epoch
        self._all = 0  # of all series
        self._recent: dict[tuple[Series, int], int] = {}  # the archived minutes of days that Redis may have too
        self._first: int | None = None
        self._rolled_day = 0
        self._first_minutes: int | None = None
        self._days = range(0)
        self._looked_at = float("-inf")
        self._to_add: set[Series] = set()  # to the index
        self._refreshing = asyncio.Lock()
        self._is_away = False
        self._known_damaged: Damaged = set()  # and logged

    @property
    def index(self) -> DayIndex:
        """The days that have records, as of the last `refresh`."""
        return self._redis.index

    async def refresh(self, now_seconds: int) -> range:
        """Brings the index up to date, and returns the days that may hold something."""
        async with self._refreshing:
            kept = self._redis.days(now_seconds)
            await self._look(kept)
            days = range(kept.start if self._first is None else min(kept.start, self._first), kept.stop)
            index = await self._redis.refresh_among(days, kept)
            if days.start != self._days.start:
                self._to_add = {*self._held}
            self._days = days
            for place, series in enumerate([*self._to_add]):
                index.add(series, self._held[series] >> days.start)
                await _rest(place)
            self._to_add.clear()
            index.sort()
            return days

    def look_again(self) -> None:
        """Makes the next `refresh` look for newly archived days, however short ago the last look was."""
        self._looked_at = float("-inf")

    async def _look(self, kept: range) -> None:
        """Reads the days archived since the last look."""
        if time.monotonic() - self._looked_at < REFRESH_SECONDS:
            return
        try:
            found = await self._reader.changes(kept.start)
        except ArchiveError as error:
            self._report(error)
            return
        self._recent = {key: minutes for key, minutes in self._recent.items() if key[1] in kept}
        for place, (series, day, minutes) in enumerate(found.recent):
            self._recent[series, day] = minutes
            self._hold(series, 1 << day)
            await _rest(place)
        for place, block in enumerate(found.blocks):
            self._hold(block.series, block.days << first_day(block.block))
            await _rest(place)
        self._rolled_day, self._first_minutes = found.rolled_day, found.first_minutes
        self._looked_at, self._is_away = time.monotonic(), False

    def _hold(self, series: Series, days: int) -> None:
        """Adds archived days of a series, as bits."""
        if days:
            self._held[series] = self._held.get(series, 0) | days
            self._to_add.add(series)
            self._all |= days
            first = (days & -days).bit_length() - 1
            self._first = first if self._first is None else min(self._first, first)

    def _report(self, error: Exception) -> None:
        if not self._is_away:
            log.warning("archive.unavailable", reason=str(error))
        self._is_away = True

    def _away(self, error: Exception) -> Problem:
        self._report(error)
        return Problem(503, "the archive does not respond; recent spans are answered without it", retry_after_seconds=RETRY_SECONDS)

    async def fetch(self, wanted: Collection[SeriesDay]) -> Fetched:
        """Reads the days that Redis may have, and the archived ones of which it has nothing."""
        kept = self._redis.days(int(time.time()))
        fetched = await self._redis.fetch([one for one in wanted if one[1] in kept])
        if lacking := [one for one in wanted if self._is_archived(one) and not any(fetched.redis.get(one, ()))]:
            found = await self._read_minutes(lacking)
            fetched.archived = dict.fromkeys(found.unreadable) | found.days
        return fetched

    async def read(self, series: Series, day: int, charge: Charge, fetched: Fetched, damaged: Damaged) -> DayBalances | None:
        """What a day of a series holds, None if nothing; charges what reading it costs. Of a damaged day, what Redis has."""
        is_archived = self._is_archived((series, day))
        if day not in self._redis.days(int(time.time())):
            return self._balances(await self._archived(series, day, charge, fetched, damaged)) if is_archived else None
        stored = await self._redis.read_stored(series, day, charge, fetched)
        balances = self._balances(stored)
        if not is_archived or (balances is not None and not self._lacks(balances, self._recent.get((series, day), 0))):
            return balances
        archived = await self._archived(series, day, charge, fetched, damaged)
        if archived is None or stored is None:
            return self._balances(archived or stored)
        return self._balances(merged(stored, archived, self.step_seconds))

    def _is_archived(self, one: SeriesDay) -> bool:
        return bool(self._held.get(one[0], 0) >> one[1] & 1)

    def _balances(self, stored: StoredDay | None) -> DayBalances | None:
        return None if stored is None else day_balances(stored, self.step_seconds)

    def _lacks(self, balances: DayBalances, minutes: int) -> bool:
        """Whether a day of Redis lacks minutes that were archived of it. The first minute is the highest bit."""
        read = read_steps(balances.lasts)
        if self.step_seconds < MINUTE_SECONDS:
            slots = 60 // self.step_seconds
            digits = f"{read:0{MINUTES * slots}b}"
            read = int("".join("1" if "1" in digits[at : at + slots] else "0" for at in range(0, len(digits), slots)), 2)
        return minutes & ~read != 0

    async def begins(self, start: int, now_seconds: int) -> int:
        """The Unix second before which there is nothing, for a chart that begins at `start`."""
        days = await self.refresh(now_seconds)
        if start < self._redis.days(now_seconds).start * DAY_SECONDS:
            self._check_was_read()
        return days.start * DAY_SECONDS

    async def before_redis(self, feed: Feed, days: Collection[int], charge: Charge) -> dict[int, list[StoredDay]]:
        """The accounts' histories of those days that Redis no longer keeps, for a chart."""
        kept, found = self._redis.days(int(time.time())), dict[int, list[StoredDay]]()
        wanted = [(one, day) for one in self._series_of(feed) for day in days if day not in kept and self._held.get(one, 0) >> day & 1]
        for (_, day), stored in (await self._archived_days(wanted, charge)).items():
            found.setdefault(day, []).append(stored)
        return found

    async def lost_by_redis(self, feed: Feed, day: int, minutes: range, known: Collection[int], charge: Charge) -> list[StoredDay]:
        """The histories of those accounts of which Redis lacks some minutes of a day that it keeps, for a chart."""
        if day not in self._redis.days(int(time.time())):
            return []
        missing = sum(1 << (MINUTES - 1 - minute) for minute in minutes if minute not in known)
        wanted = [(one, day) for one in self._series_of(feed) if self._recent.get((one, day), 0) & missing]
        return [*(await self._archived_days(wanted, charge)).values()]

    def _series_of(self, feed: Feed) -> list[Series]:
        return [Series(feed.room_id, feed.platform, name) for name in self.index.accounts(feed)]

    async def _archived(self, series: Series, day: int, charge: Charge, fetched: Fetched, damaged: Damaged) -> StoredDay | None:
        wanted = series, day
        charge(ARCHIVED_DAY)
        if wanted not in fetched.archived:
            found = await self._read_minutes([wanted])
            fetched.archived |= dict.fromkeys(found.unreadable) | found.days
            if wanted not in fetched.archived:
                return None
        stored = fetched.archived.pop(wanted)
        if stored is None:
            damaged.add(wanted)
        return stored

    async def _archived_days(self, wanted: Collection[SeriesDay], charge: Charge) -> dict[SeriesDay, StoredDay]:
        charge(ARCHIVED_DAY * len(wanted))
        return (await self._read_minutes(wanted)).days

    async def _read_minutes(self, wanted: Collection[SeriesDay]) -> ArchivedMinutes:
        """Reads archived days; logs each damaged one once. Raises a 503 Problem."""
        try:
            found = await self._reader.days(wanted)
        except ArchiveError as error:
            raise self._away(error) from None
        self._report_damaged(found.unreadable)
        return found

    def _report_damaged(self, reasons: Mapping[SeriesDay, str]) -> None:
        """Counts and logs each damaged day once."""
        for one in [one for one in reasons if one not in self._known_damaged]:
            if len(self._known_damaged) < MAX_KNOWN_DAMAGED:
                self._known_damaged.add(one)
                log.error("archive.unreadable_day", day=one[1], feed=one[0].member(), reason=reasons[one])
        metrics.damaged_days.set(len(self._known_damaged))

    def first_readings(self) -> int:
        """The first day of which stored readings may be left; of earlier ones there is income alone, by quarters of an hour."""
        kept = self._redis.days(int(time.time())).start
        return kept if self._first_minutes is None else min(kept, self._first_minutes)

    def _check_was_read(self) -> None:
        if self._is_away and self._first is None:
            raise self._away(ArchiveError("it was not read yet"))

    def rolled(self, steps: Steps, window: range, *, with_read: bool) -> Rolled | None:
        """The part of a report that can be read from blocks, None for a span within Redis' time.

        Raises a 422 Problem for steps that need minutes which are no longer kept, and a 503 Problem where the archive was never read.
        """
        kept = self._redis.days(int(time.time()))
        if steps.start // DAY_SECONDS >= kept.start:
            return None
        self._check_was_read()
        span = range(max(steps.start // DAY_SECONDS, self._days.start), min(-(-steps.end // DAY_SECONDS), self._days.stop))
        days = days_in_blocks(steps, span, self._rolled_day)
        last_without = self.first_readings()
        missing = {*range(span.start, min(span.stop, last_without))} - {*days}
        if any(self._all >> day & 1 for day in missing):
            begin = f"should, as should to and each step, begin on a quarter of an hour before {day_of(last_without * DAY_SECONDS)}"
            raise invalid_parameter("from", begin)
        return Rolled(steps, window, days, step_seconds=self.step_seconds, with_read=with_read) if days else None

    async def load(self, rolled: Rolled, wanted: Iterable[Series], charge: Charge) -> None:
        """Adds the blocks of some series."""
        wanted, bits = {*wanted}, dict[str, int]()
        for place, room_id in enumerate({one.room_id for one in wanted}):
            bits[room_id] = self.index.shared_days(room_id) << self._days.start
            await _rest(place)
        of_step = ARCHIVED_STEP + CSV_STEP * rolled.with_read
        charge(len(wanted) * (ARCHIVED_BLOCK * len(rolled.blocks) + of_step * len(rolled.window)))
        try:
            await self._reader.each_block(wanted, rolled.blocks, lambda row: rolled.add(row, bits))
        except ArchiveError as error:
            raise self._away(error) from None
        self._report_damaged({one: "the income of the day is damaged" for one in rolled.damaged_days() if self._is_archived(one)})


def open_archive(url: DatabaseUrl, redis: RedisDays) -> ArchivedDays:
    """The days of Redis and of the archive at an address, which is read when a report needs it."""
    return ArchivedDays(redis, ArchiveReader(Database(url, read_only=True), redis.step_seconds))


async def _rest(place: int) -> None:
    """Gives others a turn after some rounds of a loop."""
    if place % AT_ONCE == AT_ONCE - 1:
        await asyncio.sleep(0)
