"""Counts the viewers of all feeds in scope in a span of history: what the live total is compared with.

Each feed's last reading of every five minutes counts, and the sums of the five minutes are averaged. Five minutes in which no feed reported
viewers are unknown and do not count. The viewers of a past hour are kept for a minute, those of an earlier day for
twenty, and equal ones that are asked for at the same time are counted once.
"""

import operator
import time
from collections import Counter, OrderedDict
from typing import Final

from msgspec import Struct
from starlette.datastructures import QueryParams

from broadcast_service.http.budget import COUNTED, SCANNED
from broadcast_service.http.parameters import int_parameter, invalid_parameter
from broadcast_service.reports.account_days import Charge
from broadcast_service.reports.days import DaySource
from broadcast_service.reports.history import History, Span
from broadcast_service.reports.report_queue import Queues
from shared.auth.scope import Scope
from shared.contract.history_record import DAY_SECONDS
from shared.contract.problems import Problem

MAX_SECONDS: Final = 3600  # of a span
STEP_SECONDS: Final = 300
DEADLINE_SECONDS: Final = 15.0
KEPT_SECONDS: Final = 60.0  # pages that are reloaded, and walls, ask for the same hour
KEPT_PAST_SECONDS: Final = 1200.0  # the same for an hour that ended a day ago: what is still delivered for it is rare
MAX_KEPT: Final = 200

_viewers_of: Final = operator.attrgetter("viewers")


class Audience(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """The mean number of viewers of all feeds in scope, null where it is unknown, and how much of the span is known."""

    start: int
    end: int
    viewers: int | None
    measured_seconds: int


def parse_hour(query: QueryParams, *, now_seconds: int) -> tuple[int, int]:
    """Reads `from` and `to`, by default the hour before now; raises a 422 Problem."""
    end = int_parameter(query, "to", now_seconds)
    start = int_parameter(query, "from", end - MAX_SECONDS)
    if not start < end <= start + MAX_SECONDS:
        raise invalid_parameter("from", f"should lie before to, by at most {MAX_SECONDS} seconds")
    return start, end


class Audiences:
    """The viewers of the rooms of a scope."""

    def __init__(self, source: DaySource, history: History) -> None:
        self._source = source
        self._history = history
        self._kept: OrderedDict[tuple[Scope, int, int], tuple[Audience, float]] = OrderedDict()
        self._counting = Queues()

    async def mean(self, scope: Scope, start: int, end: int, charge: Charge) -> Audience:
        """The mean of a span; raises RedisError, and a 503 Problem when reading takes too long."""
        async with self._counting.turn((scope, start, end)):
            return await self._mean(scope, start, end, charge)

    async def _mean(self, scope: Scope, start: int, end: int, charge: Charge) -> Audience:
        wanted = scope, start, end
        found, until = self._kept.get(wanted, (None, 0.0))
        if found and time.monotonic() < until:
            return found
        sums = await self._sums(scope, start, end, charge)
        mean = round(sums.total() / len(sums)) if sums else None
        found = Audience(start, end, mean, min(end - start, len(sums) * STEP_SECONDS))
        if (ended_seconds := time.time() - end) >= 0:
            self._kept[wanted] = found, time.monotonic() + (KEPT_PAST_SECONDS if ended_seconds > DAY_SECONDS else KEPT_SECONDS)
            self._kept.move_to_end(wanted)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return found

    async def _sums(self, scope: Scope, start: int, end: int, charge: Charge) -> Counter[int]:
        """The viewers of all feeds in each five minutes."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        days = await self._source.refresh(int(time.time()))
        index = self._source.index
        charge(SCANNED * len(index.names_of(scope)))
        asked = sum(1 << (day - days.start) for day in range(start // DAY_SECONDS, end // DAY_SECONDS + 1) if day in days)
        span, sums = Span(start, end - 1, max(STEP_SECONDS, self._history.step_seconds)), Counter[int]()
        for feed in [feed for feed, mask in index.of(scope) if mask & asked]:
            if time.monotonic() > deadline:
                raise Problem(503, "counting takes too long; request fewer rooms", retry_after_seconds=5)
            charge(COUNTED)
            for point in await self._history.points(feed.room_id, feed.platform, span, charge):
                if (viewers := _viewers_of(point)) is not None:
                    sums[point.t // span.step] += viewers
        return sums
