"""`python -m shared.tokens` without its start, which takes half a second of CPU, where the command takes some milliseconds.

Each command has its arguments, environment, input and output for itself, as if it had been typed; `tests/e2e/test_token_commands.py` also
starts the real one.
"""

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from tests.support import warm_services

TIMEOUT_SECONDS: Final = 100


def run_tokens(
    *arguments: str, given: str = "", environment: Mapping[str, str] | None = None, check: bool = False
) -> "subprocess.CompletedProcess[str]":
    """Runs a command with these variables and no others; with `check` raises CalledProcessError where it fails."""
    command = [sys.executable, "-m", "shared.tokens", *arguments]
    done = warm_services.run(command, environment or {}, given=given.encode(), timeout=TIMEOUT_SECONDS)
    completed = subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())
    if check:
        completed.check_returncode()
    return completed
