"""`python -m tests.deploy.containers [--prepare] [--where-possible] [--core] [PYTEST…]`: tests the stack of compose.yaml on a real engine.

The engine is the one that can be reached, else Debian's. Without either the exit code is 1 and nothing is skipped; with `--where-possible`
it is 0 after a line that says NOT RUN, for continuous integration on any machine. `--prepare` makes what the cache lacks and runs nothing.
`--core` runs the part for which there is time in continuous integration.

Files run side by side, each worker with a stack of its own. Like those of `tools/run_tests.py`, tests that fail run once more, alone and in
a new stack, and the ones that pass then are printed.
"""

import os
import signal
import subprocess
import sys
from typing import Final

from tests.deploy.containers import engine
from tests.deploy.containers.parts import NoEngine, prepare
from tools.run_tests import failed, judge, reason_not_to_retry, run_pytest

INSIDE: Final = "STUDIO_PULSE_INSIDE_NAMESPACES"
MODULE: Final = "tests.deploy.containers"
FOLDER: Final = "tests/deploy/containers"
WORKERS: Final = os.environ.get("CONTAINERS_WORKERS") or "3"
CORE: Final = (
    f"{FOLDER}/test_running_stack.py",
    f"{FOLDER}/test_deaths.py::test_a_process_that_dies_is_restarted_by_the_engine",
    f"{FOLDER}/test_deaths.py::test_full_temporary_directories_stop_no_service",
    f"{FOLDER}/test_changes.py::test_down_keeps_what_is_stored_and_up_finds_it",
)
CORE_WORKERS: Final = "2"
NO_ENGINE: Final = 75  # an exit code that pytest does not have


def run(arguments: list[str], whose: str) -> int:
    """Runs the tests side by side, then alone those that failed; returns 0 if each passed once."""
    os.environ["CONTAINERS"] = whose
    options = ["-m", "containers", "-p", "no:cacheprovider", "--durations=10"]
    workers = WORKERS
    if "--core" in arguments:
        workers, arguments = CORE_WORKERS, [*CORE, *(argument for argument in arguments if argument != "--core")]
    folder = [] if any(argument.startswith("tests/") for argument in arguments) else [FOLDER]
    exit_code, outcomes = run_pytest([*options, "-n", workers, "--dist", "loadfile", *folder, *arguments], alone=False)
    again = exit_code != 0 and not reason_not_to_retry(exit_code, outcomes)
    result = judge(exit_code, outcomes, *(run_pytest([*options, *failed(outcomes)], alone=True) if again else (0, [])))
    for test in result.passed_alone:
        print(f"failed at first, passed in a new stack: {test}")
    for test in result.failed:
        print(f"FAILED: {test}")
    if result.problem:
        print(f"FAILED (containers): {result.problem}")
    return 0 if result.ok else 1


def run_somewhere(arguments: list[str], *, only_prepare: bool) -> int:
    """Finds or starts the engine, and runs the tests; raises NoEngine. In the namespaces NO_ENGINE is the exit code of that."""
    if engine.reachable():
        return 0 if only_prepare else run(arguments, "found")
    engine.check()
    prepare()
    if only_prepare:
        return 0
    return subprocess.run([*engine.inside_namespaces(MODULE), *arguments], env={**os.environ, INSIDE: "1"}, check=False).returncode


def run_inside(arguments: list[str]) -> int:
    """Starts the engine in the namespaces of this process, and runs the tests."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the first process of a namespace ignores it otherwise
    try:
        with engine.running():
            return run(arguments, "own")
    except NoEngine as problem:
        print(f"make test-containers: {problem}", file=sys.stderr)
        return NO_ENGINE


def main(arguments: list[str]) -> int:
    """Runs the tests as the arguments ask for; returns the exit code."""
    if os.environ.pop(INSIDE, ""):
        return run_inside(arguments)
    rest = [argument for argument in arguments if argument not in ("--prepare", "--where-possible")]
    try:
        code = run_somewhere(rest, only_prepare="--prepare" in arguments)
    except NoEngine as problem:
        print(f"make test-containers: {problem}", file=sys.stderr)
        code = NO_ENGINE
    if code != NO_ENGINE:
        return code
    if "--where-possible" not in arguments:
        return 1
    print("make test-containers: NOT RUN, because no container engine can be started here. The stack of compose.yaml is not tested.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
