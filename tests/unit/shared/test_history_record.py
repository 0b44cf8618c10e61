"""The history record: its place in the day, and that packing and reading lose nothing."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.feeds import Series
from shared.contract.history_day import RETURN_MS, Balance, Part, StoredDay, day_balances, day_keys, kept_balances, set_aside, stored_day
from shared.contract.history_record import (
    CHUNK_SLOTS,
    DAY_SECONDS,
    LAYOUT,
    LAYOUTS,
    Layout,
    Record,
    chunks_of_day,
    slot_of,
    unit_ms,
    unpack_old,
)
from shared.contract.keys import day_of
from shared.contract.readings import MAX_COUNT, METRICS, Reading

STEPS = st.sampled_from([1, 5, 60, 3600])
MOMENTS = st.integers(1_600_000_000_000, 2_000_000_000_000)
COUNTS = st.none() | st.integers(0, MAX_COUNT)


def at(milliseconds: int, tokens: int | None = 0, *others: int | None) -> Reading:
    """A reading of a moment."""
    tips, viewers, goal = others or (None, None, None)
    return Reading("a", "p", milliseconds // 1000, tokens, milliseconds, tips, viewers, goal)


@given(MOMENTS, STEPS, st.tuples(COUNTS, COUNTS, COUNTS, COUNTS))
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


def test_a_reading_stamped_ahead_is_recorded_as_of_now() -> None:
    """It belongs in the minute of its commit; any other stays in its own."""
    now = 1_764_000_000_250
    assert slot_of(at(now + 290_000), 60, now) == slot_of(at(now), 60)
    assert slot_of(at(now - 290_000), 60, now) == slot_of(at(now - 290_000), 60)


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
    chunk = bytes(2 * LAYOUT.record_bytes) + slot_of(at(0, 40), 60).record
    assert list(day_balances(StoredDay([Part(LAYOUT, [chunk])], old), 60).pairs[:8]) == [11, 11, 0, 0, 41, 41, 0, 0]


def test_an_older_layout_leaves_newer_metrics_unknown() -> None:
    """Its records hold the metrics that were there when it was written."""
    older = Layout(LAYOUT.number - 1, METRICS[:2])
    record = older.record.pack(11, 5, 0, 21, 40_000, 40_001, 3)
    assert list(older.unpack(bytes(older.record_bytes) + record)) == [None, Record(40_000, (20, 2, None, None), 10)]
    assert older.record_bytes == LAYOUT.record_bytes - 8


def test_the_day_of_a_new_layout_has_the_balances_of_both() -> None:
    """The steps before the upgrade, those after it, and the step in which services of both versions wrote: 100 to 120, 120 to 150."""
    older = Layout(LAYOUT.number - 1, METRICS[:2])
    before = older.record.pack(11, 0, 0, 21, 9, 10, 0) + older.record.pack(101, 1000, 0, 121, 20_000, 20_001, 0)
    after = bytes(LAYOUT.record_bytes) + b"".join(
        LAYOUT.record.pack(first + 1, 30_000, 0, last + 1, 50_000, 50_001, 0, 0, 0) for first, last in [(120, 150), (150, 160)]
    )
    stored = StoredDay([Part(LAYOUT, [after]), Part(older, [before], run(1, 50, 100, 60, 200))])
    day = day_balances(stored, 60)
    assert list(day.pairs[:8]) == [11, 21, 51, 151, 151, 161, 0, 0]
    assert day.gains == {}
    assert [balance.tokens for balance in kept_balances(stored, 60)] == [10, 20, 50, 60, 100, 120, 120, 150, 150, 160]
    earlier = StoredDay([Part(LAYOUT, [None]), Part(older, [before])])
    assert list(day_balances(earlier, 60).pairs[:6]) == [11, 21, 101, 121, 0, 0]


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


def test_a_minute_with_a_cash_out_is_exact() -> None:
    """The rises before and after the fall both count: 100, 160, cashed out, 20, 50."""
    chunk = run(0, 20, 40_000, 50, 55_000)[4:18] + struct.pack(">HIII", 55_001, 0, 0, 0)
    stored = StoredDay([Part(LAYOUT, [chunk], run(0, 100, 5_000, 160, 20_000))])
    day = day_balances(stored, 60)
    assert (list(day.pairs[:2]), day.gains) == ([101, 51], {0: 60 + 30})
    assert kept_balances(stored, 60) == [(5_000, 100), (20_000, 160), (40_000, 20), (55_000, 50)]


@pytest.mark.parametrize("odd", [0, 1, 1234, 123_455, 55_555])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_placeholder_is_set_aside(odd: int, times: int) -> None:
    """A balance that returns within half a minute never changed."""
    moments = itertools.count(0, 5000)
    readings = [Balance(next(moments), tokens) for tokens in [12_345, *[odd] * times, 12_345, 12_400]]
    assert [reading.tokens for reading in set_aside(readings)] == [12_345, 12_345, 12_400]


@pytest.mark.parametrize("tokens", [[12_345, 0, 40, 90], [100, 5000, 5100], [100, 150, 90, 120], [0, 12_345, 12_400], [50, 300, 550, 800]])
def test_confirmed_balances_are_kept(tokens: list[int]) -> None:
    """A cash-out, a large tip, spending, a first balance: nothing returns to the previous balance."""
    readings = [Balance(5000 * number, balance) for number, balance in enumerate(tokens)]
    assert set_aside(readings) == readings


def test_a_return_after_half_a_minute_is_a_rise() -> None:
    """By then the lower balance has been confirmed."""
    readings = [Balance(0, 500), Balance(5000, 0), Balance(5001 + RETURN_MS, 500)]
    assert set_aside(readings) == readings


@given(st.lists(st.integers(0, 3000), max_size=20))
def test_setting_aside_never_adds_income(tokens: list[int]) -> None:
    """The kept readings rise no more than all readings, and a second pass changes nothing."""
    readings = [Balance(5000 * number, balance) for number, balance in enumerate(tokens)]

    def rises(found: list[Balance]) -> int:
        return sum(max(0, after.tokens - before.tokens) for before, after in itertools.pairwise(found))

    kept = set_aside(readings)
    assert rises(kept) <= rises(readings)
    assert set_aside(kept) == kept
