"""`python -m tools.run_tests [--workers 4] main browser [-- PYTEST…]`: runs the tests of all phases in parallel.

The phases run at the same time, each in processes of its own, so that one works while the other waits; a process that a phase has no more
tests for is left to the others. The first prints while it runs, the others when those before them have ended.

Tests share the machine while they run in parallel, so a short deadline can expire because of the neighbours. Tests that failed are
therefore run once more, alone, and the ones that pass then are printed. Some failures are final: more than MAX_RETRIED of them, a failure
while a shared fixture was torn down, a broken promise of the fault tests, and every exit of pytest other than "some tests failed".
Every phase runs, even if another fails. The exit code is 0 only if each test passed, or was skipped, in parallel or alone.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Final, NamedTuple, Protocol

from tools.file_seconds import Seconds

MAX_RETRIED: Final = 10  # more than this are not failures by load
FINAL: Final = "BrokenPromise"  # tests/faults/checker.py: lost or invented once is a defect, however often the test passes later
LONG_SECONDS: Final = 3
SOME_FAILED: Final = 1  # pytest's exit code
RECORDER: Final = "outcomes"


class Phase(NamedTuple):
    """Tests that run in the same processes: their marker expression, and the folders that hold all of them, to collect no others.

    `minutes` of a processor is roughly their cost: phases that run at the same time divide the workers by them.
    """

    marks: str
    folders: tuple[str, ...] = ()
    minutes: float = 1


PHASES: Final = {
    "main": Phase("not faults and not browser and not containers", minutes=5),
    "browser": Phase("browser and not faults", ("tests/dashboard", "tests/deploy", "tests/extension"), minutes=7),
    "faults": Phase("faults", ("tests/e2e", "tests/faults")),
    "containers": Phase("containers", ("tests/deploy/containers",)),
}


def misplaced(test: str, marks: Iterable[str]) -> bool:
    """Whether a test, named by its file, would be in none of the phases because it is outside of their folders."""
    folders = {folder for mark in {"browser", "faults", "containers"}.intersection(marks) for folder in PHASES[mark].folders}
    return bool(folders) and not any(test.startswith(f"{folder}/") for folder in folders)


class Outcome(NamedTuple):
    """What pytest reported of one phase of one test; `when` is setup, call or teardown, or ??? where its worker crashed."""

    test: str
    when: str
    outcome: str
    final: bool
    seconds: float = 0


class Report(Protocol):
    """The part of pytest's report that is recorded."""

    nodeid: str
    when: str | None
    outcome: str
    longreprtext: str
    duration: float


class Recorder:
    """The plugin that appends outcomes to a file."""

    def __init__(self, path: pathlib.Path) -> None:
        self._file = path.open("a", buffering=1)

    def pytest_runtest_logreport(self, report: Report) -> None:
        """Called in the main process for every phase of every test, wherever it ran."""
        final = report.outcome == "failed" and FINAL in report.longreprtext
        self._file.write(json.dumps([report.nodeid, report.when, report.outcome, final, report.duration]) + "\n")

    def pytest_unconfigure(self) -> None:
        """Closes the file."""
        self._file.close()


class Options(Protocol):
    """The part of pytest's option parser that is used."""

    def addoption(self, name: str, *, metavar: str, type: type, help: str) -> None: ...  # noqa: A002 - pytest's names


class Plugins(Protocol):
    """The part of pytest's plugin manager that is used."""

    def register(self, plugin: object, name: str) -> object: ...


class Config(Protocol):
    """The part of pytest's configuration that is used."""

    pluginmanager: Plugins

    def getoption(self, name: str) -> pathlib.Path | None: ...


def pytest_addoption(parser: Options) -> None:
    """Adds the option that names the file."""
    parser.addoption("--outcomes", metavar="FILE", type=pathlib.Path, help="append the outcome of every test to this file")


def pytest_configure(config: Config) -> None:
    """Records in the process that collected: those that run the tests send it their reports."""
    path = config.getoption("--outcomes")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(path), RECORDER)


def failed(outcomes: Iterable[Outcome]) -> list[str]:
    """The tests with a failure in any of their phases, each once, in order."""
    return list(dict.fromkeys(outcome.test for outcome in outcomes if outcome.outcome == "failed"))


def passed(outcomes: Iterable[Outcome]) -> set[str]:
    """The tests whose body passed and of which no phase failed. A skipped test is none of them."""
    outcomes = list(outcomes)
    return {outcome.test for outcome in outcomes if outcome.when == "call" and outcome.outcome == "passed"} - set(failed(outcomes))


def reason_not_to_retry(exit_code: int, outcomes: Iterable[Outcome]) -> str:
    """Why the failures of a run are final; empty if a second run alone may clear them."""
    failures = [outcome for outcome in outcomes if outcome.outcome == "failed"]
    tests = failed(failures)
    if exit_code != SOME_FAILED or not failures:
        return f"pytest ended with exit code {exit_code}"
    if len(tests) > MAX_RETRIED:
        return f"{len(tests)} tests failed, which is no effect of load"
    if any(failure.when == "teardown" for failure in failures):
        return "a fixture failed in its teardown, and any test that shared it may be the cause"
    if any(failure.final for failure in failures):
        return "a promise was broken"
    return ""


class Result(NamedTuple):
    """What became of one phase."""

    passed_alone: list[str]
    failed: list[str]
    problem: str

    @property
    def ok(self) -> bool:
        """Whether nothing is left that failed."""
        return not self.failed and not self.problem


