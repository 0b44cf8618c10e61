"""What a request for a report asks for. Pure: the clock and the studio are arguments."""

import datetime as dt
import re
from typing import Final, NamedTuple

from starlette.datastructures import QueryParams

from broadcast_service.http.budget import CALENDAR, ZONE
from broadcast_service.http.parameters import int_parameter, invalid_parameter
from broadcast_service.reports.account_days import Charge
from broadcast_service.reports.files import HEADS
from broadcast_service.reports.history import MAX_POINTS
from broadcast_service.reports.report import Detail
from broadcast_service.studio.view import common_rooms
from shared.auth.scope import Scope
from shared.contract.history_record import DAY_SECONDS
from shared.contract.problems import Problem
from shared.income.steps import Steps, cut
from shared.studio.calendar import Period, Span, date_at, instant, span_at, spans, zone_named
from shared.studio.config import Shift, Studio
from shared.studio.shifts import occurrence

MAX_DAYS: Final = 366
MAX_BACK: Final = 60  # periods
MAX_DATE_RUN: Final = 9  # dates in a row on which a shift of one day of the week does not begin, with some to spare
DETAILS: Final = {
    "": Detail.NONE,
    "feed": Detail.FEEDS,
    "account": Detail.ACCOUNTS,
    "room": Detail.ROOMS,
    "platform": Detail.PLATFORMS,
}
FORMATS: Final = {"json": None, "csv": Detail.CSV, "csv-local": Detail.CSV_LOCAL, "xlsx": Detail.XLSX}
UNITS: Final[dict[str, Period]] = {"day": "day", "week": "week", "month": "month"}
DATE: Final = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
PERIODS: Final[dict[str, Period]] = {"today": "day", "yesterday": "day", "week": "week", "half_month": "half_month", "month": "month"}


class Wanted(NamedTuple):
    """What a report is about; equal ones have equal reports for a while."""

    scope: Scope
    steps: Steps
    detail: Detail


class Asked(NamedTuple):
    """A request that was understood: its report, and in which zone and language a file for people is written."""

    wanted: Wanted
    zone: dt.tzinfo
    language: str


