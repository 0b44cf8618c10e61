"""The pytest plugin behind `--processes 4`: runs the tests in processes that are forked from the one that has collected them.

Collecting takes seconds of CPU, for all imports and thousands of tests, and here it is done once. The processes are given the tests of one
file after the other, so that a file's fixtures are made once, and those first that can make the run longer (`tests/seconds.json`): files
with a long test, which only one process can run, and files that take long. When no file is left, a process that has nothing to do takes
half of the tests that another has yet to begin. All reports are made by the process that collected. A process that ends before its tests
do is replaced, and the test that it ran has failed.

Runs beside each other share a pipe (`--spare`): one that has nothing left for a process writes a byte, and one that has much left reads it
and forks a further process. A run whose tests wait more than they work, so that the machine is idle, forks further ones by itself.
"""

import atexit
import collections
import contextlib
import itertools
import multiprocessing.connection
import os
import pathlib
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

import pytest

from tools.file_seconds import SECONDS, Seconds, seconds_of_files

PROCESS: Final = "PYTEST_PROCESS"  # an environment variable with the number of the process, set in each of them alone
END_SECONDS: Final = 30.0
WORTH: Final = 4  # tests for each process that must be left before a further one is forked: it makes all shared fixtures anew
LOOK_SECONDS: Final = 2.0  # between two looks whether the machine is idle
IDLE: Final = 0.35  # of its processors' time
FURTHER: Final = 0.5  # of the first processes, so many may be forked in addition because the machine is idle
STAT: Final = pathlib.Path("/proc/stat")  # proc_stat(5); other systems than Linux have none, and are never found idle
QUIET: Final = ("terminalreporter", "terminalprogress", "outcomes")  # what the collecting process does with each report


