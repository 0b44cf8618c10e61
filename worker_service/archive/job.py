"""The archive job: copies history from Redis to the database, again and again until a day can no longer change.

Nothing is deleted from the archive because Redis lacks it. Redis keeps history for weeks, so the job waits out an outage of either side
and continues where it was: each day has the time of its last full copy in the database.
"""

import functools
import math
import time
from collections.abc import Collection, Sequence
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from shared.archive.database import ArchiveError, Database, in_thread
from shared.archive.packed_day import UnreadableDay
from shared.contract.feeds import Series
from shared.contract.history_record import DAY_SECONDS
from shared.income.rules import CONFIRM_MS
from shared.store.reasons import reason_of
from shared.store.redis import RedisError, Store
from shared.web.jobs import sleep
from worker_service.archive.plan import Pass, Plan
from worker_service.archive.redis_history import RedisDay, RedisHistory
from worker_service.archive.schema import upgrade
from worker_service.archive.writer import ArchiveWriter, ChangedDay, Fence
from worker_service.lease import Lease, seconds

DAYS_PER_TRANSACTION: Final = 50
PAUSE_SECONDS: Final = 0.02  # between two transactions, so that a backlog leaves the machine to others
POLL_SECONDS: Final = 5.0
FIRST_BACKOFF_SECONDS: Final = 1.0
MAX_BACKOFF_SECONDS: Final = 60.0
BLOCKS_PER_TRANSACTION: Final = 50
DELETED_AT_ONCE: Final = 500
LAG_LIMIT_SECONDS: Final = 900  # beyond it the service is not ready
CONFIRMED_SECONDS: Final = CONFIRM_MS // 1000 + 60  # after which time confirms pending readings, with clocks that differ
MARGIN_LIMIT_SECONDS: Final = 3 * DAY_SECONDS

lag = Gauge("pulse_archive_lag_seconds", "How old the last full copy of today's history is; 0 without the lease")
margin = Gauge("pulse_archive_margin_seconds", "How long until Redis deletes a day that is not archived; +Inf where there is none")
copied = Counter("pulse_archive_days_total", "Days of series that were copied, including those copied again after a change")
failures = Counter("pulse_archive_failures_total", "Copies that failed and are repeated", ["side"])
skipped = Counter("pulse_archive_unreadable_days_total", "Archived days that cannot be read, so what Redis has of them was not merged")

log = structlog.get_logger()


