"""`python -m shared.tokens` without its start: a process that has imported everything forks for each command.

The start takes half a second of CPU, the command some milliseconds. Each command has its arguments, environment, input and output for
itself, as if it had been typed; `tests/e2e/test_token_commands.py` also starts the real one.
"""

import atexit
import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from typing import IO, Any

from tools.processes import ROOT

TIMEOUT_SECONDS = 30
_LOCK = threading.Lock()


def run_tokens(
    *arguments: str, given: str = "", environment: Mapping[str, str] | None = None, check: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a command with these variables and no others; with `check` raises CalledProcessError where it fails."""
    with _LOCK:
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        request = {"arguments": arguments, "given": given, "environment": dict(environment or {})}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        done = json.loads(server.stdout.readline())
    command = [sys.executable, "-m", "shared.tokens", *arguments]
    completed = subprocess.CompletedProcess(command, done["status"], done["stdout"], done["stderr"])
    if check:
        completed.check_returncode()
    return completed


@functools.cache
def _server() -> "subprocess.Popen[str]":
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.token_commands"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    atexit.register(_end, server)
    return server


def _end(server: "subprocess.Popen[str]") -> None:
    for pipe in (server.stdin, server.stdout):
        if pipe is not None:
            pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(5)


def _serve(requests: IO[str], answers: IO[str]) -> None:
    """Answers one request after the other until the input ends."""
    for line in requests:
        request = json.loads(line)
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            given.write(request["given"].encode())
            given.seek(0)
            pid = os.fork()
            if pid == 0:
                _run(request, given, output, errors)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            answer = {"status": status, "stdout": _text(output), "stderr": _text(errors)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    with io.TextIOWrapper(file, encoding="utf-8") as text:
        return text.read()


def _run(request: dict[str, Any], *streams: IO[bytes]) -> None:
    """Runs the command in this process and ends it; never returns."""
    from shared.tokens.__main__ import main  # noqa: PLC0415 - tests that only send requests do not need it

    status: object = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream.fileno(), number)
        os.environ.clear()
        os.environ.update(request["environment"])
        threading.Timer(TIMEOUT_SECONDS, os._exit, [124]).start()
        status = main(request["arguments"])
    except SystemExit as ended:
        status = ended.code
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    import shared.tokens.__main__  # noqa: F401 - before the first fork

    _serve(os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8"))
