"""The readings that the hub accepts, the events it sends, and the versions from which clients may resume."""

import json
from typing import Any

from broadcast_service.relay.audiences import Client
from broadcast_service.relay.hub import Hub
from broadcast_service.relay.latest_values import RESUME_OVERLAP_US
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract.readings import StoredReading
from tests.support.readings import make_stored_reading
from tests.unit.broadcast.test_hub_properties import payloads

NOW = 1_000_000.0
TTL_SECONDS = 100
ALL = Scope.of(["*"])


def stored(version: int, *, age: int = 0, ahead: int = 0, room: str = "blue") -> StoredReading:
    """A reading made so many seconds ago, or stamped so many seconds after its commit."""
    return make_stored_reading(version, now=NOW, age=age - ahead, room_id=room)


class Listener:
    """A client and the events that it was sent."""

    def __init__(self, hub: Hub, since: int | None = None, scope: Scope = ALL) -> None:
        self.hub = hub
        self.events: list[dict[str, Any]] = []
        self.client = Client(lambda data: self.events.extend(json.loads(line) for text in payloads(data) for line in text.split(b"\n")))
        self.resumed = hub.attach(self.client, scope, Encoding.LINES, since)

    def flush(self) -> list[dict[str, Any]]:
        """What the next flush sends."""
        self.events.clear()
        for _ in self.hub.flush(NOW):
            pass
        return self.events

    def syncs(self) -> list[bool]:
        """Whether each `SYNC` of the next flush is a snapshot."""
        return [event["snapshot"] for event in self.flush() if event["event_type"] == "SYNC"]


def ready_hub(shards: int = 1) -> Hub:
    """A hub that has read every shard."""
    hub = Hub(shards, TTL_SECONDS)
    for shard in range(shards):
        prove(hub, shard, 1_000_000_000)
    return hub


def prove(hub: Hub, shard: int, version: int) -> None:
    """What a listener does once it has read everything."""
    hub.set_confirmed(shard, confirmed=True)
    hub.advance(shard, version)
    hub.mark_reconciled(shard)


def test_a_value_that_expired_too_early_is_accepted_again_and_sent() -> None:
    """Only an expired value may return with the same version."""
    hub = ready_hub()
    listener = Listener(hub)
    assert hub.apply(stored(5), NOW)
    assert not hub.lacks("blue", "camsoda", 5)
    assert hub.expire(NOW + TTL_SECONDS + 1) == 1
    listener.flush()
    assert hub.lacks("blue", "camsoda", 5)
    assert not hub.apply(stored(4), NOW)
    assert hub.apply(stored(5), NOW)
    assert not hub.apply(stored(5), NOW)
    assert [(event["event_type"], event.get("version")) for event in listener.flush()] == [("TELEMETRY_UPDATE", 5)]
    assert len(list(hub.latest(ALL))) == 1


def test_a_reading_older_than_the_shown_value_is_ignored() -> None:
    """Only a Redis that lost its data accepts one, and dashboards do not go back in time."""
    hub = ready_hub()
    assert hub.apply(stored(5), NOW)
    assert not hub.apply(stored(6, age=20), NOW)
    assert hub.apply(stored(7), NOW)
    hub.expire(NOW + TTL_SECONDS + 1)
    assert hub.apply(stored(8, age=20), NOW)


def test_a_reading_stamped_ahead_does_not_hide_one_made_just_before_its_commit() -> None:
    """The script takes the correct one as newer, and so does the hub."""
    hub = ready_hub()
    assert hub.apply(stored(5, ahead=60), NOW)
    assert hub.apply(stored(6, age=2), NOW)
    assert not hub.apply(stored(7, age=3), NOW)


def test_no_snapshot_is_promised_before_every_shard_has_been_read() -> None:
    """A client that forgot rooms because of an incomplete snapshot would show an empty wall."""
    hub = Hub(2, TTL_SECONDS)
    listener = Listener(hub)
    assert listener.syncs() == [False]
    prove(hub, 0, 1_000_000_000)
    hub.apply(stored(5), NOW)
    late = Listener(hub)
    assert listener.syncs() == []
    assert [event["event_type"] for event in late.events] == ["UPSTREAM", "TELEMETRY_UPDATE", "SYNC"]
    assert late.events[-1]["snapshot"] is False
    prove(hub, 1, 1_000_000_000)
    events = listener.flush()
    assert [event["event_type"] for event in events] == ["UPSTREAM", "TELEMETRY_UPDATE", "SYNC"]
    assert events[-1]["snapshot"] is True
    assert listener.syncs() == []


def test_a_later_outage_does_not_withdraw_the_snapshot() -> None:
    """The values of before are all that this server knows; `degraded` says that they may be old."""
    hub = ready_hub()
    hub.set_confirmed(0, confirmed=False)
    assert Listener(hub).syncs() == [True]


