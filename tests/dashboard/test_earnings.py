"""Tokens earned are the sum of positive differences, whatever readings come and wherever they are cut."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from broadcast_service.earnings import Coverage, Feed, Report, Steps, Tally, as_csv, earned, last_known
from shared.messages import ROOM_PATTERN

balances = st.integers(0, 2**32 - 2).map(lambda value: value + 1)
stored_days = st.lists(st.just(0) | balances | st.integers(1, 50), max_size=120)


def definition(stored: list[int]) -> int:
    """The sum of positive differences of what is known, spelled out."""
    known = [value for value in stored if value]
    return sum(max(0, after - before) for before, after in itertools.pairwise(known))


@given(stored_days, st.integers(1, 200))
def test_earned_is_the_sum_of_positive_differences(stored: list[int], group: int) -> None:
    """However the span is grouped, its total is the definition itself."""
    assert sum(earned(stored, group)) == definition(stored)


@given(stored_days, st.integers(0, 120))
def test_a_span_earns_what_its_parts_earn(stored: list[int], cut: int) -> None:
    """Cutting a span in two changes no total: nothing falls between two reports, nothing is in both."""
    first, second = stored[:cut], stored[cut:]
    assert sum(earned(stored, 7)) == sum(earned(first, 7)) + sum(earned(second, 7, last_known(first)))


@given(stored_days, balances)
def test_no_step_ever_earns_less_than_nothing(stored: list[int], before: int) -> None:
    """A cash-out takes nothing away, wherever it falls."""
    assert all(total >= 0 for total in earned(stored, 5, before))


@given(stored_days)
def test_saying_a_balance_again_earns_nothing(stored: list[int]) -> None:
    """A reading that repeats the one before changes no total."""
    twice = list(itertools.chain.from_iterable((value, value) for value in stored))
    assert earned(twice, 10) == earned(stored, 5)


def test_a_difference_belongs_to_the_later_balance() -> None:
    """What a gap hid is earned when it is seen."""
    assert earned([0, 0, 71, 0, 131, 0], 2, before=11) == [0, 60, 60]


def test_the_first_balance_ever_is_not_income() -> None:
    """A room that appears with 5,000 tokens has earned none of them here."""
    assert earned([0, 5001], 1) == [0, 0]


def report(by_feed: dict[Feed, list[int]], steps: Steps) -> Report:
    """A report of these feeds with their steps."""
    tally = Tally(steps, with_steps=True)
    for feed, totals in by_feed.items():
        tally.add(feed, totals)
    return tally.report([1] * steps.number)


def test_a_report_adds_up_by_room_and_platform_and_ranks_them() -> None:
    """The same tokens seen from three sides."""
    made = report({Feed("a", "x"): [1, 0], Feed("a", "y"): [0, 5], Feed("b", "x"): [2, 2]}, Steps(0, 20, 10))
    assert (made.total, made.earned) == (10, [3, 7])
    assert [(room.room_id, room.earned) for room in made.rooms] == [("a", 6), ("b", 4)]
    assert [(one.platform, one.earned) for one in made.platforms] == [("x", 5), ("y", 5)]


def test_csv_has_a_line_per_feed_and_step_with_earnings() -> None:
    """Times are UTC, and steps without earnings are left out."""
    made = report({Feed("vip 1", "x"): [0, 7]}, Steps(1_764_000_000, 1_764_007_200, 3600))
    assert "".join(as_csv(made)) == "start,room_id,platform,earned\r\n2025-11-24T17:00:00Z,vip 1,x,7\r\n"


@given(st.from_regex(ROOM_PATTERN))
def test_no_room_is_a_formula_in_a_spreadsheet(room_id: str) -> None:
    """Whatever a room is called, its cell starts harmlessly, and the name can be told from the cell."""
    made = report({Feed(room_id, "x"): [7]}, Steps(0, 60, 60))
    cell = list(as_csv(made))[1].split(",")[1]
    assert cell[0] not in "=+-@\t\r"
    assert cell.removeprefix("'") == room_id


def test_a_room_that_starts_with_a_minus_gets_an_apostrophe() -> None:
    """The one such character that a room's name may start with."""
    assert ",'-A1,x,7" in "".join(as_csv(report({Feed("-A1", "x"): [7]}, Steps(0, 60, 60))))


def minutes_of(feeds: list[list[int]], group: int, per_minute: int = 1) -> list[int]:
    """The measured minutes of these feeds' stored balances."""
    coverage = Coverage(len(feeds[0]), group, per_minute)
    for stored in feeds:
        coverage.add(stored)
    return coverage.minutes()


def test_a_minute_is_measured_where_any_feed_has_a_reading() -> None:
    """Two rooms that are on air in turn measure each minute once."""
    assert minutes_of([[5, 0, 0, 0, 5], [5, 5, 0, 0, 0]], 2) == [2, 0, 1]


def test_a_finer_record_still_counts_minutes() -> None:
    """With a record every 20 s a minute counts once, however many of its three records are there; the last step may be shorter."""
    assert minutes_of([[5, 5, 0, 0, 0, 0, 0, 0, 9, 7, 0]], 6, 3) == [1, 2]


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=30, max_size=30), min_size=1, max_size=4), st.integers(1, 40), st.sampled_from([1, 2, 6])
)
def test_measured_minutes_agree_with_their_definition(feeds: list[list[int]], group: int, per_minute: int) -> None:
    """Whatever was recorded: the minutes of each step in which some feed has a reading."""
    seen = [any(values) for values in zip(*feeds, strict=True)]
    steps = [seen[first : first + group] for first in range(0, 30, group)]
    assert minutes_of(feeds, group, per_minute) == [
        sum(any(step[at : at + per_minute]) for at in range(0, len(step), per_minute)) for step in steps
    ]
