"""A block says of every quarter what its days say."""

from random import Random

import pytest

from shared.archive.blocks import (
    BLOCK_DAYS,
    BLOCK_QUARTERS,
    build,
    minutes_of_day,
    minutes_within,
    odd_of,
    on_air_between,
    running,
)
from shared.archive.rollup import QUARTERS, Rollup, earned_before, minutes_of, odd_quarters, on_air_within
from tests.unit.shared.test_packed_day import readings
from tests.unit.shared.test_rollup import DAY, held, rollup

DAY_MS = 86_400_000


def some_days(seed: int) -> dict[int, Rollup]:
    """Days with odd numbers, and some without history."""
    random, found = Random(seed), {}
    for place in random.sample(range(BLOCK_DAYS), 5):
        start = random.randrange(80_000_000)
        found[place] = rollup((DAY, held(*((at_ms // 1000, tokens) for at_ms, tokens in readings(random, start, 60)))))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_income_between_any_quarters_is_that_of_the_days(seed: int) -> None:
    days, random = some_days(seed), Random(-seed)
    sums = running(build(days).gained)
    cuts = sorted(random.sample(range(BLOCK_QUARTERS + 1), 20))
    by_day = [sum(earned_before(day.gained, min(max(cut - place * QUARTERS, 0), QUARTERS)) for place, day in days.items()) for cut in cuts]
    assert [sums[cut] for cut in cuts] == by_day
    assert (sums[0], sums[BLOCK_QUARTERS]) == (0, sum(day.earned for day in days.values()))


@pytest.mark.parametrize("seed", range(5))
def test_days_minutes_and_odd_quarters_are_those_of_the_days(seed: int) -> None:
    days = some_days(seed)
    block = build(days)
    assert block.days == sum(1 << place for place in days)
    bits = minutes_of(block.minutes)
    for place, day in days.items():
        assert minutes_of_day(bits, place) == minutes_of(day.minutes)
        first = place * QUARTERS
        assert minutes_within(bits, first + 3, first + 9).bit_count() * 60 == on_air_within(day.minutes, b"", range(3, 9))
    found = {(one.quarter, one.unsettled, one.set_aside, one.first_unsettled_ms) for one in odd_of(block.odd)}
    assert found == {
        (
            place * QUARTERS + one.quarter,
            one.unsettled,
            one.set_aside,
            None if one.first_unsettled_ms is None else place * DAY_MS + one.first_unsettled_ms,
        )
        for place, day in days.items()
        for one in odd_quarters(day.odd)
    }


def test_a_block_without_income_takes_no_space_for_it() -> None:
    assert build({}) == (0, 0, b"", b"", bytes(BLOCK_DAYS * 180), b"")
    assert set(running(build({}).gained)) == {0}


def test_an_income_beyond_32_bits_is_kept() -> None:
    day = rollup((DAY, held(*((second, 4_000_000_000 if second % 60 else 0) for second in range(0, 3600, 20)))))
    large = day._replace(gained=b"".join((2**40 + quarter).to_bytes(8, "big") for quarter in range(QUARTERS)))
    sums = running(build({0: large, 3: large}).gained)
    assert [sums[quarter] for quarter in (0, QUARTERS, BLOCK_QUARTERS)] == [0, 2**40 + 95, 2**41 + 190]


def test_a_step_of_seconds_keeps_its_time_on_air() -> None:
    day = rollup((DAY, held((0, 5))))._replace(on_air=(15).to_bytes(2, "big") * QUARTERS)
    block = build({2: day})
    assert on_air_between(block.on_air, 2 * QUARTERS - 1, 2 * QUARTERS + 2) == 30
