"""Reports add up by step, room, platform and account, and are written as documented."""

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from broadcast_service.reports.coverage import Coverage
from broadcast_service.reports.report import Detail, Report, Steps
from broadcast_service.reports.tally import Findings, Tally
from shared.contract.codec import encode
from shared.contract.feeds import Feed
from shared.contract.readings import ROOM_PATTERN
from shared.income.rules import Entry, Kind


def tally_of(by_feed: dict[Feed, list[int]], steps: Steps, detail: Detail, window: range | None = None) -> Tally:
    """These feeds' steps added up, each of one nameless account."""
    tally = Tally(steps, range(steps.number) if window is None else window, detail)
    for feed, totals in by_feed.items():
        findings = Findings(tally.window)
        findings.earned = totals
        tally.add(feed, {"": findings})
    return tally


def report(by_feed: dict[Feed, list[int]], steps: Steps, detail: Detail = Detail.JSON, window: range | None = None) -> Report:
    """A report of these feeds, as it is sent."""
    return msgspec.json.decode(b"".join(tally_of(by_feed, steps, detail, window).json([1] * steps.number)), type=Report)


def csv(by_feed: dict[Feed, list[int]], steps: Steps) -> str:
    """The same as a file."""
    return "".join(tally_of(by_feed, steps, Detail.CSV).csv())


def test_a_report_adds_up_by_room_and_platform_and_ranks_them() -> None:
    """The same tokens seen from three sides."""
    made = report({Feed("a", "x"): [1, 0], Feed("a", "y"): [0, 5], Feed("b", "x"): [2, 2]}, Steps(0, 20, 10))
    assert (made.total, made.earned) == (10, [3, 7])
    assert [(room.room_id, room.earned) for room in made.rooms] == [("a", 6), ("b", 4)]
    assert [(one.platform, one.earned) for one in made.platforms] == [("x", 5), ("y", 5)]


def test_a_report_adds_up_by_account() -> None:
    """An account of two rooms is one row; producers that send no account are one row of their platform; the sums are those of the rows."""
    tally = Tally(Steps(0, 20, 10), range(2), Detail.ACCOUNTS)
    for feed, accounts in {Feed("a", "x"): ["ana", "eva", ""], Feed("b", "x"): ["ana", ""]}.items():
        found = {account: Findings(tally.window) for account in accounts}
        for findings in found.values():
            findings.on_air_seconds = 60
            findings.add(0, Entry(Kind.INCOME, 0, 5, feed.room_id, 0))
            findings.add(1, Entry(Kind.BETWEEN_SESSIONS, 0, 2, feed.room_id, 0))
            findings.add(1, Entry(Kind.UNSETTLED, 0, 100, feed.room_id, 0))
            findings.add(1, Entry(Kind.SET_ASIDE, 0, 9, feed.room_id, 0))
            findings.add(1, Entry(Kind.FALL, 0, 9, feed.room_id, 0))
        tally.add(feed, found)
    made = msgspec.json.decode(b"".join(tally.json([1, 1])), type=Report)
    assert [(row.account, row.earned, row.steps) for row in made.accounts] == [
        (None, 14, [10, 4]),
        ("ana", 14, [10, 4]),
        ("eva", 7, [5, 2]),
    ]
    assert (made.total, made.earned) == (35, [25, 10])
    assert (made.between_sessions, made.unsettled, made.set_aside, made.on_air_seconds) == (10, 500, 5, 300)
    for name in ("earned", "between_sessions", "unsettled", "set_aside", "on_air_seconds"):
        total = made.total if name == "earned" else getattr(made, name)
        assert sum(getattr(row, name) for row in made.accounts) == total


def test_csv_has_a_line_per_series_and_step_with_something_to_report() -> None:
    """Times are UTC, and steps in which nothing was earned, unsettled or set aside are left out."""
    made = csv({Feed("vip 1", "x"): [0, 7]}, Steps(1_764_000_000, 1_764_007_200, 3600))
    assert made == "start,room_id,platform,earned,account,unsettled,set_aside\r\n2025-11-24T17:00:00Z,vip 1,x,7,,0,0\r\n"


@given(st.from_regex(ROOM_PATTERN))
def test_no_room_is_a_formula_in_a_spreadsheet(room_id: str) -> None:
    """The cell of any room name starts harmlessly, and the name can be recovered from the cell."""
    cell = csv({Feed(room_id, "x"): [7]}, Steps(0, 60, 60)).split("\r\n")[1].split(",")[1]
    assert cell[0] not in "=+-@\t\r"
    assert cell.removeprefix("'") == room_id


def test_a_room_that_starts_with_a_minus_gets_an_apostrophe() -> None:
    """The one such character that a room's name may start with."""
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
    """For any recording and any cut: the minutes of each step in which some feed has a reading."""
    seen = [any(values) for values in zip(*feeds, strict=True)]
    steps = [seen[first : first + group] for first in range(0, 30, group)]
    assert minutes_of(feeds, group, per_minute, cuts) == [
        sum(any(step[at : at + per_minute]) for at in range(0, len(step), per_minute)) for step in steps
    ]


def test_a_report_is_padded_where_nothing_is_kept() -> None:
    """Steps outside the window are zero in all, and in each feed."""
    made = report({Feed("a", "x"): [3, 4]}, Steps(0, 60, 10), window=range(2, 4))
    assert made.earned == made.feeds[0].steps == [0, 0, 3, 4, 0, 0]
    assert report({}, Steps(0, 30, 10), window=range(0)).earned == [0, 0, 0]


@given(st.dictionaries(st.sampled_from([Feed(room, "x") for room in "abcdef"]), st.lists(st.integers(0, 99), min_size=3, max_size=3)))
def test_the_parts_of_a_report_are_the_report(by_feed: dict[Feed, list[int]]) -> None:
    """A report written in parts reads as the documented message and equals one written at once."""
    for detail in (Detail.NONE, Detail.JSON):
        body = b"".join(tally_of(by_feed, Steps(0, 30, 10), detail).json([1, 1, 1]))
        assert encode(msgspec.json.decode(body, type=Report)) == body
