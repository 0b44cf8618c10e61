"""Latest values whose events are encoded when they are first needed: they equal those that are encoded on arrival."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from broadcast_service.relay.audiences import Client
from broadcast_service.relay.hub import Hub
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract.codec import encode
from shared.contract.events import telemetry_event
from shared.contract.readings import MAX_COUNT, StoredReading, decode_stored
from tests.unit.broadcast.test_hub_properties import payloads

NOW = 1_000_000
TTL_SECONDS = 100
COUNT = st.none() | st.integers(0, MAX_COUNT)
SCOPES = (["*"], ["a"], ["vip-*"], ["a", "vip-1"], ["nothing"])


def readings() -> st.SearchStrategy[StoredReading]:
    """Committed readings of a few feeds with any numbers, present and absent fields."""
    return st.builds(
        StoredReading,
        room_id=st.sampled_from(["a", "b", "vip-1", "vip-2"]),
        platform=st.sampled_from(["p", "q"]),
        timestamp=st.integers(NOW - TTL_SECONDS - 5, NOW + 5),
        tokens_count=COUNT,
        sequence=st.integers(0, 2**53 - 1),
        tips_count=COUNT,
        viewers_count=COUNT,
        goal_tokens=COUNT,
        account=st.just(UNSET) | st.sampled_from(["anna", "x.y_Z-9"]),
        interval_seconds=st.just(UNSET) | st.integers(1, 3600),
        version=st.integers(1, 50),
        committed_at=st.integers(NOW * 1_000_000 - 2_000_000, NOW * 1_000_000),
    )


class Eager(Hub):
    """A hub that encodes each event on arrival, as all hubs did."""

    def apply(self, stored: StoredReading, now_seconds: float) -> bool:
        """Applies a reading and encodes its event."""
        taken = super().apply(stored, now_seconds)
        if taken:
            entry = self.log.get(stored.room_id, stored.platform)
            assert entry is not None
            assert entry.event == encode(telemetry_event(stored))
        return taken


def ready(hub: Hub) -> Hub:
    """The hub with its shard read."""
    hub.set_confirmed(0, confirmed=True)
    hub.mark_reconciled(0)
    return hub


def sent(hub: Hub, stored: list[StoredReading], patterns: list[str], platforms: list[str] | None, *, joins_at: int) -> tuple[Any, ...]:
    """What a client that joins after some of the readings receives, and what a read of its scope returns."""
    received: list[bytes] = []
    client, scope = Client(received.append), Scope.of(patterns, platforms)
    for number, reading in enumerate(stored):
        if number == joins_at:
            hub.attach(client, scope, Encoding.LINES)
            list(hub.flush(NOW))
        hub.apply(decode_stored(encode(reading)), NOW)
        if number % 3 == 2:
            list(hub.flush(NOW))
    if joins_at >= len(stored):
        hub.attach(client, scope, Encoding.LINES)
    hub.expire(NOW + 60)
    list(hub.flush(NOW))
    return list(itertools.chain.from_iterable(map(payloads, received))), [entry.event for entry in hub.latest(scope)]


@given(st.lists(readings(), max_size=12), st.sampled_from(SCOPES), st.sampled_from([None, ["p"]]), st.integers(0, 12))
def test_an_event_that_is_encoded_when_needed_equals_one_that_is_encoded_on_arrival(
    stored: list[StoredReading], patterns: list[str], platforms: list[str] | None, joins_at: int
) -> None:
    """In the snapshot, in the stream, through every filter and in a read."""
    lazy, eager = (sent(ready(hub), stored, patterns, platforms, joins_at=joins_at) for hub in (Hub(1, TTL_SECONDS), Eager(1, TTL_SECONDS)))
    assert lazy == eager


def test_the_event_of_a_feed_that_no_client_may_see_is_not_encoded() -> None:
    """Its reading is kept, and encoded once when a client needs it."""
    hub = ready(Hub(1, TTL_SECONDS))
    hub.attach(Client(lambda _: None), Scope.of(["mine"]), Encoding.LINES)
    reading = StoredReading("theirs", "p", NOW, 5, version=7, committed_at=NOW * 1_000_000)
    hub.apply(reading, NOW)
    list(hub.flush(NOW))
    entry = hub.log.get("theirs", "p")
    assert entry is not None
    assert entry.content is reading
    assert hub.unwanted == 1
    event = entry.event
    assert event == encode(telemetry_event(reading))
    assert entry.event is event
