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
    copied_at = int(NOW - seconds)
    return {day: Pass(copied_at, is_final=copied_at >= PLAN.complete_at(day)) for day in PLAN.kept(NOW)}


def test_at_first_every_day_that_redis_keeps_is_copied_the_earliest_first() -> None:
    assert PLAN.to_copy({}, NOW) == list(range(TODAY - 36, TODAY + 1))


def test_recent_days_are_copied_in_each_cycle_and_the_others_in_each_sweep() -> None:
    assert PLAN.to_copy(after(CYCLE_SECONDS - 1), NOW) == []
    assert PLAN.to_copy(after(CYCLE_SECONDS), NOW) == [TODAY - 1, TODAY]
    assert PLAN.to_copy(after(SWEEP_SECONDS), NOW) == list(range(TODAY - 35, TODAY + 1))  # the day before is final


def test_a_day_is_copied_as_soon_as_no_reading_of_it_is_accepted_any_more() -> None:
    """That copy is the last one that is needed, and Redis keeps the day for most of a day after it."""
    now = PLAN.complete_at(TODAY - 36)
    passes = {day: Pass(int(now - CYCLE_SECONDS), is_final=False) for day in PLAN.kept(now)}
    assert PLAN.to_copy(passes, now)[0] == TODAY - 36
    assert TODAY - 36 not in PLAN.to_copy(passes | {TODAY - 36: Pass(now - 1, is_final=True)}, now)
    assert TODAY - 36 not in PLAN.to_copy(passes, now - 1)


@pytest.mark.parametrize("late_by", [0, 1, 60])
def test_a_reading_that_is_accepted_in_the_last_second_is_copied_long_before_redis_deletes_its_day(late_by: int) -> None:
    """The last reading of a day is accepted when it is as old as the retention; a copy before it, in the same hour, is not the last."""
    day, day_end = TODAY - 36, (TODAY - 35) * DAY
    accepted_at = day_end - 1 + PLAN.retention_seconds + late_by
    last = Pass(accepted_at - 1, is_final=accepted_at - 1 >= PLAN.complete_at(day))
    assert not last.is_final
    copied_at = next(now for now in range(accepted_at, PLAN.deleted_at(day)) if day in PLAN.to_copy(after(0) | {day: last}, now))
    assert PLAN.deleted_at(day) - copied_at > 20 * 3600
    assert day in PLAN.kept(PLAN.deleted_at(day) - 1)


def test_a_day_whose_last_readings_are_not_copied_in_time_lowers_the_margin() -> None:
    """Although it was copied in full after it ended."""
    now = PLAN.complete_at(TODAY - 36) + int(SWEEP_SECONDS)
    passes = {day: Pass(now - 7200, is_final=False) for day in PLAN.kept(now)}
    passes[TODAY - 1] = passes[TODAY] = Pass(now, is_final=False)
    assert PLAN.margin_seconds(passes, now - 1) == math.inf
    assert PLAN.margin_seconds(passes, now) == PLAN.deleted_at(TODAY - 36) - now < DAY
    assert PLAN.margin_seconds(passes | {TODAY - 36: Pass(now, is_final=True)}, now) == math.inf


def test_a_final_day_is_left_alone() -> None:
    passes = after(2 * SWEEP_SECONDS) | {TODAY - 36: Pass(0, is_final=True)}
    assert TODAY - 36 not in PLAN.to_copy(passes, NOW)


def test_a_copy_of_the_future_does_not_count() -> None:
    """A clock that was set back must not stop the copies."""
    assert PLAN.to_copy(after(-3600), NOW) == list(range(TODAY - 36, TODAY + 1))


def test_a_day_that_begins_within_the_tolerance_of_clocks_is_copied() -> None:
    assert PLAN.to_copy({}, (TODAY + 1) * DAY - AHEAD_SECONDS)[-1] == TODAY + 1


def test_the_margin_is_the_time_until_redis_deletes_a_day_that_was_not_copied_since_it_ended() -> None:
    assert PLAN.margin_seconds(after(0), NOW) == math.inf
    behind = after(0) | {TODAY - 3: Pass((TODAY - 2) * DAY - 1, is_final=False)}
    assert PLAN.margin_seconds(behind, NOW) == (TODAY - 2 + 36) * DAY - NOW
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
