"""`make bench BENCH='--url …'` loads a running stack within its bounds, and stops early at one that refuses its token."""

import os
import subprocess
import sys

from tests.e2e.conftest import Pair, on_one_node
from tools.processes import ROOT

REFUSED = "0.refused-token.0"


def bench(pair: Pair, clients: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs it as an operator would."""
    _, ingest, broadcast = pair
    given = {"PATH": os.environ["PATH"], "BENCH_INGEST_URL": ingest.url, **environment}
    command = [sys.executable, "-m", "tools.bench", "--url", broadcast.url, "--clients", str(clients), "--seconds", "3", "--posts", "10"]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=100, check=False)


def figures(output: str) -> dict[str, str]:
    """The printed figures by name."""
    return {line[:30].strip(): line[30:].strip() for line in output.splitlines()}


@on_one_node
def test_a_running_stack_is_loaded_and_one_that_refuses_the_token_is_left_alone(pair: Pair) -> None:
    """The tokens are in no output; a refused load ends after ten handshakes."""
    stack, _, _ = pair
    tokens = {f"BENCH_{name.upper()}_TOKEN": stack.token(name, rooms=("bench-load",)) for name in ("dashboard", "ingest")}
    done = bench(pair, 5, **tokens)
    assert done.returncode == 0, done.stderr
    seen = figures(done.stdout)
    assert seen["clients"] == seen["live"] == "5"
    assert seen["failures"] == "none"
    assert seen["posts refused"] == "0"
    assert int(seen["posts"]) > 0
    assert seen["post to client p50 ms"] != "not measured"
    refused = bench(pair, 1000, BENCH_DASHBOARD_TOKEN=REFUSED)
    assert refused.returncode == 0, refused.stderr
    seen = figures(refused.stdout)
    assert seen["live"] == "0"
    assert seen["failures"].endswith("times HTTP 401")
    assert 10 <= int(seen["clients"].replace(",", "")) < 1000
    assert seen["post p50 ms"] == "not measured"
    for secret in (*tokens.values(), REFUSED):
        assert secret not in done.stdout + done.stderr + refused.stdout + refused.stderr
