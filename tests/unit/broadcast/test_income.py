"""Income by the rules of docs/income.md: one table of cases for Python and JavaScript, and what must hold for any readings."""

import itertools
import json
import subprocess
from collections import Counter, defaultdict
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.income.rules import CONFIRM_MS, Account, Balance, Entry, Kind, Sums, in_order, judge, sums
from tests.support import needs
from tests.support.generated import generate
from tools.processes import ROOT

CASES: Final = json.loads((ROOT / "tests/income_cases.json").read_text())["cases"]
CERTAIN: Final = (Kind.INCOME, Kind.BETWEEN_SESSIONS)


def series_of(case: dict[str, Any]) -> dict[tuple[str, str], list[Balance]]:
    """The readings of a case by account; those without an account mark belong to one account of the room."""
    found: dict[tuple[str, str], list[Balance]] = defaultdict(list)
    for second, tokens, *names in case["readings"]:
        account, room = [*names, "", ""][:2]
        found[account, "" if account else room].append(Balance(1000 * second, tokens, room))
    return found


def entries_of(case: dict[str, Any]) -> list[tuple[str, Entry]]:
    """The account of each entry, and the entry."""
    now = case.get("now", max(second for second, *_ in case["readings"]) + 3600) * 1000
    return [(name, entry) for (name, _), readings in series_of(case).items() for entry in judge(readings, now)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_case_of_the_table(case: dict[str, Any]) -> None:
    """Each scenario of known truth, in total, by account and by room."""
    entries = entries_of(case)
    found = sums(entry for _, entry in entries)
    assert (found.earned, found.between_sessions) == (case["earned"], case["between_sessions"])
    assert (found.unsettled, found.set_aside) == (case["unsettled"], case["set_aside"])
    accounts, rooms = Counter[str](), Counter[str]()
    for name, entry in entries:
        if entry.kind in CERTAIN:
            accounts[name] += entry.tokens
            rooms[entry.room] += entry.tokens
    assert accounts == Counter(case.get("accounts", accounts))
    assert rooms == Counter(case.get("rooms", rooms))


def test_the_table_names_each_case_once() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) > 80


MOMENTS = st.integers(0, 400_000)
TOKENS = st.integers(0, 3000) | st.sampled_from([0, 100, 1000, 10_000, 100_000])
READINGS = st.lists(st.builds(Balance, MOMENTS, TOKENS, st.sampled_from(["a", "b"])), max_size=40, unique_by=lambda reading: reading.at_ms)
NOW = 10_000_000


def rises(readings: list[Balance]) -> int:
    """The sum of all positive differences: an upper bound of income."""
    return sum(max(0, after.tokens - before.tokens) for before, after in itertools.pairwise(readings))


@given(READINGS)
def test_income_is_never_negative_nor_more_than_the_rises(readings: list[Balance]) -> None:
    """For any readings of any room."""
    entries = judge(readings, NOW)
    assert all(entry.tokens >= 0 for entry in entries)
    assert 0 <= sums(entries).earned <= rises(in_order(readings))


@given(READINGS, st.randoms(use_true_random=False))
def test_any_order_of_arrival_ends_the_same(readings: list[Balance], random: Any) -> None:
    """An outbox may send the newest first."""
    shuffled = list(readings)
    random.shuffle(shuffled)
    assert judge(shuffled, NOW) == judge(readings, NOW)


@given(READINGS, st.lists(st.integers(0, 39)))
def test_duplicates_change_nothing(readings: list[Balance], again: list[int]) -> None:
    repeated = [readings[number] for number in again if number < len(readings)]
    assert judge([*readings, *repeated], NOW) == judge(readings, NOW)


@given(READINGS, st.lists(MOMENTS, max_size=5))
def test_any_split_of_a_span_adds_up(readings: list[Balance], cuts: list[int]) -> None:
    """Each entry has one moment, so the parts add up to the span."""
    entries = judge(readings, NOW)
    edges = [-1, *sorted(cuts), 2 * NOW]
    parts = [sums(e for e in entries if start < e.at_ms <= end) for start, end in itertools.pairwise(edges)]
    assert Sums(*map(sum, zip(*parts, strict=True))) == sums(entries)


@given(READINGS, st.integers(0, 39))
def test_confirmed_income_stays_confirmed(readings: list[Balance], number: int) -> None:
    """A total never falls when newer readings arrive."""
    ordered = in_order(readings)
    account = Account()
    early = [entry for reading in ordered[:number] for entry in account.read(reading)]
    account = Account()
    late = [entry for reading in ordered for entry in account.read(reading)]
    assert late[: len(early)] == early


