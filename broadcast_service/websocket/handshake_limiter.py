"""Who comes in when everyone comes at once: so many per turn of the loop, in order."""

import asyncio
from collections import deque


class HandshakeLimiter:
    """Lets so many through per turn of the loop, in the order in which they came.

    When a whole studio reconnects, a loop that took every handshake that is there would tell nobody anything meanwhile.
    """

    def __init__(self, per_iteration: int) -> None:
        self._per_iteration = per_iteration
        self._passed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._scheduled = False

    async def wait_turn(self) -> None:
        """Waits for one's turn; at once where there is no crowd."""
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
