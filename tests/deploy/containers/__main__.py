"""`python -m tests.deploy.containers [PYTEST…]`: runs the tests of this folder on the engine that can be reached, else on Debian's.

Exits with 1 where there is neither: the tests are not skipped. Like those of `tools/run_tests.py`, tests that fail run once more, in a new
stack, and the ones that pass then are printed.
"""

import os
import signal
import subprocess
import sys
from typing import Final

from tests.deploy.containers import engine
from tools.run_tests import failed, judge, reason_not_to_retry, run_pytest

INSIDE: Final = "STUDIO_PULSE_INSIDE_NAMESPACES"
MODULE: Final = "tests.deploy.containers"
FOLDER: Final = "tests/deploy/containers"


def run(arguments: list[str], whose: str) -> int:
    """Runs the tests one after the other, then once more those that failed; returns 0 if each passed once."""
    os.environ["CONTAINERS"] = whose
    options = ["-m", "containers", "-p", "no:cacheprovider", "--durations=10"]
    folder = [] if any(argument.startswith("tests/") for argument in arguments) else [FOLDER]
    exit_code, outcomes = run_pytest([*options, *folder, *arguments], alone=True)
    again = exit_code != 0 and not reason_not_to_retry(exit_code, outcomes)
    result = judge(exit_code, outcomes, *(run_pytest([*options, *failed(outcomes)], alone=True) if again else (0, [])))
    for test in result.passed_alone:
        print(f"failed at first, passed in a new stack: {test}")
    for test in result.failed:
        print(f"FAILED: {test}")
    if result.problem:
        print(f"FAILED (containers): {result.problem}")
    return 0 if result.ok else 1


def main(arguments: list[str]) -> int:
    """Finds or starts the engine, and runs the tests."""
    try:
        if os.environ.pop(INSIDE, ""):
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the first process of a namespace ignores it otherwise
            with engine.running():
                return run(arguments, "own")
        if engine.reachable():
            return run(arguments, "found")
        engine.check()
        engine.prepare()
    except engine.NoEngine as problem:
        print(f"make test-containers: {problem}", file=sys.stderr)
        return 1
    return subprocess.run([*engine.inside_namespaces(MODULE), *arguments], env={**os.environ, INSIDE: "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
