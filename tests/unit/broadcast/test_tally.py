"""Reports add up by step, room, platform and account, and are written as documented."""

import datetime as dt
import itertools
import zoneinfo
from array import array

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from broadcast_service.reports.coverage import Coverage
from broadcast_service.reports.files import local_csv, machine_csv
from broadcast_service.reports.findings import Findings, read_steps
from broadcast_service.reports.report import Detail, Moment, Report
from broadcast_service.reports.tally import ITEMS_PER_PART, STEPS_PER_PART, Tally
from shared.contract.codec import encode
from shared.contract.feeds import Feed
from shared.contract.readings import ROOM_PATTERN
from shared.income.rules import Entry, Kind
from shared.income.steps import Grid, Steps


def tally_of(by_feed: dict[Feed, list[int]], steps: Steps, detail: Detail, window: range | None = None) -> Tally:
    """These feeds' steps added up, each of one nameless account."""
    tally = Tally(steps, range(steps.number) if window is None else window, detail)
    for feed, totals in by_feed.items():
        findings = Findings(tally.window)
        findings.earned = array("Q", totals)
        tally.add(feed, {"": findings})
    return tally


def report(by_feed: dict[Feed, list[int]], steps: Steps, detail: Detail = Detail.FEEDS, window: range | None = None) -> Report:
    """A report of these feeds, as it is sent."""
    return msgspec.json.decode(b"".join(tally_of(by_feed, steps, detail, window).json([1] * steps.number)), type=Report)


def csv(by_feed: dict[Feed, list[int]], steps: Steps) -> str:
    """The same as a file."""
    return "".join(machine_csv(tally_of(by_feed, steps, Detail.CSV)))


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
            findings.alone = 1
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
    assert [[(room.room_id, room.earned) for room in row.rooms] for row in made.accounts] == [[("a", 7), ("b", 7)]] * 2 + [[("a", 7)]]
    assert (made.total, made.earned) == (35, [25, 10])
    assert (made.between_sessions, made.unsettled, made.set_aside, made.on_air_seconds) == (10, 500, 5, 300)
    for name in ("earned", "between_sessions", "unsettled", "set_aside", "on_air_seconds"):
        total = made.total if name == "earned" else getattr(made, name)
        assert sum(getattr(row, name) for row in made.accounts) == total


def test_an_account_of_many_rooms_names_those_in_which_it_earned_most() -> None:
    """A producer that names no account is read in every room of a studio, and its row is bounded."""
    tally = Tally(Steps(0, 20, 10), range(2), Detail.NONE)
    for number in range(20):
        found = Findings(tally.window)
        found.add(0, Entry(Kind.INCOME, 0, number, f"room-{number:02}", 0))
        tally.add(Feed(f"room-{number:02}", "x"), {"": found})
    [row] = msgspec.json.decode(b"".join(tally.json([1, 1])), type=Report).accounts
    assert [(room.room_id, room.earned) for room in row.rooms] == [(f"room-{number}", number) for number in range(19, 11, -1)]
    assert (row.other_rooms, row.earned) == (12, 190)


def test_csv_has_a_line_per_series_and_step_with_something_to_report() -> None:
    """Times are UTC, and steps in which nothing was earned, unsettled or set aside are left out."""
    made = csv({Feed("vip 1", "x"): [0, 7]}, Steps(1_764_000_000, 1_764_007_200, 3600))
    assert made == (
        "start,room_id,platform,earned,account,unsettled,set_aside,on_air_seconds,tokens_per_hour,between_sessions,"
        "first_unsettled,first_set_aside\r\n2025-11-24T17:00:00Z,vip 1,x,7,,0,0,0,,0,,\r\n"
    )


@given(st.from_regex(ROOM_PATTERN))
def test_no_room_is_a_formula_in_a_spreadsheet(room_id: str) -> None:
    """The cell of any room name starts harmlessly, and the name can be recovered from the cell."""
    cell = csv({Feed(room_id, "x"): [7]}, Steps(0, 60, 60)).split("\r\n")[1].split(",")[1]
    assert cell[0] not in "=+-@\t\r"
    assert cell.removeprefix("'") == room_id


def test_a_room_that_starts_with_a_minus_gets_an_apostrophe() -> None:
    """The one such character that a room's name may start with."""
    assert ",'-A1,x,7" in csv({Feed("-A1", "x"): [7]}, Steps(0, 60, 60))


