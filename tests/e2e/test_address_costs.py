"""What an address may send that no token pays for, on real services."""

import contextlib
import http.client
import json
import re
import secrets
import time
from collections.abc import Iterator

import httpx
import pytest

from shared.web.address_budget import BURST_SECONDS, MESSAGE, REQUEST
from tests.support.clients import Dashboard
from tests.support.posting import JSON, ONE, authorization, post
from tests.support.raw_http import TIMEOUT_SECONDS, Headers, exchange, head, request
from tests.support.readings import make_body
from tools.processes import Service
from tools.stack import Stack

SHARE = 0.001
MOST = int(SHARE * 1000 * BURST_SECONDS / REQUEST) + 50  # what a burst of that share may be, with what comes back meanwhile
UPGRADE: Headers = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
)
FORGED = authorization("e30.e30.AAAA")
ASKED: Headers = (("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST"))
KINDS = {
    "bare": ("both", head("GET", ONE, ())),
    "forged": ("both", head("GET", ONE, (FORGED,))),
    "posted": ("ingest", request("POST", ONE, JSON, b"{}")),
    "nothing": ("both", head("GET", "/nothing", ())),
    "health": ("both", head("GET", "/health", (FORGED,))),
    "schema": ("both", head("GET", "/openapi.json", ())),
    "page": ("broadcast", head("GET", "/", ())),
    "handshake": ("broadcast", head("GET", "/ws/dashboard", UPGRADE)),
    "forged handshake": ("broadcast", head("GET", "/ws/dashboard", (*UPGRADE, FORGED))),
    "h2c": ("both", head("GET", ONE, (("Upgrade", "h2c"), ("Connection", "Upgrade")))),
    "preflight": ("both", head("OPTIONS", ONE, ASKED)),
    "control character": ("both", head("GET", "/health%0a", ())),
    "long query": ("both", head("GET", ONE + "?" + "a&" * 1000, ())),
    "sign in": ("broadcast", request("POST", "/api/signin/link", JSON, b"{}")),
    "no HTTP": ("both", b"\x16\x03\x01\r\n\r\n"),
}


@contextlib.contextmanager
def small(stack: Stack, kind: str) -> Iterator[Service]:
    """A service whose addresses may spend little."""
    service = (stack.ingest if kind == "ingest" else stack.broadcast)(ADDRESS_SHARE=str(SHARE))
    try:
        yield service
    finally:
        service.stop()


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_request_without_a_token_has_an_end(stack: Stack, name: str) -> None:
    """Every request beyond the budget gets a 429 problem with Retry-After, and is counted."""
    to, data = KINDS[name]
    for kind in ("ingest", "broadcast"):
        if to not in ("both", kind):
            continue
        with small(stack, kind) as service:
            for _ in range(MOST):
                answer = exchange(service.port, data)
                if answer.status == 429:
                    break
            assert answer.is_problem, name
            assert (answer.status, answer.headers["Retry-After"], answer.headers["Connection"]) == (429, "5", "close")
            counted = re.search(r"^pulse_address_budget_refusals_total (\S+)$", httpx.get(service.metrics_url).text, re.MULTILINE)
            assert counted is not None
            assert float(counted[1]) >= 1


def test_producers_and_other_addresses_go_on(stack: Stack) -> None:
    """Accepted readings cost an address nothing, and a flood from one address does not block others."""
    with small(stack, "ingest") as service:
        producer = http.client.HTTPConnection("127.0.0.1", service.port, timeout=TIMEOUT_SECONDS, source_address=("127.0.0.2", 0))
        headers = dict((*JSON, authorization(stack.token("ingest"))))

        def accepted(number: int) -> int:
            producer.request("POST", ONE, json.dumps(make_body(room_id=f"address-{number}", timestamp=int(time.time()))), headers)
            response = producer.getresponse()
            response.read()
            return response.status

        assert {accepted(number) for number in range(2 * MOST)} == {200}
        while exchange(service.port, head("GET", ONE, ())).status != 429:
            pass
        assert {accepted(number) for number in range(20)} == {200}
        producer.close()


def test_messages_on_open_sockets_wait_while_their_address_is_over_its_budget(stack: Stack) -> None:
    """The socket stays open and goes on receiving readings, and sockets of other addresses are answered."""
    ping, share = '{"type":"ping"}', 0.0002  # a burst of 8 ms
    service, ingest = stack.broadcast(ADDRESS_SHARE=str(share)), stack.ingest()
    with Dashboard(service.url, stack.token("dashboard"), source_address=("127.0.0.3", 0)) as hostile:
        hostile.next_of("SYNC")
        answered = 0
        with contextlib.suppress(TimeoutError):
            while answered < 58:
                hostile.connection.send(ping)
                hostile.next_of("PONG", 0.5)
                answered += 1
        assert 0 < answered <= share * 1000 * BURST_SECONDS / MESSAGE
        room = f"address-{secrets.token_hex(4)}"
        assert post(ingest, ONE, (*JSON, authorization(stack.token("ingest"))), json.dumps(make_body(room_id=room)).encode()).status == 200
        assert hostile.next_of("TELEMETRY_UPDATE")["room_id"] == room
        with Dashboard(service.url, stack.token("dashboard"), source_address=("127.0.0.4", 0)) as other:
            other.connection.send(ping)
            other.next_of("PONG")
