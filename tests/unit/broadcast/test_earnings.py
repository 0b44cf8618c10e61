"""Tokens earned are the sum of positive differences, for any readings and any cuts of the span."""

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from broadcast_service.reports.earnings import Coverage, Detail, Report, Steps, Tally, earned, last_known
from shared.contract.codec import encode
from shared.contract.feeds import Feed
from shared.contract.readings import ROOM_PATTERN

balances = st.integers(0, 2**32 - 2).map(lambda value: value + 1)
stored_days = st.lists(st.just(0) | balances | st.integers(1, 50), max_size=120)


def definition(stored: list[int]) -> int:
    """The sum of positive differences of the known balances, by its definition."""
    known = [value for value in stored if value]
    return sum(max(0, after - before) for before, after in itertools.pairwise(known))


@given(stored_days, st.integers(1, 200))
def test_earned_is_the_sum_of_positive_differences(stored: list[int], group: int) -> None:
    """For any grouping of the span."""
    assert sum(earned(stored, group)) == definition(stored)


@given(stored_days, st.integers(0, 120))
def test_the_income_of_a_span_is_the_sum_of_its_parts(stored: list[int], cut: int) -> None:
    """No income is lost or counted twice where a span is cut in two."""
    first, second = stored[:cut], stored[cut:]
    assert sum(earned(stored, 7)) == sum(earned(first, 7)) + sum(earned(second, 7, last_known(first)))


@given(stored_days, balances)
def test_no_step_has_negative_income(stored: list[int], before: int) -> None:
    """A cash-out subtracts nothing from any step."""
    assert all(total >= 0 for total in earned(stored, 5, before))


@given(stored_days)
def test_a_repeated_balance_earns_nothing(stored: list[int]) -> None:
    twice = list(itertools.chain.from_iterable((value, value) for value in stored))
    assert earned(twice, 10) == earned(stored, 5)


def test_a_difference_belongs_to_the_later_balance() -> None:
    """A rise over a gap counts at the reading that shows it."""
    assert earned([0, 0, 71, 0, 131, 0], 2, before=11) == [0, 60, 60]


def test_the_first_balance_ever_is_not_income() -> None:
    """A room that appears with 5,000 tokens has earned none of them here."""
    assert earned([0, 5001], 1) == [0, 0]


def tally_of(by_feed: dict[Feed, list[int]], steps: Steps, detail: Detail, window: range | None = None) -> Tally:
    """These feeds' steps added up."""
    tally = Tally(steps, range(steps.number) if window is None else window, detail)
    for feed, totals in by_feed.items():
        tally.add(feed, totals)
    return tally


def report(by_feed: dict[Feed, list[int]], steps: Steps, detail: Detail = Detail.JSON, window: range | None = None) -> Report:
    """A report of these feeds, as it is sent."""
    return msgspec.json.decode(b"".join(tally_of(by_feed, steps, detail, window).json([1] * steps.number)), type=Report)


def csv(by_feed: dict[Feed, list[int]], steps: Steps) -> str:
    """The same as a file."""
    return "".join(tally_of(by_feed, steps, Detail.CSV).csv())


def test_a_report_adds_up_by_room_and_platform_and_ranks_them() -> None:
    """The same total grouped three ways."""
    made = report({Feed("a", "x"): [1, 0], Feed("a", "y"): [0, 5], Feed("b", "x"): [2, 2]}, Steps(0, 20, 10))
    assert (made.total, made.earned) == (10, [3, 7])
    assert [(room.room_id, room.earned) for room in made.rooms] == [("a", 6), ("b", 4)]
    assert [(one.platform, one.earned) for one in made.platforms] == [("x", 5), ("y", 5)]


def test_csv_has_a_line_per_feed_and_step_with_earnings() -> None:
    """Times are UTC, and steps without earnings are left out."""
    made = csv({Feed("vip 1", "x"): [0, 7]}, Steps(1_764_000_000, 1_764_007_200, 3600))
    assert made == "start,room_id,platform,earned\r\n2025-11-24T17:00:00Z,vip 1,x,7\r\n"


