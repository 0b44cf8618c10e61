"""Tests in forked processes: each runs once, in the order of its file, and what a process did or printed is reported as by one process."""

import collections
import os
import pathlib
import re
import subprocess
import sys

import pytest
from hypothesis import given, strategies

from tools.file_seconds import SECONDS, SPLIT, Seconds, seconds_of_files
from tools.processes import ROOT
from tools.side_by_side import PROCESS, WORTH, Idleness, Schedule, Spare


@given(
    strategies.lists(strategies.sampled_from("abc"), max_size=40),
    strategies.dictionaries(strategies.sampled_from("abcd"), strategies.builds(Seconds, *[strategies.integers(0, 9)] * 2)),
    strategies.integers(1, 5),
    strategies.data(),
)
def test_each_test_is_run_once_whichever_process_asks_next(
    files: list[str], seconds: dict[str, Seconds], processes: int, data: strategies.DataObject
) -> None:
    schedule = Schedule(files, seconds)
    asking = set(range(processes))
    ran: dict[int, list[int]] = collections.defaultdict(list)
    while asking:
        process = data.draw(strategies.sampled_from(sorted(asking)))
        test = schedule.next_for(process)
        if test is None:
            asking.discard(process)
        else:
            ran[process].append(test)
    assert sorted(test for tests in ran.values() for test in tests) == list(range(len(files)))
    assert schedule.left == 0


def test_a_file_is_run_by_one_process_until_no_other_is_left() -> None:
    schedule = Schedule("aaabbbbbb")
    assert [schedule.next_for(process) for process in (0, 1, 0, 1)] == [0, 3, 1, 4]
    assert [schedule.next_for(0) for _ in range(3)] == [2, 7, 8]  # half of the four tests that the other has yet to run
    assert [schedule.next_for(1) for _ in range(2)] == [5, 6]
    assert [schedule.next_for(process) for process in (0, 1)] == [None, None]


def test_the_longest_files_are_begun_first_and_the_others_in_order() -> None:
    schedule = Schedule("abcdd", {"b": Seconds(3, 3), "d": Seconds(20, 10)})
    assert [schedule.next_for(0) for _ in range(5)] == [3, 4, 1, 0, 2]


def test_a_long_test_is_begun_before_a_longer_file_of_short_ones() -> None:
    """Processes that have nothing else to do run the file together; the test has one to itself."""
    schedule = Schedule("aabb", {"a": Seconds(19 * SPLIT, 2), "b": Seconds(20, 20)})
    assert [schedule.next_for(0) for _ in range(4)] == [2, 3, 0, 1]


def test_a_file_whose_tests_are_apart_has_its_time_divided_by_them() -> None:
    schedule = Schedule("aabaac", {"a": Seconds(10 * SPLIT, 3), "b": Seconds(6 * SPLIT, 3)})
    assert [schedule.next_for(0) for _ in range(6)] == [2, 0, 1, 3, 4, 5]


def test_tests_that_no_process_was_given_are_left() -> None:
    schedule = Schedule("aabb")
    assert schedule.left == 4
    assert [schedule.next_for(process) for process in (0, 1, 2)] == [0, 2, 1]
    assert schedule.left == 1


def test_a_process_that_one_run_does_not_need_is_had_by_one_other() -> None:
    ends = os.pipe()
    first, second = Spare(*ends), Spare(*ends)
    assert not first.take()
    first.give()
    assert second.take()
    assert not second.take()
    for end in ends:
        os.close(end)


def test_tests_that_a_process_had_no_time_for_are_its_next_ones() -> None:
    schedule = Schedule("aaaa")
    given = [schedule.next_for(0) for _ in range(2)]
    schedule.put_back(0, [test for test in given if test is not None])
    assert [schedule.next_for(0) for _ in range(5)] == [0, 1, 2, 3, None]


TESTS = """
import atexit, os, pathlib, time, warnings

import pytest

HERE = pathlib.Path(__file__).parent
COLLECTED_BY = os.getpid()


def note(text):
    with (HERE / "notes").open("a") as file:
        file.write(text + "\\n")


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    made = tmp_path_factory.mktemp("made")
    atexit.register(lambda: note("exit"))
    yield made
    note(f"torn down {made.is_dir()}")


@pytest.mark.parametrize("number", range(4))
def test_prints(shared, number, capfd):
    assert os.getpid() != COLLECTED_BY
    print("taken")
    os.system("echo taken by a child")
    assert capfd.readouterr().out.split() == ["taken", "taken", "by", "a", "child"]
    print(f"printed {number}")
    warnings.warn(f"warned {number}")
    pytest.skip("because") if number == 0 else None
    assert number != 1


def test_crashes():
    os._exit(3)


def test_after_the_crash(tmp_path):
    assert [*tmp_path.iterdir()] == []
"""


