"""Processes under measurement: pinned to a core, their CPU time and memory read from /proc, and the load generators that are C programs."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import types
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

SERVER_CORE = 0
LOAD_CORE = 1
HERE = pathlib.Path(__file__).parent


class BenchError(Exception):
    """The machine lacks something, or a process did not do its part; the text says what."""


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Children started in the body run on this core alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def check_machine() -> None:
    """Raises BenchError unless processes can be pinned to two cores and C compiled."""
    if not hasattr(os, "sched_setaffinity") or not pathlib.Path("/proc/self/schedstat").exists():
        raise BenchError("this benchmark reads /proc and pins processes to cores, so it needs Linux")
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise BenchError("this benchmark needs two cores: one for the server, one for the load")
    if shutil.which("cc") is None:
        raise BenchError("the load generators are C programs: install a C compiler, `cc`")


def compiled(name: str, directory: pathlib.Path) -> pathlib.Path:
    """The program of a C file beside this one, compiled if it is older than its source."""
    source, program = HERE / f"{name}.c", directory / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    return program


def cpu_seconds(pid: int) -> float:
    """The CPU time of all threads so far, exact to the nanosecond, the kernel's part included."""
    threads = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def memory_kb(pid: int) -> int:
    """The proportional resident memory."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


class KernelMemory(NamedTuple):
    """What the kernel holds, in bytes: the buffers of all TCP sockets, and its own objects (slab) of all kinds."""

    tcp_buffers: int
    slab: int

    @classmethod
    def read(cls) -> Self:
        """Of this machine, now."""
        return cls.parse(pathlib.Path("/proc/net/sockstat").read_text(), pathlib.Path("/proc/meminfo").read_text())

    @classmethod
    def parse(cls, sockstat: str, meminfo: str) -> Self:
        """From the texts of /proc/net/sockstat, whose unit is a page, and /proc/meminfo, whose unit is 1024 bytes."""
        tcp = next(line.split() for line in sockstat.splitlines() if line.startswith("TCP:"))
        slab = next(line.split() for line in meminfo.splitlines() if line.startswith("Slab:"))
        return cls(int(tcp[tcp.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE"), int(slab[1]) * 1024)


class Load:
    """A program that says `up …` on stderr when it is ready and prints one JSON line in the end; on the load core if no other is given."""

    def __init__(self, command: Sequence[object], *, core: int = LOAD_CORE) -> None:
        self._name = " ".join(str(part) for part in command[:3])
        self._up: list[float] | None = None
        with pinned(core):
            self._process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def wait_up(self) -> list[float]:
        """Waits for the `up` line, once; returns its numbers."""
        if self._up is not None:
            return self._up
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        if not line.startswith("up"):
            raise BenchError(f"{self._name}: {line or 'ended early'}")
        self._up = [float(word) for word in line.split()[1:]]
        return self._up

    def line(self, seconds: float) -> str:
        """The next line on stderr; empty when the program has ended. One that prints nothing for so long is ended."""
        assert self._process.stderr is not None
        limit = threading.Timer(seconds, self._process.kill)
        limit.start()
        try:
            return self._process.stderr.readline().rstrip()
        finally:
            limit.cancel()

    def wait(self, seconds: float) -> dict[str, Any]:
        """Waits for the end; returns its figures."""
        output, errors = self._process.communicate(timeout=seconds)
        if self._process.returncode:
            raise BenchError(f"{self._name}: {errors}")
        result: dict[str, Any] = json.loads(output)
        return result

    def finish(self) -> dict[str, Any]:
        """Ends it; returns its figures."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait(30)
