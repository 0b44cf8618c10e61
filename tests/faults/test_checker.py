"""The checker fails when the promise is broken: relays that drop, reorder, invent, leak or keep silent about an outage."""

from typing import Any

import pytest

from shared.contract.readings import Reading
from tests.faults.checker import FRESH_SECONDS, BrokenPromise, Checker
from tests.support.readings import make_reading

KEY = ("blue", "camsoda")


def reading(tokens: int, room_id: str = "blue") -> Reading:
    return make_reading(room_id=room_id, timestamp=1000 + tokens, tokens_count=tokens, sequence=0)


def event(tokens: int, *, version: int | None = None, room_id: str = "blue") -> dict[str, Any]:
    data = {"platform": "camsoda", "tokens": tokens, "timestamp": 1000 + tokens}
    return {"event_type": "TELEMETRY_UPDATE", "room_id": room_id, "data": data, "version": version or tokens}


class Relay:
    """Posts a reading a second and passes each on to one dashboard, as the given tampering lets it."""

    def __init__(self) -> None:
        self.checker = Checker()
        self.now = 0.0
        self.checker.opened("wall", self.now, frozenset({"blue"}))
        self.upstream("ok")

    def upstream(self, status: str) -> None:
        self.checker.saw("wall", {"event_type": "UPSTREAM", "status": status}, self.now)

    def post(self, tokens: int) -> None:
        self.now += 1
        self.checker.posting(reading(tokens))
        self.checker.posted(reading(tokens), stored=True, at=self.now)

    def send(self, *events: dict[str, Any]) -> None:
        for sent in events:
            self.checker.saw("wall", sent, self.now)


@pytest.fixture
def relay() -> Relay:
    return Relay()


def test_a_faithful_relay_breaks_nothing(relay: Relay) -> None:
    """Delivering every value in order is no violation, and no dashboard is behind."""
    for tokens in range(1, 9):
        relay.post(tokens)
        relay.send(event(tokens))
    assert relay.checker.violations() == []
    assert relay.checker.behind() == []


def test_skipped_values_are_allowed(relay: Relay) -> None:
    """A dashboard that receives every third value keeps the promise."""
    for tokens in range(1, 10):
        relay.post(tokens)
        if tokens % 3 == 0:
            relay.send(event(tokens))
    assert relay.checker.violations() == []
    assert relay.checker.behind() == []


def test_a_relay_that_drops_the_last_value_is_caught(relay: Relay) -> None:
    """The dashboard is behind without notice, so the promise is broken."""
    relay.post(1)
    relay.send(event(1))
    relay.post(2)
    assert len(relay.checker.behind()) == 1
    assert len(relay.checker.violations()) == 1


def test_an_outage_that_is_admitted_is_no_violation(relay: Relay) -> None:
    """A dashboard may be behind if it received `degraded` in time."""
    relay.post(1)
    relay.now += FRESH_SECONDS - 1
    relay.upstream("degraded")
    assert relay.checker.violations() == []
    assert len(relay.checker.behind()) == 1


def test_an_outage_admitted_too_late_is_caught(relay: Relay) -> None:
    """More than five seconds of an old value shown as fresh break the promise, even if it is healed later."""
    relay.post(1)
    relay.now += FRESH_SECONDS + 0.1
    relay.upstream("degraded")
    relay.send(event(1))
    assert len(relay.checker.violations()) == 1


def test_a_relay_that_reorders_is_caught(relay: Relay) -> None:
    """An older version after a newer one on the same connection breaks the promise."""
    relay.post(1)
    relay.post(2)
    relay.send(event(2), event(1))
    assert len(relay.checker.violations()) == 1


def test_a_value_that_goes_back_under_a_newer_version_is_caught(relay: Relay) -> None:
    """A version alone does not make a value newer."""
    relay.post(1)
    relay.post(2)
    relay.send(event(2), event(1, version=3))
    assert any("back to 1" in text for text in relay.checker.violations())


def test_repeats_after_a_reconnect_are_allowed(relay: Relay) -> None:
    """A new connection may deliver the same events again."""
    relay.post(1)
    relay.post(2)
    relay.send(event(1), event(2))
    relay.checker.closed("wall", relay.now)
    relay.checker.opened("wall", relay.now)
    relay.send(event(1), event(2))
    assert relay.checker.violations() == []


