"""Thinning a history to one point per step keeps the points that a chart needs."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from broadcast_service.reports.history import Point, thinned
from shared.contract.readings import METRICS

MINUTE = 60
HOUR = 3600
moments = st.lists(st.integers(0, 4 * HOUR), unique=True, max_size=60).map(sorted)
steps = st.integers(1, 60).map(lambda minutes: minutes * MINUTE)


def points(at: list[int]) -> list[Point]:
    """A point at each moment, distinguished by its balance."""
    return [Point(moment, moment, *[None] * len(METRICS[1:])) for moment in at]


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
    """The last reading of all is always kept, so a thinned chart ends on the latest balance."""
    assert [point.t for point in thinned(points(at), step).values()][-1:] == at[-1:]
