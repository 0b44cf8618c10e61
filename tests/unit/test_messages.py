"""Messages: what is decoded is what was sent, and arbitrary bytes raise only what their readers expect."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import messages
from shared.messages import MAX_COUNT, MAX_SEQUENCE, ClientMessage, StoredReading, TelemetryUpdate, decode_client_message, decode_stored

counts = st.integers(0, MAX_COUNT)
updates = st.builds(
    TelemetryUpdate,
    room_id=st.from_regex(messages.ROOM_PATTERN),
    platform=st.from_regex(messages.PLATFORM_PATTERN),
    timestamp=st.integers(0, 2**40),
    tokens_count=counts,
    sequence=st.integers(0, MAX_SEQUENCE),
    tips_count=st.none() | counts,
    viewers_count=st.none() | counts,
    goal_tokens=st.none() | counts,
)


@given(updates)
def test_a_reading_survives_its_encoding(update: TelemetryUpdate) -> None:
    """Every reading that can be built can be posted."""
    assert messages.decode_update(messages.encode(update)) == update


@given(updates, st.integers(1, 2**53), st.integers(1, 2**53))
def test_a_stored_reading_is_a_reading_and_its_stamp(update: TelemetryUpdate, version: int, committed_at: int) -> None:
    """The script appends the stamp to the reading's own bytes, and the result decodes."""
    line = b'{"version":%d,"committed_at":%d,' % (version, committed_at) + messages.encode(update)[1:]
    assert decode_stored(line) == StoredReading(**msgspec.structs.asdict(update), version=version, committed_at=committed_at)


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_raise_what_a_session_does_not_expect(data: bytes) -> None:
    """Whatever a client sends is one of three messages or an expected error."""
    try:
        message: ClientMessage | None = decode_client_message(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = None
    assert message is None or data.strip().startswith(b"{")


@given(st.binary())
def test_no_bytes_raise_what_a_listener_does_not_expect(data: bytes) -> None:
    """Whatever stands on the channel is a reading or counted as malformed."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_stored(data)


@pytest.mark.parametrize("room_id", ["a", "A.b_c-9", "a b", "-", ".", "x" * 64])
def test_a_room_name(room_id: str) -> None:
    """What may name a room."""
    body = messages.encode({"room_id": room_id, "platform": "p", "timestamp": 1, "tokens_count": 1})
    assert messages.decode_update(body).room_id == room_id
