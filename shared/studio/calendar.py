"""Days, weeks, half-months and months of a time zone, as spans of Unix seconds. Pure: the instant is an argument.

A day is from its first instant to the first instant of the next day, so it has 23 or 25 hours where a clock change falls into it. A local
time that a clock change skips is the instant of the change; one that occurs twice is the first of the two. With these two rules a later
local time is never an earlier instant, so spans that follow each other on the clock never overlap.
"""

import contextlib
import datetime as dt
import re
import zoneinfo
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

DAY_MINUTES: Final = 1440
MIN_SECONDS: Final = 86400 * 2  # instants outside these have no local date in some zones
MAX_SECONDS: Final = 253_402_300_800 - 86400 * 40

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_ZONE: Final = re.compile(r"\A[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*\Z")
_NOT_PLACES: Final = frozenset({"localtime", "posixrules", "Factory"})

Period = Literal["day", "week", "half_month", "month"]


class Span(NamedTuple):
    """A span of Unix seconds; `end` is the first second that is not part of it."""

    start: int
    end: int


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """The zone with an IANA name; raises ValueError for any other name."""
    if _ZONE.match(name) and name not in _NOT_PLACES and not name.startswith(("posix/", "right/")):
        with contextlib.suppress(ValueError, KeyError, OSError):  # OSError: the name of a directory of the database
            return zoneinfo.ZoneInfo(name)
    raise ValueError('is not a time zone; a right one looks like "America/Bogota"')


def instant(zone: dt.tzinfo, date: dt.date, minutes: int = 0) -> int:
    """The Unix second at which a local time begins: `minutes` on the clock after the date's midnight, which may be more than a day."""
    days, rest = divmod(minutes, DAY_MINUTES)
    midnight = dt.datetime.combine(date + dt.timedelta(days=days), dt.time())
    local = midnight + dt.timedelta(minutes=rest)
    first, second = (_seconds(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first <= second:
        return first
    return _change(zone, second, first)  # the clock skips this time


def date_at(zone: dt.tzinfo, at_seconds: int) -> dt.date:
    """The local date at an instant; raises ValueError outside the years that have dates."""
    if not MIN_SECONDS <= at_seconds <= MAX_SECONDS:
        raise ValueError("should be from the years 1970 to 9999")
    return (_EPOCH + dt.timedelta(seconds=at_seconds)).astimezone(zone).date()


def first_date(period: Period, date: dt.date) -> dt.date:
    """The first date of the period that a date is in. A week begins on Monday, a half-month on the 1st or the 16th."""
    if period == "week":
        return date - dt.timedelta(days=date.weekday())
    if period == "half_month":
        return date.replace(day=1 if date.day < 16 else 16)
    return date.replace(day=1) if period == "month" else date


def next_date(period: Period, first: dt.date) -> dt.date:
    """The first date of the next period. `first` is the first date of a period."""
    if period == "half_month" and first.day == 1:
        return first.replace(day=16)
    days = {"day": 1, "week": 7, "half_month": 20, "month": 32}[period]
    return first_date(period, first + dt.timedelta(days=days))


def span_at(period: Period, zone: dt.tzinfo, at_seconds: int) -> Span:
    """The period that an instant is in."""
    return span_of(period, zone, date_at(zone, at_seconds))


def span_of(period: Period, zone: dt.tzinfo, date: dt.date) -> Span:
    """The period that a date is in."""
    first = first_date(period, date)
    return Span(instant(zone, first), instant(zone, next_date(period, first)))


def spans(period: Period, zone: dt.tzinfo, start_seconds: int, end_seconds: int) -> Iterator[Span]:
    """All periods, in order, that share a second with a span. They are whole, also where they reach beyond the span."""
    first = first_date(period, date_at(zone, start_seconds))
    while (begins := instant(zone, first)) < end_seconds:
        first = next_date(period, first)
        ends = instant(zone, first)
        if ends > begins:  # a day that a change of the date line skipped has no length
            yield Span(begins, ends)


def _seconds(local: dt.datetime) -> int:
    return (local - _EPOCH) // dt.timedelta(seconds=1)


def _change(zone: dt.tzinfo, before: int, after: int) -> int:
    """The instant of a clock change, the only one between two instants."""

    def offset(at: int) -> dt.timedelta | None:
        """The UTC offset at an instant."""
        return (_EPOCH + dt.timedelta(seconds=at)).astimezone(zone).utcoffset()

    old = offset(before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if offset(middle) == old else (before, middle)
    return after