class _Calendar:
    """The calendar of one request. Each look into it is charged before it is taken."""

    def __init__(self, query: QueryParams, scope: Scope, studio: Studio, now_seconds: int, charge: Charge) -> None:
        self._query = query
        self.scope = scope  # of a shift, the rooms that work it
        self._studio = studio
        self._now = now_seconds
        self.name = query.get("tz", studio.timezone)
        self._charge = charge
        if "tz" in query:
            charge(ZONE)
        try:
            self.zone = zone_named(self.name)
        except ValueError as error:
            raise Problem(400, f"tz {error}", errors=[{"field": "tz", "detail": str(error)}]) from None

    def steps(self, unit: str, start: int, end: int) -> tuple[int, ...]:
        """The starts of the days, weeks or months of a span."""
        self._charge(CALENDAR * (1 + (end - start) // DAY_SECONDS))
        try:
            return cut(start, end, [span.start for span in spans(UNITS[unit], self.zone, start, end)])
        except ValueError as error:
            raise invalid_parameter("from", str(error)) from None

    def dates(self) -> Span:
        """From the first to the last of two dates, both included; `back` goes as many dates back, so many times."""
        first, last = (self._date(name) for name in ("from", "to"))
        number = (last - first).days + 1
        if not 0 < number <= MAX_DAYS:
            raise invalid_parameter("from", f"should be a date up to the one of to, by less than {MAX_DAYS} days")
        earlier, back = dt.timedelta(days=number), self._back()
        self._charge(2 * CALENDAR)
        try:
            current, wanted = (
                Span(instant(self.zone, first - times * earlier), instant(self.zone, last - times * earlier + dt.timedelta(days=1)))
                for times in (0, back)
            )
        except (ValueError, OverflowError):
            raise invalid_parameter("from", "should be a date of the years 1970 to 9999") from None
        if current.start < 0 or wanted.start < 0 or wanted.start == wanted.end:
            raise invalid_parameter("from", "should be a date of the years 1970 to 9999")
        return self._cut(current, wanted)

    def _date(self, name: str) -> dt.date:
        try:
            return dt.date.fromisoformat(self._query[name])
        except (KeyError, ValueError):
            raise invalid_parameter(name, "should be a date, as the other end of the span is") from None

    def _back(self) -> int:
        text = self._query.get("back", "0")
        if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= MAX_BACK):
            raise invalid_parameter("back", f"should be a whole number from 0 to {MAX_BACK}")
        return int(text)

    def _cut(self, current: Span, wanted: Span) -> Span:
        """With `elapsed`, as much of a span as has passed of the current one, which `wanted` is or comes before."""
        if self._query.get("elapsed", "0") not in ("0", "1"):
            raise invalid_parameter("elapsed", "should be 0 or 1")
        if self._query.get("elapsed") == "1" and current.end > self._now:
            return wanted._replace(end=min(wanted.end, wanted.start + max(60, self._now - current.start)))
        return wanted

    def period(self, name: str) -> Span:
        """The span of a period: the one that is on, or so many before it; with `elapsed` cut to the length that the one that is on has."""
        back = self._back()
        if "shift" in self._query and name != "shift":
            raise invalid_parameter("shift", "should be given only with period=shift")
        if name == "shift":
            current, wanted = self._shift(0), self._shift(back)
        elif name in PERIODS:
            current, wanted = self._unit(PERIODS[name], name == "yesterday"), self._unit(PERIODS[name], back + (name == "yesterday"))
        else:
            raise invalid_parameter("period", f"should be shift or one of {', '.join(PERIODS)}")
        return self._cut(current, wanted)

    def _unit(self, unit: Period, back: int) -> Span:
        self._charge(CALENDAR * (back + 1))
        found = span_at(unit, self.zone, self._now)
        for _ in range(back):
            found = span_at(unit, self.zone, found.start - 1)
        return found

    def _shift(self, back: int) -> Span:
        """The shift that began last, or the same one so many times before; the report is of the rooms that work it.

        Several shifts of different rooms at the same time count as one, unless one is named.
        """
        shifts = tuple(shift for shift in self._studio.shifts if common_rooms(shift.rooms, self.scope))  # a name may name rooms
        if wanted := self._query.get("shift"):
            shifts = tuple(shift for shift in shifts if shift.name == wanted)
        if wanted and not shifts:
            raise invalid_parameter("shift", "should name a shift of the studio")
        found = [(begun[-1], shift) for shift in shifts if (begun := self._begun(shift, 1))]
        if not found:
            raise invalid_parameter("period", "should not be shift: the studio has none yet")
        last = max(found, key=lambda one: one[0])[0]
        at_once = [shift for span, shift in found if span == last]
        self.scope = Scope.of([room for shift in at_once for room in common_rooms(shift.rooms, self.scope)], self.scope.platforms)
        shift = at_once[0]
        begun = self._begun(shift, back + 1)
        if len(begun) <= back:
            raise invalid_parameter("back", "reaches beyond the shifts of the studio")
        return begun[back]

    def _begun(self, shift: Shift, number: int) -> list[Span]:
        """The last times that a shift began, the newest first."""
        today, begun = date_at(self._studio.zone, self._now) + dt.timedelta(days=1), list[Span]()
        for back in range(MAX_DATE_RUN * number + 1):
            self._charge(CALENDAR)
            at = occurrence(self._studio, shift, today - dt.timedelta(days=back))
            if at and at.start <= self._now:
                begun.append(Span(at.start, at.end))
            if len(begun) == number:
                break
        return begun


def parse_wanted(query: QueryParams, scope: Scope, studio: Studio, charge: Charge, *, step_seconds: int, now_seconds: int) -> Asked:
    """Reads the parameters of a report; the default is the last day by the hour. Raises a 422 Problem, and a 400 Problem for a zone.

    `charge` is called with the cost of each calculation before it begins.
    """
    form = query.get("format", "json")
    if form not in FORMATS:
        raise invalid_parameter("format", f"should be one of {', '.join(FORMATS)}")
    if query.get("by", "") not in DETAILS:
        raise invalid_parameter("by", f"should be one of {', '.join(filter(None, DETAILS))}, or absent")
    language = query.get("lang", "es")
    if language not in HEADS:
        raise invalid_parameter("lang", f"should be one of {', '.join(HEADS)}")
    calendar = _Calendar(query, scope, studio, now_seconds, charge)
    start, end = _span(query, calendar, now_seconds)
    steps = _steps(query, calendar, start - start % step_seconds, end + -end % step_seconds, step_seconds)
    if steps.number > MAX_POINTS:
        raise invalid_parameter("step", f"gives more than {MAX_POINTS} steps")
    return Asked(Wanted(calendar.scope, steps, FORMATS[form] or DETAILS[query.get("by", "")]), calendar.zone, language)


def _span(query: QueryParams, calendar: _Calendar, now_seconds: int) -> tuple[int, int]:
    if "period" in query:
        if "from" in query or "to" in query:
            raise invalid_parameter("period", "should not be given beside from or to")
        return calendar.period(query["period"])
    is_dates = any(DATE.match(query.get(name, "")) for name in ("from", "to"))
    for name in ("shift",) if is_dates else ("back", "elapsed", "shift"):
        if name in query:
            raise invalid_parameter(name, "should be given only with period" + ("" if name == "shift" else " or dates"))
    if is_dates:
        return calendar.dates()
    end = int_parameter(query, "to", now_seconds)
    start = int_parameter(query, "from", end - DAY_SECONDS)
    if not start < end <= start + MAX_DAYS * DAY_SECONDS:
        raise invalid_parameter("from", f"should lie before to, by at most {MAX_DAYS} days")
    return start, end


def _steps(query: QueryParams, calendar: _Calendar, start: int, end: int, step_seconds: int) -> Steps:
    """The steps that are asked for, by default hours; days for a period of more than two of them."""
    hour = -(-3600 // step_seconds) * step_seconds
    is_named = "period" in query or "-" in query.get("from", "")
    unit = query.get("step", "day" if is_named and end - start > 2 * DAY_SECONDS else str(hour))
    if unit in UNITS:
        starts = calendar.steps(unit, start, end)
        aligned = tuple(one - one % step_seconds for one in starts)
        return Steps(start, end, 0, tuple(dict.fromkeys(aligned)), unit, calendar.name)
    if not unit.isdigit():
        raise invalid_parameter("step", f"should be a number of seconds or one of {', '.join(UNITS)}")
    step = int_parameter(query, "step", hour)
    if step < step_seconds or step % step_seconds:
        raise invalid_parameter("step", f"should be a multiple of {step_seconds} seconds, or one of {', '.join(UNITS)}")
    return Steps(start, end, step, zone=calendar.name if is_named else "")
