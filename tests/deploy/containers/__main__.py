"""`python -m tests.deploy.containers [PYTEST…]`: runs the tests of this folder on the engine that can be reached, else on Debian's.

Exits with 1 where there is neither: the tests are not skipped.
"""

import os
import signal
import subprocess
import sys
from typing import Final

from tests.deploy.containers import engine

INSIDE: Final = "STUDIO_PULSE_INSIDE_NAMESPACES"
MODULE: Final = "tests.deploy.containers"


def run_pytest(arguments: list[str], environment: dict[str, str], whose: str) -> int:
    """Runs the tests one after the other; returns pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "containers", "--durations=10"]
    folder = [] if any(argument.startswith("tests/") for argument in arguments) else ["tests/deploy/containers"]
    return subprocess.run([*command, *folder, *arguments], env={**os.environ, **environment, "CONTAINERS": whose}, check=False).returncode


def main(arguments: list[str]) -> int:
    """Finds or starts the engine, and runs the tests."""
    try:
        if os.environ.pop(INSIDE, ""):
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the first process of a namespace ignores it otherwise
            with engine.running() as environment:
                return run_pytest(arguments, environment, "own")
        if engine.reachable():
            return run_pytest(arguments, {}, "found")
        engine.check()
        engine.prepare()
    except engine.NoEngine as problem:
        print(f"make test-containers: {problem}", file=sys.stderr)
        return 1
    return subprocess.run([*engine.inside_namespaces(MODULE), *arguments], env={**os.environ, INSIDE: "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