class ArchiveJob:
    """Copies history for as long as this instance holds the lease."""

    name = "archive"

    def __init__(self, store: Store, database: Database, *, shards: int, step_seconds: int, retention_days: int, minutes_days: int) -> None:
        self._redis = RedisHistory(store, shards, step_seconds)
        self._database = database
        self.writer = ArchiveWriter(database, step_seconds)
        self._plan = Plan(retention_days * DAY_SECONDS)
        self._minutes_days = max(minutes_days, retention_days + 3)  # what Redis still has would be copied again
        self._minutes_dropped_on = 0
        self._passes: dict[int, Pass] = {}
        self._digests: dict[tuple[int, Series], bytes] = {}
        self._unsettled: dict[tuple[int, Series], int] = {}  # when the income of a day is calculated once more although it has not changed
        self.trouble = ""
        self._is_running = False
        self._began = seconds()
        lag.set_function(lambda: self._plan.lag_seconds(self._passes, int(time.time())) if self._is_running else 0)
        margin.set_function(lambda: self._plan.margin_seconds(self._passes, int(time.time())) if self._is_running else math.inf)

    def unready(self) -> list[str]:
        """The reasons for which the archive may lose history later."""
        if not self._is_running or seconds() - self._began < LAG_LIMIT_SECONDS:  # a first copy of weeks takes a while
            return []
        now, reasons = int(time.time()), []
        behind = self._plan.lag_seconds(self._passes, now)
        if behind > LAG_LIMIT_SECONDS:
            reasons.append(f"the archive is {behind // 60} minutes behind" + (f": {self.trouble}" if self.trouble else ""))
        left = self._plan.margin_seconds(self._passes, now)
        if left < min(MARGIN_LIMIT_SECONDS, self._plan.retention_seconds):
            reasons.append(f"Redis deletes a day that is not archived in {left // 3600:.0f} hours")
        return reasons

    async def run(self, lease: Lease) -> None:
        """Copies until cancelled; raises LeaseLost."""
        fence, backoff = Fence(lease), FIRST_BACKOFF_SECONDS
        self._unsettled.clear()
        self._digests.clear()  # another instance may have written, or the database may be another one
        self._is_running, self._began = True, seconds()
        try:
            is_prepared = False
            while True:
                try:
                    if not is_prepared:
                        await self.prepare(fence)
                        is_prepared = True
                    await self.copy_due(fence)
                    self._recovered()
                    backoff = FIRST_BACKOFF_SECONDS
                    await sleep(POLL_SECONDS)
                except ArchiveError as error:
                    self._failed("database", str(error))
                    await sleep(backoff)
                    backoff = min(2 * backoff, MAX_BACKOFF_SECONDS)
                    is_prepared = False
                except (RedisError, OSError, TimeoutError) as error:
                    self._failed("redis", reason_of(error))
                    await sleep(backoff)
                    backoff = min(2 * backoff, MAX_BACKOFF_SECONDS)
        finally:
            self._is_running, self.trouble = False, ""

    async def prepare(self, fence: Fence) -> None:
        """Creates or upgrades the schema, and reads how far the archive is."""
        fence.check()
        if await in_thread(lambda: upgrade(self._database)):
            log.info("archive.schema_upgraded")
        self._passes = await in_thread(self.writer.passes)

    async def copy_due(self, fence: Fence) -> None:
        """Copies the days that are due, and deletes minutes that are older than is kept; raises ArchiveError, LeaseLost and RedisError."""
        now = int(time.time())
        due = self._plan.to_copy(self._passes, now)
        await self.copy(fence, due)
        if due:
            await self.roll(fence, now)
        today = int(fence.now()) // DAY_SECONDS
        if self._minutes_dropped_on != today:
            before = today - self._minutes_days
            while await in_thread(lambda: self.writer.drop_minutes(fence, before, DELETED_AT_ONCE)):
                await sleep(PAUSE_SECONDS)
            self._minutes_dropped_on = today
        kept = self._plan.kept(now)
        self._digests = {key: digest for key, digest in self._digests.items() if key[0] in kept}
        self._unsettled = {key: due for key, due in self._unsettled.items() if key[0] in kept}

    async def roll(self, fence: Fence, now: int) -> None:
        """Brings the blocks up to date, from which reports of long spans are made; raises what `copy_due` does."""
        last_day = self._plan.last_rolled(self._passes, now)
        rolling = await in_thread(lambda: self.writer.to_roll(last_day))
        for first in range(0, len(rolling.blocks), BLOCKS_PER_TRANSACTION):
            some = rolling.blocks[first : first + BLOCKS_PER_TRANSACTION]
            for number, day in await in_thread(functools.partial(self.writer.roll, fence, some, rolling.last_day)):
                skipped.inc()
                log.error("archive.unreadable_day", day=day, series=number, reason="the income of the day is damaged")
            await sleep(PAUSE_SECONDS)
        if rolling.blocks:
            await in_thread(lambda: self.writer.rolled(fence, rolling))

    async def copy(self, fence: Fence, days: Sequence[int]) -> None:
        """Copies some days; those of which Redis has nothing are recorded together. Raises what `copy_due` does."""
        began = int(time.time())
        empty = await self._redis.empty(days) if days else frozenset[int]()
        await self._record(fence, empty, began)
        for day in days:
            if day not in empty:
                await self.copy_day(fence, day)

    async def copy_day(self, fence: Fence, day: int) -> None:
        """Copies all that Redis has of a day and that the archive does not have; raises what `copy_due` does."""
        began = int(time.time())
        waiting: list[RedisDay] = []
        async for some in self._redis.days(day):
            waiting += (one for one in some if self._is_due((day, one.series), one.digest, began))
            if len(waiting) >= DAYS_PER_TRANSACTION:
                await self._write(fence, day, waiting)
                waiting = []
            await sleep(0)
        if waiting:
            await self._write(fence, day, waiting)
        await self._record(fence, [day], began)

    async def _record(self, fence: Fence, days: Collection[int], began: int) -> None:
        """Records full copies that began at a moment."""
        done = {day: Pass(began, is_final=began >= self._plan.complete_at(day)) for day in days}
        if done:
            await in_thread(lambda: self.writer.finish(fence, done))
        self._passes |= done

    def _is_due(self, key: tuple[int, Series], digest: bytes, now: int) -> bool:
        """Whether a day of a series has changed since it was copied, or a reading of it was pending that time has confirmed meanwhile."""
        return self._digests.get(key) != digest or self._unsettled.get(key, now + 1) <= now

    async def _write(self, fence: Fence, day: int, some: list[RedisDay]) -> None:
        """Writes days of series in one transaction; where an archived one cannot be read, each in one of its own."""
        confirmed_at = int(time.time()) + CONFIRMED_SECONDS
        try:
            unsettled = await in_thread(lambda: self.writer.write(fence, [ChangedDay(day, one.series, one.stored) for one in some]))
        except UnreadableDay as error:
            if len(some) > 1:
                for one in some:
                    await self._write(fence, day, [one])
                return
            skipped.inc()
            log.error("archive.unreadable_day", day=day, feed=some[0].series.member(), reason=str(error))  # noqa: TRY400 - the reason says all
            unsettled = set()
        copied.inc(len(some))
        for one in some:
            key = day, one.series
            is_first = self._digests.get(key) != one.digest
            self._digests[key] = one.digest
            self._unsettled.pop(key, None)
            if is_first and key in unsettled:
                self._unsettled[key] = confirmed_at
        await sleep(PAUSE_SECONDS)

    def _failed(self, side: str, reason: str) -> None:
        """Counts a failure, and logs it once until the copies succeed again or fail for another reason."""
        failures.labels(side).inc()
        if reason != self.trouble:
            log.warning("archive.waits", side=side, reason=reason)
        self.trouble = reason

    def _recovered(self) -> None:
        if self.trouble:
            log.info("archive.recovered")
        self.trouble = ""
