"""Bad messages on an open socket: an error event first, a named close code when it goes on, and never a crash."""

import json
import time
from typing import Any

import pytest

from tests.support.clients import PATH, Dashboard
from tests.support.forgery import corpus
from tests.support.posting import JSON, ONE, authorization, body_of, post
from tests.support.raw_http import connect, exchange, head, read_answer, request
from tests.support.raw_websocket import UPGRADE, carried, frame
from tools.processes import Service
from tools.stack import Stack

PING = '{"type":"ping"}'


@pytest.fixture(scope="module")
def token(stack: Stack) -> str:
    """A good token for a few rooms."""
    return stack.token("dashboard", rooms=("talk", "vip-*"), platforms=("camsoda",))


BAD: dict[str, str | bytes] = {
    "empty": "",
    "not json": "hello",
    "truncated": PING[:-1],
    "trailing": PING + "x",
    "two messages": f"{PING}\n{PING}",
    "null": "null",
    "array": "[]",
    "no type": "{}",
    "type unknown": '{"type":"subscribe"}',
    "type a number": '{"type":1}',
    "type null": '{"type":null}',
    "unknown field": '{"type":"ping","x":1}',
    "auth without token": '{"type":"auth"}',
    "auth with a number": '{"type":"auth","token":1}',
    "filter of text": '{"type":"filter","rooms":"talk"}',
    "filter of numbers": '{"type":"filter","rooms":[1]}',
    "filter too long": json.dumps({"type": "filter", "rooms": [""] * 501}),
    "pattern too long": json.dumps({"type": "filter", "rooms": ["a" * 66]}),
    "NaN": '{"type":NaN}',
    "lone surrogate": '{"type":"\\ud800"}',
    "deep": "[" * 4000,
    "byte order mark": "\ufeff" + PING,
    "exactly the limit": "x" * 4096,
}


@pytest.mark.parametrize("message", BAD.values(), ids=BAD.keys())
def test_a_bad_message_is_an_error_and_the_session_goes_on(broadcast: Service, token: str, message: str) -> None:
    """The client gets an error, and its next message is answered as usual."""
    with Dashboard(broadcast.url, token) as client:
        client.send_raw(message)
        assert client.next_of("ERROR")["code"] == "bad_message"
        client.send_raw(PING)
        assert client.next_of("PONG")["time_ms"] > 0


def test_bad_utf8_is_an_error(broadcast: Service, token: str) -> None:
    """A text frame that is no text is a bad message."""
    with Dashboard(broadcast.url, token) as client:
        client.connection.socket.sendall(frame(1, b"\xff\xfe"))
        assert client.next_of("ERROR")["code"] == "bad_message"


def test_repeated_bad_messages_close_with_4400(broadcast: Service, token: str) -> None:
    """Three are borne, the fourth is the last."""
    with Dashboard(broadcast.url, token) as client:
        for _ in range(4):
            client.send_raw("hello")
        assert [client.next_of("ERROR")["code"] for _ in range(3)] == ["bad_message"] * 3
        assert client.wait_for_close() == 4400


FORBIDDEN: list[dict[str, Any]] = [
    {"rooms": ["other"]},
    {"rooms": ["talk", "other"]},
    {"rooms": ["*"]},
    {"rooms": ["vi*"]},
    {"rooms": ["talk\n"]},
    {"rooms": ["a*b"]},
    {"rooms": [""]},
    {"platforms": ["stripchat"]},
    {"platforms": ["CAMSODA"]},
]


@pytest.mark.parametrize("wish", FORBIDDEN, ids=[json.dumps(wish) for wish in FORBIDDEN])
def test_a_forbidden_filter_is_an_error_and_changes_nothing(
    ingest: Service, broadcast: Service, stack: Stack, token: str, wish: dict[str, Any]
) -> None:
    """A filter outside the token's scope is refused, and the session's filter stays as it was."""
    with Dashboard(broadcast.url, token, "?rooms=talk") as client:
        client.next_of("SYNC")
        client.send_raw(json.dumps({"type": "filter"} | wish))
        assert client.next_event()["code"] == "bad_filter"
        headers = (*JSON, authorization(stack.token("ingest")))
        for room in ("other", "vip-1", "talk"):
            assert post(ingest, ONE, headers, body_of(ONE, room_id=room)).status in (200, 429)
        assert client.next_of("TELEMETRY_UPDATE")["room_id"] == "talk"


