"""The caps on connections fit the memory of the containers: what a connection costs is measured on the real front, and multiplied out."""

import contextlib
import pathlib
import re
import socket
import ssl
from typing import Final

from tests.deploy.compose import services
from tests.deploy.conftest import Chain
from tests.support.clients import metric
from tests.support.raw_http import head
from tests.support.raw_websocket import UPGRADE, carried
from tools.waiting import wait_until

MIB: Final = 1024 * 1024
UNITS: Final = {"k": 1024, "m": MIB, "g": 1024 * MIB}
SOCKETS: Final = 150
UPLOADS: Final = 1000  # unfinished at once, beside as many sockets as there may be
FRONT_SOCKET_BYTES: Final = 130_000  # measured over TLS: 105 to 113 kB
SOCKET_BYTES: Final = 24_000  # of broadcast, for a client that reads nothing: 19 kB
FRONT_BYTES, BROADCAST_BYTES = 64 * MIB, 256 * MIB  # with no client; for broadcast with rooms, reports and history in hand
ALLOWED: Final = 0.9  # of a limit


def limit(name: str) -> int:
    """A container's memory."""
    text: str = services()[name]["deploy"]["resources"]["limits"]["memory"]
    return int(text[:-1]) * UNITS[text[-1]]


def cap(name: str) -> int:
    """A cap as compose.yaml has it by default."""
    return int(services()["broadcast"]["environment"][name])


def request_buffer() -> int:
    """What the front holds of a body."""
    caddyfile = pathlib.Path(__file__).parents[2] / "deploy" / "caddy" / "Caddyfile"
    return int(re.findall(r"request_buffers (\d+)KiB", caddyfile.read_text())[0]) * 1024


def test_the_caps_fit_the_memory_of_the_front_and_of_broadcast() -> None:
    """All sockets that one replica takes, and a thousand uploads that never end, at the same time."""
    sockets = cap("MAX_CONNECTIONS")
    assert FRONT_BYTES + sockets * FRONT_SOCKET_BYTES + UPLOADS * (request_buffer() + FRONT_SOCKET_BYTES) < ALLOWED * limit("caddy")
    assert BROADCAST_BYTES + sockets * SOCKET_BYTES < ALLOWED * limit("broadcast")


def test_no_service_alone_takes_half_of_the_memory() -> None:
    """Neither a token's subject nor an address."""
    assert 0 < cap("MAX_CONNECTIONS_PER_SUBJECT") < cap("MAX_CONNECTIONS") / 2
    assert 0 < cap("MAX_CONNECTIONS_PER_ADDRESS") <= cap("MAX_CONNECTIONS_PER_SUBJECT") / 2


def resident(pid: int) -> int:
    """What a process holds in memory."""
    return int(re.findall(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[0]) * 1024


def test_a_socket_costs_the_front_no_more_than_is_reckoned(production: Chain) -> None:
    """Measured on the real one, over TLS."""
    replicas, front = production
    context, token = ssl.create_default_context(), replicas.stack.token("dashboard")
    asked = head("GET", "/ws/dashboard", (*UPGRADE, carried("pulse.v1", f"bearer.{token}"))).replace(b"127.0.0.1", b"localhost")
    with contextlib.ExitStack() as open_now:

        def opened(count: int) -> None:
            for _ in range(count):
                plain = open_now.enter_context(socket.create_connection(("localhost", front.port), timeout=5))
                open_now.enter_context(context.wrap_socket(plain, server_hostname="localhost")).sendall(asked)
            before = sum(metric(broadcast.url, "pulse_clients") for broadcast in replicas.broadcasts)
            wait_until(
                lambda: sum(metric(broadcast.url, "pulse_clients") for broadcast in replicas.broadcasts) >= min(before, count),
                "the sockets",
            )

        opened(20)
        before = resident(front.pid)
        opened(SOCKETS)
        wait_until(lambda: sum(metric(b.url, "pulse_clients") for b in replicas.broadcasts) >= SOCKETS, "all sockets")
        assert (resident(front.pid) - before) / SOCKETS < FRONT_SOCKET_BYTES
