"""Limits how many WebSocket handshakes run per event-loop iteration, first come, first served, and runs those that need not wait."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any


class HandshakeLimiter:
    """Lets `per_iteration` handshakes run per iteration of the loop, in order of arrival.

    When all dashboards of a studio reconnect together, their handshakes would otherwise block every flush until the last one is done.
    """

    def __init__(self, per_iteration: int) -> None:
        self._per_iteration = per_iteration
        self._passed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._scheduled = False

    def takes_turn(self) -> bool:
        """Whether the caller may proceed at once, which counts as its turn."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_iteration)
        if self._passed >= self._per_iteration:
            return False
        self._passed += 1
        return True

    async def wait_turn(self) -> None:
        """Waits until the caller may proceed; returns without waiting below the limit."""
        if self.takes_turn():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter

    def _next_iteration(self) -> None:
        self._passed = 0
        while self._waiting and self._passed < self._per_iteration:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self._passed += 1
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._next_iteration)


def run_at_once(run: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine that waits for nothing, where a task would take longer than many a step of it; raises RuntimeError if it waits.

    A handshake waits only if it has a cookie, whose screen is looked up.
    """
    try:
        run.send(None)
    except StopIteration:
        return
    run.close()
    raise RuntimeError("a handshake without a cookie waited")
