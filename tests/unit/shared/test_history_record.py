"""The history record: its place in the day, and that packing and reading lose nothing."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.history_record import (
    CHUNK_SLOTS,
    DAY_SECONDS,
    RECORD_BYTES,
    RETURN_MS,
    Balance,
    chunks_of_day,
    day_balances,
    readings_of_day,
    set_aside,
    slot_of,
    unit_ms,
    unpack,
    unpack_old,
)
from shared.contract.keys import day_of
from shared.contract.readings import MAX_COUNT, Reading

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
    [record] = unpack(slot_of(at(moment, *counts), step).record, step)
    assert record is not None
    assert record[:4] == counts
    assert record.first_tokens == counts[0]
    assert record.moment_ms == moment % (step * 1000) // unit_ms(step) * unit_ms(step)


@given(MOMENTS, STEPS)
def test_a_slot_is_where_its_moment_is(moment: int, step: int) -> None:
    """Day, chunk, offset and moment together give the moment again, to the millisecond at steps up to a minute."""
    slot = slot_of(at(moment), step)
    day, recorded, chunk = slot.key_end.rsplit(":", 2)
    start = moment // 1000 // DAY_SECONDS * DAY_SECONDS
    assert (day, int(recorded)) == (day_of(start), step)
    index = int(chunk) * CHUNK_SLOTS + slot.offset // RECORD_BYTES
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
    assert list(unpack(bytes(RECORD_BYTES) + slot_of(at(1_700_000_000_000), 60).record + b"\1\2")).count(None) == 1


def test_arrays_of_the_first_layout_are_still_read() -> None:
    """Until they expire; where both layouts hold a step, the second is newer."""
    old = b"".join(struct.pack(">5I", *record) for record in [(11, 2, 3, 0, 59_000), (0, 0, 0, 0, 0), (31, 0, 0, 0, 5)])
    assert [record and (record.tokens, record.viewers, record.goal, record.moment_ms) for record in unpack_old(old + b"x")] == [
        (10, 2, None, 59_000),
        None,
        (30, None, None, 5),
    ]
    chunk = bytes(2 * RECORD_BYTES) + slot_of(at(0, 40), 60).record
    assert list(day_balances([chunk], None, old, 60).pairs[:8]) == [11, 11, 0, 0, 41, 41, 0, 0]


def run(slot: int, *ends: int) -> bytes:
    """An entry of a trail: step, first balance and its moment, last balance and its moment."""
    first, first_moment, last, last_moment = ends
    return struct.pack(">IIHHIHH", slot, first + 1, first_moment, 0, last + 1, last_moment, 0)


def test_a_minute_with_a_cash_out_is_exact() -> None:
    """The rises before and after the fall both count: 100, 160, cashed out, 20, 50."""
    chunk = run(0, 20, 40_000, 50, 55_000)[4:18] + struct.pack(">HIII", 55_001, 0, 0, 0)
    day = day_balances([chunk], run(0, 100, 5_000, 160, 20_000), None, 60)
    assert (list(day.pairs[:2]), day.gains) == ([101, 51], {0: 60 + 30})
    assert readings_of_day([chunk], run(0, 100, 5_000, 160, 20_000), 60) == [(5_000, 100), (20_000, 160), (40_000, 20), (55_000, 50)]


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
