"""How pacing divides the loop's time. Time is virtual and the cost of a write is given, so no machine's speed or load decides."""

import asyncio
import heapq
import itertools
import time
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from broadcast_service.relay import flush_scheduler
from broadcast_service.relay.flush_scheduler import FlushScheduler

CLIENTS: Final = 500
WRITE_SECONDS: Final = 8.2e-6  # one event to one client, on the machine on which the targets were set
FURTHER_EVENT_SECONDS: Final = 0.13e-6
EVENTS: Final = 2000
SHARE: Final = 0.4  # the default


class Loop:
    """The part of an event loop that the scheduler uses; time passes in callbacks that say so, and while nothing is due."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def time(self) -> float:
        """The loop's clock."""
        return self.now

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Runs a callback in the next iteration."""
        self.call_at(self.now, callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """Runs a callback at a time, or as soon after it as the loop is free."""
        heapq.heappush(self._due, (when, next(self._order), callback))

    def run(self) -> None:
        """Runs until nothing is left to do."""
        while self._due:
            when, _, callback = heapq.heappop(self._due)
            self.now = max(self.now, when)
            callback()


class Hub:
    """A hub of many clients: each write takes its time, and the delay of each event counts until the last client has it."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.log = types.SimpleNamespace(head=0)
        self.pending: list[float] = []
        self.delays: list[float] = []
        self.flushes = 0

    @property
    def dirty(self) -> bool:
        """Whether a flush has anything to send."""
        return bool(self.pending)

    def flush(self, *, heartbeat: bool = False) -> Iterator[None]:
        """Writes to all clients, and yields between slices."""
        assert not heartbeat
        sent, self.pending = self.pending, []
        self.flushes += 1
        for _ in range(0, CLIENTS, 50):
            self.loop.now += 50 * (WRITE_SECONDS + FURTHER_EVENT_SECONDS * (len(sent) - 1))
            yield
        self.delays += [self.loop.now - at for at in sent]


def relayed(monkeypatch: pytest.MonkeyPatch, per_second: float, *, joins: bool = False) -> tuple[float, float, float]:
    """The 99th percentile of the delays in ms, the events of a flush, and the part of the time that flushes took, at an even rate."""
    loop = Loop()
    hub: Any = Hub(loop)
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    monkeypatch.setattr(time, "perf_counter", lambda: loop.now)
    scheduler = FlushScheduler(hub, share=SHARE, max_pause_seconds=0.025)

    def receive(at: float) -> None:
        hub.pending.append(at)
        hub.log.head += 1
        if joins:
            scheduler.client_joined()
        scheduler.request_flush()

    started = loop.now
    for number in range(EVENTS):
        at = started + number / per_second
        loop.call_at(at, lambda at=at: receive(at))  # type: ignore[misc]
    loop.run()
    delays = sorted(hub.delays)
    assert len(delays) == EVENTS
    busy = hub.flushes * CLIENTS * WRITE_SECONDS + (EVENTS - hub.flushes) * CLIENTS * FURTHER_EVENT_SECONDS
    return delays[int(len(delays) * 0.99)] * 1000, EVENTS / hub.flushes, busy / (loop.now - started)


def test_few_changes_are_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 100 events/s each is sent before the next one comes, and none waits for the flush before it."""
    p99_ms, events_per_flush, busy = relayed(monkeypatch, 100)
    assert p99_ms < 5
    assert events_per_flush == 1
    assert busy < 0.45


@pytest.mark.parametrize("per_second", [50, 100, 150, 200, 300, 500, 1000, 3000])
def test_pacing_leaves_time_for_other_work_at_any_rate(monkeypatch: pytest.MonkeyPatch, per_second: float) -> None:
    """Where few changes come, flushes may take more than their share, and never all of the time."""
    p99_ms, _, busy = relayed(monkeypatch, per_second)
    assert busy <= SHARE * flush_scheduler.FEW_CHANGES_SHARE + 0.01
    assert p99_ms < 50


def test_many_changes_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 1,000 events/s the pause is the longest one, so a write has dozens of events."""
    _, events_per_flush, busy = relayed(monkeypatch, 1000)
    assert events_per_flush > 25
    assert busy < 0.25


def test_while_clients_join_flushes_take_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handshakes need the rest of the loop's time."""
    _, _, busy = relayed(monkeypatch, 200, joins=True)
    assert busy <= SHARE + 0.01
