"""The delivery guarantee as a state machine: every client ends on the latest values in its scope, and never goes back in time."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from broadcast_service.relay import audiences as audience
from broadcast_service.relay.audiences import Client
from broadcast_service.relay.hub import Hub
from broadcast_service.websocket import frames
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract import keys
from shared.contract.readings import StoredReading
from tests.support.readings import make_stored_reading

TTL_SECONDS = 100
SHARDS = 3  # "a" is in the first one, all others are in the last one, and the second one has no room
ROOMS = ("a", "b", "vip-1", "vip-2")
PLATFORMS = ("p", "q")
SCOPES = (
    Scope.of(["*"]),
    Scope.of(["a"]),
    Scope.of(["vip-*"]),
    Scope.of(["a", "vip-*"], ["p"]),
    Scope.of(["*"], ["q"]),
    Scope.of(["b", "vip-1"]),
)

# What may happen between two slices of a flush, to which room or dashboard. Drawn beforehand: the number of slices depends on
# the order in which a set of clients is walked, and hypothesis must be able to repeat its draws.
HAPPENINGS = strategies.tuples(
    strategies.sampled_from(
        ("nothing",) * 12
        + ("update",) * 4
        + ("join", "lost", "proven", "leave", "reconnect", "refilter", "unclog", "release", "subscribe", "read", "end wait")
    ),
    strategies.integers(0, 9),
    strategies.integers(0, 9),
)


def payloads(data: bytes) -> list[bytes]:
    """The text payloads of a run of server frames."""
    found = []
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if data[0] == 0x81:
            found.append(data[start : start + size])
        elif data[0] == 0xC1:
            found.append(zlib.decompress(data[start : start + size] + b"\x00\x00\xff\xff\x03\x00", -zlib.MAX_WBITS))
        data = data[start + size :]
    return found


class Dashboard:
    """A client as docs/protocol.md describes it: it applies newer events only, and forgets rooms that a snapshot leaves out."""

    def __init__(
        self, encoding: Encoding, may_receive: Callable[[Scope], bool] = lambda _: True, is_read: Callable[[Scope], bool] = lambda _: True
    ) -> None:
        self.encoding = encoding
        self.may_receive = may_receive
        self.is_read = is_read
        self.client = Client(self.receive)
        self.values: dict[tuple[str, str], int] = {}
        self.received: set[tuple[str, str]] = set()
        self.since = 0
        self.upstream: str | None = None
        self.fills_up = False
        self.scope = SCOPES[0]

    def receive(self, data: bytes) -> None:
        """What the transport does with a write: hand it over; and, on a full socket, call `pause_writing`."""
        assert not self.client.blocked, "a blocked client must not be written to"
        assert self.may_receive(self.scope), "a client waits until the values of its shards have been read"
        for payload in payloads(data):
            lines = payload.split(b"\n")
            assert self.encoding.is_pulse or len(lines) == 1
            for line in lines:
                self._on_event(json.loads(line))
        self.client.blocked = self.fills_up

    def _on_event(self, event: dict[str, Any]) -> None:
        kind = event["event_type"]
        if kind in ("TELEMETRY_UPDATE", "TELEMETRY_EXPIRED"):
            key = (event["room_id"], event["data"]["platform"])
            assert self.scope.allows(*key), "an event of a room outside the scope"
            self._on_value(kind, key, event["version"])
        elif kind == "SYNC":
            if event["snapshot"]:
                assert self.is_read(self.scope), "a snapshot is complete"
                self.values = {key: version for key, version in self.values.items() if key in self.received}
            self.since = event["version"]
        elif kind == "UPSTREAM":
            self.upstream = event["status"]

    def _on_value(self, kind: str, key: tuple[str, str], version: int) -> None:
        self.received.add(key)
        if kind == "TELEMETRY_EXPIRED":
            if version >= self.values.get(key, 0):
                self.values.pop(key, None)
        else:
            # Only a resume or a change of replica may repeat known versions; within one connection versions of a room only grow.
            self.values[key] = max(version, self.values.get(key, 0))


class Relay(RuleBasedStateMachine):
    """Updates, expiries, slow sockets, reconnects, filters, outages and shards on demand in any order.

    `read`: the shards whose stored values have been read since their listener subscribed; the readings of an unsubscribed shard reach only
    the model.
    """

    @initialize()
    def start(self) -> None:
        """An empty hub on confirmed shards, and a model of what Redis holds."""
        self.hub = Hub(SHARDS, TTL_SECONDS)
        for shard in range(SHARDS):
            self.hub.set_confirmed(shard, confirmed=True)
            self.hub.mark_reconciled(shard)
        self.subscribed, self.read, self.required = ({0, 1, 2} for _ in range(3))
        self.version = 1_000_000_000
        self.now = 1000.0
        self.truth: dict[tuple[str, str], tuple[int, float]] = {}
        self.dashboards: list[Dashboard] = []
        self.away: list[Dashboard] = []

    @property
    def now_us(self) -> int:
        """Redis' clock."""
        return int(self.now * 1_000_000)

    def stored(self, version: int, room: str, platform: str, at: float) -> StoredReading:
        """A reading of a feed made at a moment and committed now."""
        return make_stored_reading(version, now=at, room_id=room, platform=platform, committed_at=self.now_us)

    @rule(room=strategies.sampled_from(ROOMS), platform=strategies.sampled_from(PLATFORMS), age=strategies.integers(0, 90))
    def update(self, room: str, platform: str, age: int) -> None:
        """A reading is committed and arrives, unless Redis holds a newer one."""
        self.version += 1 + age * 700_000
        if int(self.now) - age + TTL_SECONDS < self.truth.get((room, platform), (0, 0.0))[1]:
            return
        stored = self.stored(self.version, room, platform, self.now - age)
        self.truth[room, platform] = (self.version, int(self.now) - age + TTL_SECONDS)
        shard = keys.shard_of(room, SHARDS)
        if shard in self.subscribed:
            self.hub.apply(stored, self.now)
        if shard in self.read:
            self.hub.advance(shard, self.version, of_commit=True)

    @rule()
    def probe(self) -> None:
        """The probes of all shards come back."""
        self.version += 1
        for shard in self.read:
            self.hub.advance(shard, self.version)

    @rule(room=strategies.sampled_from(ROOMS), platform=strategies.sampled_from(PLATFORMS))
    def stale_copy(self, room: str, platform: str) -> None:
        """An old copy arrives again, as a resynchronisation may bring it."""
        entry = self.hub.log.get(room, platform)
        if entry is None:
            return
        held = entry.version - entry.expired
        stored = self.stored(held, room, platform, self.now)
        assert not self.hub.apply(stored, self.now)

    @rule(seconds=strategies.sampled_from((1, 30, 101)))
    def pass_time(self, seconds: int) -> None:
        """The clock moves on and values run out."""
        self.now += seconds
        self.version += seconds * 1_000_000
        self.hub.expire(self.now)
        self.hub.log.checkpoint()
        self.truth = {key: value for key, value in self.truth.items() if value[1] > self.now}

    @rule()
    def clock_jumps(self) -> None:
        """The clock jumps ahead, so that everything expires, and back, and the stored readings are read again."""
        self.hub.expire(self.now + TTL_SECONDS + 1)
        for (room, platform), (version, expires_at) in self.truth.items():
            if keys.shard_of(room, SHARDS) not in self.read:
                continue
            stored = self.stored(version, room, platform, expires_at - TTL_SECONDS)
            assert self.hub.lacks(room, platform, version)
            assert self.hub.apply(stored, self.now)

    @rule(scope=strategies.sampled_from(SCOPES), encoding=strategies.sampled_from(list(Encoding)))
    def join(self, scope: Scope, encoding: Encoding) -> None:
        """A dashboard connects."""
        dashboard = Dashboard(
            encoding,
            lambda scope: not self.hub.states.is_awaited(self.hub.states.of_scope(scope)),
            lambda scope: self.hub.states.of_scope(scope) <= self.read,
        )
        dashboard.scope = scope
        self._require(scope)
        self.hub.attach(dashboard.client, scope, encoding)
        self.dashboards.append(dashboard)

    def _require(self, scope: Scope) -> None:
        for shard in self.hub.states.of_scope(scope) - self.required:
            self.hub.await_shard(shard)
            self.required.add(shard)

    @rule()
    def release(self) -> None:
        """The shards that no client needs are no longer listened to."""
        for shard in self.required - self.hub.needed_shards():
            for shards in (self.required, self.subscribed, self.read):
                shards.discard(shard)
            self.hub.set_confirmed(shard, confirmed=False)
            self.hub.release_shard(shard)

    @rule()
    def subscribe(self) -> None:
        """The listeners of required shards receive all that is committed from now on."""
        self.subscribed |= self.required

    @rule()
    def read_shards(self) -> None:
        """They read the stored values, and are confirmed."""
        for shard in self.subscribed - self.read:
            for (room, platform), (version, expires_at) in self.truth.items():
                if keys.shard_of(room, SHARDS) == shard and self.hub.lacks(room, platform, version):
                    self.hub.apply(self.stored(version, room, platform, expires_at - TTL_SECONDS), self.now)
            self.version += 1
            self.read.add(shard)
            self.hub.set_confirmed(shard, confirmed=True)
            self.hub.advance(shard, self.version)
            self.hub.mark_reconciled(shard)

    @rule(shard=strategies.integers(0, SHARDS - 1))
    def end_wait(self, shard: int) -> None:
        """The values of a required shard are not there in time."""
        self.hub.end_wait(shard)

    @precondition(lambda self: self.dashboards)
    @rule(kind=strategies.sampled_from(("reconnect", "refilter", "leave")), one=strategies.integers(0, 9), other=strategies.integers(0, 9))
    def churn(self, kind: str, one: int, other: int) -> None:
        """A dashboard reconnects with its values, changes its filter, or disconnects for good."""
        self._happen(kind, one, other)

    def _reconnect(self, dashboard: Dashboard) -> None:
        self.hub.detach(dashboard.client)
        dashboard.client = Client(dashboard.receive)
        dashboard.received, dashboard.fills_up = set(), False
        since = dashboard.since if dashboard.encoding.is_pulse else None
        self._require(dashboard.scope)
        if not self.hub.attach(dashboard.client, dashboard.scope, dashboard.encoding, since) and not dashboard.encoding.is_pulse:
            dashboard.values = {}

    def _refilter(self, dashboard: Dashboard, scope: Scope) -> None:
        if dashboard.encoding.is_pulse:
            dashboard.scope, dashboard.received = scope, set()
            dashboard.since = 0  # until the filter's own snapshot is complete there is nothing to resume
            self._require(scope)
            self.hub.attach(dashboard.client, scope, dashboard.encoding)

    def _leave(self, dashboard: Dashboard) -> None:
        self.dashboards.remove(dashboard)
        self.hub.detach(dashboard.client)
        self.away.append(dashboard)

    @precondition(lambda self: self.away)
    @rule(one=strategies.integers(0, 9))
    def come_back(self, one: int) -> None:
        """A dashboard that left connects again, and resumes if it can."""
        dashboard = self.away.pop(one % len(self.away))
        self._reconnect(dashboard)
        self.dashboards.append(dashboard)

    @precondition(lambda self: self.dashboards)
    @rule(data=strategies.data())
    def clog(self, data: strategies.DataObject) -> None:
        """A dashboard stops reading: its socket will not take the whole of the next write."""
        data.draw(strategies.sampled_from(self.dashboards)).fills_up = True

    @precondition(lambda self: self.dashboards)
    @rule(data=strategies.data())
    def unclog(self, data: strategies.DataObject) -> None:
        """It reads again."""
        self._unclog(data.draw(strategies.sampled_from(self.dashboards)))

    @rule(confirmed=strategies.booleans(), shard=strategies.integers(0, SHARDS - 1))
    def upstream(self, *, confirmed: bool, shard: int) -> None:
        """The subscription of a shard is lost or proven."""
        if shard in self.read:
            self.hub.set_confirmed(shard, confirmed=confirmed)

    @rule(heartbeat=strategies.booleans(), meanwhile=strategies.lists(HAPPENINGS, max_size=8))
    def flush(self, heartbeat: bool, meanwhile: list[tuple[str, int, int]]) -> None:  # noqa: FBT001 - hypothesis passes by keyword
        """A flush, with anything happening between its slices."""
        for step, _ in enumerate(self.hub.flush(self.now, heartbeat=heartbeat)):
            if step < len(meanwhile):
                self._happen(*meanwhile[step])

    def _happen(self, kind: str, one: int, other: int) -> None:
        if kind == "update":
            self.update(ROOMS[one % len(ROOMS)], PLATFORMS[other % len(PLATFORMS)], 0)
        elif kind == "join":
            self.join(SCOPES[one % len(SCOPES)], list(Encoding)[other % 3])
        elif kind in ("lost", "proven"):
            self.upstream(confirmed=kind == "proven", shard=one % SHARDS)
        elif kind in ("release", "subscribe", "read", "end wait"):
            {
                "release": self.release,
                "subscribe": self.subscribe,
                "read": self.read_shards,
                "end wait": lambda: self.end_wait(one % SHARDS),
            }[kind]()
        elif self.dashboards and kind != "nothing":
            self._happen_to(self.dashboards[one % len(self.dashboards)], kind, SCOPES[other % len(SCOPES)])

    def _happen_to(self, dashboard: Dashboard, kind: str, scope: Scope) -> None:
        if kind == "leave":
            self._leave(dashboard)
        elif kind == "reconnect":
            self._reconnect(dashboard)
        elif kind == "refilter":
            self._refilter(dashboard, scope)
        else:
            self._unclog(dashboard)

    def _unclog(self, dashboard: Dashboard) -> None:
        dashboard.fills_up = False
        if dashboard.client.blocked:
            self.hub.writable(dashboard.client)

    @invariant()
    def counts_clients(self) -> None:
        """The hub knows how many it serves."""
        assert self.hub.clients == len(self.dashboards)

    def teardown(self) -> None:
        """When every flush is read, all clients show exactly the values in Redis."""
        for dashboard in self.dashboards:
            self._unclog(dashboard)
        self.subscribe()
        self.read_shards()
        self.hub.expire(self.now)
        while self.hub.dirty:
            for _ in self.hub.flush(self.now):
                pass
        for dashboard in self.dashboards:
            visible = {key: value[0] for key, value in self.truth.items() if dashboard.scope.allows(*key)}
            if not dashboard.encoding.is_pulse:  # such a client receives no expiries
                assert visible.items() <= dashboard.values.items()
            else:
                assert dashboard.values == visible
                assert dashboard.upstream == self.hub.states.upstream(self.hub.states.of_scope(dashboard.scope))


