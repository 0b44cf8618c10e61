"""The smoke check passes on a working stack and fails on a broken one."""

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tools.processes import ROOT, Service
from tools.stack import Stack


def smoke(stack: Stack, ingest: Service, broadcast: Service, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs it as an operator would, without site-packages, which proves that it needs none."""
    given = {"PATH": os.environ["PATH"], "INGEST_URL": ingest.url, "TOKEN_KEYS": stack.token_keys, **environment}
    command = [sys.executable, "-S", "tools/smoke.py", broadcast.url]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def stack(tmp_path: pathlib.Path) -> Iterator[Stack]:
    with Stack(tmp_path) as stack:
        yield stack


def test_a_working_stack_passes_all_five_checks(stack: Stack) -> None:
    """Every check is listed as passed with its time, and the status is 0."""
    ingest, broadcast = stack.ingest(), stack.broadcast()
    done = smoke(stack, ingest, broadcast)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" ok ") == 5
    assert done.stdout.endswith(f"{broadcast.url} works.\n")


def test_it_can_be_repeated_with_tokens_of_ones_own(stack: Stack) -> None:
    """Given tokens are used, and a second run is not confused by the first one's value."""
    ingest, broadcast = stack.ingest(), stack.broadcast()
    tokens = {f"SMOKE_{audience.upper()}_TOKEN": stack.token(audience, rooms=("check-*",)) for audience in ("ingest", "dashboard")}
    for _ in range(2):
        done = smoke(stack, ingest, broadcast, SMOKE_ROOM="check-1", TOKEN_KEYS="", **tokens)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("seconds", [30, -30])
def test_a_clock_that_is_off_fails(stack: Stack, tmp_path: pathlib.Path, seconds: int) -> None:
    """The third check says that the clocks differ."""
    ingest, broadcast = stack.ingest(), stack.broadcast()
    (clock := tmp_path / "clock").write_text(str(seconds))
    code = f"import sys; sys.path.insert(0, 'tests/faults/clock'); import sitecustomize, runpy; sys.argv = ['smoke', '{broadcast.url}']; "
    given = {"PATH": os.environ["PATH"], "INGEST_URL": ingest.url, "TOKEN_KEYS": stack.token_keys, "CLOCK_FILE": str(clock)}
    code += "runpy.run_path('tools/smoke.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "3. FAIL" in done.stdout
    offset = re.search(r"clock_offset_ms is (-?[0-9]+)", done.stdout)
    assert offset is not None
    assert abs(int(offset[1]) + 1000 * seconds) < 1000


def test_a_stack_without_ingest_fails(stack: Stack) -> None:
    """Checks that need the missing service fail; the others still pass."""
    ingest, broadcast = stack.ingest(), stack.broadcast()
    ingest.stop()
    done = smoke(stack, ingest, broadcast)
    assert done.returncode == 1
    assert "2. ok" in done.stdout
    assert "4 of 5 checks failed" in done.stdout


def test_a_stack_without_its_store_fails(stack: Stack) -> None:
    """Processes that answer are not enough: without Redis nothing is ready, stored or relayed."""
    ingest, broadcast = stack.ingest(), stack.broadcast()
    assert stack.redis is not None
    stack.redis.kill()
    done = smoke(stack, ingest, broadcast)
    assert done.returncode == 1
    assert "3. FAIL telemetry is accepted" in done.stdout
    assert "expected 200, got 503" in done.stdout


def test_a_wrong_key_is_named_as_such(stack: Stack) -> None:
    """A token signed with another key is refused, and the verdict says so."""
    ingest, broadcast = stack.ingest(), stack.broadcast()
    done = smoke(stack, ingest, broadcast, TOKEN_KEYS="local:" + "x" * 32)
    assert done.returncode == 1
    assert "a socket with a token: expected 101, got 401" in done.stdout
