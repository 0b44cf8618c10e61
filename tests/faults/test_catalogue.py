"""docs/reliability.md says of every fault which test shows it, and those tests exist."""

import re

import pytest

from tests.faults.catalogue import FAULTS, PAGE
from tools.processes import ROOT

ROWS = {int(number): row for number, row in re.findall(r"^\| (\d+) \|(.*`test_.*)$", PAGE.read_text(), re.MULTILINE)}
SOURCES = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.*")) if path.suffix in (".py", ".mjs"))


@pytest.mark.parametrize("number", FAULTS)
def test_every_fault_is_shown_by_tests_that_exist(number: int) -> None:
    """A row names at least one test, and every name is a test's."""
    names = re.findall(r"`(test_\w+)`", ROWS[number])
    assert names
    assert [name for name in names if f"def {name}(" not in SOURCES] == []


def test_every_story_is_on_the_page() -> None:
    """No test of processes, servers or links goes without a place in the list."""
    stories = [path for path in (ROOT / "tests" / "faults").glob("test_*.py") if "mark.faults" in path.read_text()]
    tests = re.findall(
        r"^def (test_\w+)", "\n".join(path.read_text() for path in stories if path.name != "test_catalogue.py"), re.MULTILINE
    )
    assert [test for test in tests if f"`{test}`" not in PAGE.read_text()] == []
