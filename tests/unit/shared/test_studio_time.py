"""Days, weeks, half-months, months and shifts of a studio's time zone, also on the days of clock changes."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.studio.calendar import Period, Span, date_at, instant, span_at, span_of, spans, zone_named
from shared.studio.config import Shift, Studio
from shared.studio.shifts import occurrences, shift_of_room, shifts_at

HOUR = 3600
PERIODS: tuple[Period, ...] = ("day", "week", "half_month", "month")
ZONES = ["UTC", "America/Bogota", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana", "America/Santiago"]
zones = st.sampled_from(ZONES).map(zone_named)
moments = st.integers(946_684_800, 4_102_444_800)  # 2000 to 2100


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Unix seconds."""
    return int(dt.datetime(year, month, day, hour, minute, tzinfo=dt.UTC).timestamp())


def studio(timezone: str, *shifts: tuple[str, str, str]) -> Studio:
    """A studio with shifts of name, start and end."""

    def minutes(text: str) -> int:
        return int(text[:2]) * 60 + int(text[3:])

    made = (Shift(name=name, start=minutes(start), end=minutes(end) + 1440 * (end <= start)) for name, start, end in shifts)
    return Studio(timezone=timezone, shifts=tuple(made))


THREE = [("Morning", "06:00", "14:00"), ("Afternoon", "14:00", "22:00"), ("Night", "22:00", "06:00")]


def test_a_day_of_a_clock_change_has_23_or_25_hours() -> None:
    new_york, lord_howe = zone_named("America/New_York"), zone_named("Australia/Lord_Howe")
    assert span_of("day", new_york, dt.date(2026, 3, 8)) == Span(utc(2026, 3, 8, 5), utc(2026, 3, 9, 4))
    assert span_of("day", new_york, dt.date(2026, 11, 1)) == Span(utc(2026, 11, 1, 4), utc(2026, 11, 2, 5))
    change = span_of("day", lord_howe, dt.date(2026, 10, 4))
    assert change.end - change.start == 23.5 * HOUR


def test_midnight_is_the_first_instant_of_the_day_where_the_clock_skips_or_repeats_it() -> None:
    santiago, havana = zone_named("America/Santiago"), zone_named("America/Havana")
    skipped, repeated = span_of("day", santiago, dt.date(2026, 9, 6)), span_of("day", havana, dt.date(2026, 11, 1))
    assert skipped == Span(utc(2026, 9, 6, 4), utc(2026, 9, 7, 3))
    assert repeated == Span(utc(2026, 11, 1, 4), utc(2026, 11, 2, 5))
    for span, zone in ((skipped, santiago), (repeated, havana)):
        assert date_at(zone, span.start - 1) == date_at(zone, span.start) - dt.timedelta(days=1)


def test_weeks_begin_on_monday_and_half_months_on_the_1st_and_16th() -> None:
    bogota = zone_named("America/Bogota")
    at = utc(2026, 2, 16, 4, 59)  # Sunday the 15th, 23:59, in Bogota
    assert span_at("week", bogota, at) == Span(utc(2026, 2, 9, 5), utc(2026, 2, 16, 5))
    assert span_at("half_month", bogota, at) == Span(utc(2026, 2, 1, 5), utc(2026, 2, 16, 5))
    assert span_at("half_month", bogota, at + 60) == Span(utc(2026, 2, 16, 5), utc(2026, 3, 1, 5))
    assert span_at("month", bogota, at) == Span(utc(2026, 2, 1, 5), utc(2026, 3, 1, 5))


def test_a_day_that_the_date_line_skipped_is_no_day() -> None:
    apia = zone_named("Pacific/Apia")
    days = list(spans("day", apia, instant(apia, dt.date(2011, 12, 29)), instant(apia, dt.date(2012, 1, 1))))
    assert [date_at(apia, each.start).day for each in days] == [29, 31]


@pytest.mark.parametrize(
    "name", ["", "Bogota", "america/bogota", "../UTC", "/etc/localtime", "America", "localtime", "right/UTC", "UTC\0", "É"]
)
def test_a_name_that_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        zone_named(name)