def test_an_invented_value_is_caught(relay: Relay) -> None:
    """A value that no producer posted must not be delivered."""
    relay.post(1)
    relay.post(3)
    relay.send(event(2), event(3))
    assert any("no producer posted" in text for text in relay.checker.violations())


def test_a_room_outside_the_scope_is_caught(relay: Relay) -> None:
    """A dashboard must not receive a room outside its scope."""
    relay.checker.posted(reading(1, "red"), stored=True, at=1)
    relay.send(event(1, room_id="red"))
    assert any("may not see" in text for text in relay.checker.violations())


def test_a_disconnected_dashboard_is_not_blamed_and_not_believed(relay: Relay) -> None:
    """A disconnected dashboard knows that it is; after reconnecting it must receive everything."""
    relay.checker.closed("wall", relay.now)
    relay.post(1)
    assert relay.checker.violations() == []
    relay.checker.opened("wall", relay.now)
    assert len(relay.checker.behind()) == 1


SNAPSHOT = {"event_type": "SYNC", "snapshot": True, "version": 9}


def reconnect(relay: Relay) -> None:
    relay.checker.closed("wall", relay.now)
    relay.checker.opened("wall", relay.now)
    relay.upstream("ok")


def test_a_snapshot_that_lacks_a_room_is_caught(relay: Relay) -> None:
    """The dashboard forgets what the snapshot lacks, and is behind although it once showed the value."""
    relay.post(1)
    relay.send(event(1))
    reconnect(relay)
    relay.send(SNAPSHOT)
    assert len(relay.checker.behind()) == 1
    relay.send(event(1))
    assert relay.checker.behind() == []


def test_a_snapshot_that_has_the_room_is_none_to_blame(relay: Relay) -> None:
    """What came since the socket opened is what the snapshot has."""
    relay.post(1)
    relay.send(event(1))
    reconnect(relay)
    relay.send(event(1), SNAPSHOT)
    assert relay.checker.behind() == []
    assert relay.checker.violations() == []


def test_a_value_that_goes_back_after_a_snapshot_is_caught(relay: Relay) -> None:
    """To forget a value does not excuse an older one."""
    relay.post(1)
    relay.post(2)
    relay.send(event(2))
    reconnect(relay)
    relay.send(SNAPSHOT, event(1, version=3))
    assert any("back to 1" in text for text in relay.checker.violations())


def test_one_reading_under_two_versions_is_caught(relay: Relay) -> None:
    """It was published twice."""
    relay.post(1)
    relay.send(event(1), event(1, version=2))
    assert any("under versions 1 and 2" in text for text in relay.checker.violations())


def test_only_what_a_fault_may_have_lost_is_excused(relay: Relay) -> None:
    """After an empty restart a new connection may lack, or see again, readings accepted before; nothing else."""
    relay.post(1)
    relay.post(2)
    relay.send(event(2))
    relay.checker.lost(relay.now)
    reconnect(relay)
    relay.send(SNAPSHOT)
    assert relay.checker.behind() == []
    relay.send(event(1, version=3))
    assert relay.checker.violations() == []
    relay.post(4)
    assert len(relay.checker.behind()) == 1


def test_a_value_that_goes_back_on_one_connection_is_never_excused(relay: Relay) -> None:
    """A server keeps delivered values even when Redis has lost them."""
    relay.post(1)
    relay.now += 1
    reconnect(relay)
    relay.post(2)
    relay.send(event(2))
    relay.checker.lost(relay.now)
    relay.send(event(1, version=3))
    assert any("back to 1" in text for text in relay.checker.violations())


def test_readings_whose_time_is_not_up_are_not_judged_yet(relay: Relay) -> None:
    """In the middle of a run the newest readings may still arrive in time."""
    relay.post(1)
    assert relay.checker.violations(now=relay.now + FRESH_SECONDS) == []
    assert len(relay.checker.violations(now=relay.now + FRESH_SECONDS + 1)) == 1


def test_only_what_no_delay_explains_is_a_broken_promise(relay: Relay) -> None:
    """A late value may be the machine's fault, a value that goes back is never."""
    relay.post(1)
    relay.now += FRESH_SECONDS + 1
    with pytest.raises(AssertionError, match="did not show") as late:
        relay.checker.check()
    assert not isinstance(late.value, BrokenPromise)
    relay.send(event(2), event(1, version=3))
    with pytest.raises(BrokenPromise):
        relay.checker.check()
