"""Which days are copied when: nothing that Redis deletes may be missing, and a day that cannot change is left alone."""

import math

import pytest

from worker_service.archive.plan import AHEAD_SECONDS, CYCLE_SECONDS, SWEEP_SECONDS, Pass, Plan
from worker_service.archive.writer import affected

DAY = 86_400
PLAN = Plan(35 * DAY)
TODAY = 20_000
NOW = TODAY * DAY + 40_000


def after(seconds: float) -> dict[int, Pass]:
    """All days were copied so many seconds ago."""
    return {day: Pass(int(NOW - seconds), is_final=False) for day in PLAN.kept(NOW)}


def test_at_first_every_day_that_redis_keeps_is_copied_the_earliest_first() -> None:
    assert PLAN.to_copy({}, NOW) == list(range(TODAY - 35, TODAY + 1))


def test_recent_days_are_copied_in_each_cycle_and_the_others_in_each_sweep() -> None:
    assert PLAN.to_copy(after(CYCLE_SECONDS - 1), NOW) == []
    assert PLAN.to_copy(after(CYCLE_SECONDS), NOW) == [TODAY - 1, TODAY]
    assert PLAN.to_copy(after(SWEEP_SECONDS), NOW) == list(range(TODAY - 35, TODAY + 1))


def test_a_day_that_expires_soon_is_copied_in_each_cycle() -> None:
    now = PLAN.expires_at(TODAY - 35) - 600
    passes = {day: Pass(int(now - CYCLE_SECONDS), is_final=False) for day in PLAN.kept(now)}
    assert PLAN.to_copy(passes, now)[0] == TODAY - 35


def test_a_final_day_is_left_alone() -> None:
    passes = after(2 * SWEEP_SECONDS) | {TODAY - 35: Pass(0, is_final=True)}
    assert TODAY - 35 not in PLAN.to_copy(passes, NOW)


def test_a_copy_of_the_future_does_not_count() -> None:
    """A clock that was set back must not stop the copies."""
    assert PLAN.to_copy(after(-3600), NOW) == list(range(TODAY - 35, TODAY + 1))


def test_a_day_that_begins_within_the_tolerance_of_clocks_is_copied() -> None:
    assert PLAN.to_copy({}, (TODAY + 1) * DAY - AHEAD_SECONDS)[-1] == TODAY + 1


def test_the_margin_is_the_time_until_redis_deletes_a_day_that_was_not_copied_since_it_ended() -> None:
    assert PLAN.margin_seconds(after(0), NOW) == math.inf
    behind = after(0) | {TODAY - 3: Pass((TODAY - 2) * DAY - 1, is_final=False)}
    assert PLAN.margin_seconds(behind, NOW) == (TODAY - 2 + 35) * DAY - NOW
    assert PLAN.margin_seconds({}, NOW) == (TODAY + 1) * DAY - NOW


def test_the_lag_is_the_age_of_the_last_copy_of_today() -> None:
    assert PLAN.lag_seconds(after(75), NOW) == 75
    assert PLAN.lag_seconds({}, NOW) == 40_000


@pytest.mark.parametrize(
    ("known", "changed", "groups"),
    [
        ({1: True, 2: True, 3: True, 4: True}, {2}, [[2, 3]]),
        ({1: True, 2: True, 3: True, 4: True}, {4}, [[4]]),
        ({1: True, 2: False, 3: False, 4: True}, {4}, [[2, 3, 4]]),
        ({1: True, 2: True, 3: False, 4: True, 5: True}, {2}, [[2, 3, 4]]),
        ({1: True, 2: True, 3: True, 4: True, 9: True, 12: True}, {1, 9}, [[1, 2], [9, 12]]),
    ],
)
def test_a_changed_day_changes_the_income_of_its_neighbours(known: dict[int, bool], changed: set[int], groups: list[list[int]]) -> None:
    """Also of the days before it at whose end a reading was pending, which the changed day may decide."""
    assert list(affected(known, changed)) == groups
