"""What a session owes its client while the client's socket is full."""

import json
import time
from typing import Any

import pytest

from broadcast_service.http.budget import MESSAGE, SNAPSHOT_EVENT, SOCKET, Budget
from broadcast_service.relay.relay import Pacing, Relay
from broadcast_service.sessions.session import MAX_PENDING_EVENTS, Session, SessionTerms
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract.events import FilterMessage
from shared.contract.problems import CloseCode
from shared.tokens import Claims
from tests.unit.broadcast.test_hub_properties import payloads

pytestmark = pytest.mark.anyio


class Wire:
    """A connection that records its writes, and accepts them or not as the test says."""

    deflates = False

    def __init__(self) -> None:
        self.written = b""
        self.closed: tuple[int, str] | None = None
        self.aborted = False

    def open(self, first: bytes) -> None:
        self.written += first

    def write(self, data: bytes) -> None:
        self.written += data

    def unsent_bytes(self) -> int:
        return 0

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def abort(self) -> None:
        self.aborted = True

    def events(self) -> list[dict[str, Any]]:
        """The events written since the last look."""
        written, self.written = self.written, b""
        return [json.loads(line) for payload in payloads(written) for line in payload.split(b"\n")]


@pytest.fixture
async def wire() -> Wire:
    """A client's end of the wire."""
    return Wire()


def started(wire: Wire, encoding: Encoding, budget: Budget | None = None) -> Session:
    """A session that has said hello."""
    relay = Relay(1, 3600, Pacing(share=0.5, max_pause_seconds=0.05, heartbeat_seconds=25))
    claims = Claims(subject="tester", audience="dashboard", token_id="t", expires_at=int(time.time()) + 3600, scope=Scope.of(["*"]))
    on_end, report = (lambda _: None), (lambda *_, **__: None)
    session = Session(relay, claims, encoding, budget=budget or Budget(0), renew=lambda _: claims, on_end=on_end, report=report)
    session.start(wire, claims.scope, FilterMessage(), None, SessionTerms("test", 25.0, 15, 3600))  # type: ignore[arg-type]
    relay.flush_now()
    wire.events()
    return session


@pytest.fixture
async def session(wire: Wire) -> Session:
    """A client's that speaks `pulse.v1`."""
    return started(wire, Encoding.LINES)


async def test_an_answer_waits_for_a_full_socket(session: Session, wire: Wire) -> None:
    """A message that arrives while a snapshot fills the socket is answered when there is room, in order."""
    session.on_pause()
    session.on_text(b"garbage")
    session.on_text(b'{"type":"ping"}')
    assert not wire.written
    session.on_resume()
    assert [event["event_type"] for event in wire.events()] == ["ERROR", "PONG"]


async def test_a_close_follows_the_pending_answers(session: Session, wire: Wire) -> None:
    session.on_pause()
    session.on_text(b"garbage")
    session.close(CloseCode.TOKEN_ENDED, "token revoked")
    assert [event["event_type"] for event in wire.events()] == ["ERROR"]
    assert wire.closed == (4401, "token revoked")


async def test_a_draining_server_says_so_to_a_full_socket(session: Session, wire: Wire) -> None:
    """The client may still read it: the close timeout decides."""
    session.on_pause()
    session.drain(retry_after_ms=500)
    assert wire.events()[0] | {"timestamp": 0} == {"event_type": "RECONNECT", "retry_after_ms": 500, "timestamp": 0}
    assert wire.closed == (1012, "restart")


async def test_nothing_follows_a_close(session: Session, wire: Wire) -> None:
    """A socket that drains after its close frame is sent nothing more."""
    session.on_pause()
    session.close(CloseCode.TOKEN_ENDED)
    wire.events()
    session.on_resume()
    assert not wire.written


async def test_a_client_that_sends_on_and_reads_nothing_is_cut(session: Session, wire: Wire) -> None:
    """The output that is pending for a client is bounded."""
    session.on_pause()
    for _ in range(MAX_PENDING_EVENTS + 1):
        session._messages = 0
        session.on_text(b'{"type":"ping"}')
    assert wire.aborted


async def test_messages_of_an_old_client_are_ignored(wire: Wire) -> None:
    """It chose no subprotocol, so neither text nor binary counts against it."""
    session = started(wire, Encoding.SINGLE)
    for _ in range(100):
        session.on_text(b"{}")
        session.on_binary()
    assert (wire.closed, wire.written) == (None, b"")


class FrozenBudget(Budget):
    """A budget for which no time passes, so that nothing is refilled between a charge and the look at it."""

    def left(self, subject: str, now: float) -> float:
        return super().left(subject, 0 * now)

    def charge(self, subject: str, price: float, now: float) -> None:
        super().charge(subject, price, 0 * now)


async def test_a_socket_its_snapshots_and_its_messages_are_charged_to_the_subject(wire: Wire) -> None:
    """A filter costs a snapshot; a subject in debt is over its budget, which lets the messages that follow wait."""
    budget = FrozenBudget(0.08)
    full = budget.left("tester", 0)
    session = started(wire, Encoding.LINES, budget)
    assert full - budget.left("tester", 0) == pytest.approx(SOCKET)
    session.on_text(b'{"type":"filter","rooms":["a","b","c"]}')
    session.on_text(b"garbage")
    assert full - budget.left("tester", 0) == pytest.approx(SOCKET + 2 * MESSAGE + 3 * SNAPSHOT_EVENT)
    assert not session.is_over_budget()
    budget.charge("tester", 2 * full, 0)
    assert session.is_over_budget()