def test_no_forged_token_renews_a_session(broadcast: Service, stack: Stack, token: str) -> None:
    """The session keeps its old token, until it has sent too many bad ones."""
    with Dashboard(broadcast.url, stack.token("dashboard", subject="forger")) as client:
        for forged in ("garbage", stack.token("ingest", subject="forger"), token):  # the last is good, but another's
            client.send_raw(json.dumps({"type": "auth", "token": forged}))
            assert client.next_of("ERROR")["code"] == "bad_token"
        client.send_raw(json.dumps({"type": "auth", "token": corpus(stack.token_keys, "dashboard", {})["alg none"]}))
        assert client.wait_for_close() == 4400


def test_a_binary_message_closes_with_1003(broadcast: Service, token: str) -> None:
    """There are no binary messages in this protocol."""
    with Dashboard(broadcast.url, token) as client:
        client.send_raw(PING.encode())
        assert client.wait_for_close() == 1003


def test_too_many_messages_close_with_4429(broadcast: Service, token: str) -> None:
    """Sixty a minute are answered, the next is one too many."""
    with Dashboard(broadcast.url, token) as client:
        for _ in range(61):
            client.send_raw(PING)
        assert [client.next_of("PONG")["event_type"] for _ in range(60)] == ["PONG"] * 60
        assert client.wait_for_close() == 4429


FRAMES: dict[str, tuple[bytes, int]] = {
    "one byte too long": (frame(1, b"x" * 4097), 1009),
    "announced as 2^62 bytes": (b"\x81\xff" + (2**62).to_bytes(8, "big") + b"mask", 1009),
    "too long in fragments": (frame(1, b"x" * 4000, first_bits=0) + frame(0, b"x" * 4000), 1009),
    "not masked": (b"\x81\x02{}", 1002),
    "reserved opcode": (frame(3, b""), 1002),
    "compressed, which was not agreed": (frame(1, b"\xaaVJ", first_bits=0xC0), 1002),
    "continuation of nothing": (frame(0, b"x"), 1002),
    "fragmented ping": (frame(9, b"x", first_bits=0), 1002),
    "long ping": (frame(9, b"x" * 126), 1002),
    "bad close code": (frame(8, b"\x00\x01"), 1002),
}


@pytest.mark.parametrize(("data", "code"), FRAMES.values(), ids=FRAMES.keys())
def test_a_frame_that_breaks_the_protocol_closes(broadcast: Service, token: str, data: bytes, code: int) -> None:
    """The close frame names the reason, and the connection is ended at once."""
    with Dashboard(broadcast.url, token) as client:
        client.next_of("SYNC")
        client.connection.socket.sendall(data)
        assert client.wait_for_close() == code


@pytest.mark.parametrize("since", ["", "abc", "-1", "1e3", "0", "%D9%A1", "1" * 15, "9" * 16, "9" * 2000, "%00", "1&since=2", "1.0"])
def test_a_senseless_since_gives_a_full_snapshot(broadcast: Service, token: str, since: str) -> None:
    """Garbage, the distant past and the future are all answered with everything in scope."""
    with Dashboard(broadcast.url, token, f"?since={since}") as client:
        assert client.next_event()["resumed"] is False
        assert client.next_of("SYNC")["snapshot"] is True


def test_a_ping_flood_from_a_client_that_reads_nothing_is_cut(broadcast: Service, token: str) -> None:
    """Unread pongs pile up only so far."""
    flood = frame(9, b"x" * 125) * 500
    with connect(broadcast.port) as connection:
        connection.sendall(head("GET", PATH, (*UPGRADE, carried("pulse.v1", f"bearer.{token}"))))
        read_answer(connection)
        with pytest.raises(ConnectionError):
            connection.sendall(flood * 1000)  # 65 MB, far more than the kernel's buffers hold
    assert exchange(broadcast.port, request("GET", "/livez", ())).status == 200


def test_an_old_client_may_talk_to_itself(ingest: Service, broadcast: Service, stack: Stack) -> None:
    """Without a subprotocol messages mean nothing, so they are neither answered nor held against the client."""
    with connect(broadcast.port) as connection:
        connection.sendall(head("GET", f"{PATH}?rooms=old-client", (*UPGRADE, authorization(stack.token("dashboard")))))
        read_answer(connection)
        connection.sendall(frame(1, b"hello") * 100)
        post(ingest, ONE, (*JSON, authorization(stack.token("ingest"))), body_of(ONE, room_id="old-client"))
        received, deadline = b"", time.monotonic() + 5
        while b"old-client" not in received and time.monotonic() < deadline:
            received += connection.recv(4096)
    assert b"TELEMETRY_UPDATE" in received
    assert b"ERROR" not in received


def test_nothing_of_this_crashed(broadcast: Service) -> None:
    """Bad messages are an expected state: no traceback in the log."""
    assert "Traceback" not in broadcast.log.read_text()