@given(st.from_regex(ROOM_PATTERN))
def test_no_room_is_a_formula_in_a_spreadsheet(room_id: str) -> None:
    """Every room name becomes a harmless cell from which the name can be recovered."""
    cell = csv({Feed(room_id, "x"): [7]}, Steps(0, 60, 60)).split("\r\n")[1].split(",")[1]
    assert cell[0] not in "=+-@\t\r"
    assert cell.removeprefix("'") == room_id


def test_a_room_that_starts_with_a_minus_gets_an_apostrophe() -> None:
    """Minus is the only such character with which a room name may start."""
    assert ",'-A1,x,7" in csv({Feed("-A1", "x"): [7]}, Steps(0, 60, 60))


def minutes_of(feeds: list[list[int]], group: int, per_minute: int = 1, cuts: tuple[int, ...] = ()) -> list[int]:
    """The measured minutes of these feeds' stored balances, added in parts that end at the cuts."""
    slots = len(feeds[0])
    parts = [range(first, last) for first, last in itertools.pairwise(sorted({0, *cuts, slots}))]
    coverage = Coverage(parts, group, per_minute)
    for stored in feeds:
        for part in parts:
            coverage.add(stored[part.start : part.stop], part.start)
    for _ in coverage.count():
        pass
    return coverage.minutes(-(-slots // group))


def test_a_minute_is_measured_where_any_feed_has_a_reading() -> None:
    """Two rooms that are on air in turn measure each minute once."""
    assert minutes_of([[5, 0, 0, 0, 5], [5, 5, 0, 0, 0]], 2) == [2, 0, 1]


def test_a_finer_record_still_counts_minutes() -> None:
    """With a record every 20 s a minute counts once, however many of its three records are there; the last step may be shorter."""
    assert minutes_of([[5, 5, 0, 0, 0, 0, 0, 0, 9, 7, 0]], 6, 3) == [1, 2]


FEEDS = st.lists(st.lists(st.integers(0, 2), min_size=30, max_size=30), min_size=1, max_size=4)


@given(FEEDS, st.integers(1, 40), st.sampled_from([1, 2, 6]), st.tuples(st.integers(1, 29), st.integers(1, 29)))
def test_measured_minutes_agree_with_their_definition(feeds: list[list[int]], group: int, per_minute: int, cuts: tuple[int, int]) -> None:
    """For any records and any cuts: the minutes of each step in which some feed has a reading."""
    seen = [any(values) for values in zip(*feeds, strict=True)]
    steps = [seen[first : first + group] for first in range(0, 30, group)]
    assert minutes_of(feeds, group, per_minute, cuts) == [
        sum(any(step[at : at + per_minute]) for at in range(0, len(step), per_minute)) for step in steps
    ]


@given(st.lists(st.integers(0, 9), min_size=4, max_size=60), st.integers(1, 20), st.integers(0, 59), st.integers(0, 9))
def test_earnings_are_the_same_wherever_the_stored_balances_are_cut(stored: list[int], group: int, cut: int, before: int) -> None:
    """A part that begins in the middle of a step adds to that step."""
    cut = min(cut, len(stored))
    totals = [*earned(stored[:cut], group, before), *([0] * 60)]
    step, phase = divmod(cut, group)
    for position, amount in enumerate(earned(stored[cut:], group, last_known(stored[:cut]) or before, phase=phase), step):
        totals[position] += amount
    assert totals[: -(-len(stored) // group)] == earned(stored, group, before)


def test_a_report_has_zeros_outside_the_retention() -> None:
    """In the total and in each feed."""
    made = report({Feed("a", "x"): [3, 4]}, Steps(0, 60, 10), window=range(2, 4))
    assert made.earned == made.feeds[0].steps == [0, 0, 3, 4, 0, 0]
    assert report({}, Steps(0, 30, 10), window=range(0)).earned == [0, 0, 0]


@given(st.dictionaries(st.sampled_from([Feed(room, "x") for room in "abcdef"]), st.lists(st.integers(0, 99), min_size=3, max_size=3)))
def test_the_parts_of_a_report_are_the_report(by_feed: dict[Feed, list[int]]) -> None:
    """The parts decode to the documented message and equal its encoding in one piece."""
    for detail in (Detail.NONE, Detail.JSON):
        body = b"".join(tally_of(by_feed, Steps(0, 30, 10), detail).json([1, 1, 1]))
        assert encode(msgspec.json.decode(body, type=Report)) == body