@given(st.lists(TOKENS, min_size=1, max_size=30))
def test_a_balance_that_is_confirmed_each_time_is_counted_in_full(tokens: list[int]) -> None:
    """Where each balance lasts longer than the confirmation takes, every rise is income."""
    readings = [
        Balance(at, balance) for number, balance in enumerate([1, *tokens]) for at in range(40_000 * number, 40_000 * number + 40_000, 5000)
    ]
    entries = judge(readings, NOW + CONFIRM_MS)
    assert sums(entries) == Sums(income=rises(in_order(readings)))


@given(READINGS, TOKENS, TOKENS)
def test_three_steady_readings_end_all_doubt(readings: list[Balance], first: int, other: int) -> None:
    """After plain rises for longer than the confirmation takes, earlier readings no longer matter, so a report may begin there."""
    steady = [Balance(500_000 + 16_000 * number, first + number) for number in range(3)]
    bases = []
    for before in (in_order(readings), [Balance(499_000, other)]):
        account = Account()
        for reading in [*before, *steady]:
            account.read(reading)
        bases.append((account.base, account.is_settled))
    assert bases[0] == bases[1] == (steady[-1], True)


@given(st.integers(0, 3000), st.lists(st.integers(0, 250), min_size=1, max_size=11), st.lists(TOKENS, max_size=4))
def test_a_climb_is_known_by_its_ends(first: int, steps: list[int], then: list[int]) -> None:
    """History keeps the ends of a run of plain rises; the readings between them change no total."""
    run = [Balance(5000 * number, tokens) for number, tokens in enumerate(itertools.accumulate([first, *steps]))]
    after = [Balance(60_000 + 5000 * number, tokens) for number, tokens in enumerate(then)]
    ends = [run[0], run[-1]._replace(climbed=run[-1].at_ms)]
    assert sums(judge([*ends, *after], NOW)) == sums(judge([*run, *after], NOW))


@pytest.mark.parametrize("first_seed", range(0, 100, 20))
def test_the_rules_are_true_of_generated_studios(first_seed: int) -> None:
    """Reported is at most the truth, the truth at most reported and unsettled; both are equal where every change was read."""
    for seed in range(first_seed, first_seed + 20):
        story = generate(seed, 0)
        for account, truth in story.truth.items():
            readings = [Balance(1000 * one.second, one.tokens, one.room) for one in story.seen if one.account == account]
            found = sums(judge(readings, NOW * 10))
            assert found.earned <= truth.seen <= found.earned + found.unsettled, (seed, account)
            assert found.earned == truth.seen or not story.is_calm, (seed, account)


SCRIPT = """
import { judge } from './broadcast_service/dashboard/state/income.js';
let text = '';
for await (const part of process.stdin) text += part;
const found = JSON.parse(text).map((readings) => judge(readings.map(([atMs, tokens, room]) => ({ atMs, tokens, room })), 1e7));
const plain = ({ kind, atMs, tokens, room, before }) => [kind, atMs, tokens, room, before];
console.log(JSON.stringify(found.map((entries) => entries.map(plain))));
"""


def test_javascript_finds_the_same_in_any_readings() -> None:
    """Two thousand random series, many with placeholders, slips and cash-outs: entry by entry."""
    random = Random(7)
    stories = []
    for _ in range(2000):
        at, tokens, readings = 0, random.choice([0, 50, 800, 12_345]), []
        for _ in range(random.randrange(1, 25)):
            at += random.choice([1000, 5000, 5000, 5000, 29_000, 31_000, 61_000, 1_000_000])
            tokens = max(0, tokens + random.choice([0, 0, 5, 100, 249, 300, 2000, -50, -tokens]))
            shown = random.choice([tokens] * 6 + [0, tokens * 10, tokens // 10])
            readings.append(Balance(at, shown, random.choice("ab")))
        stories.append(readings)
    text = json.dumps([[reading[:3] for reading in readings] for readings in stories])
    done = subprocess.run(
        [needs.node(), "--input-type=module", "-e", SCRIPT], cwd=ROOT, input=text, capture_output=True, text=True, check=True
    )
    expected = [[[entry.kind.value, *entry[1:5]] for entry in judge(readings, NOW)] for readings in stories]
    assert json.loads(done.stdout) == expected
