"""Income by quarters of an hour is what the rules find in the day, also where a reading of another day decides."""

import pytest

from shared.archive.rollup import (
    QUARTERS,
    HistoryDay,
    Rollup,
    earned_before,
    minutes_of,
    odd_quarters,
    on_air_within,
    rollups,
)
from shared.contract.history_day import day_balances
from shared.income.account_scan import Stored
from tests.unit.shared.test_packed_day import Series

DAY = 20_000
NOW = (DAY + 30) * 86_400_000


def held(*readings: tuple[int, int], room: str = "blue") -> Stored:
    """A day of one room: seconds since midnight and balances."""
    series = Series()
    for second, tokens in readings:
        series.add(second * 1000, tokens)
    return Stored(room, day_balances(series.stored(), 60))


def rollup(*days: tuple[int, Stored], wanted: int = DAY) -> Rollup:
    """The income of one day."""
    return rollups([HistoryDay(day, [one]) for day, one in days], [wanted], 60, NOW)[wanted, "blue"]


def test_income_counts_in_the_quarter_of_its_reading() -> None:
    found = rollup((DAY, held((0, 1000), (890, 1100), (899, 1110), (901, 1200), (86_390, 1500))))
    assert [earned_before(found.gained, quarter) for quarter in (0, 1, 2, QUARTERS - 1)] == [0, 110, 200, 200]
    assert (found.earned, found.between_sessions) == (500, 300)
    assert [tuple(one) for one in odd_quarters(found.odd)] == [(QUARTERS - 1, 300, 0, 0, None, None)]


@pytest.mark.parametrize(("gain", "width"), [(0, 0), (100, 2), (1000, 2)])
def test_a_running_sum_is_as_wide_as_it_needs_to_be(gain: int, width: int) -> None:
    found = rollup((DAY, held((0, 1000), (1800, 1000 + gain))))
    assert len(found.gained) == QUARTERS * width


def test_a_large_income_needs_more_bytes() -> None:
    balances = [(second, 10_000 + second * 40) for second in range(0, 6000, 5)]
    found = rollup((DAY, held(*balances)))
    assert len(found.gained) == QUARTERS * 4
    assert earned_before(found.gained, QUARTERS) == found.earned == 5995 * 40


def test_time_on_air_is_counted_by_minute() -> None:
    found = rollup((DAY, held((0, 5), (59, 5), (60, 5), (86_399, 5))))
    assert (found.on_air_seconds, minutes_of(found.minutes).bit_count()) == (180, 3)
    assert on_air_within(found.minutes, found.on_air, range(1)) == 120
    assert on_air_within(found.minutes, found.on_air, range(1, QUARTERS)) == 60


def test_a_step_of_seconds_keeps_its_time_on_air() -> None:
    series = Series()
    series.add(0, 5)
    day = day_balances(series.stored(), 60)
    lasts = day.lasts[:1] * 3 + day.lasts[1:2] * (17_280 - 3)
    day = day._replace(firsts=lasts, lasts=lasts, first_moments=lasts, last_moments=lasts)
    found = rollups([HistoryDay(DAY, [Stored("blue", day)])], [DAY], 5, NOW)[DAY, "blue"]
    assert (found.on_air_seconds, on_air_within(found.minutes, found.on_air, range(1))) == (15, 15)


def test_a_large_rise_at_the_end_of_a_day_is_decided_by_the_next_reading() -> None:
    evening = held((86_000, 1000), (86_395, 9000))
    alone = rollup((DAY, evening))
    assert (alone.earned, alone.unsettled, alone.is_settled) == (0, 8000, False)
    assert [tuple(one) for one in odd_quarters(alone.odd)] == [(QUARTERS - 1, 0, 8000, 0, 86_395_000, None)]
    confirmed = rollup((DAY, evening), (DAY + 3, held((100, 9010))))
    assert (confirmed.earned, confirmed.unsettled, confirmed.is_settled) == (8000, 0, False)
    contradicted = rollup((DAY, evening), (DAY + 1, held((5, 1000))))
    assert (contradicted.earned, contradicted.set_aside) == (0, 1)


def test_the_first_reading_of_a_day_gains_since_the_day_before() -> None:
    found = rollup((DAY - 1, held((86_395, 1000))), (DAY, held((5, 1100), (10, 1100))))
    assert (found.earned, found.is_settled) == (100, True)


def test_no_more_days_are_read_than_it_takes() -> None:
    read = []

    def days() -> object:
        for day in range(DAY, DAY + 5):
            read.append(day)
            yield HistoryDay(day, [held((100, 10), (105, 10))])

    rollups(days(), [DAY], 60, NOW)  # type: ignore[arg-type]
    assert read == [DAY, DAY + 1]
