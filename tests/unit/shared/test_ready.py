"""The images' health check says in the service's words why it is not ready."""

import socket
import subprocess
import sys
import threading

import pytest

from tools.processes import ROOT


def checked(answer: bytes) -> "subprocess.CompletedProcess[str]":
    """The health check against a service that gives this answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked = b""
                while b"\r\n\r\n" not in asked:
                    asked += connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        command = [sys.executable, "-I", "-S", "shared/web/ready.py", str(server.getsockname()[1])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
        thread.join()
        return done


@pytest.mark.parametrize(
    ("answer", "status", "printed"),
    [
        (b'HTTP/1.1 200 OK\r\n\r\n{"status": "ready"}', 0, ""),
        (b'HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\n{"detail": "not ready: Redis"}', 1, '{"detail": "not ready: Redis"}\n'),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 1, "no answer\n"),
        (b"", 1, "no answer\n"),
    ],
)
def test_only_200_is_healthy(answer: bytes, status: int, printed: str) -> None:
    """The body of any other answer is printed, which `docker inspect` and `make up` show."""
    done = checked(answer)
    assert (done.returncode, done.stderr) == (status, printed)


def test_a_port_on_which_nothing_listens_is_no_answer() -> None:
    """It is one line, not a traceback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        command = [sys.executable, "-I", "-S", "shared/web/ready.py", str(free.getsockname()[1])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    assert done.stderr.startswith("no answer: ")
    assert len(done.stderr.splitlines()) == 1