def minutes_of(
    feeds: list[list[int]], group: int, per_minute: int = 1, cuts: tuple[int, ...] = (), starts: tuple[int, ...] = ()
) -> list[int]:
    """The measured minutes of these feeds' stored balances, added in parts that end at the cuts."""
    slots = len(feeds[0])
    grid = Grid(slots, group, starts)
    parts = [range(first, last) for first, last in itertools.pairwise(sorted({0, *cuts, slots}))]
    coverage = Coverage(parts, grid, per_minute)
    for stored in feeds:
        for part in parts:
            coverage.add(stored[part.start : part.stop], part.start, part.start)
    for _ in coverage.count():
        pass
    return coverage.minutes(len(starts) or -(-slots // group))


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


@given(
    FEEDS,
    st.sets(st.integers(1, 29), max_size=5).map(lambda found: (0, *sorted(found))),
    st.sampled_from([1, 2, 6]),
    st.tuples(st.integers(1, 29), st.integers(1, 29)),
)
def test_measured_minutes_of_calendar_steps_agree_with_their_definition(
    feeds: list[list[int]], starts: tuple[int, ...], per_minute: int, cuts: tuple[int, int]
) -> None:
    """Steps of any lengths: a minute is counted from the start of its step."""
    seen = [any(values) for values in zip(*feeds, strict=True)]
    steps = [seen[first:last] for first, last in itertools.pairwise((*starts, 30))]
    assert minutes_of(feeds, 0, per_minute, cuts, starts) == [
        sum(any(step[at : at + per_minute]) for at in range(0, len(step), per_minute)) for step in steps
    ]


@given(st.lists(st.sampled_from([0, 1, 255, 256, 65_536, 2**24, 2**32 - 1]), max_size=70))
def test_the_recorded_steps_with_a_balance_are_the_bits_of_a_number(stored: list[int]) -> None:
    """Each balance has a bit, the first one the highest, wherever in its 32 bits it is not zero."""
    assert [bool(read_steps(array("I", stored)) >> at & 1) for at in reversed(range(len(stored)))] == list(map(bool, stored))


def test_a_room_is_on_air_once_however_many_accounts_and_platforms_show_it() -> None:
    """Two platforms at the same time are one hour of the room and one of each platform; an account has its own time."""
    tally = Tally(Steps(0, 60, 60), range(1), Detail.NONE)
    read = {("x", "ana"): 0b1100, ("x", "eva"): 0b0110, ("y", ""): 0b0011}
    for platform in "xy":
        found = {account: Findings(range(1)) for named, account in read if named == platform}
        for account, findings in found.items():
            findings.shared[7] = read[platform, account]
            findings.alone = 10  # on another day, which each of them has to itself
        tally.add(Feed("a", platform), found)
    other = Findings(range(1))
    other.shared[7] = 0b1111
    tally.add(Feed("b", "x"), {"": other})
    made = msgspec.json.decode(b"".join(tally.json([1])), type=Report)
    assert {row.room_id: row.on_air_seconds for row in made.rooms} == {"a": 60 * 34, "b": 60 * 4}
    assert {(row.room_id, row.platform): row.on_air_seconds for row in made.feeds} == {
        ("a", "x"): 60 * 23,
        ("a", "y"): 60 * 12,
        ("b", "x"): 60 * 4,
    }
    assert {row.platform: row.on_air_seconds for row in made.platforms} == {"x": 60 * 27, "y": 60 * 12}
    assert {(row.platform, row.account): row.on_air_seconds // 60 for row in made.accounts} == {
        ("x", "ana"): 12,
        ("x", "eva"): 12,
        ("y", None): 12,
        ("x", None): 4,
    }


def odd_tally(steps: Steps, detail: Detail) -> Tally:
    """A room with income, income between sessions, a bound and a number set aside, on air for half an hour in its first and last step."""
    tally, findings = Tally(steps, range(steps.number), detail), Findings(range(steps.number))
    findings.alone, findings.read = 60, array("I", [30, 0, 30])
    for step, kind, tokens in ((0, Kind.INCOME, 1234), (0, Kind.BETWEEN_SESSIONS, 1000), (2, Kind.UNSETTLED, 70), (2, Kind.SET_ASIDE, 9)):
        findings.add(step, Entry(kind, 1000 * (steps.begin(step) + 90), tokens, "vip 1", 0))
    findings.add(2, Entry(Kind.UNSETTLED, 1000 * steps.begin(2), 5, "vip 1", 0))
    tally.add(Feed("vip 1", "x"), {"12e4": findings})
    return tally


def test_a_report_says_where_the_first_doubtful_reading_is() -> None:
    """Each row that has one: its room, platform, account and second."""
    made = msgspec.json.decode(b"".join(odd_tally(Steps(0, 10_800, 3600), Detail.ROOMS).json([1] * 3)), type=Report)
    unsettled, set_aside = Moment("vip 1", "x", 7200, "12e4"), Moment("vip 1", "x", 7290, "12e4")
    for row in (made.rooms[0], made.feeds[0], made.platforms[0], made.accounts[0]):
        assert (row.first_unsettled, row.first_set_aside, row.unsettled, row.between_sessions) == (unsettled, set_aside, 75, 1000)
    assert made.rooms[0].steps == [2234, 0, 0]
    assert made.platforms[0].steps is None


def test_a_machine_file_has_rates_and_moments_after_what_it_had_before() -> None:
    """The first seven columns are those of before; income between sessions is in no rate."""
    head, *lines = "".join(machine_csv(odd_tally(Steps(0, 10_800, 3600), Detail.CSV))).split("\r\n")
    assert head.startswith("start,room_id,platform,earned,account,unsettled,set_aside,")
    assert lines == [
        "1970-01-01T00:00:00Z,vip 1,x,2234,12e4,0,0,1800,2468.0,1000,,",
        "1970-01-01T02:00:00Z,vip 1,x,0,12e4,75,1,1800,0.0,0,1970-01-01T02:00:00Z,1970-01-01T02:01:30Z",
        "",
    ]


def test_a_local_file_opens_in_a_spreadsheet_set_to_spanish() -> None:
    """Byte order mark, semicolons, decimal commas, local times, Spanish headings, and names that would be numbers kept as text."""
    zone = zoneinfo.ZoneInfo("America/Bogota")
    text = "".join(local_csv(odd_tally(Steps(1_764_000_000, 1_764_010_800, 3600), Detail.CSV_LOCAL), zone, "es"))
    head, *lines = text.split("\r\n")
    assert head.encode().startswith(b"\xef\xbb\xbfInicio;Sala;Plataforma;Cuenta;Tokens;Tokens por hora;Horas al aire;")
    assert {len(line.split(";")) for line in (head, *lines[:-1])} == {12}
    assert lines == [
        "2025-11-24 11:00:00;vip 1;x;'12e4;2234;2468,0;0,50;1000;0;0;;",
        "2025-11-24 13:00:00;vip 1;x;'12e4;0;0,0;0,50;0;75;1;2025-11-24 13:00:00;2025-11-24 13:01:30",
        "",
    ]


def test_a_local_file_has_a_line_of_an_hour_without_income() -> None:
    """Else hours on air could not be added up; the headings may be English."""
    tally, idle = Tally(Steps(0, 3600, 3600), range(1), Detail.CSV_LOCAL), Findings(range(1))
    idle.read = array("I", [60])
    tally.add(Feed("a", "x"), {"": idle})
    head, line, _ = "".join(local_csv(tally, dt.UTC, "en")).split("\r\n")
    assert (head.split(";")[6], line) == ("Hours on air", "1970-01-01 00:00:00;a;x;;0;0,0;1,00;0;0;0;;")


def test_calendar_steps_say_where_they_begin() -> None:
    """The word of the step, its zone, and the start of each step."""
    made = report({Feed("a", "x"): [3, 4]}, Steps(0, 60, 0, (0, 25), "day", "America/Bogota"))
    assert (made.step, made.starts, made.timezone, made.earned) == ("day", [0, 25], "America/Bogota", [3, 4])
    assert report({}, Steps(0, 60, 60)).timezone is UNSET


def test_a_report_is_padded_where_nothing_is_kept() -> None:
    """Steps outside the window are zero in all, and in each feed."""
    made = report({Feed("a", "x"): [3, 4]}, Steps(0, 60, 10), window=range(2, 4))
    assert made.earned == made.feeds[0].steps == [0, 0, 3, 4, 0, 0]
    assert report({}, Steps(0, 30, 10), window=range(0)).earned == [0, 0, 0]


@given(st.dictionaries(st.sampled_from([Feed(room, "x") for room in "abcdef"]), st.lists(st.integers(0, 99), min_size=3, max_size=3)))
def test_the_parts_of_a_report_are_the_report(by_feed: dict[Feed, list[int]]) -> None:
    """A report written in parts reads as the documented message and equals one written at once."""
    for detail in (Detail.NONE, Detail.FEEDS, Detail.ROOMS, Detail.PLATFORMS, Detail.ACCOUNTS):
        body = b"".join(tally_of(by_feed, Steps(0, 30, 10), detail).json([1, 1, 1]))
        assert encode(msgspec.json.decode(body, type=Report)) == body


def test_no_part_of_a_report_has_more_rows_or_numbers_than_are_encoded_in_one_stretch() -> None:
    """A year of 300 feeds by day: the event loop is given back between any two parts."""
    days = 365
    tally = tally_of({Feed(f"room-{one}", "x"): [1] * days for one in range(300)}, Steps(0, days * 86_400, 86_400), Detail.FEEDS)
    parts = [msgspec.json.decode(b"[" + part[1:] + b"]") for part in tally.json([1] * days) if part[1:2] == b"{"]
    assert sum(map(len, parts)) == 300 + 300 + 1 + 1  # rooms, feeds, one platform, one account
    assert max(map(len, parts)) <= ITEMS_PER_PART <= 100
    assert max(sum(len(row.get("steps") or ()) for row in part) for part in parts) <= STEPS_PER_PART <= 6000