class Schedule:
    """Which process runs which test next; a process always knows one more than the one that it runs, so as to keep its fixtures."""

    def __init__(self, files: Sequence[str], seconds: Mapping[str, Seconds] | None = None) -> None:
        """`files` has the file of each test, in the order of collection; tests in a row are in one. `seconds` is how long files take.

        Files of the same delay, and those that `seconds` does not have, are run in the order of collection.
        """
        groups = [collections.deque(n for n, _ in group) for _, group in itertools.groupby(enumerate(files), lambda test: test[1])]
        tests = collections.Counter(files)

        def delay(group: collections.deque[int]) -> float:
            file = files[group[0]]
            return (seconds or {}).get(file, Seconds(0, 0)).delay(len(group) / tests[file])  # a shared fixture may part a file's tests

        self._waiting = collections.deque(sorted(groups, key=delay, reverse=True))
        self._given: dict[int, collections.deque[int]] = collections.defaultdict(collections.deque)
        self.left = len(files)  # tests that no process was given to run

    def next_for(self, process: int) -> int | None:
        """The test after the one that the process was given last; None where nothing is left for it."""
        own = self._given[process]
        if not own:
            if self._waiting:
                self._given[process] = own = self._waiting.popleft()
            else:
                fullest = max(self._given.values(), key=len)
                own.extendleft([fullest.pop() for _ in range((len(fullest) + 1) // 2)])
        if not own:
            return None
        self.left -= 1
        return own.popleft()

    def put_back(self, process: int, tests: Iterable[int]) -> None:
        """Tests that a process was given and has not run are its next ones again."""
        before = list(tests)
        self._given[process].extendleft(reversed(before))
        self.left += len(before)


class Spare:
    """The pipe with a byte for each process that a run has no tests for, which another run may have instead."""

    def __init__(self, reader: int, writer: int) -> None:
        """Neither end is inherited by programs that tests start."""
        self.reader = reader
        self._writer = writer
        for end in (reader, writer):
            os.set_inheritable(end, False)
            os.set_blocking(end, False)

    def give(self) -> None:
        """Leaves one process to the other runs."""
        os.write(self._writer, b".")

    def take(self) -> bool:
        """Takes one process, unless another run was faster."""
        with contextlib.suppress(BlockingIOError):
            return os.read(self.reader, 1) != b""
        return False


class Idleness:
    """How much of the processors' time was not used."""

    def __init__(self, stat: pathlib.Path = STAT) -> None:
        self._stat = stat
        self._before = self._ticks()

    def _ticks(self) -> tuple[int, int]:
        """Those of all processors since the machine's start, and those of them that were idle or waited for a disk."""
        if not self._stat.exists():
            return 0, 0
        ticks = [int(number) for number in self._stat.read_text().partition("\n")[0].split()[1:9]]
        return sum(ticks), ticks[3] + ticks[4]

    def share(self) -> float:
        """That of the time since the last call."""
        (all_before, idle_before), (all_now, idle_now) = self._before, self._ticks()
        self._before = all_now, idle_now
        return (idle_now - idle_before) / (all_now - all_before) if all_now > all_before else 0.0


class Reports:
    """The plugin of a forked process, which sends what the one that collected must report."""

    def __init__(self, config: pytest.Config, connection: "multiprocessing.connection.Connection[Any, Any]") -> None:
        self._config = config
        self._connection = connection
        self._reports: list[dict[str, Any]] = []
        self.is_registered = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps the report of a phase of a test until the test is done: to wake the other process for each would cost more than a test."""
        self._reports.append(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    def send(self, test: int) -> None:
        """Sends that a test is done, with its reports."""
        self._connection.send(("done", (test, self._reports)))
        self._reports = []

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, when: str, nodeid: str) -> None:
        """Sends a warning as text; not those of before it was forked, which pytest repeats to each plugin that is registered."""
        if not self.is_registered:
            return
        text = f"{warning_message.category.__name__}: {warning_message.message}"
        self._connection.send(("warning", (text, warning_message.filename, warning_message.lineno, when, nodeid)))


class Forked:
    """A process that runs tests, as the one that collected sees it."""

    def __init__(self, session: pytest.Session, number: int, directory: pathlib.Path, others: Iterable["Forked"]) -> None:
        """Forks."""
        self.number = number
        self.given: collections.deque[int] = collections.deque()  # not run to the end
        self.is_last_given = False
        self.connection, theirs = multiprocessing.Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for other in [*others, self]:
                other.connection.close()  # so that each sees the end of this program, however it ends
            _run(session, number, directory / f"p{number}", theirs)
        theirs.close()

    def give(self, test: int | None) -> None:
        """Hands over the test after those that it was given."""
        if test is None:
            self.is_last_given = True
        else:
            self.given.append(test)
        self.connection.send(test)

    def end(self, seconds: float) -> int:
        """Waits for the end of the process, and kills it if that takes longer; returns its exit status, negative for a signal."""
        self.connection.close()
        deadline = time.monotonic() + seconds
        while (done := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                done = os.waitpid(self.pid, 0)
                break
            time.sleep(0.01)
        return os.waitstatus_to_exitcode(done[1])


def _run(
    session: pytest.Session, number: int, directory: pathlib.Path, connection: "multiprocessing.connection.Connection[Any, Any]"
) -> NoReturn:
    """What a forked process does: the tests that it receives, each with the one after it, until it receives None."""
    status = 1
    try:
        atexit._clear()
        os.environ[PROCESS] = str(number)
        config = session.config
        for plugin in filter(config.pluginmanager.has_plugin, QUIET):
            config.pluginmanager.unregister(name=plugin)
        capture = config.pluginmanager.getplugin("capturemanager")
        _kept, capture._global_capturing = capture._global_capturing, None  # its files are those of all processes
        capture.start_global_capturing()
        capture.suspend_global_capture()
        directory.mkdir(exist_ok=True)
        config._tmp_path_factory._basetemp = directory  # type: ignore[attr-defined]
        reports = Reports(config, connection)
        config.pluginmanager.register(reports)
        reports.is_registered = True
        test = connection.recv()
        while test is not None:
            following = connection.recv()
            item = session.items[test]
            config.hook.pytest_runtest_protocol(item=item, nextitem=None if following is None else session.items[following])
            reports.send(test)
            test = following
        atexit._run_exitfuncs()
        connection.send(("end", None))
        status = 0
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        session._setupstate.teardown_exact(None)
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        traceback.print_exc(file=sys.__stderr__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class SideBySide:
    """The plugin of the process that collected: hands out the tests and reports."""

    def __init__(self, processes: int, spare: Spare | None) -> None:
        self._processes = processes
        self._spare = spare

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Runs the tests, if there is something to run."""
        if session.testsfailed or session.config.option.collectonly or not session.items:
            return None
        Loop(session, min(self._processes, len(session.items)), self._spare).run()
        return True


class Loop:
    """One run of the tests."""

    def __init__(self, session: pytest.Session, processes: int, spare: Spare | None) -> None:
        self._session = session
        self._hook = session.config.hook
        self._spare = spare
        self._numbers = itertools.count()
        self._schedule = Schedule([item.location[0] for item in session.items], seconds_of_files(session.config.rootpath / SECONDS))
        self._directory: pathlib.Path = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        self._running: dict[Any, Forked] = {}
        self._idleness = Idleness()
        self._further = round(FURTHER * processes)
        self._next_look = time.monotonic() + 2 * LOOK_SECONDS
        for _ in range(processes):
            self._fork(next(self._numbers))

    def run(self) -> None:
        """Until all processes have ended; raises what a run in one process raises."""
        try:
            while self._running:
                for ready in multiprocessing.connection.wait([*self._running, *self._wanted()], LOOK_SECONDS):
                    if ready in self._running:
                        self._receive(self._running[ready])
                    elif self._spare is not None and self._spare.take():
                        self._fork(next(self._numbers))
                self._look()
        finally:
            for forked in self._running.values():
                forked.connection.close()
            for forked in self._running.values():
                forked.end(END_SECONDS)
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)

    @property
    def _stops(self) -> bool:
        """Whether no further test is begun."""
        return bool(self._session.shouldfail or self._session.shouldstop)

    def _look(self) -> None:
        """Forks a further process, if the machine has been idle and each of the others has a test to spare."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        is_idle = self._idleness.share() > IDLE
        if is_idle and self._further and self._schedule.left > len(self._running) and not self._stops:
            self._further -= 1
            self._next_look += LOOK_SECONDS  # it must have begun before the next look says whether one more is needed
            self._fork(next(self._numbers))

    def _wanted(self) -> list[int]:
        """The pipe of spare processes, while a further process would have enough to do."""
        is_worth_it = self._schedule.left > WORTH * len(self._running)
        return [self._spare.reader] if self._spare is not None and is_worth_it and not self._stops else []

    def _fork(self, number: int) -> None:
        assert threading.active_count() == 1, "a thread that holds a lock would hold it for ever in a forked process"
        forked = Forked(self._session, number, self._directory, self._running.values())
        self._running[forked.connection] = forked
        for _ in range(2):
            self._give(forked)

    def _give(self, forked: Forked) -> None:
        if not forked.is_last_given:
            forked.give(None if self._stops else self._schedule.next_for(forked.number))

    def _receive(self, forked: Forked) -> None:
        try:
            kind, value = forked.connection.recv()
            if kind == "done":
                test, reports = value
                forked.given.remove(test)
                self._report(self._session.items[test], reports)
                self._give(forked)
            elif kind == "warning":
                self._warn(*value)
            else:
                self._end(forked)
                if self._spare is not None:
                    self._spare.give()
        except (EOFError, ConnectionError):
            self._end_early(forked)

    def _report(self, item: pytest.Item, reports: Iterable[dict[str, Any]]) -> None:
        for data in reports:
            report = self._hook.pytest_report_from_serializable(config=self._session.config, data=data)
            self._hook.pytest_runtest_logreport(report=report)
        self._hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _warn(self, text: str, file: str, line: int, when: Any, nodeid: str) -> None:
        message = warnings.WarningMessage(UserWarning(text), UserWarning, file, line)
        self._hook.pytest_warning_recorded.call_historic(
            kwargs={"warning_message": message, "when": when, "nodeid": nodeid, "location": None}
        )

    def _end(self, forked: Forked) -> int:
        del self._running[forked.connection]
        return forked.end(END_SECONDS)

    def _end_early(self, forked: Forked) -> None:
        """Reports the test that the process ran as failed, and runs those after it in a new process."""
        status = self._end(forked)
        ran = self._session.items[forked.given.popleft()] if forked.given else self._session.items[-1]
        text = f"The process ended with status {status} while it ran {ran.nodeid}"
        self._hook.pytest_runtest_logreport(
            report=pytest.TestReport(ran.nodeid, ran.location, {}, "failed", text, "call", sections=[], duration=0)
        )
        self._schedule.put_back(forked.number, forked.given)
        self._fork(forked.number)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    parser.addoption("--processes", type=int, default=0, metavar="N", help="run the tests in N processes, forked after collection")
    parser.addoption("--spare", metavar="R,W", help="both ends of the pipe through which runs hand each other processes")


def pytest_configure(config: pytest.Config) -> None:
    """Takes over the loop where processes are asked for."""
    processes = config.getoption("--processes")
    if processes:
        ends = config.getoption("--spare")
        config.pluginmanager.register(SideBySide(processes, Spare(*map(int, ends.split(","))) if ends else None))


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Says how many there are."""
    processes = config.getoption("--processes")
    return [f"processes: {processes}, forked after collection"] if processes else []
