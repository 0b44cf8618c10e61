"""Shared compression over real sockets: only for those who ask, the same content, and no bomb gets in."""

import zlib
from collections.abc import Iterator

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.support.clients import PATH, Dashboard
from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import connect as connect_raw
from tests.support.raw_http import head
from tests.support.raw_websocket import UPGRADE, carried, frame
from tools.processes import Service
from tools.stack import Stack
from tools.waiting import WAIT_SECONDS

AS_BROWSERS = ClientPerMessageDeflateFactory(client_max_window_bits=True)


@pytest.fixture(scope="module")
def compressing(stack: Stack) -> Iterator[Service]:
    """A broadcast service that compresses for clients that offer it."""
    service = stack.broadcast(WEBSOCKET_COMPRESSION="true")
    yield service
    service.stop()


@pytest.fixture(scope="module")
def token(stack: Stack, ingest: Service) -> str:
    """A token for rooms that hold a value each, too many for one small payload."""
    rooms = [f"deflate-{number}" for number in range(40)]
    bodies = b"[" + b",".join(body_of(ONE, room_id=room) for room in rooms) + b"]"
    assert post(ingest, BATCH, (*JSON, authorization(stack.token("ingest"))), bodies).status == 200
    return stack.token("dashboard", rooms=("deflate-*",))


def test_who_asks_gets_the_same_compressed(compressing: Service, token: str) -> None:
    """A browser's offer is accepted without context takeover on either side, and every room arrives."""
    with Dashboard(compressing.url, token, offers=[AS_BROWSERS]) as client:
        assert client.connection.response is not None
        agreed = client.connection.response.headers["Sec-WebSocket-Extensions"]
        assert "server_no_context_takeover" in agreed
        assert "client_no_context_takeover" in agreed
        assert len(client.snapshot()) == 40
        client.send_raw('{"type":"ping"}')
        assert client.next_event()["event_type"] == "PONG"


def test_the_wire_carries_fewer_bytes(compressing: Service, broadcast: Service, token: str) -> None:
    """Read by hand: the compressed snapshot is less than a third of the plain one."""
    sizes = [_snapshot_bytes(service, token) for service in (broadcast, compressing)]
    assert sizes[1] < sizes[0] / 3


def _snapshot_bytes(service: Service, token: str) -> int:
    offer = ("Sec-WebSocket-Extensions", "permessage-deflate")
    with connect_raw(service.port) as socket:
        socket.sendall(head("GET", PATH, (*UPGRADE, carried("pulse.v1", f"bearer.{token}"), offer)))
        socket.settimeout(WAIT_SECONDS)
        received = b""
        while not (_has_sync(received)):
            received += socket.recv(65536)
        return len(received.partition(b"\r\n\r\n")[2])


def _has_sync(received: bytes) -> bool:
    """Whether a run of frames holds the end of a snapshot, compressed or not."""
    data = received.partition(b"\r\n\r\n")[2]
    while len(data) > 4:
        size, start = (data[1], 2) if data[1] < 126 else (int.from_bytes(data[2:4], "big"), 4)
        payload = data[start : start + size]
        if data[0] == 0xC1 and len(payload) == size:
            payload = zlib.decompress(payload + b"\x00\x00\xff\xff\x03\x00", -zlib.MAX_WBITS)
        if b'"SYNC"' in payload:
            return True
        data = data[start + size :]
    return False


def test_a_client_with_a_smaller_window_gets_plain_text(compressing: Service, token: str) -> None:
    """It could not read the shared compressed payload; compression of any message is optional."""
    with Dashboard(compressing.url, token, offers=[ClientPerMessageDeflateFactory(server_max_window_bits=10)]) as client:
        assert len(client.snapshot()) == 40


def test_compression_is_off_unless_switched_on(broadcast: Service, token: str) -> None:
    """The default refuses every offer."""
    with Dashboard(broadcast.url, token, offers=[AS_BROWSERS]) as client:
        assert client.connection.response is not None
        assert "Sec-WebSocket-Extensions" not in client.connection.response.headers


def test_a_bomb_is_refused_before_it_unfolds(compressing: Service, token: str) -> None:
    """A small frame that would grow beyond the limit closes with 1009."""
    with Dashboard(compressing.url, token, offers=[AS_BROWSERS]) as client:
        client.snapshot()
        client.send_raw(" " * 1_000_000)
        assert client.wait_for_close() == 1009


def test_a_compressed_frame_without_agreement_is_a_protocol_error(broadcast: Service, token: str) -> None:
    """RSV1 means nothing there."""
    with Dashboard(broadcast.url, token) as client:
        client.snapshot()
        client.connection.socket.sendall(frame(1, b"\x02\x00", first_bits=0xC0))
        assert client.wait_for_close() == 1002
