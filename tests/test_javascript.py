"""The JavaScript tests, run by Node's own runner; `make test` is one command for everything."""

import re
import subprocess

import pytest

from tests.support import needs
from tools.processes import ROOT

FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("*/*.test.*js"))


@pytest.mark.parametrize("file", FILES)
def test_javascript(file: str) -> None:
    """Every `*.test.mjs` and `*.test.js` passes, each in a process of its own, so that they run in parallel."""
    result = subprocess.run([needs.node(), "--test-reporter=tap", file], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert re.search(r"^# pass [1-9]", result.stdout, re.MULTILINE), result.stdout[-4000:]
    assert re.search(r"^# (fail|cancelled) [1-9]", result.stdout, re.MULTILINE) is None, result.stdout[-4000:]


def test_both_folders_have_tests_in_javascript() -> None:
    assert {file.split("/")[1] for file in FILES} == {"dashboard", "extension"}
