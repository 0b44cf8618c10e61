"""Limits how many WebSocket handshakes run per event-loop iteration, first come, first served."""

import asyncio
from collections import deque


class HandshakeLimiter:
    """Lets `per_iteration` handshakes run per iteration of the loop, in order of arrival.

    When all dashboards of a studio reconnect together, their handshakes would otherwise block every flush until the last one is done.
    """

    def __init__(self, per_iteration: int) -> None:
        self._per_iteration = per_iteration
        self._passed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._scheduled = False

    async def wait_turn(self) -> None:
        """Waits until the caller may proceed; returns without waiting below the limit."""
        loop = asyncio.get_running_loop()
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._next_iteration)
        if self._passed < self._per_iteration:
            self._passed += 1
            return
        waiter = loop.create_future()
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
