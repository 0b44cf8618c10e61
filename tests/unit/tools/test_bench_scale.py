"""The scenarios of a large studio: how connections are spread, and that no default run starts them."""

import pytest

from tools.bench.processes import BenchError
from tools.bench.scale import PROGRESS, shares
from tools.bench.scenarios import NOT_QUICK, SCALE, SCENARIOS


@pytest.mark.parametrize(
    ("total", "limit", "expected"),
    [
        (50_000, 19_500, [16_667, 16_667, 16_666]),
        (12_500, 19_500, [12_500]),
        (19_501, 19_500, [9_751, 9_750]),
        (50_000, 1_000_000, [50_000]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_connections_are_spread_over_as_few_processes_as_their_files_allow(total: int, limit: int, expected: list[int]) -> None:
    """Evenly, and none too many or too few."""
    assert shares(total, limit) == expected


def test_a_limit_of_files_that_leaves_no_room_is_named() -> None:
    """Instead of a division by zero."""
    with pytest.raises(BenchError, match="ulimit"):
        shares(50_000, 0)


def test_the_scenarios_of_a_large_studio_are_run_only_when_they_are_named() -> None:
    """They take minutes and gigabytes."""
    assert set(SCALE) <= set(SCENARIOS)
    assert not set(SCALE) & set(NOT_QUICK)


def test_the_lines_of_a_running_load_are_recognised() -> None:
    """And the end of the load is not one."""
    assert PROGRESS.match("at 30.0 accepted 600000 p50_ms 4.120 p99_ms 19.300 late_ms 7.000")
    assert not PROGRESS.match("")
