"""Headers for browsers: which pages may post, and that no answer is cached, sniffed or framed."""

import contextlib
import http.client

import pytest

from tests.conftest import ORIGIN
from tests.support.clients import PATH
from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import Answer, exchange, request
from tests.support.raw_websocket import upgrade
from tools.processes import Service
from tools.stack import Stack

EXTENSION = "chrome-extension://abcdefghijklmnopabcdefghijklmnop"


def preflight(service: Service, origin: str) -> Answer:
    """What a browser asks before it lets a page post."""
    wanted = (("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization,content-type"))
    return exchange(service.port, request("OPTIONS", ONE, (("Origin", origin), *wanted)))


@pytest.fixture(scope="module")
def listed(stack: Stack) -> Service:
    """An ingest service that lets one extension in."""
    return stack.ingest(ALLOWED_ORIGINS=EXTENSION)


def test_the_listed_extension_may_post(listed: Service, stack: Stack) -> None:
    """It is named exactly, never as `*`, and may read what the answer says of rates."""
    asked = preflight(listed, EXTENSION)
    answer = post(listed, ONE, (*JSON, ("Origin", EXTENSION), authorization(stack.token("ingest"))), body_of(ONE, room_id="cors"))
    assert (asked.status, asked.headers["Access-Control-Allow-Origin"], asked.headers["Access-Control-Allow-Credentials"]) == (
        200,
        EXTENSION,
        None,
    )
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, EXTENSION)
    assert set(answer.headers["Access-Control-Expose-Headers"].split(", ")) == {"Date", "RateLimit", "RateLimit-Policy", "Retry-After"}
    taken = {name.lower() for name in asked.headers["Access-Control-Allow-Headers"].split(", ")}
    assert {"authorization", "content-type", "pulse-sent-at"} <= taken


STRANGERS = [EXTENSION[:-1] + "a", EXTENSION.upper(), EXTENSION + "a", "chrome-extension://*", "null", "https://evil.example", ORIGIN]


@pytest.mark.parametrize("origin", STRANGERS)
def test_no_other_origin_is_let_in(listed: Service, stack: Stack, origin: str) -> None:
    """No answer allows another page's script to read it, with or without a preflight."""
    asked = preflight(listed, origin)
    answer = post(listed, ONE, (*JSON, ("Origin", origin), authorization(stack.token("ingest"))), body_of(ONE, room_id="cors2"))
    assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (400, None)
    assert answer.headers["Access-Control-Allow-Origin"] is None


def scrape(service: Service, path: str) -> Answer:
    """Asks the listener for Prometheus."""
    with contextlib.closing(http.client.HTTPConnection(service.host.replace("127.0.0.", "127.0.1."), service.port, timeout=60)) as asking:
        asking.request("GET", path)
        response = asking.getresponse()
        return Answer(response.status, response.headers, response.read())


def test_no_answer_is_kept_guessed_at_or_framed(ingest: Service, broadcast: Service, stack: Stack) -> None:
    """Every answer of either API says so, good or bad, JSON, CSV or metrics; and none sets a cookie or names its server."""
    reader, writer = (authorization(stack.token("dashboard")),), (*JSON, authorization(stack.token("ingest")))
    answers = [post(ingest, ONE, writer, body_of(ONE, room_id="headers")), post(ingest, BATCH, writer, b"[]"), post(ingest, ONE, (), b"")]
    for service in (ingest, broadcast):
        answers += [exchange(service.port, request("GET", path, ())) for path in ("/health", "/readyz", "/openapi.json")]
        answers.append(scrape(service, "/metrics"))
        answers.append(scrape(service, "/nowhere"))
    reads = (ONE, f"{ONE}/headers/camsoda", f"{ONE}/headers/camsoda/history", "/api/tracking/analytics?format=csv", f"{ONE}/a", PATH)
    answers += [exchange(broadcast.port, request("GET", path, reader)) for path in reads]
    answers += [exchange(ingest.port, request("GET", "/nowhere", ())), upgrade(broadcast, ())]
    for answer in answers:
        assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert (answer.headers["Set-Cookie"], answer.headers["Server"]) == (None, None)
