"""Frames are read back by another implementation of the protocol."""

import pytest
from hypothesis import given, strategies
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from broadcast_service.relay.audiences import Client
from broadcast_service.relay.hub import Hub
from broadcast_service.websocket.frames import MIN_DEFLATE_BYTES, Encoding, close_frame, deflated_frame, join, text_frame
from shared.auth.scope import Scope
from tests.support.readings import make_stored_reading


def read(data: bytes) -> list[Frame]:
    """What a client without context takeover reads."""
    client = ClientProtocol(parse_uri("ws://studio.example/"), max_size=None)
    client.state = State.OPEN
    client.extensions = [PerMessageDeflate(True, True, 15, 15)]
    client.parser = client.parse()
    next(client.parser)
    client.receive_data(data)
    return [event for event in client.events_received() if isinstance(event, Frame)]


@given(strategies.binary(max_size=70_000))
def test_a_text_frame_is_read_back(payload: bytes) -> None:
    """For all three forms of the length."""
    assert [bytes(frame.data) for frame in read(text_frame(payload))] == [payload]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
def test_a_compressed_frame_is_read_back(size: int) -> None:
    """Each is complete by itself."""
    payloads = [bytes((65 + i % 7,)) * size for i in range(2)]
    assert [bytes(frame.data) for frame in read(b"".join(map(deflated_frame, payloads)))] == payloads


def test_a_close_frame_is_read_back() -> None:
    assert bytes(read(close_frame(4408, "too slow"))[0].data) == b"\x11\x38too slow"


@given(strategies.lists(strategies.binary(min_size=1).filter(lambda event: b"\n" not in event), max_size=20))
def test_every_encoding_carries_every_event(events: list[bytes]) -> None:
    """In order, and nothing else."""
    for encoding in Encoding:
        received = b"\n".join(bytes(frame.data) for frame in read(join(events, encoding)))
        assert received == b"\n".join(events)


def test_small_payloads_are_not_compressed() -> None:
    """Compression costs more than the bytes it would save."""
    assert join([b"x" * (MIN_DEFLATE_BYTES - 1)], Encoding.DEFLATED)[0] == 0x81
    assert join([b"x" * MIN_DEFLATE_BYTES], Encoding.DEFLATED)[0] == 0xC1


def test_an_audience_shares_one_compressed_payload() -> None:
    """It is compressed once per flush: all clients are written the same bytes object."""
    hub, received = Hub(1, 3600), dict[str, list[bytes]](a=[], b=[])
    for name in received:
        hub.attach(Client(received[name].append), Scope.of(["*"]), Encoding.DEFLATED)
    for number in range(50):
        hub.apply(make_stored_reading(number + 1, room_id=f"room-{number}"), now_seconds=1000)
    list(hub.flush(1000))
    assert received["a"][0] is received["b"][0]
    assert len(received["a"][0]) < 50 * 50
