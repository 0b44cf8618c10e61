"""A client's frames become messages, whole and in order; the library's client writes them."""

import pytest
from hypothesis import given, strategies
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from broadcast_service.websocket.message_reader import FRAMES_PER_MINUTE, MessageReader


def client() -> ClientProtocol:
    """An open client."""
    return ClientProtocol(parse_uri("ws://studio.example/"), state=State.OPEN)


@given(strategies.lists(strategies.binary(max_size=300), max_size=8), strategies.integers(1, 40))
def test_messages_arrive_whole_however_they_are_cut(messages: list[bytes], size: int) -> None:
    """Fragmented by the client and split again by the network, with pings in between."""
    sender, reader, received = client(), MessageReader(None, 4096), []
    for message in messages:
        sender.send_text(message[:100], fin=False)
        sender.send_ping(b"?")
        sender.send_continuation(message[100:], fin=True)
    data = b"".join(sender.data_to_send())
    for start in range(0, len(data), size):
        received += list(reader.messages(data[start : start + size], 0))
    assert received == messages
    assert reader.answers().count(b"\x8a\x01?") == len(messages)
    assert not reader.ended


def test_a_binary_message_is_discarded() -> None:
    """It has no meaning in this protocol, so its content is not delivered."""
    sender, reader = client(), MessageReader(None, 4096)
    sender.send_binary(b"\0")
    assert list(reader.messages(b"".join(sender.data_to_send()), 0)) == [None]


def test_a_message_beyond_the_limit_ends_it_with_1009() -> None:
    """Also when it arrives in small parts."""
    sender, reader = client(), MessageReader(None, 100)
    sender.send_text(b"x" * 60, fin=False)
    sender.send_continuation(b"x" * 60, fin=True)
    assert list(reader.messages(b"".join(sender.data_to_send()), 0)) == []
    assert reader.ended
    assert reader.answers()[2:4] == (1009).to_bytes(2, "big")


def test_a_close_is_answered_once() -> None:
    """With the client's own code."""
    sender, reader = client(), MessageReader(None, 100)
    sender.send_close(1000, "bye")
    assert list(reader.messages(b"".join(sender.data_to_send()), 0)) == []
    assert reader.ended
    assert reader.answers()[:4] == b"\x88\x05" + (1000).to_bytes(2, "big")
    assert reader.answers() == b""


@pytest.mark.parametrize("kind", ["pings", "empty fragments"])
def test_a_flood_of_small_frames_is_noticed_early(kind: str) -> None:
    """Frames beyond the bound of one read are neither parsed nor stored."""
    sender, reader = client(), MessageReader(None, 4096)
    sender.send_text(b"", fin=False)
    for _ in range(20_000):
        sender.send_ping(b"") if kind == "pings" else sender.send_continuation(b"", fin=False)
    assert list(reader.messages(b"".join(sender.data_to_send()), 0)) == []
    assert reader.flooded
    assert reader._parts == []
    assert len(reader.answers()) < 2 * 2 * FRAMES_PER_MINUTE


def test_the_count_restarts_every_minute() -> None:
    """Otherwise heartbeats would reach the bound on a long connection."""
    sender, reader = client(), MessageReader(None, 4096)
    for minute in range(3):
        for _ in range(FRAMES_PER_MINUTE):
            sender.send_pong(b"x")
        assert list(reader.messages(b"".join(sender.data_to_send()), 100.0 * minute)) == []
    assert not reader.flooded
