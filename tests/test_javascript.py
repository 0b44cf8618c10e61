"""The JavaScript tests, run by Node's own runner; `make test` is one command for everything."""

import subprocess

import pytest

from tests.support import needs
from tools.processes import ROOT


@pytest.mark.parametrize("folder", ["dashboard", "extension"])
def test_javascript(folder: str) -> None:
    """Every `*.test.mjs` and `*.test.js` of a folder passes."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / folder).glob("*.test.*js"))
    assert files
    result = subprocess.run([needs.node(), "--test", *files], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
