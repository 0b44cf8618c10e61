"""An account's days are judged as its readings are, also where they are added up without unpacking them."""

import functools
from collections import Counter
from random import Random

import pytest

from shared.contract.history_day import Part, StoredDay, day_balances, kept_balances
from shared.contract.history_record import CHUNK_SLOTS, ENTRY, LAYOUT
from shared.contract.readings import METRICS
from shared.income.account_scan import AccountScan, Cuts, Stored
from shared.income.rules import Account, Balance, Entry, Kind, Sums, sums
from shared.income.steps import Grid

LATE = 2**53


def chunk_of(random: Random, tokens: int, trail: bytearray, hour: int) -> tuple[bytes, int]:
    """An hour of a room that mostly rises, with odd numbers, pauses and cash-outs now and then, and the balance at its end.

    Some steps hold several runs, and a few records are damaged: they have one end of their run alone.
    """
    data = bytearray(LAYOUT.chunk_bytes)
    calm = random.random() < 0.6
    for slot in range(CHUNK_SLOTS):
        if random.random() < (0.02 if calm else 0.3):
            continue
        first = tokens + random.choice([0, 0, 3, 200])
        if not calm and random.random() < 0.1:
            first = random.choice([0, tokens * 10, tokens // 10, tokens + 5000, 40])
        last = first + random.choice([0, 10, 500])
        moments = sorted(random.sample(range(60_000), 4))
        if random.random() < (0.04 if calm else 0.1):
            then = random.choice([tokens, tokens + 100, tokens, 0, tokens // 10, tokens * 10])
            trail += ENTRY.pack(60 * hour + slot, then + 1, moments[0], 0, then + random.choice([0, 0, 50]) + 1, moments[1], 0)
            first += random.choice([0, 300, 4000])
            last = first + random.choice([0, 10])
        stored = random.choice([(0, last + 1), (first + 1, 0)]) if random.random() < 0.002 else (first + 1, last + 1)
        others = [0] * len(METRICS[1:])
        LAYOUT.record.pack_into(data, slot * LAYOUT.record_bytes, stored[0], moments[2], 0, stored[1], moments[3], moments[3] + 1, *others)
        returns = first in {0, tokens * 10} or (first > tokens + 1000 and random.random() < 0.5)
        tokens = tokens if returns else last
    return bytes(data), tokens


def account_of(random: Random) -> list[Stored]:
    """Some hours of an account's day, some of them without it, and some in another room."""
    tokens = random.choice([0, 700, 12_345])
    rooms: dict[str, list[bytes | None]] = {"a": [None] * 24, "b": [None] * 24}
    trails = {room: bytearray() for room in rooms}
    for hour in range(2, 14):
        trail = bytearray()
        data, tokens = chunk_of(random, tokens, trail, hour)
        if random.random() < 0.85:
            room = random.choice("aaaab")
            rooms[room][hour] = data
            trails[room] += trail
    return [Stored(room, day_balances(StoredDay([Part(LAYOUT, chunks, bytes(trails[room]))]), 60)) for room, chunks in rooms.items()]


def by_reading(held: list[Stored]) -> list[Entry]:
    """The definition: the rules over every reading that is kept."""
    account, entries = Account(), list[Entry]()
    for hour in range(24):
        for room, day in held:
            for kept in kept_balances(day, range(60 * hour, 60 * hour + 60), 60):
                entries += account.read(Balance(kept.at_ms, kept.tokens, room, kept.climbed))
    return [*entries, *account.settle(LATE), *account.provisional()]


@functools.cache
def judged(seed: int) -> tuple[list[Stored], Sums, Counter[tuple[str, int]]]:
    """The days of an account, and the sums and the income by minute that the rules find in them, all the same for every report."""
    held = account_of(Random(seed))
    entries = by_reading(held)
    return held, sums(entries), minutes_of(entries)


def minutes_of(entries: list[Entry]) -> Counter[tuple[str, int]]:
    """Certain income by room and minute."""
    found = Counter[tuple[str, int]]()
    for entry in entries:
        if entry.kind in (Kind.INCOME, Kind.BETWEEN_SESSIONS):
            found[entry.room, entry.at_ms // 60_000] += entry.tokens
    return found


@pytest.mark.parametrize("group", [1, 7, 60, 1440, "calendar"])
@pytest.mark.parametrize("first", [-300, 0, 5])
def test_a_day_is_judged_as_its_readings_are(group: int | str, first: int) -> None:
    """Sixty days: all sums, and each step's income in its room, however long the steps are and wherever the span begins and ends."""
    summed = 0
    for seed in range(60):
        held, expected, expected_minutes = judged(seed)
        scan, end = AccountScan(60), first + 700
        starts = (0, *sorted(Random(seed).sample(range(1, end), 9))) if isinstance(group, str) else ()
        grid = Grid(end, 0 if isinstance(group, str) else group, starts)
        taken = scan.take(0, held, range(1440), Cuts(first, grid))
        entries = [*taken.entries, *scan.finish(LATE)]
        minutes = minutes_of(entries)
        for room, slot, tokens in taken.gains:
            minutes[room, slot] += tokens
        summed += len(taken.gains)
        assert minutes.total() == expected.earned
        assert sums(entries)._replace(income=0) == expected._replace(income=0)
        assert by_step(minutes, grid, first) == by_step(expected_minutes, grid, first)
    assert summed > 60, "hardly any stretch was added up without its readings"


def by_step(minutes: Counter[tuple[str, int]], grid: Grid, first: int) -> Counter[tuple[str, int]]:
    """Income by room and step of the report, within its span of 700 minutes from the first."""
    found = Counter[tuple[str, int]]()
    for (room, minute), tokens in minutes.items():
        if 0 <= first + minute < first + 700:
            found[room, grid.step_at(first + minute)] += tokens
    return +found


def test_a_scan_that_begins_later_finds_the_same_once_it_is_sure() -> None:
    """What lies before a steady stretch does not matter, so a report need not read all history."""
    compared = 0
    for seed in range(150):
        held, cuts = account_of(Random(seed)), Cuts(0, Grid(1440, 1))
        whole, late = AccountScan(60), AccountScan(60)
        whole.take(0, held, range(300), cuts)
        for hour in range(5, 24):
            is_sure = late.is_sure
            found, again = (
                whole.take(0, held, range(60 * hour, 60 * hour + 60), cuts),
                late.take(0, held, range(60 * hour, 60 * hour + 60), cuts),
            )
            if is_sure:
                assert again == found
                compared += bool(found.entries or found.gains)
    assert compared > 400


def test_a_pause_ends_at_the_first_run_of_a_step() -> None:
    """A step of two runs after a pause: the first run begins within 15 minutes, the second one after them."""
    data, others = bytearray(LAYOUT.chunk_bytes), [0] * len(METRICS[1:])
    for slot in (*range(6), *range(20, 26)):
        tokens, first_moment = (1000, 10_000) if slot < 6 else (1500, 55_000)
        LAYOUT.record.pack_into(data, slot * LAYOUT.record_bytes, tokens + 1, first_moment, 0, tokens + 1, 56_000, 56_001, *others)
    trail = ENTRY.pack(20, 1101, 10_000, 0, 1101, 11_000, 0)
    held = [Stored("a", day_balances(StoredDay([Part(LAYOUT, [bytes(data), *[None] * 23], trail)]), 60))]
    scan = AccountScan(60)
    taken = scan.take(0, held, range(1440), Cuts(0, Grid(1440, 60)))
    assert taken.entries == [Entry(Kind.INCOME, 20 * 60_000 + 10_000, 100, "a", 1000)]
    assert taken.gains == [("a", 20, 400)]
    assert sums([*taken.entries, *scan.finish(LATE)])._replace(income=500) == sums(by_reading(held))
