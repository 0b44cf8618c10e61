"""Steps of a report are found from either side: by their number, and by a moment within them."""

from hypothesis import given
from hypothesis import strategies as st

from shared.income.steps import Grid, Steps, cut

STARTS = st.sets(st.integers(1, 99), max_size=12).map(lambda found: (0, *sorted(found)))


@given(STARTS, st.integers(0, 99))
def test_a_moment_is_in_the_step_that_began_last(starts: tuple[int, ...], second: int) -> None:
    steps = Steps(1000, 1100, 0, tuple(1000 + start for start in starts), "day")
    step = steps.step_at(1000 + second)
    assert steps.begin(step) <= 1000 + second < steps.begin(step + 1)
    assert steps.begin(steps.number) == steps.end


@given(st.integers(1, 120), st.integers(1, 40), st.integers(-60, 130), st.integers(0, 60))
def test_equal_steps_are_a_case_of_steps_with_starts(end: int, group: int, start: int, length: int) -> None:
    """A grid of equal steps and one with their starts written out find the same step and the same cuts."""
    equal, written = Grid(end, group), Grid(end, 0, tuple(range(0, end, group)))
    number = -(-end // group)
    assert [equal.begin(step) for step in range(number + 1)] == [written.begin(step) for step in range(number + 1)]
    assert [equal.step_at(slot) for slot in range(end)] == [written.step_at(slot) for slot in range(end)]
    stop = start + length

    def within(grid: Grid) -> list[int]:
        return [at for at in grid.between(start, stop) if 0 <= at <= end]

    assert within(equal) == within(written)


@given(STARTS, st.integers(0, 90), st.integers(1, 9))
def test_the_cuts_of_a_stretch_are_the_starts_within_it(starts: tuple[int, ...], start: int, length: int) -> None:
    grid = Grid(100, 0, starts)
    assert list(grid.between(start, start + length)) == [at for at in (*starts, 100) if start < at < start + length]


def test_a_span_is_cut_where_the_calendar_begins_something_within_it() -> None:
    """Its own start is the first; what begins before it, at its end or later is none of its steps."""
    assert cut(100, 200, [50, 100, 150, 150, 200, 250]) == (100, 150)
    assert cut(100, 200, []) == (100,)
