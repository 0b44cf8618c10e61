"""The history record: its place in the day, and that packing and reading lose nothing."""

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.contract.feeds import Series
from shared.contract.history_day import Kept, Part, StoredDay, day_balances, day_keys, kept_balances, stored_day
from shared.contract.history_record import (
    CHUNK_SLOTS,
    DAY_SECONDS,
    LAYOUT,
    LAYOUTS,
    MAX_RISE,
    Layout,
    Record,
    chunks_of_day,
    slot_of,
    unit_ms,
    unpack_old,
)
from shared.contract.keys import day_of
from shared.contract.readings import MAX_COUNT, METRICS, Reading
from shared.income.rules import SMALL_RISE

STEPS = st.sampled_from([1, 5, 60, 3600])
MOMENTS = st.integers(1_600_000_000_000, 2_000_000_000_000)
COUNTS = st.none() | st.integers(0, MAX_COUNT)


def at(milliseconds: int, tokens: int | None = 0, *others: int | None) -> Reading:
    """A reading of a moment."""
    values: dict[str, Any] = dict(zip([metric.field for metric in METRICS[1:]], others, strict=False))
    return Reading("a", "p", milliseconds // 1000, tokens, milliseconds, **values)


@given(MOMENTS, STEPS, st.tuples(*[COUNTS] * len(METRICS)))
def test_a_record_returns_its_values(moment: int, step: int, counts: tuple[int | None, ...]) -> None:
    """Zero stays zero and unknown stays unknown, the balance included."""
    [record] = LAYOUT.unpack(slot_of(at(moment, *counts), step).record, step)
    assert record is not None
    assert tuple(record.values) == counts
    assert record.first_tokens == counts[0]
    assert record.moment_ms == moment % (step * 1000) // unit_ms(step) * unit_ms(step)


@given(MOMENTS, STEPS)
def test_a_slot_is_where_its_moment_is(moment: int, step: int) -> None:
    """Day, chunk, offset and moment together give the moment again, to the millisecond at steps up to a minute."""
    slot = slot_of(at(moment), step)
    day, recorded, chunk = slot.key_end.rsplit(":", 2)
    start = moment // 1000 // DAY_SECONDS * DAY_SECONDS
    assert (day, int(recorded)) == (day_of(start), step)
    index = int(chunk) * CHUNK_SLOTS + slot.offset // LAYOUT.record_bytes
    error = moment - (start + index * step) * 1000 - slot.moment * unit_ms(step)
    assert 0 <= error < unit_ms(step)
    assert (unit_ms(60), int(chunk) < chunks_of_day(step)) == (1, True)


@given(MOMENTS, st.integers(0, 59_999))
def test_the_later_of_a_minute_has_the_later_moment(moment: int, later: int) -> None:
    """Moments order the readings of a slot."""
    start = moment - moment % 60_000
    first, second = slot_of(at(start), 60), slot_of(at(start + later), 60)
    assert (first.key_end, first.offset) == (second.key_end, second.offset)
    assert first.moment <= second.moment


def test_an_empty_record_is_none() -> None:
    """Zeros from SETRANGE are no record, and a torn end is ignored."""
    assert list(LAYOUT.unpack(bytes(LAYOUT.record_bytes) + slot_of(at(1_700_000_000_000), 60).record + b"\1\2")).count(None) == 1


def test_arrays_of_the_first_layout_are_still_read() -> None:
    """Until they expire; where both layouts hold a step, the second is newer."""
    old = b"".join(struct.pack(">5I", *record) for record in [(11, 2, 3, 0, 59_000), (0, 0, 0, 0, 0), (31, 0, 0, 0, 5)])
    assert [record and (record.tokens, *record.values[2:4], record.moment_ms) for record in unpack_old(old + b"x")] == [
        (10, 2, None, 59_000),
        None,
        (30, None, None, 5),
    ]
    chunk = bytes(2 * LAYOUT.record_bytes) + slot_of(at(120_500, 40), 60).record
    day = day_balances(StoredDay([Part(LAYOUT, [chunk])], old), 60)
    assert kept_balances(day, range(1440), 60) == [Kept(59_000, 10), Kept(120_500, 40)]
    only = day_balances(StoredDay([Part(LAYOUT, [None])], old), 60)
    assert kept_balances(only, range(1440), 60) == [Kept(59_000, 10), Kept(120_005, 30)]


def test_an_older_layout_leaves_newer_metrics_unknown() -> None:
    """Its records hold the metrics that were there when it was written."""
    older = Layout(LAYOUT.number - 1, METRICS[:2])
    record = older.record.pack(11, 5, 0, 21, 40_000, 40_001, 3)
    assert list(older.unpack(bytes(older.record_bytes) + record)) == [None, Record(40_000, (20, 2, *[None] * (len(METRICS) - 2)), 10)]
    assert older.record_bytes == LAYOUT.record_bytes - 4 * (len(METRICS) - 2)


def test_the_day_of_a_new_layout_has_the_balances_of_both() -> None:
    """The steps before the upgrade, those after it, and the step in which services of both versions wrote: 100 to 120, 120 to 150."""
    older = Layout(LAYOUT.number - 1, METRICS[:2])
    before = older.record.pack(11, 0, 0, 21, 9, 10, 0) + older.record.pack(101, 1000, 0, 121, 20_000, 20_001, 0)
    others = [0] * len(METRICS[1:])
    after = bytes(LAYOUT.record_bytes)
    for first, last in [(120, 150), (150, 160)]:
        after += LAYOUT.record.pack(first + 1, 30_000, 0, last + 1, 50_000, 50_001, *others)
    stored = StoredDay([Part(LAYOUT, [after]), Part(older, [before], run(1, 50, 100, 60, 200))])
    kept = kept_balances(day_balances(stored, 60), range(1440), 60)
    assert [balance.tokens for balance in kept] == [10, 20, 50, 60, 100, 120, 120, 150, 150, 160]
    earlier = StoredDay([Part(LAYOUT, [None]), Part(older, [before])])
    assert [balance.tokens for balance in kept_balances(day_balances(earlier, 60), range(1440), 60)] == [10, 20, 100, 120]


def test_the_keys_of_a_day_are_read_as_they_are_listed() -> None:
    """Chunks and trail of each layout, and the array of layout 1 for the unnamed account alone."""
    for account, arrays in (("", 1), ("ana", 0)):
        names = day_keys(0, Series("a", "p", account), "2026-01-01", 60)
        day = stored_day([name.encode() for name in names], 60)
        assert len(names) == len(LAYOUTS) * 25 + arrays
        assert [part.layout for part in day.parts] == list(LAYOUTS)
        for part in day.parts:
            prefix = f"history:{{0}}:{part.layout.number}:a:p:{account}:2026-01-01:60:"
            assert [*part.chunks, part.trail] == [f"{prefix}{end}".encode() for end in [*range(24), "trail"]]
        assert day.old == (b"history:{0}:a:p:2026-01-01:60" if arrays else None)


def run(slot: int, *ends: int) -> bytes:
    """An entry of a trail: step, first balance and its moment, last balance and its moment."""
    first, first_moment, last, last_moment = ends
    return struct.pack(">IIHHIHH", slot, first + 1, first_moment, 0, last + 1, last_moment, 0)


def test_both_ends_of_every_run_are_kept_in_order() -> None:
    """100, 160, cashed out, 20, 50: the run before the fall is in the trail."""
    chunk = run(0, 20, 40_000, 50, 55_000)[4:18] + struct.pack(f">H{len(METRICS[1:])}I", 55_001, *[0] * len(METRICS[1:]))
    trail = run(0, 100, 5_000, 160, 20_000) + run(61, 7, 5, 7, 5) + b"torn"
    day = day_balances(StoredDay([Part(LAYOUT, [chunk], trail)]), 60)
    assert kept_balances(day, range(60), 60) == [
        Kept(5_000, 100),
        Kept(20_000, 160, climbed=15_000),
        Kept(40_000, 20),
        Kept(55_000, 50, climbed=15_000),
    ]
    assert kept_balances(day, range(60, 120), 60) == [Kept(61 * 60_000 + 5, 7)]


def test_what_the_rules_call_a_small_rise_is_what_a_run_may_rise_by() -> None:
    """Otherwise a run could hide a reading that has to be confirmed."""
    assert MAX_RISE == SMALL_RISE
