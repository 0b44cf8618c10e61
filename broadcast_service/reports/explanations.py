"""Reads what an explanation of a room's income is made from: the days that a report of the same span reads."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

from starlette.datastructures import QueryParams

from broadcast_service.http.budget import EXPLAINED, FEED
from broadcast_service.http.parameters import int_parameter, invalid_parameter
from broadcast_service.reports.account_days import AccountDays, Charge, is_sure_before
from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.days import Damaged, Fetched
from broadcast_service.reports.explanation import AccountExplanation, Explanation, Span, explanation
from broadcast_service.reports.pace import Pace
from shared.contract.feeds import Feed
from shared.contract.history_day import kept_balances
from shared.contract.history_record import CHUNK_SLOTS, DAY_SECONDS
from shared.contract.keys import day_of
from shared.income.account_scan import Stored
from shared.income.rules import Balance

MAX_SECONDS: Final = 35 * DAY_SECONDS
DEFAULT_SECONDS: Final = 3600


def parse_explained(query: QueryParams, step_seconds: int, *, now_seconds: int) -> Span:
    """Reads `from` and `to`, in whole steps of the stored history; the default is the last hour. Raises a 422 Problem."""
    end = int_parameter(query, "to", now_seconds)
    start = int_parameter(query, "from", end - DEFAULT_SECONDS)
    if not start < end <= start + MAX_SECONDS:
        raise invalid_parameter("from", f"should lie before to, by at most {MAX_SECONDS // DAY_SECONDS} days")
    return Span(1000 * (start - start % step_seconds), 1000 * (end + -end % step_seconds))


class Explanations:
    """Explains the income of rooms from the history that reports are made from."""

    def __init__(self, analytics: Analytics, step_seconds: int) -> None:
        self._analytics = analytics
        self.step_seconds = step_seconds

    async def make(self, feed: Feed, span: Span, charge: Charge) -> Explanation:
        """Explains a span. `charge` gets the price of each part of the work.

        Raises RedisError, a 503 Problem where the archive is needed and does not respond, and a 422 Problem for days without readings.
        """
        days = await self._analytics.source.refresh(int(time.time()))
        pace, found = Pace(), []
        for name in self._analytics.source.index.accounts(feed):
            charge(FEED)
            one = AccountExplanation(name, feed.room_id, span)
            await self._explain(one, self._analytics.account_days(feed, name, days), span, charge, pace)
            found.append(one)
        return explanation(feed.room_id, feed.platform, span, found)

    async def _explain(self, one: AccountExplanation, account: AccountDays, span: Span, charge: Charge, pace: Pace) -> None:
        """Reads an account's days: those of the span, the one before if it matters, and those after while a reading is pending."""
        asked = range(span.start_ms // 1000 // DAY_SECONDS, -(-span.end_ms // (1000 * DAY_SECONDS)))
        touched = account.within(asked)
        if not touched:
            return
        if touched[0] < (readings_from := self._analytics.source.first_readings()):
            first_day = day_of(readings_from * DAY_SECONDS)
            raise invalid_parameter(
                "from", f"should not be before {first_day}: readings of earlier days are no longer kept, only income is"
            )
        damaged: Damaged = set()
        first = await self._analytics.read_day(account, touched[0], charge, Fetched(), damaged)
        before = account.before(touched[0])
        slot = max(0, span.start_ms // 1000 - touched[0] * DAY_SECONDS) // self.step_seconds
        if before is not None and not is_sure_before(first, touched[0], slot, self.step_seconds, charge):
            await self._read(one, before, await self._analytics.read_day(account, before, charge, Fetched(), set()), charge, pace)
        for day in touched:
            held = first if day == touched[0] else await self._analytics.read_day(account, day, charge, Fetched(), damaged)
            if damaged:
                raise invalid_parameter(
                    "from", f"gives a span with {day_of(day * DAY_SECONDS)}, of which the archive's readings are damaged"
                )
            await self._read(one, day, held, charge, pace)
        following = account.after(touched[-1])
        while following is not None and not one.is_settled:
            await self._read(one, following, await self._analytics.read_day(account, following, charge, Fetched(), set()), charge, pace)
            following = account.after(following)
        one.finish(time.time_ns() // 1_000_000)

    async def _read(self, one: AccountExplanation, day: int, held: Sequence[Stored], charge: Charge, pace: Pace) -> None:
        """Gives the readings of a day to an explanation, an hour at a time."""
        for readings in _hours(day, held, self.step_seconds):
            charge(EXPLAINED * len(readings))
            one.read(readings)
            await pace.rest()


def _hours(day: int, held: Sequence[Stored], step_seconds: int) -> Iterator[list[Balance]]:
    """The readings of a day in order of observation, in parts."""
    midnight = day * DAY_SECONDS * 1000
    slots = DAY_SECONDS // step_seconds
    for first in range(0, slots, CHUNK_SLOTS):
        part = range(first, min(slots, first + CHUNK_SLOTS))
        readings = [
            Balance(midnight + kept.at_ms, kept.tokens, one.room, kept.climbed)
            for one in held
            for kept in kept_balances(one.day, part, step_seconds)
        ]
        readings.sort(key=lambda reading: reading.at_ms)
        yield readings
