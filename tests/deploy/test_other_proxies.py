"""Behind a real nginx, set up well or with common mistakes: answer and log name the cause of a refusal."""

import contextlib
import json
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.support.proxies import UPGRADE, start_nginx
from tools.processes import ROOT, Service, free_port
from tools.stack import Stack

Start = Callable[..., int]


def documented(port: int) -> tuple[str, str]:
    """The map and the locations of docs/deployment.md, for a broadcast service on this port."""
    text = re.findall(r"```\n(map .*?)```", (ROOT / "docs" / "deployment.md").read_text(), re.DOTALL)[0].replace(":8002", f":{port}")
    mapping, _, server = text.partition("server {")
    return mapping, server.strip().removesuffix("}").replace("listen 8443 ssl;", "")


@pytest.fixture
def nginx(tmp_path: pathlib.Path) -> Iterator[Start]:
    """Starts nginx with a piece of configuration; returns its port."""
    with contextlib.ExitStack() as open_now:

        def start(server: str, http: str = "") -> int:
            proxy = start_nginx(tmp_path, server, http=http)
            open_now.callback(proxy.stop)
            return proxy.port

        yield start


@pytest.fixture
def broadcast(stack: Stack) -> Service:
    """A service whose log is this test's own."""
    return stack.broadcast(ALLOWED_ORIGINS="")


def as_a_browser(port: int, token: str) -> int:
    """The status of a handshake as a page on this port sends it."""
    protocols = [Subprotocol("pulse.v1"), Subprotocol(f"bearer.{token}")]
    origin = Origin(f"http://localhost:{port}")
    try:
        with connect(f"ws://localhost:{port}/ws/dashboard", subprotocols=protocols, origin=origin) as socket:
            socket.recv(timeout=5)
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


def asked(port: int, token: str) -> dict[str, Any]:
    """The answer that the page gets when it asks for the reason."""
    headers = {"Pulse-Origin": f"http://localhost:{port}", "Authorization": f"Bearer {token}"}
    answer: dict[str, Any] = httpx.get(f"http://localhost:{port}/ws/dashboard", headers=headers).json()
    return answer


def logged(service: Service, event: str) -> list[dict[str, str]]:
    """The lines of an event."""
    return [line for line in map(json.loads, service.log.read_text().splitlines()) if line["event"] == event]


def test_the_documented_configuration_opens_sockets(nginx: Start, broadcast: Service, stack: Stack) -> None:
    """On a port of its own, where a lost port would be noticed."""
    mapping, server = documented(broadcast.port)
    port, token = nginx(server, mapping), stack.token("dashboard")
    assert as_a_browser(port, token) == 101
    assert httpx.get(f"http://localhost:{port}/").status_code == 200
    assert asked(port, token)["code"] == "upgrade_required"


@pytest.mark.parametrize(
    ("host", "seen"), [("proxy_set_header Host $host;", "localhost"), ("", None)], ids=["host without port", "no host"]
)
def test_a_proxy_that_rewrites_the_host_is_named(nginx: Start, broadcast: Service, stack: Stack, host: str, seen: str | None) -> None:
    """The answer names ALLOWED_ORIGINS, and the log has both origins to compare."""
    port = nginx(f"location / {{ proxy_pass http://127.0.0.1:{broadcast.port}; {UPGRADE} {host} }}")
    token = stack.token("dashboard")
    assert as_a_browser(port, token) == 403
    answer = asked(port, token)
    assert (answer["code"], answer["setting"]) == ("origin_refused", "ALLOWED_ORIGINS")
    lines = logged(broadcast, "scope.refused")
    assert {(line["origin"], line["host"], line["setting"]) for line in lines} == {
        (f"http://localhost:{port}", seen or f"127.0.0.1:{broadcast.port}", "ALLOWED_ORIGINS")
    }


def test_the_setting_that_is_named_helps(nginx: Start, stack: Stack) -> None:
    """Even where the proxy goes on rewriting the host."""
    inner, token = free_port(), stack.token("dashboard")
    port = nginx(f"location / {{ proxy_pass http://127.0.0.1:{inner}; {UPGRADE} }}")
    stack.broadcast(inner, ALLOWED_ORIGINS=f"HTTP://LocalHost:{port}")
    assert as_a_browser(port, token) == 101


@pytest.mark.parametrize(("version", "words"), [("1.1", "without its upgrade"), ("1.0", "HTTP/1.0")])
def test_a_proxy_that_drops_the_upgrade_is_named(nginx: Start, broadcast: Service, stack: Stack, version: str, words: str) -> None:
    """The answer says that nothing else prevents the socket, and the log has the headers that arrived."""
    upgrade = "" if version == "1.1" else "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
    server = f"proxy_http_version {version}; {upgrade} proxy_set_header Host $http_host; proxy_pass http://127.0.0.1:{broadcast.port};"
    port, token = nginx(f"location / {{ {server} }}"), stack.token("dashboard")
    assert as_a_browser(port, token) == 426
    assert asked(port, token)["code"] == "upgrade_required"
    assert [words in line["detail"] for line in logged(broadcast, "upgrade.dropped")] == [True]


def test_below_a_path_nothing_is_found(nginx: Start, broadcast: Service) -> None:
    """Beside a path that a proxy takes off, the root has neither socket nor API: the page asks below its own path."""
    proxied = f"location /pulse/ {{ proxy_pass http://127.0.0.1:{broadcast.port}/; proxy_set_header Host $http_host; }}"
    port = nginx(proxied + " location / { return 404; }")
    assert httpx.get(f"http://localhost:{port}/pulse/").status_code == 200
    assert httpx.get(f"http://localhost:{port}/ws/dashboard").status_code == 404
