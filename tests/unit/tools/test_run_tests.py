"""Tests that failed side by side run once more alone, and only what passes then is forgiven."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.faults.checker import BrokenPromise
from tools.processes import ROOT
from tools.run_tests import FINAL, MAX_RETRIED, PHASES, Outcome, divided, judge, long_files, misplaced, reason_not_to_retry
from tools.side_by_side import PROCESS

TESTS = """
import os

import pytest


def side_by_side():
    return "PYTEST_PROCESS" in os.environ


def test_good():
    pass


@pytest.mark.parametrize("name", ["a b::c", "ñ[1]/\\x00"])
def test_loaded(name):
    assert not side_by_side()
"""
LATE = """
import pytest


@pytest.mark.browser
def test_late():
    pass
"""
FAILING = {
    "fails": "def test_fails():\n    assert False\n",
    "skips": "def test_skips():\n    assert not side_by_side()\n    pytest.skip()\n",
    "crashes": "def test_crashes():\n    os._exit(0)\n",
    "setup": "@pytest.fixture\ndef broken():\n    raise RuntimeError\n\n\ndef test_setup(broken):\n    pass\n",
    "teardown": "@pytest.fixture\ndef broken():\n    yield\n    assert not side_by_side()\n\n\ndef test_teardown(broken):\n    pass\n",
    "promise": (
        "class BrokenPromise(AssertionError):\n    pass\n\n\ndef test_promise():\n    if side_by_side():\n        raise BrokenPromise\n"
    ),
}


def run(directory: pathlib.Path, tests: str) -> tuple[int, str]:
    """Runs the helper over a file of tests; returns its exit code and output."""
    (directory / "test_some.py").write_text(tests)
    for folder in PHASES["browser"].folders:
        (directory / folder).mkdir(parents=True)
    (directory / PHASES["browser"].folders[0] / "test_late.py").write_text(LATE)
    (directory / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\nmarkers =\n    browser\n    faults\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop(PROCESS, None)
    command = [sys.executable, "-m", "tools.run_tests", "--workers", "2", "main", "browser"]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stdout


def test_what_fails_only_beside_neighbours_is_named_and_forgiven(tmp_path: pathlib.Path) -> None:
    """Also if its name has spaces, brackets or quotes."""
    code, printed = run(tmp_path, TESTS)
    assert code == 0, printed
    assert len(re.findall(r"^failed side by side, passed alone: test_some.py::test_loaded\[.*\]$", printed, re.MULTILINE)) == 2
    assert "\nFAILED: " not in printed


@pytest.mark.parametrize("kinds", [("fails", "skips", "setup"), ("crashes",), ("teardown",), ("promise",)])
def test_what_fails_for_any_other_reason_ends_with_an_error(tmp_path: pathlib.Path, kinds: tuple[str, ...]) -> None:
    """The phase beside it runs and reports all the same."""
    code, printed = run(tmp_path, "\n\n".join([TESTS, *(FAILING[kind] for kind in kinds)]))
    assert code == 1, printed
    assert {f"test_some.py::test_{kind}" for kind in kinds} <= set(re.findall(r"^FAILED: (.*)$", printed, re.MULTILINE))
    assert re.search(r"= 1 passed", printed)


@pytest.mark.parametrize(
    ("workers", "minutes", "each"), [(4, [1], [4]), (5, [8, 11], [2, 3]), (6, [8, 9], [3, 3]), (4, [1, 5], [1, 3]), (1, [8, 9], [1, 1])]
)
def test_phases_that_run_together_divide_the_workers_by_what_they_take(workers: int, minutes: list[float], each: list[int]) -> None:
    assert divided(workers, minutes) == each


def failure(test: str, when: str = "call", *, final: bool = False) -> Outcome:
    """A failed phase of a test."""
    return Outcome(test, when, "failed", final)


def test_more_failures_than_load_explains_are_final() -> None:
    failures = [failure(f"test_{number}") for number in range(MAX_RETRIED + 1)]
    assert reason_not_to_retry(1, failures[1:]) == ""
    assert "11 tests" in reason_not_to_retry(1, failures)
    assert judge(1, failures).failed == [one.test for one in failures]


def test_an_exit_that_is_no_failed_test_is_final() -> None:
    """Interrupted, an internal error, wrong usage, no tests, and an end without any report."""
    assert all(not judge(code, [failure("a")]).ok for code in (2, 3, 4, 5, -9))
    assert not judge(1, []).ok
    assert not judge(5, []).ok


def test_a_second_run_that_breaks_off_clears_only_what_it_reached() -> None:
    """And is an error itself."""
    result = judge(1, [failure("a"), failure("b")], 3, [Outcome("a", "call", "passed", False)])
    assert result.passed_alone == ["a"]
    assert result.failed == ["b"]
    assert not result.ok


def test_a_test_that_passes_but_cannot_clean_up_has_not_passed() -> None:
    second = [Outcome("a", "call", "passed", False), failure("a", "teardown")]
    assert judge(1, [failure("a")], 1, second).failed == ["a"]


def test_the_seconds_of_a_file_are_those_of_all_phases_of_its_tests() -> None:
    """Its longest test is kept beside them; short files are left out."""
    outcomes = [Outcome("a.py::one", when, "passed", False, 1) for when in ("setup", "call", "teardown")]
    outcomes += [Outcome(f"b.py::{name}", "call", "failed", False, 2.6) for name in "xyz"]
    outcomes += [Outcome("c.py::one", "call", "passed", False, 0.2)]
    assert list(long_files(outcomes).items()) == [("a.py", (3, 3)), ("b.py", (8, 3))]


def test_the_fault_tests_promise_has_the_name_that_is_final() -> None:
    assert BrokenPromise.__name__ == FINAL


@pytest.mark.parametrize(
    ("test", "marks", "is_misplaced"),
    [
        ("tests/unit/test_a.py", ["anyio"], False),
        ("tests/unit/test_a.py", ["browser"], True),
        ("tests/dashboard/test_a.py", ["browser", "anyio"], False),
        ("tests/faults/test_a.py", ["browser"], True),
        ("tests/e2e/test_a.py", ["faults"], False),
        ("tests/dashboards/test_a.py", ["browser"], True),
    ],
)
def test_a_test_outside_of_the_folders_of_its_phase_is_found(test: str, marks: list[str], is_misplaced: bool) -> None:  # noqa: FBT001
    """Otherwise no phase would run it, and nothing would say so."""
    assert misplaced(test, marks) is is_misplaced
