"""The history record: its place in the day, and that packing loses nothing."""

from hypothesis import given
from hypothesis import strategies as st

from shared.history import DAY_SECONDS, RECORD_BYTES, slot_of, unpack
from shared.keys import day_of
from shared.messages import MAX_COUNT, TelemetryUpdate

STEPS = st.sampled_from([1, 5, 60, 3600])
MOMENTS = st.integers(1_600_000_000_000, 2_000_000_000_000)
COUNTS = st.none() | st.integers(0, MAX_COUNT)
COUNTED = ("tokens_count", "tips_count", "viewers_count", "goal_tokens")


def at(milliseconds: int, **counts: int | None) -> TelemetryUpdate:
    """A reading of a moment."""
    tokens, tips, viewers, goal = (counts.get(name) for name in COUNTED)
    return TelemetryUpdate("a", "p", milliseconds // 1000, tokens or 0, milliseconds, tips, viewers, goal)


@given(MOMENTS, STEPS, st.integers(0, MAX_COUNT), st.tuples(COUNTS, COUNTS, COUNTS))
def test_a_record_holds_what_was_put_in(moment: int, step: int, tokens: int, others: tuple[int | None, ...]) -> None:
    """Zero stays zero and unknown stays unknown."""
    named = dict(zip(COUNTED[1:], others, strict=True))
    [record] = unpack(slot_of(at(moment, tokens_count=tokens, **named), step).record)
    assert record == (tokens, *others, moment % (step * 1000))


@given(MOMENTS, STEPS)
def test_a_slot_is_where_its_moment_is(moment: int, step: int) -> None:
    """Day, offset and moment together tell the millisecond again."""
    slot = slot_of(at(moment), step)
    start = moment // 1000 // DAY_SECONDS * DAY_SECONDS
    assert slot.day == day_of(start)
    assert (start + slot.offset // RECORD_BYTES * step) * 1000 + slot.moment_ms == moment
    assert slot.offset < DAY_SECONDS // step * RECORD_BYTES


@given(MOMENTS, st.integers(0, 59_999))
def test_the_later_of_a_minute_has_the_later_moment(moment: int, later: int) -> None:
    """Moments order the readings of a slot."""
    start = moment - moment % 60_000
    first, second = slot_of(at(start), 60), slot_of(at(start + later), 60)
    assert (first.day, first.offset) == (second.day, second.offset)
    assert first.moment_ms <= second.moment_ms


def test_an_empty_record_is_none() -> None:
    """What SETRANGE filled with zeros was never written, and a torn end is left out."""
    assert list(unpack(bytes(RECORD_BYTES) + slot_of(at(1_700_000_000_000), 60).record + b"\1\2")).count(None) == 1
