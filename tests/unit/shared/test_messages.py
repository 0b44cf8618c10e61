"""Messages: decoding is the inverse of encoding, and arbitrary bytes raise only the documented errors."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.codec import UNREADABLE, encode
from shared.contract.events import ClientMessage, decode_client_message, telemetry_event
from shared.contract.readings import (
    ACCOUNT_PATTERN,
    MAX_COUNT,
    MAX_INTERVAL_SECONDS,
    MAX_SEQUENCE,
    METRICS,
    PLATFORM_PATTERN,
    ROOM_PATTERN,
    Reading,
    StoredReading,
    decode_raw_items,
    decode_reading,
    decode_readings,
    decode_stored,
    values_of,
)
from tests.support.readings import make_stored_reading

counts = st.integers(0, MAX_COUNT)
updates: st.SearchStrategy[Reading] = st.builds(
    Reading,
    room_id=st.from_regex(ROOM_PATTERN),
    platform=st.from_regex(PLATFORM_PATTERN),
    timestamp=st.integers(0, 2**40),
    tokens_count=counts,
    sequence=st.integers(0, MAX_SEQUENCE),
    tips_count=st.none() | counts,
    viewers_count=st.none() | counts,
    goal_tokens=st.none() | counts,
    account=st.just(msgspec.UNSET) | st.from_regex(ACCOUNT_PATTERN),
    interval_seconds=st.just(msgspec.UNSET) | st.integers(1, MAX_INTERVAL_SECONDS),
)


@given(updates)
def test_a_reading_survives_its_encoding(update: Reading) -> None:
    """Every reading that can be built can be posted."""
    assert decode_reading(encode(update)) == update


@given(updates, st.integers(1, 2**53), st.integers(1, 2**53))
def test_a_stored_reading_is_a_reading_and_its_stamp(update: Reading, version: int, committed_at: int) -> None:
    """The script appends the stamp to the reading's own bytes, and the result decodes."""
    line = b'{"version":%d,"committed_at":%d,' % (version, committed_at) + encode(update)[1:]
    sent = {name: value for name, value in msgspec.structs.asdict(update).items() if value is not msgspec.UNSET}
    assert decode_stored(line) == StoredReading(**sent, version=version, committed_at=committed_at)


def test_a_reading_without_account_and_interval_is_stored_as_before() -> None:
    """Servers of the version before read what producers of the version before send."""
    update = Reading("a", "p", 1, 2, 3)
    numbers = {"timestamp": 1, "tokens_count": 2, "sequence": 3, **dict.fromkeys([metric.field for metric in METRICS[1:]])}
    assert encode(update) == json.dumps({"room_id": "a", "platform": "p", **numbers}, separators=(",", ":")).encode()


def test_an_event_names_account_and_interval() -> None:
    """Both are in `data`; the event of a producer that sends neither is the same as before they existed."""
    line = {"room_id": "a", "platform": "p", "timestamp": 1, "tokens_count": None, "sequence": 3, "version": 1, "committed_at": 1}
    line |= {"tips_count": None, "viewers_count": 4, "goal_tokens": None}
    said = line | {"account": "ana", "interval_seconds": 60}
    events = [json.loads(encode(telemetry_event(decode_stored(json.dumps(each).encode())).data)) for each in (line, said)]
    old = {"platform": "p", **dict.fromkeys(metric.name for metric in METRICS), "viewers": 4, "timestamp": 1}
    assert events == [old, old | {"account": "ana", "interval_seconds": 60}]


def test_services_of_two_versions_read_each_others_stored_readings() -> None:
    """An older value lacks fields and a newer one has others: neither is malformed, and missing ones are unknown."""
    line = {"version": 1, "committed_at": 1, "room_id": "a", "platform": "p", "timestamp": 1, "tokens_count": 5}
    oldest, newest = (decode_stored(json.dumps(each).encode()) for each in (line, line | {"mood_count": 7, "mood": "good"}))
    assert oldest == newest
    assert values_of(oldest) == (5, *[None] * len(METRICS[1:]))
    required = {field.name for field in msgspec.structs.fields(StoredReading) if field.required}
    assert required == set(line)


