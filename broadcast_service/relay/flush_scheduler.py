"""When the hub flushes: immediately after an idle period, then paced by what a flush costs.

After an idle period a reading is sent where it is received, before anything is counted. A process that has slept executes each step with
cold caches, many times as slowly, so what does not have to precede the write follows it. Other changes are sent in the same iteration of
the loop, so that those that come together share a flush. The next flush then starts no earlier than a multiple of the last
flush's duration, within a bound: with one client that is no pause, with thousands it combines events, so fan-out uses a chosen share of the
loop's time. When many values change at once the pause is longer, up to the bound: larger writes cost less per event, and a dashboard on
which dozens of numbers change at a time looks no different. When few change it is shorter, because to join two or three events saves less
than their delay costs, unless clients join, whose handshakes need the time. A long flush returns to the loop between slices. The scheduler
is the only owner of flushes and of their timers.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Final

from broadcast_service import metrics
from broadcast_service.relay.hub import Hub
from shared.web.tracing import Spans

SLICE_SECONDS: Final = 0.005
FEW_CHANGES: Final = 4  # a flush of more changes lengthens the pause after it, and one of fewer shortens it
FEW_CHANGES_SHARE: Final = 1.5  # times the share that flushes of single changes may take
REST_SECONDS: Final = 0.02  # without a flush, after which a reading is sent where it is received
JOIN_SPACING_SECONDS: Final = 0.005  # clients that join within this time receive their snapshot in one flush


class FlushScheduler:
    """Flushes a hub. `share` is the part of the loop's time that flushes may take, `max_pause_seconds` the longest pause for it."""

    def __init__(self, hub: Hub, *, share: float, max_pause_seconds: float, spans: Spans | None = None) -> None:
        self._hub = hub
        self._spans = spans
        self._pause_factor = 1 / share - 1
        self._least_pause_factor = max(0.0, 1 / (share * FEW_CHANGES_SHARE) - 1)
        self._max_pause_seconds = max_pause_seconds
        self._heartbeat_due = False
        self._not_before = 0.0
        self._scheduled = False
        self._pending_since = 0.0
        self._last_join = 0.0
        self._spent = 0.0
        self._flushed_to = self._changes = 0
        self._joined = False  # whether clients have joined since the last flush
        self._steps: Iterator[None] = iter(())
        self._failure: Exception | None = None

    def request_flush(self) -> None:
        """Flushes as soon as the pacing allows, if the hub has anything to send."""
        self._schedule(self._not_before)

    def flush_reading(self) -> None:
        """Flushes before it returns if there was none for `REST_SECONDS`, else as soon as the pacing allows."""
        if self._scheduled or not self._hub.dirty:  # looked at first, since most readings of a large studio are received by no client here
            return
        now = asyncio.get_running_loop().time()
        if now < self._not_before + REST_SECONDS:
            self.request_flush()
            return
        self._scheduled = True
        self._pending_since = now
        self._flush()

    def request_heartbeat(self) -> None:
        """Lets the next flush include a heartbeat to every client."""
        self._heartbeat_due = True
        self._schedule(self._not_before)

    def seconds_until_flush(self) -> float:
        """How many seconds must pass before the next flush may start."""
        return max(0.0, self._not_before - asyncio.get_running_loop().time())

    def client_joined(self) -> None:
        """Flushes soon for a new client; clients that join in quick succession share one flush and its snapshot."""
        self._joined = True
        self._schedule(max(self._not_before, self._last_join + JOIN_SPACING_SECONDS))
        self._last_join = asyncio.get_running_loop().time()

    def _schedule(self, not_before: float) -> None:
        if self._scheduled or not (self._hub.dirty or self._heartbeat_due):
            return
        loop = asyncio.get_running_loop()
        self._scheduled = True
        self._pending_since = loop.time()
        if self._pending_since >= not_before:
            loop.call_soon(self._flush)
        else:
            loop.call_at(not_before, self._flush)

    def flush_now(self) -> None:
        """Sends everything that is pending without pacing, because the process stops. A flush in progress is completed first."""
        for _ in itertools.chain(self._steps, self._hub.flush()):
            pass

    def raise_failure(self) -> None:
        """Raises the exception of a flush that failed, if one did: flushes run in callbacks, which no task awaits."""
        if self._failure is not None:
            raise self._failure

    def _flush(self) -> None:
        self._spent = 0.0
        self._flushed_to, self._changes = self._hub.log.head, self._hub.log.head - self._flushed_to
        heartbeat, self._heartbeat_due = self._heartbeat_due, False
        self._steps = self._hub.flush(heartbeat=heartbeat)
        self._slice()

    def _slice(self) -> None:
        start = time.perf_counter()
        try:
            for _ in self._steps:
                if time.perf_counter() - start > SLICE_SECONDS:
                    self._spent += time.perf_counter() - start
                    asyncio.get_running_loop().call_soon(self._slice)
                    return
        except Exception as error:  # noqa: BLE001 - `raise_failure` raises it in a task, and the process stops
            self._failure = error
            return
        self._spent += time.perf_counter() - start
        self._finish()

    def _finish(self) -> None:
        now = asyncio.get_running_loop().time()
        metrics.flush_duration_seconds.observe(self._spent)
        metrics.relay_to_socket_seconds.observe(now - self._pending_since)
        if self._spans is not None:
            self._spans.flushed(now - self._pending_since, self._spent)
        factor = self._pause_factor * self._changes / FEW_CHANGES
        factor = max(factor, self._least_pause_factor if self._changes and not self._joined else self._pause_factor)
        self._joined = False
        pause = self._spent * factor
        self._not_before = now + min(pause, self._max_pause_seconds)
        self._scheduled = False
        self.request_flush()
