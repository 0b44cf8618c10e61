"""The scenarios of a large studio: how connections are spread, and that no default run starts them."""

import pytest

from tools.bench.documents import MarkerError, replaced
from tools.bench.processes import BenchError
from tools.bench.scale import PROGRESS, markdown, shares
from tools.bench.scenarios import NOT_QUICK, SCALE, SCENARIOS
from tools.processes import ROOT


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


def test_a_table_in_a_document_is_replaced_whole() -> None:
    """A second run leaves nothing of the first."""
    document = "Before.\n\n<!-- scale-rooms -->\n\n| old |\n\n<!-- end of scale-rooms -->\n\nAfter.\n"
    once = replaced(document, "scale-rooms", markdown({"per_second": 19_990.4, "redis_mb": 7.25}))
    assert "| accepted readings per second | 19,990 |" in once
    assert "| memory of Redis, MB | 7.25 |" in once
    assert "old" not in once
    assert once.startswith("Before.")
    assert once.endswith("After.\n")
    assert replaced(once, "scale-rooms", markdown({"per_second": 19_990.4, "redis_mb": 7.25})) == once


@pytest.mark.parametrize("text", ["", "<!-- a -->", "<!-- end of a --><!-- a -->", "<!-- a --><!-- a --><!-- end of a -->"])
def test_a_document_without_a_place_for_the_table_is_not_written(text: str) -> None:
    """Instead of a table at its end."""
    with pytest.raises(MarkerError):
        replaced(text, "a", "| new |")


@pytest.mark.parametrize(("document", "name"), [("benchmarks", "figures"), ("scaling", "scale-connections"), ("scaling", "scale-rooms")])
def test_the_documents_have_a_place_for_each_table(document: str, name: str) -> None:
    """A run of a quarter of an hour must not end with an error."""
    text = (ROOT / "docs" / f"{document}.md").read_text("utf-8")
    assert "| new |" in replaced(text, name, "| new |")
