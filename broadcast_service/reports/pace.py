"""Long work that leaves the event loop to others now and then."""

import asyncio
import time
from typing import Final

STRETCH_SECONDS: Final = 0.001  # of work before others get a turn


class Pace:
    """Gives the loop back after every millisecond of work."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def rest(self) -> None:
        """To be awaited between small pieces of work."""
        if time.perf_counter() - self._since > STRETCH_SECONDS:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
