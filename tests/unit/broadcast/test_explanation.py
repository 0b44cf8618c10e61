"""An explanation adds up to what the rules find, line by line, and gives each reading one verdict."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from broadcast_service.reports.explanation import MAX_LINES, AccountExplanation, Explanation, Line, Span, explanation
from broadcast_service.reports.explanations import parse_explained
from shared.contract.problems import Problem
from shared.income.rules import Balance, Kind, Sums, in_order, judge, sums

NOW = 10_000_000_000
ALWAYS = Span(0, 3_000_000)
MOMENTS = st.integers(0, 2_999_000)
TOKENS = st.integers(0, 3000) | st.sampled_from([0, 100, 1000, 10_000, 100_000])
READINGS = st.lists(st.builds(Balance, MOMENTS, TOKENS, st.sampled_from(["a", "b"])), max_size=40, unique_by=lambda reading: reading.at_ms)
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=8)
VERDICTS = {"baseline", "unchanged", "income", "between_sessions", "set_aside", "fall", "pending"}


def explained(
    readings: list[Balance], room: str, span: Span = ALWAYS, sizes: tuple[int, ...] = (40,), now: int = NOW
) -> AccountExplanation:
    """One account in one room; the readings are given in parts of these sizes."""
    one, left = AccountExplanation("", room, span), in_order(readings)
    while left:
        for size in sizes:
            one.read(left[:size])
            left = left[size:]
    one.finish(now)
    return one


def made_of(one: AccountExplanation, span: Span = ALWAYS) -> Explanation:
    return explanation("a", "camsoda", span, [one])


def balances(*tokens: int, every_ms: int = 5000) -> list[Balance]:
    return [Balance(every_ms * number, one, "a") for number, one in enumerate(tokens)]


def verdicts(*tokens: int, every_ms: int = 5000, now: int = NOW) -> list[tuple[str, str, int]]:
    """Verdict, reason and counted tokens of each reading."""
    lines = explained(balances(*tokens, every_ms=every_ms), "a", now=now).lines
    return [(line.verdict, line.reason, line.earned) for line in lines]


@given(READINGS, SIZES, MOMENTS, MOMENTS)
def test_the_lines_add_up_to_the_sums_of_the_rules(readings: list[Balance], sizes: list[int], one_end: int, other_end: int) -> None:
    """For any readings, given in any parts, any span and either room: income, between sessions, unsettled, set aside and falls."""
    span = Span(min(one_end, other_end), max(one_end, other_end) + 1)
    for room in ("a", "b"):
        one = explained(readings, room, span, tuple(sizes))
        entries = [entry for entry in judge(readings, NOW) if entry.room == room and span.start_ms <= entry.at_ms < span.end_ms]
        expected = sums(entries)
        own = one.sums
        assert Sums(own.earned - own.between_sessions, own.between_sessions, own.unsettled, own.set_aside) == expected
        assert own.falls <= sum(entry.kind is Kind.FALL for entry in entries)
        assert sum(line.earned for line in one.lines) == expected.earned
        assert sum(line.earned for line in one.lines if line.verdict == "between_sessions") == expected.between_sessions
        assert sum(doubt.tokens for line in one.lines for doubt in line.unsettled) == expected.unsettled
        assert sum(line.verdict == "fall" for line in one.lines) == own.falls
        assert sum(line.verdict == "set_aside" for line in one.lines) >= own.set_aside
        inside = [reading for reading in in_order(readings) if reading.room == room and span.start_ms <= reading.at_ms < span.end_ms]
        assert [(line.at_ms, line.balance) for line in one.lines] == [(reading.at_ms, reading.tokens) for reading in inside]
        assert {line.verdict for line in one.lines} <= VERDICTS


@given(READINGS)
def test_merged_lines_have_the_same_sums_and_readings(readings: list[Balance]) -> None:
    """A long span merges plain rises; an odd reading keeps a line of its own."""
    span = Span(0, 40 * 86_400_000)
    far = [reading._replace(at_ms=60 * reading.at_ms) for reading in readings]
    each, merged = explained(far, "a"), explained(far, "a", span)
    assert merged.sums == explained(far, "a", Span(0, NOW)).sums
    assert sum(line.readings for line in merged.lines) == sum(reading.room == "a" for reading in readings)
    assert sum(line.earned for line in merged.lines) == merged.sums.earned
    odd = [line for line in merged.lines if line.verdict not in ("income", "unchanged")]
    assert all(line.readings == 1 for line in odd)
    assert {(line.at_ms, line.verdict) for line in odd} >= {
        (line.at_ms, line.verdict) for line in each.lines if line.verdict not in ("income", "unchanged")
    }


@given(READINGS)
def test_every_counted_line_is_the_difference_of_its_balances(readings: list[Balance]) -> None:
    """What the page shows as *from 100 to 120* is what counts."""
    for line in explained(readings, "a").lines:
        if line.verdict in ("income", "between_sessions"):
            assert line.before is not None
            assert line.balance - line.before == line.earned > 0
        else:
            assert line.earned == 0
        if line.verdict == "unchanged":
            assert line.before == line.balance
        if line.since_ms is None:
            assert line.verdict in ("baseline", "set_aside")


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((1000, 1020), [("baseline", "", 0), ("income", "", 20)]),
        ((1000, 0, 1020, 1020), [("baseline", "", 0), ("set_aside", "read_as_zero", 0), ("income", "", 20), ("unchanged", "", 0)]),
        (
            (1000, 0, 0, 1020),
            [("baseline", "", 0), ("set_aside", "read_as_zero", 0), ("set_aside", "read_as_zero", 0), ("income", "", 20)],
        ),
        ((35_549, 355_492, 35_550), [("baseline", "", 0), ("set_aside", "extra_digit", 0), ("income", "", 1)]),
        ((35_549, 3554, 35_550), [("baseline", "", 0), ("set_aside", "missing_digits", 0), ("income", "", 1)]),
        ((1000, 400, 1010), [("baseline", "", 0), ("set_aside", "returned", 0), ("income", "", 10)]),
        ((1000, 5000, 5000, 5000), [("baseline", "", 0), ("income", "confirmed_rise", 4000), ("unchanged", "", 0), ("unchanged", "", 0)]),
        ((5000, 40, 60, 80), [("baseline", "", 0), ("fall", "confirmed_fall", 0), ("income", "", 20), ("income", "", 20)]),
        ((0, 9000, 9010), [("set_aside", "first_balance", 0), ("baseline", "", 0), ("income", "", 10)]),
    ],
)
def test_a_verdict_names_the_rule(tokens: tuple[int, ...], expected: list[tuple[str, str, int]]) -> None:
    assert verdicts(*tokens) == expected


def test_a_reading_that_awaits_the_next_ones_is_pending() -> None:
    """It counts nowhere yet; the bound of it is unsettled."""
    one = explained(balances(1000, 9000), "a", now=6000)
    assert [(line.verdict, line.before) for line in one.lines] == [("baseline", None), ("pending", 1000)]
    assert [(doubt.reason, doubt.tokens) for doubt in one.lines[1].unsettled] == [("pending", 8000)]


def test_a_fall_that_no_page_observed_names_its_doubt() -> None:
    one = explained(balances(5000, 700, 710, every_ms=120_000), "a")
    assert [line.verdict for line in one.lines] == ["baseline", "fall", "income"]
    assert msgspec.to_builtins(one.lines[1].unsettled) == [{"reason": "unobserved_fall", "tokens": 700}]


def test_a_rise_after_a_pause_is_between_sessions_and_says_since_when() -> None:
    one = explained([Balance(0, 100, "b"), Balance(1_000_000, 180, "a")], "a")
    assert [(line.verdict, line.earned, line.since_ms, line.moved) for line in one.lines] == [("between_sessions", 80, 0, True)]


def test_a_day_of_plain_rises_is_merged_by_the_quarter() -> None:
    day = Span(0, 86_400_000)
    lines = explained(balances(*range(1000, 2440), every_ms=60_000), "a", day).lines
    assert lines[0].verdict == "baseline"
    assert [line.readings for line in lines[1:]] == [14, *[15] * 95]
    assert all(before.balance == after.before and before.at_ms == after.since_ms for before, after in pairwise(lines))


def test_the_lines_of_two_accounts_are_in_order_of_time_and_bounded() -> None:
    """The sums are of all lines, also of those beyond the bound."""
    ana, eva = AccountExplanation("ana", "a", ALWAYS), AccountExplanation("eva", "a", ALWAYS)
    ana.read([Balance(number, 5 * number, "a") for number in range(0, 2 * MAX_LINES, 2)])
    eva.read([Balance(number, number, "a") for number in range(1, 200, 2)])
    for one in (ana, eva):
        one.finish(NOW)
    found = explanation("a", "camsoda", ALWAYS, [eva, ana])
    assert [one.account for one in found.accounts] == ["ana", "eva"]
    assert found.earned == 5 * (2 * MAX_LINES - 2) + 198
    assert (len(found.lines), found.omitted) == (MAX_LINES, 100)
    assert [line.at_ms for line in found.lines[:6]] == list(range(6))


def test_a_room_without_a_reading_has_no_lines() -> None:
    found = made_of(explained([], "a"))
    assert (found.lines, found.accounts, found.earned, found.omitted) == ([], [], 0, 0)


@pytest.mark.parametrize(
    "query", [{"from": "10", "to": "10"}, {"from": "9", "to": "5"}, {"from": "0", "to": "3024061"}, {"from": "x"}, {"to": "-1"}]
)
def test_a_span_that_cannot_be_explained_is_422(query: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        parse_explained(QueryParams(query), 60, now_seconds=1000)
    assert refused.value.status == 422


def test_a_span_is_widened_to_whole_steps() -> None:
    assert parse_explained(QueryParams({"from": "61", "to": "121"}), 60, now_seconds=0) == Span(60_000, 180_000)
    assert parse_explained(QueryParams({}), 60, now_seconds=7230) == Span(3_600_000, 7_260_000)


def test_an_encoded_line_names_only_what_there_is() -> None:
    line = explained(balances(1000, 1020), "a").lines[1]
    assert msgspec.json.decode(msgspec.json.encode(line)) == {
        "account": None,
        "from_ms": 5000,
        "at_ms": 5000,
        "since_ms": 0,
        "before": 1000,
        "balance": 1020,
        "verdict": "income",
        "earned": 20,
    }
    assert isinstance(line, Line)
