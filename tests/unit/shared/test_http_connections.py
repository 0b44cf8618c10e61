"""What a connection begins with: what uvicorn would give it, and nothing of another connection."""

from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from shared.web.http_protocol import OWN, HttpProtocol, address_of
from tests.unit.shared.test_address_budget import PEER, Loop, Transport


async def _app(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("no request was sent")


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Closed afterwards."""
    loop = Loop()
    yield loop
    loop.close()


def server(loop: Loop) -> tuple[Any, ...]:
    """What uvicorn gives all connections of a server."""
    config = uvicorn.Config(_app, interface="asgi3", ws="none", log_config=None)
    config.load()
    return config, ServerState(), {"shared": []}, loop


def test_each_connection_of_a_server_has_what_uvicorn_gives_one(loop: Loop) -> None:
    """The first one and those after it, also where another server has had a connection meanwhile."""
    one, other = server(loop), server(loop)
    for arguments in (one, one, other, one):
        expected, found = HttpToolsProtocol(*arguments), HttpProtocol(*arguments)
        for name, value in vars(expected).items():
            if name not in OWN:
                assert getattr(found, name) is value, name


def test_connections_share_no_state_of_their_own(loop: Loop) -> None:
    """Each object that uvicorn makes for one connection alone is made for each."""
    arguments = server(loop)
    made_by_uvicorn = [vars(HttpToolsProtocol(*arguments)) for _ in range(2)]
    own = [name for name, value in made_by_uvicorn[0].items() if value is not made_by_uvicorn[1][name]]
    assert sorted(own) == sorted(OWN)
    first, second = HttpProtocol(*arguments), HttpProtocol(*arguments)
    assert all(getattr(first, name) is not getattr(second, name) for name in OWN)


def test_a_connection_has_the_addresses_of_its_transport(loop: Loop) -> None:
    """The scope of a request names them; the kernel is not asked again."""
    protocol = HttpProtocol(*server(loop))
    protocol.connection_made(Transport(PEER))
    assert (protocol.client, protocol.server, protocol.scheme) == ((PEER, 4711), ("192.0.2.100", 80), "http")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (("192.0.2.1", 80), ("192.0.2.1", 80)),
        (("2001:db8::1", 80, 0, 0), ("2001:db8::1", 80)),
        ("/run/socket", None),
        (None, None),
    ],
)
def test_an_end_of_a_connection_has_a_host_and_a_port_or_no_address(name: Any, address: Any) -> None:
    assert address_of(name) == address
