"""SECURITY.md promises what tests show: every test it names exists, and every row names one."""

import ast
import functools
import re

from tests.test_layout import FUNCTIONS, tree
from tools.processes import ROOT

ROWS = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ") and not line.startswith("| threat")]


def named() -> set[tuple[str, str]]:
    """File and test of every reference; the test is empty where a whole file is named."""
    return {(path, test) for row in ROWS for path, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row)}


def test_every_row_names_its_tests() -> None:
    """A control that nothing shows is a wish."""
    assert len(ROWS) > 15
    assert [row for row in ROWS if "`tests/" not in row.split("|")[3]] == []


@functools.cache
def names_in(path: str) -> set[str]:
    """The functions of a file."""
    return {node.name for node in ast.walk(tree(ROOT / path)) if isinstance(node, FUNCTIONS)}


def test_every_test_that_is_named_exists() -> None:
    """Renaming one means renaming it there."""
    here = {(path, test) for path, test in named() if (ROOT / path).parent.exists()}
    assert {path for path, _ in here if not (ROOT / path).exists()} == set()
    assert {(path, test) for path, test in here if test and test not in names_in(path)} == set()
