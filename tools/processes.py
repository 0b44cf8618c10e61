"""Child processes: started, awaited, frozen and ended in one way, and only ever signalled by their own process id."""

import contextlib
import fcntl
import itertools
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Final, Protocol

from tools.waiting import DeadlineExceeded, wait_until

ROOT: Final = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 12.0

# Below the range that the system gives to outgoing connections; one of them could otherwise take a port before its server binds it.
_PORTS = itertools.cycle(random.Random(os.getpid()).sample(range(16_000, 32_000), 16_000))
_LEASES = pathlib.Path(tempfile.gettempdir(), f"studio-pulse-ports-{os.getuid()}").open("ab")  # noqa: SIM115 - held until exit


class StackError(Exception):
    """A process did not start, or ended by itself; the text says which and why."""


def free_port() -> int:
    """A loopback port that no process listens on, leased to this process: no other process gets it from here while this one runs."""
    for port in _PORTS:
        with contextlib.suppress(OSError):
            fcntl.lockf(_LEASES, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)  # byte number `port` of the file is the lease
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a cycle has no end")


class Running(Protocol):
    """The part of `subprocess.Popen` that is used."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def start_process(command: Sequence[str], cwd: pathlib.Path, environment: Mapping[str, str], output: IO[bytes]) -> Running:
    """Starts a process in a session of its own; its output and errors go to the same file."""
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=output, stderr=output, start_new_session=True)


class Process:
    """One child process with a log file of its own; it can be started again after it has ended."""

    start_process: Callable[[Sequence[str], pathlib.Path, Mapping[str, str], IO[bytes]], Running] = staticmethod(start_process)

    def __init__(
        self, command: Sequence[str], *, log: pathlib.Path, environment: Mapping[str, str] | None = None, cwd: pathlib.Path = ROOT
    ) -> None:
        self.log = log
        self.environment = dict(os.environ if environment is None else environment)
        self._command = list(command)
        self._cwd = cwd
        self._process: Running | None = None

    def command(self) -> list[str]:
        """The command line."""
        return self._command

    def launch(self) -> None:
        """Starts the process without waiting for anything."""
        with self.log.open("ab") as output:
            self._process = self.start_process(self.command(), self._cwd, self.environment, output)

    def launch_until(self, is_ready: Callable[[], object], *, seconds: float = START_SECONDS) -> None:
        """Starts the process and waits until it is ready; raises StackError with the end of the log if it ends or takes too long."""
        self.launch()
        try:
            wait_until(lambda: self.poll() is not None or is_ready(), "the start", seconds=seconds, ignoring=(OSError,))
        except DeadlineExceeded:
            self.stop()
        if self.poll() is not None:
            raise StackError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")

    @property
    def name(self) -> str:
        """What an error calls the process."""
        return pathlib.Path(self.command()[0]).name

    @property
    def pid(self) -> int:
        """The process id."""
        return self._started.pid

    @property
    def _started(self) -> Running:
        assert self._process is not None, f"{self.name} was not started"
        return self._process

    def poll(self) -> int | None:
        """The exit status; None while the process runs or before it is started."""
        return None if self._process is None else self._process.poll()

    def signal(self, number: int) -> None:
        """Sends the process a signal."""
        self._started.send_signal(number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stops the process from running for the block, its sockets open: what a stuck host or a half-open connection looks like."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends the process as a power cut would, frozen or not; does nothing if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def wait(self, timeout_seconds: float) -> int:
        """Waits for the process to end; returns its exit status."""
        return self._started.wait(timeout_seconds)

    def stop(self) -> None:
        """Sends SIGTERM, and SIGKILL if the process does not end; does nothing if it does not run."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def metrics_url(url: str) -> str:
    """Where a service of a stack serves its metrics: on its own port, at the address with a 1 in the third place."""
    return url.replace("//127.0.0.", "//127.0.1.")


class Service(Process):
    """A process that serves HTTP on one port."""

    def __init__(self, module: str, environment: Mapping[str, str], *, host: str, port: int, log: pathlib.Path) -> None:
        super().__init__([sys.executable, "-m", module], log=log, environment=environment)
        self.module = module
        self.url = f"http://{host}:{port}"
        self.host = host
        self.port = port

    @property
    def name(self) -> str:
        """The module."""
        return self.module

    @property
    def metrics_url(self) -> str:
        """Where it serves its metrics."""
        return f"{metrics_url(self.url)}/metrics"

    def start(self, *, until: str = "/readyz") -> None:
        """Starts the process and waits until a path answers 200; raises StackError."""
        self.launch_until(lambda: self._answers(until))

    def accepts_connections(self) -> bool:
        """Whether its port accepts a connection; raises OSError where it does not."""
        socket.create_connection((self.host, self.port), 1).close()
        return True

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.url + path, timeout=1) as response:
                return bool(response.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False
