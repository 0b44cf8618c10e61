"""What history and analytics answer is what was posted, whatever was posted in whatever order, and thinning keeps what it promises."""

import itertools
import time
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from broadcast_service.history import Point, thinned
from tests.dashboard.studio import Studio

HOUR = 3600
MINUTE = 60
moments = st.lists(st.integers(0, 4 * HOUR), unique=True, max_size=60).map(sorted)
steps = st.integers(1, 60).map(lambda minutes: minutes * MINUTE)
readings = st.lists(st.tuples(st.integers(0, HOUR - 1), st.integers(0, 500)), min_size=1, max_size=30, unique_by=lambda reading: reading[0])


def points(at: list[int]) -> list[Point]:
    """A point at each moment, told apart by its balance."""
    return [Point(moment, moment, None, None, None) for moment in at]


@given(moments, steps)
def test_a_step_keeps_its_last_reading(at: list[int], step: int) -> None:
    """One point per step that has any, each the last of its step, earliest first."""
    kept = [point.t for point in thinned(points(at), step).values()]
    assert kept == [max(group) for _, group in itertools.groupby(at, lambda moment: moment // step)]


@given(moments, steps, st.integers(1, 10))
def test_thinning_twice_is_thinning_once(at: list[int], step: int, factor: int) -> None:
    """A coarser chart drawn from a finer one is the same chart."""
    fine = thinned(points(at), step).values()
    assert thinned(fine, step * factor) == thinned(points(at), step * factor)


@given(moments, steps)
def test_balances_at_the_ends_survive_thinning(at: list[int], step: int) -> None:
    """The last reading of all is always kept, so a thinned balance ends where the balance is."""
    assert [point.t for point in thinned(points(at), step).values()][-1:] == at[-1:]


def per_minute(posted: list[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """By minute, the last reading of each: its second and its balance."""
    return {second // MINUTE: (second, tokens) for second, tokens in sorted(posted)}


@settings(max_examples=25)
@given(readings, st.sampled_from([1, 5, 15, 60]))
def test_history_and_earnings_are_what_was_posted_in_any_order(studio: Studio, posted: list[tuple[int, int]], minutes: int) -> None:
    """Readings come in any order, most of them late; charts and sums say what their moments say."""
    start = int(time.time()) // HOUR * HOUR - 2 * HOUR
    room, step = f"any-{uuid.uuid4().hex}", minutes * MINUTE
    studio.post(*({"room_id": room, "timestamp": start + second, "tokens_count": tokens} for second, tokens in posted))
    last = per_minute(posted)
    expected = {second // step: (start + second, tokens) for second, tokens in last.values()}
    _, chart = studio.get(f"/api/tracking/telemetry/{room}/camsoda/history?from={start}&to={start + HOUR}&step={step}")
    assert [(point["t"], point["tokens"]) for point in chart["points"]] == list(expected.values())
    rises = [(later[0] // step, later[1] - earlier[1]) for earlier, later in itertools.pairwise(last.values())]
    earned = [sum(max(0, rise) for at, rise in rises if at == number) for number in range(HOUR // step)]
    _, report = studio.get(f"/api/tracking/analytics?from={start}&to={start + HOUR}&step={step}&rooms={room}")
    assert (report["earned"], report["total"]) == (earned, sum(earned))
