"""When the hub flushes: at once after a silence, then paced by what a flush costs.

An event that arrives when nothing was sent lately goes out in the same turn of the loop. After that the next flush starts no sooner than a
multiple of what the last one took, within a bound: with one client that is no pause at all, with thousands it joins events, so that fan-out
uses a chosen share of the loop. Where much changes at once the pause is longer, up to the bound: fuller writes cost less per event, and a
wall on which dozens of numbers change at a time looks no different. A long flush gives the loop back between slices. This is the one owner
of flushes and of their timers.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Final

from broadcast_service import metrics
from broadcast_service.relay.hub import Hub
from shared.web.jobs import sleep
from shared.web.tracing import Spans

SLICE_SECONDS: Final = 0.005
TICK_SECONDS: Final = 1.0
FEW_CHANGES: Final = 4  # told in one flush without a longer pause after it
JOIN_SPACING_SECONDS: Final = 0.005  # within which those who join one after the other are told together


class FlushScheduler:
    """Drives a hub. `share` is the part of the loop's time that flushes may take, `max_pause_seconds` the longest wait that buys it."""

    def __init__(self, hub: Hub, *, share: float, max_pause_seconds: float, heartbeat_seconds: float, spans: Spans | None = None) -> None:
        self._hub = hub
        self._spans = spans
        self._pause_factor = 1 / share - 1
        self._max_pause_seconds = max_pause_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._heartbeat_due = False
        self._not_before = 0.0
        self._scheduled = False
        self._waiting_since = 0.0
        self._last_join = 0.0
        self._spent = 0.0
        self._told = self._changes = 0
        self._steps: Iterator[None] = iter(())
        self._failure: Exception | None = None

    def request_flush(self) -> None:
        """Something changed: flush as soon as the pace allows."""
        self._schedule(self._not_before)

    def seconds_until_flush(self) -> float:
        """How many seconds must pass before the next flush may start."""
        return max(0.0, self._not_before - asyncio.get_running_loop().time())

    def client_joined(self) -> None:
        """A client joined: flush soon, but not for it alone where many do, since they share their snapshot."""
        self._schedule(max(self._not_before, self._last_join + JOIN_SPACING_SECONDS))
        self._last_join = asyncio.get_running_loop().time()

    def _schedule(self, not_before: float) -> None:
        if self._scheduled or not (self._hub.dirty or self._heartbeat_due):
            return
        loop = asyncio.get_running_loop()
        self._scheduled = True
        self._waiting_since = loop.time()
        if self._waiting_since >= not_before:
            loop.call_soon(self._flush)
        else:
            loop.call_at(not_before, self._flush)

    def flush_now(self) -> None:
        """Tells everything that waits, whatever the pace: the process is about to leave. A flush under way is finished first."""
        for _ in itertools.chain(self._steps, self._hub.flush()):
            pass

    def _flush(self) -> None:
        self._spent = 0.0
        self._told, self._changes = self._hub.log.head, self._hub.log.head - self._told
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
        except Exception as error:  # noqa: BLE001 - nobody awaits a callback: `run` raises it, and the process stops
            self._failure = error
            return
        self._spent += time.perf_counter() - start
        self._done()

    def _done(self) -> None:
        now = asyncio.get_running_loop().time()
        metrics.flush_seconds.observe(self._spent)
        metrics.relay_to_socket_seconds.observe(now - self._waiting_since)
        if self._spans is not None:
            self._spans.flushed(now - self._waiting_since, self._spent)
        pause = self._spent * self._pause_factor * max(1.0, self._changes / FEW_CHANGES)
        self._not_before = now + min(pause, self._max_pause_seconds)
        self._scheduled = False
        self.request_flush()

    async def run(self) -> None:
        """Every second: expiries, checkpoints, and when it is time a heartbeat. Raises what a flush raised."""
        loop = asyncio.get_running_loop()
        next_heartbeat = loop.time() + self._heartbeat_seconds
        while self._failure is None:
            await sleep(TICK_SECONDS)
            metrics.expired.inc(self._hub.expire(time.time()))
            self._hub.log.checkpoint()
            metrics.rooms.set(len(self._hub.log))
            if loop.time() >= next_heartbeat:
                next_heartbeat = loop.time() + self._heartbeat_seconds
                self._heartbeat_due = True
            self.request_flush()
        raise self._failure
