"""Requests that arrive whole: what becomes of the connection while one is being answered, and after it."""

from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from shared.web.address_budget import CHUNK, HOLD_SECONDS, REQUEST, AddressBudget
from shared.web.response_fields import Fields
from shared.web.whole_requests import WholeRequest, WholeRequestProtocol
from tests.unit.shared.test_address_budget import PEER, SHARE, Loop, Transport

POST = b"POST /short HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
FIELDS = Fields({"Content-Type": "text/plain"}, {"Vary": "Origin"})
KEEP_ALIVE_SECONDS = 5


class Bench:
    """A connection to an application with one shortcut, which keeps its requests until a test answers them."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.requests: list[WholeRequest] = []
        self.ordinary: list[bytes] = []
        self.takes = True
        config = uvicorn.Config(self._app, interface="asgi3", ws="none", timeout_keep_alive=KEEP_ALIVE_SECONDS, log_config=None)
        config.load()
        self.budget = AddressBudget(SHARE)
        self.transport = Transport(PEER)
        self.protocol = WholeRequestProtocol(
            config, ServerState(), {}, self.loop, budget=self.budget, shortcuts={b"/short": self._shortcut}
        )
        self.protocol.connection_made(self.transport)

    def _shortcut(self, request: WholeRequest) -> bool:
        self.requests.append(request)
        if not self.takes:
            raise ZeroDivisionError
        return True

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        self.ordinary.append(scope["path"].encode() + message.get("body", b""))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def receive(self, data: bytes) -> None:
        """Receives something and does what follows."""
        self.protocol.data_received(data)
        self.run()

    def run(self, now: float | None = None) -> None:
        """Lets everything happen that is due, at a time of the clock."""
        self.loop.now = self.loop.now if now is None else now
        for _ in range(5):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    @property
    def sent(self) -> bytes:
        """All that was written."""
        return b"".join(self.transport.written)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Closed afterwards."""
    bench = Bench()
    yield bench
    bench.loop.close()


def test_a_whole_request_is_answered_in_one_write(bench: Bench) -> None:
    bench.receive(POST)
    bench.requests[0].answer(FIELDS, b"hello")
    assert bench.transport.written == [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\nvary: Origin\r\n\r\nhello",
    ]
    assert bench.ordinary == []


def test_a_request_in_two_pieces_takes_the_ordinary_way(bench: Bench) -> None:
    """Its application receives the piece that came first."""
    bench.receive(POST[:-1])
    assert (bench.requests, bench.ordinary) == ([], [b"/short{"])


def test_a_shortcut_that_crashes_leaves_the_request_to_the_ordinary_way(bench: Bench) -> None:
    bench.takes = False
    bench.receive(POST)
    assert (len(bench.requests), bench.ordinary) == (1, [b"/short{}"])


def test_a_head_that_comes_again_is_not_parsed_again(bench: Bench) -> None:
    """The request has the same fields and its own body, and another head is parsed."""
    bench.receive(POST)
    bench.requests[0].answer(FIELDS, b"1")
    bench.protocol.parser, parser = Any, bench.protocol.parser  # type: ignore[assignment]
    bench.receive(POST.replace(b"{}", b"[]"))
    assert [(bytes(one.body), one.target, one.headers) for one in bench.requests] == [
        (body, b"/short", [(b"host", b"x"), (b"content-length", b"2")]) for body in (b"{}", b"[]")
    ]
    bench.requests[1].answer(FIELDS, b"2")
    bench.protocol.parser = parser
    bench.receive(POST.replace(b"Host: x", b"Host: y"))
    assert bench.requests[2].headers[0] == (b"host", b"y")
    assert bench.sent.count(b"200 OK") == 2


def test_a_head_that_comes_again_is_declined_and_charged_as_one_that_is_parsed(bench: Bench) -> None:
    bench.receive(POST)
    bench.requests[0].answer(FIELDS, b"1")
    bench.takes = False
    before = bench.budget.left(PEER, bench.loop.now)
    bench.receive(POST)
    assert bench.ordinary == [b"/short{}"]
    assert bench.budget.left(PEER, bench.loop.now) == pytest.approx(before - REQUEST - CHUNK)