def test_no_client_resumes_across_a_gap() -> None:
    """This server never saw expiries during the gap, so it cannot send them."""
    hub = ready_hub(2)
    since = 1_000_000_000 + 2 * RESUME_OVERLAP_US
    for shard in range(2):
        hub.advance(shard, since)
    hub.apply(stored(since - RESUME_OVERLAP_US - 1), NOW)
    hub.log.checkpoint()
    hub.apply(stored(since + 1, room="red"), NOW)
    assert Listener(hub, since).resumed
    hub.set_confirmed(1, confirmed=False)
    hub.advance(0, since + 5_000_000)
    assert not Listener(hub, since).resumed
    prove(hub, 1, since + 6_000_000)
    assert not Listener(hub, since).resumed
    later = since + 6_000_000 + RESUME_OVERLAP_US
    for shard in range(2):
        hub.advance(shard, later)
    assert Listener(hub, later).resumed


BLUE = Scope.of(["blue"])  # in shard 0 of 2
RED = Scope.of(["red"])  # in shard 1


def release(hub: Hub, shard: int) -> None:
    """What follows when a shard's listener no longer listens."""
    hub.set_confirmed(shard, confirmed=False)
    hub.release_shard(shard)


def test_a_client_of_exact_rooms_receives_the_state_of_their_shards_alone() -> None:
    """Another shard's outage does not make its values old, and does not withhold its snapshot."""
    hub = Hub(2, TTL_SECONDS)
    blue, red, everything = Listener(hub, scope=BLUE), Listener(hub, scope=RED), Listener(hub)
    prove(hub, 0, 1_000_000_000)
    assert [event.get("status", event.get("snapshot")) for event in blue.flush()] == ["ok", True]
    assert [event.get("status", event.get("snapshot")) for event in red.events] == ["degraded", False]
    assert [event.get("status", event.get("snapshot")) for event in everything.events] == ["degraded", False]
    hub.set_confirmed(0, confirmed=False)
    assert [event["status"] for event in blue.flush()] == ["degraded"]
    assert hub.upstream == "degraded"


def test_a_released_shard_is_not_missing() -> None:
    """The link is ok for the clients that do not need it, and for the process."""
    hub = ready_hub(2)
    blue = Listener(hub, scope=BLUE)
    blue.flush()
    release(hub, 1)
    assert blue.flush() == []
    assert hub.upstream == "ok"
    assert hub.needed_shards() == {0}
    assert Listener(hub, scope=Scope.of(["bl*"])).hub.needed_shards() == {0, 1}


def test_a_client_of_a_released_shard_receives_nothing_before_its_values_have_been_read() -> None:
    """The process may have older values of it, which must not be shown as fresh."""
    hub = ready_hub(2)
    hub.apply(stored(5, room="red"), NOW)
    release(hub, 1)
    hub.await_shard(1)
    red, everything, blue = Listener(hub, scope=RED), Listener(hub), Listener(hub, scope=BLUE)
    assert red.flush() == everything.events == []
    assert blue.events[-1]["snapshot"] is True
    hub.apply(stored(7, room="red"), NOW)  # published before the stored values were read
    assert red.flush() == []
    hub.apply(stored(6, room="red"), NOW)
    prove(hub, 1, 1_000_000_000)
    assert [(event["event_type"], event.get("version")) for event in red.flush()][1:-1] == [("TELEMETRY_UPDATE", 7)]
    assert red.events[0]["status"] == "ok"
    assert red.events[-1]["snapshot"] is everything.events[-1]["snapshot"] is True


def test_a_wait_that_takes_too_long_ends_with_what_the_process_has() -> None:
    """It is sent as degraded and without the promise of a snapshot, which follows."""
    hub = ready_hub(2)
    hub.apply(stored(5, room="red"), NOW)
    release(hub, 1)
    hub.await_shard(1)
    red = Listener(hub, scope=RED)
    assert red.flush() == []
    hub.end_wait(1)
    assert [event["event_type"] for event in red.flush()] == ["UPSTREAM", "TELEMETRY_UPDATE", "SYNC"]
    assert red.events[0]["status"] == "degraded"
    assert red.events[-1]["snapshot"] is False
    prove(hub, 1, 1_000_000_000)
    assert [event["event_type"] for event in red.flush()] == ["UPSTREAM", "TELEMETRY_UPDATE", "SYNC"]
    assert red.events[-1]["snapshot"] is True


def test_no_client_resumes_across_a_release() -> None:
    """Readings and expiries of the shard were missed meanwhile; clients of other shards resume."""
    hub = ready_hub(2)
    since = 1_000_000_000 + 2 * RESUME_OVERLAP_US
    for shard in range(2):
        hub.advance(shard, since)
    hub.apply(stored(since - RESUME_OVERLAP_US - 1), NOW)
    hub.log.checkpoint()
    hub.apply(stored(since + 1, room="red"), NOW)
    assert Listener(hub, since, RED).resumed
    release(hub, 1)
    assert not Listener(hub, since, RED).resumed
    hub.await_shard(1)
    prove(hub, 1, since + 1)
    assert not Listener(hub, since, RED).resumed
    assert Listener(hub, since, BLUE).resumed


def test_a_scope_without_rooms_needs_no_shard() -> None:
    """Its client receives a snapshot without rooms, even during an outage."""
    hub = Hub(2, TTL_SECONDS)
    nothing = Listener(hub, scope=Scope.of([]))
    assert [event.get("status", event.get("snapshot")) for event in nothing.flush()] == ["ok", True]
    assert hub.needed_shards() == frozenset()
