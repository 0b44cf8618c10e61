"""Services and commands without the time that their imports take: a process that has imported them forks for each start.

The imports take half a second of CPU, and the tests start hundreds. A forked process is one like any other: it has its own id, session,
environment, directory, input and output, runs `python -m` from there, and ends by the same signals and with the same exit status. It ends
with the test run, however that ends. A start is a real one where the interpreter itself would read the environment
(`needs_interpreter`); `tests/unit/support/test_warm_services.py` compares both kinds.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import json
import os
import pathlib
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any, Final, NoReturn

from tools.processes import ROOT, Running, start_process

SHARED: Final = ("ingest_service", "broadcast_service", "worker_service", "shared.tokens")  # what every process of a run needs
MODULES: Final = (*SHARED, "tools.local")
READ_BY_INTERPRETER: Final = ("LC_", "LD_", "PYTHON", "MALLOC_", "GLIBC_", "OPENSSL_")
SERVER: Final = ("uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl")
DIALECTS: Final = ("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite")
LATE_IMPORTS: Final = {  # those while a service starts
    "ingest_service": SERVER,
    "broadcast_service": SERVER,
    "worker_service": (*SERVER, "alembic.command", *DIALECTS),
    "shared.tokens": (),
    "tools.local": (),
}
KEEP_FILES: Final = "TESTS_KEEP_FILES"  # set for a broadcast service whose page does not change while it runs
MESSAGE_BYTES: Final = 65_536
PR_SET_PDEATHSIG: Final = 1
_SERVERS: Final[list["subprocess.Popen[bytes]"]] = []  # also those of the process that forked this one, which waits for their end


def needs_interpreter(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether a command must have an interpreter of its own: it is none of MODULES, or variables count before the first import."""
    is_known = len(command) >= 3 and command[0] == sys.executable and command[1] == "-m" and command[2] in MODULES
    return not is_known or any(name.startswith(READ_BY_INTERPRETER) for name in environment)


def start(command: Sequence[str], cwd: pathlib.Path, environment: Mapping[str, str], output: IO[bytes]) -> Running:
    """Starts a service as `tools.processes.start_process` does, without its imports where possible."""
    if needs_interpreter(command, environment):
        return start_process(command, cwd, environment, output)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - no path
        return _fork(command, cwd, environment, nothing, output, output)


def run(
    command: Sequence[str], environment: Mapping[str, str], *, given: bytes = b"", cwd: pathlib.Path = ROOT, timeout: float = 100
) -> "subprocess.CompletedProcess[bytes]":
    """Runs a command as `subprocess.run` does, without its imports; `given` is its input. Raises subprocess.TimeoutExpired."""
    assert not needs_interpreter(command, environment)
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        stdin.write(given)
        stdin.seek(0)
        forked = _fork(command, cwd, environment, stdin, output, errors)
        try:
            status = forked.wait(timeout)
        except subprocess.TimeoutExpired:
            forked.kill()
            raise
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(list(command), status, output.read(), errors.read())


def _fork(command: Sequence[str], cwd: pathlib.Path, environment: Mapping[str, str], *streams: IO[bytes]) -> "Forked":
    request = {"cwd": str(cwd), "environment": dict(environment), "arguments": list(command[3:])}
    status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        descriptors = [*(stream.fileno() for stream in streams), theirs.fileno()]
        socket.send_fds(_server(command[2]), [json.dumps(request).encode()], descriptors)
    return Forked(status)


class Forked:
    """A forked process, with the methods of `subprocess.Popen` that are used."""

    def __init__(self, status: socket.socket) -> None:
        self._status = status
        self.pid = int(status.recv(MESSAGE_BYTES))
        self._exit_status: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        with contextlib.suppress(BlockingIOError):
            return self._receive(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end of the process; raises subprocess.TimeoutExpired."""
        try:
            return self._receive(timeout)
        except (TimeoutError, BlockingIOError):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None

    def send_signal(self, sig: int) -> None:
        """Sends a signal, if the process still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _receive(self, timeout: float | None) -> int:
        if self._exit_status is None:
            self._status.settimeout(timeout)
            text = self._status.recv(MESSAGE_BYTES)
            self._exit_status = int(text) if text else -signal.SIGKILL  # the server is gone, and its children with it
            self._status.close()
        return self._exit_status


def share() -> None:
    """Starts the servers now, so that processes that this one forks use the same ones."""
    for module in SHARED:
        _server(module)


@functools.cache
def _server(module: str) -> socket.socket:
    """The connection to the server for one of the modules, which ends when this process does and those that it forked.

    Each has its own, since what one service imports another must not have, its metrics for example.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    with theirs:
        command = [sys.executable, "-m", "tests.support.warm_services", module, str(theirs.fileno())]
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
    _SERVERS.append(server)
    atexit.register(_end, ours, server)
    return ours


def _end(requests: socket.socket, server: "subprocess.Popen[bytes]") -> None:
    requests.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(5)


def _serve(module: str, requests: socket.socket) -> None:
    """Forks for each request, and sends the exit status of each child when it ends, until the requests end."""
    running: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is requests:
                    message, descriptors, _, _ = socket.recv_fds(requests, MESSAGE_BYTES, 4)
                    if not message:
                        return
                    *streams, last = descriptors
                    status = socket.socket(fileno=last)
                    pid = os.fork()
                    if pid == 0:
                        selector.close()
                        _run(module, json.loads(message), streams)
                    for stream in streams:
                        os.close(stream)
                    status.send(str(pid).encode())
                    ended = os.pidfd_open(pid)
                    running[ended] = pid, status
                    selector.register(ended, selectors.EVENT_READ)
                else:
                    selector.unregister(key.fd)
                    pid, status = running.pop(key.fd)
                    os.close(key.fd)
                    with status, contextlib.suppress(OSError):  # the test has ended and does not wait for it
                        status.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _run(module: str, request: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Runs the module in this process, a child of the server, and ends it."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if os.environ.pop(KEEP_FILES, ""):
        _keep_files()
    time.tzset()
    sys.argv[:] = [module, *request["arguments"]]
    del sys.modules[_program(module)]  # only its imports are warm
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status: object = None
    except SystemExit as end:
        status = end.code
    if status is not None and not isinstance(status, int):
        raise SystemExit(status)
    _end_process(status or 0)


def _end_process(status: int) -> NoReturn:
    """Ends this process as an interpreter does, but leaves its memory to the system: to free all that was imported takes 0.1 s of CPU."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)


def _read_page_once() -> None:
    """Reads the page for all processes that are forked: it takes 0.1 s of CPU."""
    from broadcast_service.http import static  # noqa: PLC0415 - of the services, only this one has it

    files = static.read_files()
    static.read_files = lambda: files


def _keep_files() -> None:
    """Lets a browser use the page's files again for an hour, without a request for each."""
    from broadcast_service.http import static  # noqa: PLC0415

    for name, page in static.read_files().pages.items():
        if name.endswith(static.PARTS):
            page.headers["Cache-Control"] = "max-age=3600"


def _program(module: str) -> str:
    """What `python -m` runs."""
    return module if module == "tools.local" else f"{module}.__main__"


def main(module: str, descriptor: str) -> None:
    """Imports what a module imports, then serves."""
    for name in (_program(module), *LATE_IMPORTS[module]):
        importlib.import_module(name)
    if module == "broadcast_service":
        _read_page_once()
    gc.collect()
    gc.freeze()  # no process that is forked looks at these objects for garbage, which would also copy their pages
    _serve(module, socket.socket(fileno=int(descriptor)))


if __name__ == "__main__":
    main(*sys.argv[1:])
