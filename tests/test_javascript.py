"""The JavaScript tests, run by Node's own runner; `make test` is one command for everything."""

import json
import pathlib
import re
import subprocess

import pytest

from tests.support import needs
from tools.processes import ROOT

FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("*/*.test.*js"))
LONG = [f"tests/extension/{name}.test.js" for name in ("clock", "main", "sender", "shift")]  # a second or more each
SHARED_STATE = re.compile(r"\b(process\.env|process\.on|globalThis|mock|await import)\b")  # of a process, which would change others' tests
APART = [file for file in FILES if file in LONG or SHARED_STATE.search((ROOT / file).read_text())]
TOGETHER = [file for file in FILES if file not in APART]
REPORTER = ROOT / "tests" / "dashboard" / "by_file.mjs"
IMPORT = "for (const file of process.argv.slice(1)) await import(file);"


@pytest.mark.parametrize("file", APART)
def test_javascript(file: str) -> None:
    """The files that take long or change the process, each in a process of its own."""
    result = subprocess.run([needs.node(), "--test-reporter=tap", file], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert re.search(r"^# pass [1-9]", result.stdout, re.MULTILINE), result.stdout[-4000:]
    assert re.search(r"^# (fail|cancelled) [1-9]", result.stdout, re.MULTILINE) is None, result.stdout[-4000:]


def test_all_other_files_pass_in_one_process(tmp_path: pathlib.Path) -> None:
    """Every file has tests that pass; a process for each would take three times the CPU time."""
    reported = tmp_path / "reported"
    command = [needs.node(), f"--test-reporter={REPORTER}", f"--test-reporter-destination={reported}"]
    command += ["--input-type=module", "--eval", IMPORT, "--", *(str(ROOT / file) for file in TOGETHER)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    tests = [json.loads(line) for line in reported.read_text().splitlines()]
    failed = [f"{test['file']}: {test['name']}\n{test['error']}" for test in tests if test["error"] is not False]
    assert failed == [], "\n\n".join(failed)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    passed = {test["file"] for test in tests if not test["isSkipped"]}
    assert passed == {str(ROOT / file) for file in TOGETHER}


def test_both_folders_have_tests_in_javascript() -> None:
    assert {file.split("/")[1] for file in FILES} == {"dashboard", "extension"}