def test_the_report_is_that_of_one_process(tmp_path: pathlib.Path) -> None:
    """Output, warnings, reasons and the fixtures' ends; a crash fails its test alone."""
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop(PROCESS, None)
    command = [sys.executable, "-m", "pytest", "-p", "tools.side_by_side", "--processes", "2", "-ra"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False)
    said = done.stdout
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(r"^=+ 2 failed, 3 passed, 1 skipped, 4 warnings in ", said, re.MULTILINE), said
    assert set(re.findall(r"^FAILED (\S+)", said, re.MULTILINE)) == {"test_some.py::test_prints[1]", "test_some.py::test_crashes"}
    assert re.findall(r"^printed \d", said, re.MULTILINE) == ["printed 1"]
    assert set(re.findall(r"UserWarning: UserWarning: (warned \d)$", said, re.MULTILINE)) == {f"warned {number}" for number in range(4)}
    assert re.search(r"^SKIPPED \[1\] .*: because$", said, re.MULTILINE), said
    assert "The process ended with status 3 while it ran test_some.py::test_crashes" in said
    notes = (tmp_path / "notes").read_text().split("\n")[:-1]
    assert set(notes) == {"torn down True", "exit"}
    assert notes.count("exit") == notes.count("torn down True") >= 1


def test_the_first_failure_ends_the_run_where_it_should(tmp_path: pathlib.Path) -> None:
    (tmp_path / "test_some.py").write_text("import pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_it(n): assert n\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "tools.side_by_side", "--processes", "1", "-x"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert "stopping after 1 failures" in done.stdout
    assert re.search(r"^=+ 1 failed", done.stdout, re.MULTILINE), done.stdout


def test_a_run_with_much_left_forks_the_processes_that_another_does_not_need(tmp_path: pathlib.Path) -> None:
    """And one with little left does not, and hands on those that it has ended with."""
    (tmp_path / "test_some.py").write_text("import pytest\n@pytest.mark.parametrize('n', range(40))\ndef test_it(n, tmp_path): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntmp_path_retention_policy = all\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "tools.side_by_side", "--processes", "1", f"--basetemp={tmp_path}/base"]
    for chosen, processes in ((["-k", "test_it"], 3), (["-k", f"test_it[{WORTH}]"], 1)):
        ends = os.pipe()
        os.write(ends[1], b"..")
        done = subprocess.run(
            [*command, f"--spare={ends[0]},{ends[1]}", *chosen],
            cwd=tmp_path,
            env=environment,
            pass_fds=ends,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert {path.name for path in (tmp_path / "base").iterdir() if path.name[1:].isdigit()} == {f"p{n}" for n in range(processes)}
        assert os.read(ends[0], 100) == b"..."  # as many as both had
        for end in ends:
            os.close(end)


@pytest.mark.parametrize(("idle", "processes"), [(1.0, 3), (0.0, 2)])
def test_a_run_forks_further_processes_only_while_the_machine_is_idle(tmp_path: pathlib.Path, idle: float, processes: int) -> None:
    """Its own two wait for the third; on a busy machine none comes, and they go on."""
    (tmp_path / "always.py").write_text(
        f"from tools import side_by_side\nside_by_side.Idleness.share = lambda self: {idle}\nside_by_side.LOOK_SECONDS = 0.01\n"
    )
    (tmp_path / "test_some.py").write_text(
        "import pathlib, time\nimport pytest\n"
        "@pytest.mark.parametrize('n', range(20))\n"
        "def test_it(n, tmp_path_factory):\n"
        f"    until = time.monotonic() + {30 if idle else 0.02}\n"
        "    while not (tmp_path_factory.getbasetemp().parent / 'p2').exists() and time.monotonic() < until: time.sleep(0.01)\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\ntmp_path_retention_policy = all\n")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "always", "-p", "tools.side_by_side", "--processes", "2"]
    command += [f"--basetemp={tmp_path}/base"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert "20 passed" in done.stdout, done.stdout + done.stderr
    assert {path.name for path in (tmp_path / "base").iterdir() if path.name[1:].isdigit()} == {f"p{n}" for n in range(processes)}


def test_the_share_of_idle_time_is_that_since_the_last_look(tmp_path: pathlib.Path) -> None:
    """The sums of all processors, in the order of proc_stat(5): user, nice, system, idle, waiting for a disk, and others."""
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 100 500 100 0 0 0 0 0\ncpu0 …\n")
    idleness = Idleness(stat)
    assert idleness.share() == 0  # no time has passed
    stat.write_text("cpu  140 0 110 530 120 0 0 0 0 0\ncpu0 …\n")
    assert idleness.share() == 0.5
    stat.write_text("cpu  150 0 110 530 120 0 0 0 0 0\ncpu0 …\n")
    assert idleness.share() == 0


def test_a_system_that_does_not_tell_is_never_idle(tmp_path: pathlib.Path) -> None:
    idleness = Idleness(tmp_path / "nothing")
    assert idleness.share() == 0


def test_the_long_files_that_are_kept_exist() -> None:
    """One that was moved or removed is to be corrected there, since a long file that is begun last makes every run longer."""
    kept = seconds_of_files(ROOT / SECONDS)
    assert [file for file in kept if not (ROOT / file).is_file()] == []
    delays = [seconds.delay() for seconds in kept.values()]
    assert delays == sorted(delays, reverse=True)
