"""The servers that the contract tests run against: a double, the embedded server, and Debian's Redis 7.0."""

import contextlib
import pathlib
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

import redis

from tests import needs
from tests.stack import RedisServer, free_port

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
    command = [
        needs.redis_server(),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(directory),
        "--logfile",
        "redis.log",
    ]
    process = subprocess.Popen(command)
    try:
        url = f"redis://127.0.0.1:{port}/0"
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
