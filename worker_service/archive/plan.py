"""Which days the archive copies when, and how far it is behind. Pure: the clock is an argument; all times are Unix seconds."""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from shared.contract.history_record import DAY_SECONDS, GRACE_SECONDS

AHEAD_SECONDS: Final = 600  # readings may be ahead of our clock
IN_FLIGHT_SECONDS: Final = 300  # from the acceptance of a reading until Redis has it, with clocks that differ
CYCLE_SECONDS: Final = 60.0  # between two copies of the recent days
SWEEP_SECONDS: Final = 3600.0  # between two copies of all days that may still change: readings may be as late as Redis keeps history

UNROLLED_DAYS: Final = 2  # today and yesterday change so often that reports read them from Redis


class Pass(NamedTuple):
    """When the last full copy of a day began, and whether Redis had every accepted reading of the day by then."""

    copied_at: int
    is_final: bool


class Plan(NamedTuple):
    """How long Redis keeps history, in seconds after the end of a day."""

    retention_seconds: int

    def kept(self, now: int) -> range:
        """The days of which Redis can have history."""
        return range((now - self.retention_seconds - GRACE_SECONDS) // DAY_SECONDS, (now + AHEAD_SECONDS) // DAY_SECONDS + 1)

    def to_copy(self, passes: Mapping[int, Pass], now: int) -> list[int]:
        """The days that are due, the earliest first: Redis deletes that one first."""
        return [day for day in self.kept(now) if self._is_due(day, passes.get(day), now)]

    def _is_due(self, day: int, last: Pass | None, now: int) -> bool:
        if last is None or last.copied_at > now:  # never, or the clock was set back
            return True
        if last.is_final:
            return False
        is_recent = day >= now // DAY_SECONDS - 1
        is_complete = now >= self.complete_at(day)  # the copy that makes it final
        return now - last.copied_at >= (CYCLE_SECONDS if is_recent or is_complete else SWEEP_SECONDS)

    def last_rolled(self, passes: Mapping[int, Pass], now: int) -> int:
        """The last day that reports may read from blocks: not one of the newest, and each up to it was copied since it ended."""
        last = now // DAY_SECONDS - UNROLLED_DAYS
        for day in self.kept(now):
            if day <= last and passes.get(day, Pass(0, is_final=False)).copied_at < (day + 1) * DAY_SECONDS:
                return day - 1
        return last

    def complete_at(self, day: int) -> int:
        """From when on Redis has all readings of a day that were accepted: a reading is refused when it is older than the retention."""
        return (day + 1) * DAY_SECONDS + self.retention_seconds + IN_FLIGHT_SECONDS

    def deleted_at(self, day: int) -> int:
        """When Redis deletes a day."""
        return (day + 1) * DAY_SECONDS + self.retention_seconds + GRACE_SECONDS

    def margin_seconds(self, passes: Mapping[int, Pass], now: int) -> float:
        """How long until Redis deletes a day that is not archived; infinite where there is none.

        A day is not archived if it was not copied since it ended, or if an hour after its last reading no copy has made it final.
        """
        missing = (day for day in self.kept(now) if self._is_missing(day, passes.get(day, Pass(0, is_final=False)), now))
        return max(0, min((self.deleted_at(day) - now for day in missing), default=math.inf))

    def _is_missing(self, day: int, last: Pass, now: int) -> bool:
        ended_at = (day + 1) * DAY_SECONDS
        is_overdue = now >= self.complete_at(day) + SWEEP_SECONDS and not last.is_final
        return ended_at <= now and (last.copied_at < ended_at or is_overdue)

    def lag_seconds(self, passes: Mapping[int, Pass], now: int) -> int:
        """How old the last copy of today is; since midnight where there is none."""
        today = now // DAY_SECONDS
        last = passes.get(today) or passes.get(today - 1) or Pass(today * DAY_SECONDS, is_final=False)
        return max(0, now - last.copied_at)
