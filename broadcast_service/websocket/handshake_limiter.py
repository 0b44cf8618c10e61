"""Who comes in when everyone comes at once: so many per turn of the loop, in order."""

import asyncio
from collections import deque


class Turnstile:
    """Lets so many through per turn of the loop, in the order in which they came.

    When a whole studio reconnects, a loop that took every handshake that is there would tell nobody anything meanwhile.
    """

    def __init__(self, per_turn: int) -> None:
        self._per_turn = per_turn
        self._passed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def enter(self) -> None:
        """Waits for one's turn; at once where there is no crowd."""
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn)
        if self._passed < self._per_turn:
            self._passed += 1
            return
        place = loop.create_future()
        self._waiting.append(place)
        await place

    def _turn(self) -> None:
        self._passed = 0
        while self._waiting and self._passed < self._per_turn:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                self._passed += 1
        self._turning = bool(self._waiting)
        if self._turning:
            asyncio.get_running_loop().call_soon(self._turn)