@pytest.mark.parametrize("left", [-0.001, CHUNK / 2])
def test_an_address_over_its_budget_waits_although_the_head_is_known(bench: Bench, left: float) -> None:
    """The connection is read no further, and is given a 429."""
    bench.receive(POST)
    bench.requests[0].answer(FIELDS, b"1")
    bench.budget.charge(PEER, bench.budget.left(PEER, bench.loop.now) - left, bench.loop.now)
    bench.receive(POST)
    assert len(bench.requests) == 1
    assert not bench.transport.reads
    bench.run(now=bench.loop.now + HOLD_SECONDS)
    assert b"429 Too Many Requests" in bench.sent


MESSAGES = [
    POST,
    POST.replace(b"{}", b"[]"),
    POST.replace(b"{}", b"\r\n"),
    POST.replace(b"2\r\n\r\n{}", b"4\r\n\r\n\r\n\r\n"),
    POST.replace(b": 2\r\n\r\n{}", b": 0\r\n\r\n"),
    POST.replace(b"Host: x", b"Host: y"),
    POST.replace(b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    POST.replace(b"Host: x", b"Connection: close"),
    POST.replace(b"/short", b"/other"),
    POST.replace(b"/short", b"/short?q"),
    b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\n" + POST,
    POST * 2,
    POST + b"\r\n",
    POST[:-1],
    POST[:20],
    POST[20:],
    b"}",
    b"P",
    POST[1:],
    b"\r\n\r\n",
]


def _outcome(reads: list[bytes], answers: list[bool], *, remembers: bool) -> tuple[object, ...]:
    """What becomes of a connection on which these arrive, one in each read; requests are answered after a read, or later."""
    bench = Bench()
    try:
        if not remembers:
            setattr(bench.protocol, "_remember_head", lambda _request, _data: None)  # noqa: B010 - a method of one object
        for data, answer in zip(reads, answers, strict=True):
            if bench.transport.closed:
                break
            bench.receive(data)
            for request in bench.requests if answer else ():
                if not request.response_complete:
                    request.answer(FIELDS, b"a")
            bench.run()
        requests = [(request.target, request.headers, bytes(request.body)) for request in bench.requests]
        sent = bench.sent
        return requests, bench.ordinary, sent, bench.transport.closed, bench.transport.reads, bench.budget.left(PEER, bench.loop.now)
    finally:
        bench.loop.close()


@given(st.lists(st.tuples(st.sampled_from(MESSAGES) | st.sampled_from(MESSAGES[:3]), st.sampled_from([True, True, False])), max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_known_head_changes_nothing_but_the_cost(arriving: list[tuple[bytes, bool]]) -> None:
    """Whatever arrives before and after it, whole or in parts, the parser comes to the same."""
    reads, answers = [data for data, _ in arriving], [answer for _, answer in arriving]
    assert _outcome(reads, answers, remembers=True) == _outcome(reads, answers, remembers=False)


def test_requests_behind_one_wait_for_its_answer(bench: Bench) -> None:
    """They are answered in their order, in the ordinary way."""
    bench.receive(POST * 3)
    assert (len(bench.requests), bench.ordinary, bench.transport.written, bench.transport.reads) == (1, [], [], False)
    bench.requests[0].answer(FIELDS, b"first")
    bench.run()
    assert bench.ordinary == [b"/short{}", b"/short{}"]
    assert bench.sent.index(b"first") < bench.sent.index(b"content-length: 0")
    assert bench.transport.reads


def test_a_server_that_stops_says_so_in_the_answer(bench: Bench) -> None:
    """The request is answered, and then the connection ends."""
    bench.receive(POST)
    bench.protocol.shutdown()
    assert not bench.transport.closed
    bench.requests[0].answer(FIELDS, b"last")
    assert b"\r\nconnection: close\r\n" in bench.sent
    assert bench.transport.closed


def test_a_client_that_left_is_not_answered(bench: Bench) -> None:
    bench.receive(POST)
    bench.protocol.connection_lost(None)
    bench.requests[0].answer(FIELDS, b"late")
    assert bench.transport.written == []


def test_an_answer_waits_for_a_client_that_does_not_read(bench: Bench) -> None:
    """So that answers do not gather in memory, and no further request is read meanwhile."""
    bench.protocol.pause_writing()
    bench.receive(POST)
    bench.requests[0].answer(FIELDS, b"patient")
    bench.run()
    assert bench.transport.written == []
    bench.protocol.resume_writing()
    bench.run()
    assert bench.sent.endswith(b"\r\ncontent-length: 7\r\nvary: Origin\r\n\r\npatient")


def test_an_idle_connection_is_closed_after_its_time_and_a_busy_one_is_not(bench: Bench) -> None:
    """The time begins with each answer."""
    bench.receive(POST)
    bench.requests[0].answer(FIELDS, b"1")
    bench.run(now=KEEP_ALIVE_SECONDS - 1)
    bench.receive(POST)
    bench.run(now=3 * KEEP_ALIVE_SECONDS)
    assert not bench.transport.closed  # the second request is not answered yet
    bench.requests[1].answer(FIELDS, b"2")
    bench.run(now=4 * KEEP_ALIVE_SECONDS - 1)
    assert not bench.transport.closed
    bench.run(now=4 * KEEP_ALIVE_SECONDS)
    assert bench.transport.closed


def test_the_time_of_an_idle_connection_begins_anew_with_each_answer(bench: Bench) -> None:
    for now in range(1, 20):
        bench.run(now=now)
        assert not bench.transport.closed
        bench.receive(POST)
        bench.requests[-1].answer(FIELDS, b"x")
    bench.run(now=19 + KEEP_ALIVE_SECONDS - 1)
    assert not bench.transport.closed
    bench.run(now=19 + KEEP_ALIVE_SECONDS)
    assert bench.transport.closed


def test_the_price_of_an_answered_request_is_refunded(bench: Bench) -> None:
    """A token is charged for it instead."""
    before = bench.budget.left(PEER, 0)
    for _ in range(10):
        bench.receive(POST)
        bench.requests[-1].answer(FIELDS, b"x")
    assert bench.budget.left(PEER, 0) == pytest.approx(before)


def test_the_head_of_an_answer_has_the_date_of_its_second_and_the_length_of_its_body(bench: Bench) -> None:
    """Heads are made once for each length and second."""
    for date in (b"first", b"second"):
        bench.protocol.server_state.default_headers = [(b"date", date)]
        for body in (b"", b"x", b"xx", b"x"):
            bench.receive(POST)
            bench.requests[-1].answer(FIELDS, body)
            assert bench.transport.written[-1] == (
                b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nvary: Origin\r\n\r\n%b"
                % (date, len(body), body)
            )


def test_a_large_body_stops_reading_until_it_is_answered(bench: Bench) -> None:
    """As in the ordinary way."""
    body = b"x" * 70_000
    bench.receive(b"POST /short HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert (bytes(bench.requests[0].body), bench.transport.reads) == (body, False)
    bench.requests[0].answer(FIELDS, b"")
    assert bench.transport.reads


def test_a_request_that_is_handed_over_keeps_its_own_fields_beside_one_that_arrives_meanwhile(bench: Bench) -> None:
    """The one behind it has had its header read, and waits for the rest of its body."""
    scopes: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    behind = b"POST /other?q HTTP/1.1\r\nHost: other\r\nX-Own: 2\r\nContent-Length: 2\r\n\r\n{"
    bench.receive(POST.replace(b"Host: x", b"Host: x\r\nX-Own: 1") + behind)
    bench.requests[0].hand_over(app)
    bench.run()
    assert [(scope["path"], scope["query_string"], (b"x-own", b"1") in scope["headers"]) for scope in scopes] == [("/short", b"", True)]
    assert bench.ordinary == [b"/other{"]  # in its turn, with as much of its body as has arrived