@given(zone=zones, at=moments, period=st.sampled_from(PERIODS))
def test_every_instant_is_in_its_period_and_periods_follow_each_other(zone: dt.tzinfo, at: int, period: Period) -> None:
    span = span_at(period, zone, at)
    assert span.start <= at < span.end
    assert span_at(period, zone, span.start) == span_at(period, zone, span.end - 1) == span
    assert span_at(period, zone, span.end).start == span.end


@given(zone=zones, at=moments, days=st.integers(1, 70), period=st.sampled_from(PERIODS))
def test_the_parts_of_a_span_add_up(zone: dt.tzinfo, at: int, days: int, period: Period) -> None:
    parts = list(spans(period, zone, at, at + days * 86400))
    assert all(before.end == after.start for before, after in itertools.pairwise(parts))
    assert parts[0].start <= at < parts[0].end
    assert parts[-1].start < at + days * 86400 <= parts[-1].end
    inner = [day for part in parts for day in spans("day", zone, part.start, part.end)]
    assert sum(day.end - day.start for day in inner) == parts[-1].end - parts[0].start


def test_a_shift_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    bogota = studio("America/Bogota", *THREE)
    night = (utc(2026, 11, 27, 3), utc(2026, 11, 27, 11))
    for at in (night[0], utc(2026, 11, 27, 4, 59), utc(2026, 11, 27, 5), night[1] - 1):
        assert [(each.shift.name, each.start, each.end) for each in shifts_at(bogota, at)] == [("Night", *night)]
    assert [each.shift.name for each in shifts_at(bogota, night[0] - 1)] == ["Afternoon"]
    assert [each.shift.name for each in shifts_at(bogota, night[1])] == ["Morning"]


@pytest.mark.parametrize(("date", "hours"), [(dt.date(2026, 3, 7), 7), (dt.date(2026, 10, 31), 9), (dt.date(2026, 6, 1), 8)])
def test_a_night_of_a_clock_change_is_an_hour_shorter_or_longer(date: dt.date, hours: int) -> None:
    new_york = studio("America/New_York", *THREE)
    night = shifts_at(new_york, instant(new_york.zone, date, 23 * 60))[0]
    assert (night.shift.name, night.end - night.start) == ("Night", hours * HOUR)


def test_a_shift_that_the_clock_skips_does_not_take_place() -> None:
    early = studio("America/New_York", ("Early", "02:00", "03:00"), ("Late", "02:30", "05:00"))
    skipped = instant(early.zone, dt.date(2026, 3, 8))
    assert [(each.shift.name, each.end - each.start) for each in occurrences(early, skipped, skipped + 86400 - HOUR)] == [
        ("Late", 2 * HOUR)
    ]


def test_a_shift_takes_place_on_its_days_and_in_its_rooms_only() -> None:
    weekend = Shift(name="Weekend", start=22 * 60, end=30 * 60, days=frozenset({5}))
    bogota = Studio(timezone="America/Bogota", shifts=(weekend,))
    saturday = instant(bogota.zone, dt.date(2026, 11, 28))
    week = occurrences(bogota, saturday - 3 * 86400, saturday + 4 * 86400)
    assert [each.start for each in week] == [saturday + 22 * HOUR]
    assert shift_of_room(bogota, "a", saturday + 25 * HOUR) == week[0]  # on Sunday morning it is still on
    assert shift_of_room(bogota, "a", saturday + 30 * HOUR) is None


@given(
    zone=st.sampled_from(ZONES),
    bounds=st.sets(st.integers(0, 1439), min_size=2, max_size=6),
    at=moments,
    days=st.integers(1, 5),
)
def test_shifts_around_the_clock_divide_time_without_gap_or_overlap(zone: str, bounds: set[int], at: int, days: int) -> None:
    edges = sorted(bounds)
    pairs = itertools.pairwise([*edges, edges[0] + 1440])
    whole = Studio(timezone=zone, shifts=tuple(Shift(name=str(start), start=start, end=end) for start, end in pairs))
    found = occurrences(whole, at, at + days * 86400)
    assert all(before.end == after.start for before, after in itertools.pairwise(found))
    assert found[0].start <= at < found[0].end
    assert found[-1].end >= at + days * 86400
    assert shift_of_room(whole, "any", at) == found[0]
