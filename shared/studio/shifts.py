"""When shifts are. Pure: the instant is an argument, in Unix seconds."""

import datetime as dt
from collections.abc import Iterator
from typing import Final, NamedTuple

from shared.studio.calendar import date_at, instant
from shared.studio.config import Shift, Studio

_MAX_DAYS: Final = 2  # how many days before an instant a shift that is on then can have begun: over midnight, and a day is skipped


class Occurrence(NamedTuple):
    """A shift on one day. `end` is the first second that is not part of it."""

    shift: Shift
    start: int
    end: int


def occurrence(studio: Studio, shift: Shift, date: dt.date) -> Occurrence | None:
    """The shift that begins on a date; None on other weekdays, and where a clock change skips all of it."""
    if date.weekday() not in shift.days:
        return None
    start, end = (instant(studio.zone, date, minutes) for minutes in (shift.start, shift.end))
    return Occurrence(shift, start, end) if end > start else None


def occurrences(studio: Studio, start_seconds: int, end_seconds: int) -> list[Occurrence]:
    """All shifts that share a second with a span, in order of their beginnings. They are whole, also where they reach beyond the span."""
    date = date_at(studio.zone, start_seconds) - dt.timedelta(days=_MAX_DAYS)
    found: list[Occurrence] = []
    while instant(studio.zone, date) < end_seconds:
        found += (each for each in _beginning_on(studio, date) if each.end > start_seconds and each.start < end_seconds)
        date += dt.timedelta(days=1)
    return sorted(found, key=lambda each: (each.start, each.shift.name))


def shifts_at(studio: Studio, at_seconds: int) -> list[Occurrence]:
    """The shifts that are on at an instant; several where rooms have shifts of their own."""
    return occurrences(studio, at_seconds, at_seconds + 1)


def shift_of_room(studio: Studio, room_id: str, at_seconds: int) -> Occurrence | None:
    """The shift that a room works at an instant. There is never more than one, since shifts of one room must not overlap."""
    return next((each for each in shifts_at(studio, at_seconds) if each.shift.covers(room_id)), None)


def _beginning_on(studio: Studio, date: dt.date) -> Iterator[Occurrence]:
    for shift in studio.shifts:
        found = occurrence(studio, shift, date)
        if found is not None:
            yield found
