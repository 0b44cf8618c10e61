"""The servers that the contract tests run against: a double, the embedded server, and Debian's Redis 7.0."""

import contextlib
import pathlib
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

import redis

from tests.support import needs
from tests.support.certificates import self_signed
from tools.stack import RedisServer, free_port

START_SECONDS = 10.0


class Server(NamedTuple):
    """A running server: where it listens, and its process."""

    url: str
    pid: int


@contextlib.contextmanager
def embedded(directory: pathlib.Path) -> Iterator[Server]:
    """The server of the wheel."""
    server = RedisServer(directory)
    server.start()
    try:
        yield Server(server.url, server.pid)
    finally:
        server.stop()


@contextlib.contextmanager
def debian(directory: pathlib.Path) -> Iterator[Server]:
    """The distribution's server."""
    port = free_port()
    with _running(directory, f"redis://127.0.0.1:{port}/0", "--port", str(port)) as server:
        yield server


@contextlib.contextmanager
def debian_over_tls(directory: pathlib.Path) -> Iterator[Server]:
    """The same, and no way to it but an encrypted one."""
    port, certificate = free_port(), str(self_signed(directory, "localhost"))
    files = ("--tls-cert-file", certificate, "--tls-key-file", certificate, "--tls-ca-cert-file", certificate)
    options = ("--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", *files)
    with _running(directory, f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}", *options) as server:
        yield server


@contextlib.contextmanager
def _running(directory: pathlib.Path, url: str, *options: str) -> Iterator[Server]:
    fixed = ("--bind", "127.0.0.1", "--save", "", "--dir", str(directory), "--logfile", "redis.log")
    process = subprocess.Popen([needs.redis_server(), *fixed, *options])
    try:
        _until_it_answers(url)
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _until_it_answers(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return