def judge(exit_code: int, outcomes: list[Outcome], second_exit_code: int = 0, second: Iterable[Outcome] = ()) -> Result:
    """The result of a phase, from its run in parallel and from the run of its failures alone."""
    first = failed(outcomes)
    if exit_code == 0 and not first:
        return Result([], [], "")
    if reason := reason_not_to_retry(exit_code, outcomes):
        return Result([], first, reason)
    cleared = passed(second)
    problem = f"pytest ended with exit code {second_exit_code}" if second_exit_code not in (0, SOME_FAILED) else ""
    return Result([test for test in first if test in cleared], [test for test in first if test not in cleared], problem)


class Run:
    """One pytest, from its start."""

    def __init__(self, arguments: Sequence[str], output: IO[bytes] | None = None, inherited: Sequence[int] = ()) -> None:
        """`output` takes all that it prints, instead of this process's own output; `inherited` are files that it may use."""
        self._directory = tempfile.TemporaryDirectory()
        self._outcomes = pathlib.Path(self._directory.name) / "outcomes"
        self._outcomes.touch()
        command = [sys.executable, "-m", "pytest", "-p", "tools.run_tests", f"--outcomes={self._outcomes}", *arguments]
        self._process = subprocess.Popen(command, stdout=output, pass_fds=inherited)

    def end(self) -> tuple[int, list[Outcome]]:
        """Waits for its end; returns its exit code and every outcome."""
        with self._directory:
            exit_code = self._process.wait()
            return exit_code, [Outcome(*json.loads(line)) for line in self._outcomes.read_text().splitlines()]


def run_pytest(arguments: Sequence[str], *, alone: bool) -> tuple[int, list[Outcome]]:
    """Runs pytest; returns its exit code and every outcome."""
    return Run([*(["-p", "no:xdist"] if alone else []), *arguments]).end()


def divided(workers: int, minutes: Sequence[float]) -> list[int]:
    """So many workers for each of several phases that run at the same time; at least one for each."""
    given = [1] * len(minutes)
    while sum(given) < workers:
        longest = max(range(len(minutes)), key=lambda phase: minutes[phase] / given[phase])
        given[longest] += 1
    return given


def run_side_by_side(workers: int, phases: Sequence[Phase], arguments: Sequence[str]) -> list[tuple[int, list[Outcome]]]:
    """Runs the tests of all phases in parallel; returns the exit code and the outcomes of each."""
    with contextlib.ExitStack() as stack:
        spare = os.pipe() if len(phases) > 1 else ()
        for end in spare:
            stack.callback(os.close, end)
        outputs = [None, *(stack.enter_context(tempfile.TemporaryFile()) for _ in phases[1:])]
        runs = []
        for phase, count, output in zip(phases, divided(workers, [phase.minutes for phase in phases]), outputs, strict=True):
            options = ["-p", "tools.side_by_side", "--processes", str(count), "--durations=10", "-m", phase.marks]
            options += ["--spare", ",".join(map(str, spare))] if spare else []
            runs.append(Run([*options, *(arguments or phase.folders)], output, spare))
        results = []
        for run, output in zip(runs, outputs, strict=True):
            results.append(run.end())
            if output is not None:
                output.seek(0)
                print(output.read().decode(errors="replace"), flush=True)
        return results


def long_files(outcomes: Iterable[Outcome]) -> dict[str, Seconds]:
    """How long each file took that took LONG_SECONDS or more, in the order in which they are begun."""
    tests: dict[str, dict[str, float]] = collections.defaultdict(lambda: collections.defaultdict(float))
    for outcome in outcomes:
        tests[outcome.test.partition("::")[0]][outcome.test] += outcome.seconds
    files = {file: Seconds(round(sum(each.values())), round(max(each.values()))) for file, each in tests.items()}
    return {
        file: seconds for file, seconds in sorted(files.items(), key=lambda one: (-one[1].delay(), one[0])) if seconds.total >= LONG_SECONDS
    }


def run_phases(workers: int, phases: Sequence[Phase], arguments: Sequence[str], kept: pathlib.Path | None = None) -> Iterator[Result]:
    """Runs the tests of all phases in parallel, then alone those that failed; writes to a file how long the long files took."""
    results = run_side_by_side(workers, phases, arguments)
    if kept is not None:
        files = long_files(outcome for _, outcomes in results for outcome in outcomes)
        lines = (f"  {json.dumps(file)}: {json.dumps(seconds)}" for file, seconds in files.items())
        kept.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for exit_code, outcomes in results:
        if (exit_code == 0 and not failed(outcomes)) or reason_not_to_retry(exit_code, outcomes):
            yield judge(exit_code, outcomes)
        else:
            print(f"\n{len(failed(outcomes))} failed side by side; each runs once more, alone.", flush=True)
            yield judge(exit_code, outcomes, *run_pytest(failed(outcomes), alone=True))


def main() -> int:
    """Runs every phase, then prints what failed and what passed alone only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--keep-seconds", metavar="FILE", type=pathlib.Path, help="write how long the long files took: tests/seconds.json")
    parser.add_argument("phases", nargs="+", choices=PHASES)
    given = sys.argv[1:]
    split = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:split])
    phases = [PHASES[name] for name in options.phases]
    results = list(run_phases(options.workers, phases, given[split + 1 :], options.keep_seconds))
    for name, result in zip(options.phases, results, strict=True):
        for test in result.passed_alone:
            print(f"failed side by side, passed alone: {test}")
        for test in result.failed:
            print(f"FAILED: {test}")
        if result.problem:
            print(f"FAILED ({name}): {result.problem}")
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
