"""Which days the archive copies when, and how far it is behind. Pure: the clock is an argument; all times are Unix seconds."""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from shared.contract.history_record import DAY_SECONDS

AHEAD_SECONDS: Final = 600  # readings may be ahead of our clock
CYCLE_SECONDS: Final = 60.0  # between two copies of the recent days
SWEEP_SECONDS: Final = 3600.0  # between two copies of all days that may still change: readings may be as late as Redis keeps history

UNROLLED_DAYS: Final = 2  # today and yesterday change so often that reports read them from Redis


class Pass(NamedTuple):
    """When the last full copy of a day began, and whether no reading of the day was accepted any more by then."""

    copied_at: int
    is_final: bool


class Plan(NamedTuple):
    """How long Redis keeps history, in seconds after the end of a day."""

    retention_seconds: int

    def kept(self, now: int) -> range:
        """The days of which Redis can have history."""
        return range((now - self.retention_seconds) // DAY_SECONDS, (now + AHEAD_SECONDS) // DAY_SECONDS + 1)

    def to_copy(self, passes: Mapping[int, Pass], now: int) -> list[int]:
        """The days that are due, the earliest first: Redis deletes that one first."""
        return [day for day in self.kept(now) if self._is_due(day, passes.get(day), now)]

    def _is_due(self, day: int, last: Pass | None, now: int) -> bool:
        if last is None or last.copied_at > now:  # never, or the clock was set back
            return True
        if last.is_final:
            return False
        is_recent = day >= now // DAY_SECONDS - 1
        expires_soon = self.expires_at(day) - now < 2 * SWEEP_SECONDS
        return now - last.copied_at >= (CYCLE_SECONDS if is_recent or expires_soon else SWEEP_SECONDS)

    def last_rolled(self, passes: Mapping[int, Pass], now: int) -> int:
        """The last day that reports may read from blocks: not one of the newest, and each up to it was copied since it ended."""
        last = now // DAY_SECONDS - UNROLLED_DAYS
        for day in self.kept(now):
            if day <= last and passes.get(day, Pass(0, is_final=False)).copied_at < (day + 1) * DAY_SECONDS:
                return day - 1
        return last

    def expires_at(self, day: int) -> int:
        """When Redis deletes a day. Readings of it are refused from the same moment on."""
        return (day + 1) * DAY_SECONDS + self.retention_seconds

    def margin_seconds(self, passes: Mapping[int, Pass], now: int) -> float:
        """How long until Redis deletes a day that was not copied since it ended; infinite where there is none."""
        ended = (day for day in self.kept(now) if (day + 1) * DAY_SECONDS <= now)
        missing = (day for day in ended if passes.get(day, Pass(0, is_final=False)).copied_at < (day + 1) * DAY_SECONDS)
        return max(0, min((self.expires_at(day) - now for day in missing), default=math.inf))

    def lag_seconds(self, passes: Mapping[int, Pass], now: int) -> int:
        """How old the last copy of today is; since midnight where there is none."""
        today = now // DAY_SECONDS
        last = passes.get(today) or passes.get(today - 1) or Pass(today * DAY_SECONDS, is_final=False)
        return max(0, now - last.copied_at)
