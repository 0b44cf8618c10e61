"""Readings whose names were checked before are decoded as all others are."""

import msgspec
import pytest

from ingest_service import known_names
from ingest_service.known_names import KnownNames
from shared.contract.codec import UNREADABLE, encode
from shared.contract.readings import Reading, decode_reading, decode_readings

GOOD = [
    b'{"room_id":"room","platform":"camsoda","timestamp":1764000000,"tokens_count":5,"sequence":1764000000000}',
    b'{"room_id":"room","platform":"camsoda","timestamp":1764000000,"tokens_count":null,"tips_count":7,"account":"a.b"}',
    b'{"tokens_count":0,"timestamp":0,"platform":"x","room_id":"a b","interval_seconds":60,"viewers_count":4294967294}',
    b' {"room_id":"\\u0061","platform":"x","timestamp":1,"tokens_count":1,"goal_tokens":3} ',
]
BAD = [
    b'{"room_id":"..","platform":"x","timestamp":1,"tokens_count":1}',
    b'{"room_id":"a:b","platform":"x","timestamp":1,"tokens_count":1}',
    b'{"room_id":"a ","platform":"x","timestamp":1,"tokens_count":1}',
    b'{"room_id":"a\\n","platform":"x","timestamp":1,"tokens_count":1}',
    b'{"room_id":"a","platform":"X","timestamp":1,"tokens_count":1}',
    b'{"room_id":"a","platform":"","timestamp":1,"tokens_count":1}',
    b'{"room_id":"a","platform":"x","timestamp":1,"tokens_count":1,"account":"a b"}',
    b'{"room_id":"a","platform":"x","timestamp":1,"tokens_count":1,"account":null}',
    b'{"room_id":"a","platform":"x","timestamp":-1,"tokens_count":1}',
    b'{"room_id":"a","platform":"x","timestamp":1,"tokens_count":4294967295}',
    b'{"room_id":"a","platform":"x","timestamp":1,"tokens_count":1,"interval_seconds":0}',
    b'{"room_id":"a","platform":"x","timestamp":1,"tokens_count":1,"other":1}',
    b'{"room_id":"a","platform":"x","timestamp":1}',
    b'{"room_id":5,"platform":"x","timestamp":1,"tokens_count":1}',
    b'["room"]',
    b"{",
    b"",
]


def batch(*items: bytes) -> bytes:
    """An array of items."""
    return b"[" + b",".join(items) + b"]"


@pytest.mark.parametrize("body", GOOD)
def test_a_reading_is_stored_alike_whether_or_not_its_names_are_known(body: bytes) -> None:
    """Redis receives the same bytes, in the order of the fields that the commit script relies on."""
    names, expected = KnownNames(), decode_reading(body)
    for _ in range(2):
        found = names.decode_reading(body)
        [item] = names.decode_readings(batch(body))
        assert encode(found) == encode(item) == encode(expected)
        assert msgspec.structs.astuple(found) == msgspec.structs.astuple(expected)
        assert found.__struct_fields__ == Reading.__struct_fields__
        moved = msgspec.structs.replace(found, timestamp=2)
        assert encode(moved) == encode(msgspec.structs.replace(expected, timestamp=2))


@pytest.mark.parametrize("body", BAD)
def test_what_is_no_reading_is_refused_before_and_after_others_are_known(body: bytes) -> None:
    names = KnownNames()
    for _ in range(2):
        with pytest.raises(UNREADABLE):
            names.decode_reading(body)
        with pytest.raises(UNREADABLE):
            names.decode_readings(batch(*GOOD, body))
        for good in (GOOD[0], GOOD[0].replace(b'"room"', b'"a"'), GOOD[0].replace(b'"camsoda"', b'"x"')):
            names.decode_reading(good)


def test_a_batch_has_at_least_one_item_and_at_most_a_thousand() -> None:
    names = KnownNames()
    names.decode_reading(GOOD[0])
    assert len(names.decode_readings(batch(*[GOOD[0]] * 1000))) == len(decode_readings(batch(*[GOOD[0]] * 1000)))
    for bad in (batch(), batch(*[GOOD[0]] * 1001)):
        with pytest.raises(UNREADABLE):
            names.decode_readings(bad)


def test_the_memory_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token for all rooms may post of ever new ones."""
    monkeypatch.setattr(known_names, "MAX_NAMES", 3)
    names = KnownNames()
    for number in range(10):
        body = GOOD[0].replace(b'"room"', b'"room-%d"' % number)
        assert names.decode_reading(body) == decode_reading(body)
    assert [name[0] for name in names._known] == ["room-7", "room-8", "room-9"]
