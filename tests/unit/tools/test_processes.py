"""Ports, processes and waiting as the tools and the tests use them."""

import asyncio
import functools
import pathlib
import socket
import subprocess
import sys

import pytest

from tools import processes
from tools.processes import ROOT, Process, StackError, free_port
from tools.waiting import DeadlineExceeded, wait_until, wait_until_async

pytestmark = pytest.mark.anyio

TAKE_PORTS = """
from tools import processes
processes._PORTS = iter(range(31_000, 32_000))
print(*[processes.free_port() for _ in range(40)], flush=True)
input()
"""


def test_two_processes_never_get_the_same_port() -> None:
    """Even when both try the same ports in the same order, and neither listens yet."""
    command = [sys.executable, "-c", TAKE_PORTS]
    takers = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    taken = [taker.stdout.readline().split() if taker.stdout else [] for taker in takers]
    for taker in takers:
        taker.communicate("\n", timeout=10)
    assert [len(set(ports)) for ports in taken] == [40, 40]
    assert set(taken[0]).isdisjoint(taken[1])


def test_a_port_in_use_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    used, free = free_port(), free_port()
    monkeypatch.setattr(processes, "_PORTS", iter([used, free]))
    with socket.create_server(("127.0.0.1", used)):
        assert free_port() == free


def test_a_process_that_ends_at_once_is_reported_with_its_log(tmp_path: pathlib.Path) -> None:
    process = Process([sys.executable, "-c", "raise SystemExit('no such option')"], log=tmp_path / "log")
    with pytest.raises(StackError, match="no such option"):
        process.launch_until(lambda: False, seconds=20)


def test_a_process_that_never_is_ready_is_ended(tmp_path: pathlib.Path) -> None:
    process = Process([sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log")
    with pytest.raises(StackError, match="did not start"):
        process.launch_until(lambda: False, seconds=0.2)
    assert process.poll() is not None


def _has_started(process: Process, times: int) -> bool:
    return process.log.read_text().count("up") == times


def test_a_frozen_process_can_be_killed_and_started_again(tmp_path: pathlib.Path) -> None:
    process = Process([sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"], log=tmp_path / "log")
    for count in (1, 2):
        process.launch_until(functools.partial(_has_started, process, count))
        with process.frozen():
            process.kill()
            assert process.poll() is not None
    process.stop()


def test_waiting_returns_what_the_condition_found() -> None:
    values = iter([None, 0, "", "found"])
    assert wait_until(lambda: next(values), "a value") == "found"


def test_an_expected_error_counts_as_not_yet_and_is_named_in_the_end() -> None:
    with pytest.raises(DeadlineExceeded, match="the answer") as caught:
        wait_until(lambda: 1 / 0, "the answer", seconds=0.05, ignoring=(ZeroDivisionError,))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0, "the answer", seconds=0.05)


async def test_waiting_leaves_the_event_loop_to_others() -> None:
    ready = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, ready.set)
    assert await wait_until_async(ready.is_set, "the event", seconds=5)
    with pytest.raises(DeadlineExceeded):
        await wait_until_async(lambda: False, "nothing", seconds=0.05)