def test_every_client_ends_on_the_latest_values_it_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any interleaving of updates, slow clients, reconnects and filters ends right; tiny chunks and slices make every pause happen."""
    monkeypatch.setattr(audience, "CHUNK_BYTES", 200)
    monkeypatch.setattr(audience, "SLICE_CLIENTS", 1)
    monkeypatch.setattr(frames, "MIN_DEFLATE_BYTES", 1)
    run_state_machine_as_test(Relay, settings=settings(max_examples=max(150, settings().max_examples), stateful_step_count=80))


def test_the_sent_version_does_not_reveal_other_rooms_commits() -> None:
    """It follows the probes, rounded down to half a second, and not the commits between them; events carry their own."""
    sent = []
    for commits in ([], [10_300_001, 10_499_999, 10_600_000, 10_799_999]):
        relay = Hub(1, TTL_SECONDS)
        relay.set_confirmed(0, confirmed=True)
        dashboard = Dashboard(Encoding.LINES)
        relay.attach(dashboard.client, Scope.of(["mine"]), Encoding.LINES)
        seen = []
        for probe in (10_250_000, 10_812_345, 11_300_000):
            relay.advance(0, probe)
            for version in [version for version in commits if version > probe]:
                relay.apply(make_stored_reading(version, now=10, room_id="theirs", committed_at=version), 10.0)
                relay.advance(0, version, of_commit=True)
                list(relay.flush(11.0, heartbeat=True))
                seen.append((relay.states.resume_version(relay.states.all), dashboard.since))
            list(relay.flush(11.0, heartbeat=True))
            seen.append((relay.states.resume_version(relay.states.all), dashboard.since))
        sent.append(list(dict.fromkeys(seen)))
    assert sent[0] == sent[1] == [(10_000_000, 10_000_000), (10_500_000, 10_500_000), (11_000_000, 11_000_000)]
