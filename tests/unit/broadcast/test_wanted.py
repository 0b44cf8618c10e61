"""Requests for reports: periods and calendar steps follow the zone, and each look into the calendar is charged."""

import datetime as dt
import itertools
import zoneinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from broadcast_service.http.budget import CALENDAR, ZONE
from broadcast_service.reports.report import Detail
from broadcast_service.reports.wanted import MAX_DAYS, Asked, parse_wanted
from shared.auth.scope import Scope
from shared.contract.problems import Problem
from shared.studio.config import Shift, Studio

DAY = 86_400
BOGOTA = Studio(
    timezone="America/Bogota",
    shifts=(Shift(name="Morning", start=360, end=840), Shift(name="Night", start=1320, end=1800, days=frozenset({3, 4, 5}))),
)


def at(text: str, zone: str = "America/Bogota") -> int:
    """The Unix second of a local time."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp())


NOW = at("2026-11-26T14:20:30")  # a Thursday


class Spent:
    """Adds up prices."""

    def __init__(self) -> None:
        self.total = 0.0

    def __call__(self, price: float) -> None:
        """One part of the work."""
        self.total += price


def asked(now: int = NOW, studio: Studio = BOGOTA, step_seconds: int = 60, charge: Spent | None = None, **query: object) -> Asked:
    """The request with this query; `begin` is `from`."""
    found: dict[str, Any] = {"from" if name == "begin" else name: str(value) for name, value in query.items()}
    return parse_wanted(QueryParams(found), Scope.of(["*"]), studio, charge or Spent(), step_seconds=step_seconds, now_seconds=now)


def span(**query: object) -> tuple[str, str]:
    """The span of a request, on the clocks of Bogotá."""
    steps = asked(**query).wanted.steps  # type: ignore[arg-type]
    zone = zoneinfo.ZoneInfo("America/Bogota")
    start, end = (dt.datetime.fromtimestamp(second, zone).strftime("%Y-%m-%d %H:%M") for second in (steps.start, steps.end))
    return start, end


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"period": "today"}, ("2026-11-26 00:00", "2026-11-27 00:00")),
        ({"period": "yesterday"}, ("2026-11-25 00:00", "2026-11-26 00:00")),
        ({"period": "yesterday", "back": 1}, ("2026-11-24 00:00", "2026-11-25 00:00")),
        ({"period": "week"}, ("2026-11-23 00:00", "2026-11-30 00:00")),
        ({"period": "half_month"}, ("2026-11-16 00:00", "2026-12-01 00:00")),
        ({"period": "half_month", "back": 1}, ("2026-11-01 00:00", "2026-11-16 00:00")),
        ({"period": "half_month", "back": 2}, ("2026-10-16 00:00", "2026-11-01 00:00")),
        ({"period": "month"}, ("2026-11-01 00:00", "2026-12-01 00:00")),
        ({"period": "month", "back": 9}, ("2026-02-01 00:00", "2026-03-01 00:00")),
        ({"period": "shift"}, ("2026-11-26 06:00", "2026-11-26 14:00")),
        ({"period": "shift", "back": 1}, ("2026-11-25 06:00", "2026-11-25 14:00")),
        ({"period": "shift", "shift": "Night"}, ("2026-11-21 22:00", "2026-11-22 06:00")),
        ({"period": "shift", "shift": "Night", "back": 3}, ("2026-11-14 22:00", "2026-11-15 06:00")),
    ],
)
def test_a_period_is_where_the_studio_is(query: dict[str, object], expected: tuple[str, str]) -> None:
    """Half-months begin on the 1st and the 16th; a shift is the one that began last, or the same one before."""
    assert span(**query) == expected


def test_a_comparison_ends_as_far_into_its_period_as_now_is_into_the_current_one() -> None:
    """Yesterday until 14:21 for today; the whole one where the current period is over, and never beyond its end."""
    assert span(period="today", back=1, elapsed=1) == ("2026-11-25 00:00", "2026-11-25 14:21")
    assert span(period="today", elapsed=1) == ("2026-11-26 00:00", "2026-11-26 14:21")
    assert span(period="shift", back=1, elapsed=1) == ("2026-11-25 06:00", "2026-11-25 14:00")
    assert span(period="month", back=1, elapsed=1, now=at("2026-03-31T23:00:00")) == ("2026-02-01 00:00", "2026-03-01 00:00")


def test_a_span_may_be_of_dates_of_the_zone() -> None:
    """Both dates are included; the days before it of the same number are one step back, and today is compared up to now."""
    dates = {"begin": "2026-11-20", "to": "2026-11-26"}
    assert span(**dates) == ("2026-11-20 00:00", "2026-11-27 00:00")
    assert span(**dates, back=1) == ("2026-11-13 00:00", "2026-11-20 00:00")
    assert span(**dates, back=1, elapsed=1) == ("2026-11-13 00:00", "2026-11-19 14:21")
    assert asked(**dates).wanted.steps.unit == "day"  # type: ignore[arg-type]
    assert asked(begin="2026-11-26", to="2026-11-26").wanted.steps.step == 3600


def test_the_first_minute_of_a_period_is_compared_with_a_minute() -> None:
    assert span(period="today", back=1, elapsed=1, now=at("2026-11-26T00:00:00")) == ("2026-11-25 00:00", "2026-11-25 00:01")


def test_periods_have_steps_of_their_size() -> None:
    """Hours for a day or a shift, days for a longer period; an explicit step is kept."""
    assert (asked(period="today").wanted.steps.step, asked(period="shift").wanted.steps.number) == (3600, 8)
    assert (asked(period="month").wanted.steps.unit, asked(period="month").wanted.steps.number) == ("day", 30)
    assert asked(period="month", step="week").wanted.steps.number == 6
    assert asked(period="week", step=3600).wanted.steps.number == 168
    assert asked(period="today").wanted.steps.zone == "America/Bogota"
    assert asked(period="today").wanted.detail is Detail.NONE


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("America/Santiago", "2026-09-06", 23),  # midnight is skipped
        ("America/Bogota", "2026-11-01", 24),
    ],
)
def test_a_day_of_a_clock_change_has_its_true_length(zone: str, day: str, hours: float) -> None:
    """The days around it begin at their midnights, and all steps together are the span."""
    noon = at(f"{day}T12:00:00", zone)
    steps = asked(begin=noon - 3 * DAY, to=noon + 3 * DAY, step="day", tz=zone).wanted.steps
    begins = [steps.begin(step) for step in range(steps.number + 1)]
    lengths = [after - before for before, after in itertools.pairwise(begins)]
    assert (sum(lengths), steps.number) == (6 * DAY, 7)
    middle = steps.step_at(noon)
    assert lengths[middle] == hours * 3600
    local = [dt.datetime.fromtimestamp(begin, zoneinfo.ZoneInfo(zone)) for begin in begins[1:-1]]
    skipped = int(zone == "America/Santiago")
    assert [(moment.hour, moment.minute) for moment in local] == [(skipped if n + 1 == middle else 0, 0) for n, moment in enumerate(local)]


ZONES = st.sampled_from(
    ["America/Bogota", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/Havana", "Africa/Monrovia"]
)


@given(ZONES, st.sampled_from(["day", "week", "month"]), st.integers(3 * DAY, 60 * 366 * DAY), st.integers(1, MAX_DAYS * DAY))
def test_calendar_steps_follow_each_other_without_a_gap(zone: str, unit: str, start: int, length: int) -> None:
    """Of any span in any zone: the first begins with the span, and all begin on recorded steps."""
    steps = asked(begin=start, to=start + length, step=unit, tz=zone).wanted.steps
    assert steps.starts[0] == steps.start == start - start % 60
    assert list(steps.starts) == sorted(set(steps.starts))
    assert all(begin % 60 == 0 and begin < steps.end for begin in steps.starts)
    longest = {"day": 25, "week": 7 * 24 + 1, "month": 31 * 24 + 1}[unit] * 3600
    begins = [*steps.starts, steps.end]
    assert all(after - before <= longest for before, after in itertools.pairwise(begins))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"period": "fortnight"}, "period"),
        ({"period": "today", "begin": 5}, "period"),
        ({"period": "today", "to": 5}, "period"),
        ({"period": "today", "back": 61}, "back"),
        ({"period": "today", "back": -1}, "back"),
        ({"period": "today", "back": "²"}, "back"),
        ({"period": "today", "elapsed": 2}, "elapsed"),
        ({"period": "today", "shift": "Night"}, "shift"),
        ({"period": "shift", "shift": "Noon"}, "shift"),
        ({"back": 1}, "back"),
        ({"elapsed": 1}, "elapsed"),
        ({"shift": "Night"}, "shift"),
        ({"step": "fortnight"}, "step"),
        ({"step": "²"}, "step"),
        ({"step": ""}, "step"),
        ({"step": 0}, "step"),
        ({"begin": 0, "to": DAY, "step": "day"}, "from"),
        ({"begin": "2026-11-20"}, "to"),
        ({"begin": "2026-11-20", "to": 5}, "to"),
        ({"begin": 5, "to": "2026-11-20"}, "from"),
        ({"begin": "2026-02-30", "to": "2026-03-01"}, "from"),
        ({"begin": "2026-11-20", "to": "2026-11-19"}, "from"),
        ({"begin": "2025-11-20", "to": "2026-11-21"}, "from"),
        ({"begin": "9999-12-30", "to": "9999-12-31"}, "from"),
        ({"begin": "0001-01-01", "to": "0001-01-02"}, "from"),
        ({"begin": "1970-01-05", "to": "1970-01-06", "back": 60}, "from"),
        ({"begin": "2026-11-20", "to": "2026-11-21", "shift": "Night"}, "shift"),
        ({"by": "hour"}, "by"),
        ({"format": "xls"}, "format"),
        ({"format": "csv-local", "lang": "fr"}, "lang"),
    ],
)
def test_a_wrong_parameter_is_named(query: dict[str, object], field: str) -> None:
    with pytest.raises(Problem) as refused:
        asked(**query)  # type: ignore[arg-type]
    assert refused.value.status == 422
    assert (refused.value.errors or [{}])[0]["field"] == field


@pytest.mark.parametrize(
    "zone", ["", "Bogota", "america/bogota", "../etc/passwd", "America", "localtime", "UTC+5", "A" * 2000, "Ámerica/Bogotá", "x\0y"]
)
def test_an_unknown_zone_is_refused_and_named(zone: str) -> None:
    """With 400, whether or not the report would need it."""
    with pytest.raises(Problem) as refused:
        asked(tz=zone)
    assert (refused.value.status, (refused.value.errors or [{}])[0]["field"]) == (400, "tz")
    assert refused.value.detail == 'tz is not a time zone; a right one looks like "America/Bogota"'


def test_the_report_of_a_shift_is_of_the_rooms_that_work_it_and_other_rooms_have_their_own() -> None:
    """Shifts at the same time are one report, unless one is named; no report reaches beyond the caller's rooms."""
    studio = Studio(
        timezone="America/Bogota",
        shifts=(
            Shift(name="Late", start=480, end=960, rooms=Scope.of(["floor-2-*"])),
            Shift(name="One", start=360, end=840, rooms=Scope.of(["floor-1-*"])),
            Shift(name="Bar", start=360, end=840, rooms=Scope.of(["bar"])),
        ),
    )

    def of(now: int = NOW, **query: object) -> tuple[list[str], int]:
        wanted = asked(now, studio=studio, period="shift", **query).wanted  # type: ignore[arg-type]
        return wanted.scope.patterns(), wanted.steps.start

    assert of() == (["floor-2-*"], at("2026-11-26T08:00:00"))
    assert of(shift="One") == (["floor-1-*"], at("2026-11-26T06:00:00"))
    assert of(shift="One", back=1) == (["floor-1-*"], at("2026-11-25T06:00:00"))
    assert of(at("2026-11-26T07:00:00")) == (["bar", "floor-1-*"], at("2026-11-26T06:00:00"))
    assert of(at("2026-11-26T07:00:00"), back=1, elapsed=1) == (["bar", "floor-1-*"], at("2026-11-25T06:00:00"))
    narrow = Scope.of(["bar", "floor-2-7"], ["camsoda"])
    query = QueryParams({"period": "shift", "shift": "Bar"})
    wanted = parse_wanted(query, narrow, studio, Spent(), step_seconds=60, now_seconds=NOW).wanted
    assert wanted.scope == Scope.of(["bar"], ["camsoda"])
    assert asked(period="today", studio=studio).wanted.scope.is_everything


