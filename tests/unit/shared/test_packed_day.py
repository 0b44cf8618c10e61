"""A day in the archive: packing loses nothing, and merging keeps every balance that was ever archived."""

from random import Random

import pytest

from shared.archive.packed_day import UnreadableDay, merged, pack, unpack
from shared.contract.history_day import Kept, Part, StoredDay, day_balances, kept_balances
from shared.contract.history_record import CHUNK_SLOTS, ENTRY, LAST_AT, LAYOUT, LAYOUTS, MAX_RISE, OLD_RECORD_BYTES, RUN_BYTES, Layout
from shared.contract.readings import METRICS

STEP = 60
SLOTS = 1440


class Series:
    """What the commit script keeps of a series' day, for readings in order of time."""

    def __init__(self, layout: Layout = LAYOUT) -> None:
        self.layout = layout
        self.records = bytearray(SLOTS * layout.record_bytes)
        self.trail = b""
        self.read: set[tuple[int, int]] = set()

    def add(self, at_ms: int, tokens: int) -> None:
        """One reading."""
        slot, moment = divmod(at_ms, 60_000)
        at = slot * self.layout.record_bytes
        old = bytes(self.records[at : at + self.layout.record_bytes])
        others = [7] * (len(self.layout.metrics) - 1)
        record = self.layout.record.pack(tokens + 1, moment, 0, tokens + 1, moment, moment + 1, *others)
        if any(old):
            last = int.from_bytes(old[LAST_AT : LAST_AT + 4], "big") - 1
            if last <= tokens <= last + MAX_RISE:
                record = old[:LAST_AT] + record[LAST_AT:]
            else:
                self.trail += slot.to_bytes(4, "big") + old[:RUN_BYTES]
        self.records[at : at + self.layout.record_bytes] = record
        self.read.add((at_ms, tokens))

    def stored(self) -> StoredDay:
        """The day as Redis would have it."""
        size = self.layout.chunk_bytes
        chunks = [bytes(self.records[start : start + size]) for start in range(0, len(self.records), size)]
        return StoredDay([Part(self.layout, [chunk if any(chunk) else None for chunk in chunks], self.trail or None)])


def kept(day: StoredDay) -> list[Kept]:
    """The balances of a day."""
    return kept_balances(day_balances(day, STEP), range(SLOTS), STEP)


def readings(random: Random, start: int, number: int) -> list[tuple[int, int]]:
    """Some readings, 5 s apart, with odd numbers among them."""
    tokens, found = 5000, []
    for place in range(number):
        tokens += random.choice([0, 0, 10, 240])
        shown = random.choice([0, tokens * 10, 30]) if random.random() < 0.1 else tokens
        found.append((start + 5000 * place, shown))
    return found


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"layout-{layout.number}")
def test_a_packed_day_is_unpacked_as_it_was(layout: Layout) -> None:
    series = Series(layout)
    for at_ms, tokens in readings(Random(1), 50_000_000, 400):
        series.add(at_ms, tokens)
    day = series.stored()
    again = unpack(pack(day), STEP)
    assert kept(again) == kept(day)
    assert list(again.parts[0].chunks) == list(day.parts[0].chunks)
    assert len(pack(day)) < 4000


def test_an_array_of_layout_1_is_packed_too() -> None:
    old = bytes(range(1, OLD_RECORD_BYTES + 1)) * 30
    assert unpack(pack(StoredDay([], old)), STEP).old == old


@pytest.mark.parametrize("packed", [b"", b"\x02rest", b"\x01no zlib", pack(StoredDay([]))[:-3]], ids=["empty", "newer", "damaged", "cut"])
def test_a_day_that_cannot_be_read_is_an_error_of_its_own(packed: bytes) -> None:
    with pytest.raises(UnreadableDay):
        unpack(packed, STEP)


def test_a_layout_of_a_newer_version_is_refused() -> None:
    newer = Layout(LAYOUT.number + 1, METRICS)
    series = Series(newer)
    series.add(1000, 5)
    with pytest.raises(UnreadableDay, match="newer version"):
        unpack(pack(series.stored()), STEP)


@pytest.mark.parametrize("seed", range(20))
def test_a_day_that_grew_replaces_what_was_archived_of_it(seed: int) -> None:
    random, series = Random(seed), Series()
    found = readings(random, random.randrange(80_000_000), 60)
    cut = random.randrange(1, len(found))
    for at_ms, tokens in found[:cut]:
        series.add(at_ms, tokens)
    old = unpack(pack(series.stored()), STEP)
    for at_ms, tokens in found[cut:]:
        series.add(at_ms, tokens)
    new = series.stored()
    assert pack(merged(new, old, STEP)) == pack(new)


@pytest.mark.parametrize("seed", range(20))
def test_a_day_of_which_redis_lost_a_part_keeps_every_balance_that_was_archived(seed: int) -> None:
    random, before, after = Random(seed), Series(), Series()
    found = readings(random, random.randrange(80_000_000), 60)
    cut = random.randrange(1, len(found))
    for at_ms, tokens in found[:cut]:
        before.add(at_ms, tokens)
    for at_ms, tokens in found[cut:]:
        after.add(at_ms, tokens)
    old, new = before.stored(), after.stored()
    day = merged(new, old, STEP)
    balances = {(one.at_ms, one.tokens) for one in kept(day)}
    assert {(one.at_ms, one.tokens) for one in [*kept(old), *kept(new)]} == balances
    assert balances <= before.read | after.read
    assert pack(merged(new, day, STEP)) == pack(merged(day, new, STEP)) == pack(day)  # again, and the other way round


def test_nothing_is_lost_where_redis_was_emptied_or_restored_from_an_old_backup() -> None:
    series = Series()
    found = readings(Random(3), 40_000_000, 60)
    for at_ms, tokens in found[:30]:
        series.add(at_ms, tokens)
    older = series.stored()
    for at_ms, tokens in found[30:]:
        series.add(at_ms, tokens)
    archived = series.stored()
    for lost in (StoredDay([]), older):
        assert kept(merged(lost, archived, STEP)) == kept(archived)


def test_a_trail_of_which_redis_lost_the_chunks_is_kept() -> None:
    archived = StoredDay([Part(LAYOUT, [None] * 24, ENTRY.pack(3, 6, 10, 0, 9, 20, 0))])
    series = Series()
    series.add(3 * 60_000 + 40_000, 50)
    assert [one.tokens for one in kept(merged(series.stored(), archived, STEP))] == [5, 8, 50]
    assert CHUNK_SLOTS == 60