def test_every_metric_is_in_the_data_of_an_event() -> None:
    """In the order of the list, ahead of nothing but the platform."""
    values: dict[str, Any] = {metric.field: number for number, metric in enumerate(METRICS[1:], 1)}
    data = {"platform": "p", **{metric.name: number for number, metric in enumerate(METRICS)}, "timestamp": 9}
    stored = StoredReading("a", "p", 9, 0, 0, **values, version=1, committed_at=1)
    assert encode(telemetry_event(stored).data) == json.dumps(data, separators=(",", ":")).encode()
    assert [metric.name for metric in METRICS] == list(data)[1:-1]
    assert METRICS[0].field == "tokens_count"


@pytest.mark.parametrize(("timestamp", "made_at"), [(990, 990), (1000, 1000), (1001, 1000), (1290, 1000)])
def test_no_reading_is_younger_than_its_commit(timestamp: int, made_at: int) -> None:
    """A clock that is ahead does not make a reading younger."""
    assert make_stored_reading(1, timestamp=timestamp, committed_at=1_000_500_000).made_at == made_at


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_raise_what_a_session_does_not_expect(data: bytes) -> None:
    """Every message of a client is one of three kinds or an expected error."""
    try:
        message: ClientMessage | None = decode_client_message(data)
    except UNREADABLE:
        message = None
    assert message is None or data.strip().startswith(b"{")


@given(st.binary())
def test_no_bytes_raise_what_a_listener_does_not_expect(data: bytes) -> None:
    """Every message on the channel is a reading or counted as malformed."""
    with pytest.raises(UNREADABLE):
        decode_stored(data)


DECODERS = [decode_reading, decode_readings, decode_raw_items, decode_stored, decode_client_message]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from([*StoredReading.__struct_fields__, "type", "token", "rooms", "platforms", "x"])
TYPES = st.sampled_from(["auth", "filter", "ping"])


@given(st.dictionaries(FIELDS, VALUES | TYPES), st.sampled_from(DECODERS), st.booleans())
def test_no_json_raises_what_its_reader_does_not_expect(fields: dict[str, Any], decode: Any, listed: bool) -> None:  # noqa: FBT001 - drawn
    """Known fields with values of every kind, alone or in a list: decoded or refused, and decoded values can be encoded."""
    with contextlib.suppress(*UNREADABLE):
        encode(decode(json.dumps([fields] if listed else fields).encode()))


DEEP = [
    b"[" * 100_000,
    b'{"x":' * 100_000,
    b'{"x":' + b"[" * 100_000,
    b'{"type":"ping","x":' + b"[" * 100_000,
    b'[{"room_id":' + b"[" * 100_000,
]
HUGE = [b"9" * 5000, b'{"version":' + b"9" * 5000 + b"}", b'{"version":1e99999}', b'{"timestamp":-' + b"9" * 400 + b"}"]
BROKEN = [b'{"\xff":1}', b'{"room_id":"\xff"}', b'{"room_id":"\\ud800"}', b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b"NaN", b'"', b"{" * 5000]


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("data", [*DEEP, *HUGE, *BROKEN], ids=lambda data: data[:16].decode("latin-1"))
def test_input_that_breaks_other_parsers_is_refused(data: bytes, decode: Any) -> None:
    """Depth, size and wrong encodings."""
    with pytest.raises(UNREADABLE):
        decode(data)


STORED = {"room_id": "a", "platform": "p", "timestamp": 1, "tokens_count": 1, "sequence": 1, "version": 1, "committed_at": 1}


@pytest.mark.parametrize("field", ["timestamp", "tokens_count", "sequence", "version", "committed_at"])
@pytest.mark.parametrize("value", [-1, 2**53 + 1, 10**400, "1", 1.5, True, None])
def test_a_stored_number_out_of_bounds_is_malformed(field: str, value: Any) -> None:
    """Browsers receive it and the relay divides it by a million."""
    body = {**STORED, "tips_count": None, "viewers_count": None, "goal_tokens": None}
    assert decode_stored(json.dumps(body).encode()).version == 1
    if (field, value) == ("tokens_count", None):  # unknown
        return
    with pytest.raises(msgspec.ValidationError):
        decode_stored(json.dumps(body | {field: value}).encode())


@pytest.mark.parametrize("room_id", ["a", "A.b_c-9", "a b", "-", ".a", "x" * 64])
def test_a_room_name(room_id: str) -> None:
    """Up to 64 letters, digits, dots, dashes, underscores and spaces within are one."""
    body = encode({"room_id": room_id, "platform": "p", "timestamp": 1, "tokens_count": 1})
    assert decode_reading(body).room_id == room_id