def test_a_studio_without_shifts_has_no_period_of_one() -> None:
    with pytest.raises(Problem) as refused:
        asked(studio=Studio(), period="shift")
    assert (refused.value.status, (refused.value.errors or [{}])[0]["field"]) == (422, "period")


def test_each_look_into_the_calendar_is_charged_also_where_the_request_is_refused() -> None:
    """A year by the day costs its days, a zone of one's own its file, a shift long ago the dates on the way to it."""
    spent = Spent()
    asked(charge=spent, begin=NOW - 366 * DAY, to=NOW, step="day", tz="Asia/Kathmandu")
    assert spent.total == pytest.approx(ZONE + 367 * CALENDAR)
    spent = Spent()
    asked(charge=spent, period="shift", shift="Night", back=20)
    assert spent.total > 40 * CALENDAR
    weekly = Studio(shifts=(Shift(name="x", start=0, end=60, days=frozenset({6})),))
    spent = Spent()
    with pytest.raises(Problem):
        asked(charge=spent, studio=weekly, period="month", back=61)
    assert spent.total == 0
    asked(charge=spent, studio=weekly, period="shift", back=60)
    assert spent.total > 420 * CALENDAR


def test_a_machine_and_a_person_get_files_of_their_own() -> None:
    assert asked(format="csv").wanted.detail is Detail.CSV
    local = asked(format="csv-local", lang="en", by="feed")
    assert (local.wanted.detail, local.language, str(local.zone)) == (Detail.CSV_LOCAL, "en", "America/Bogota")
    assert asked(format="xlsx").wanted.detail is Detail.XLSX
