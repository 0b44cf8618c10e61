"""Whether the readings of a shard are needed. The owner of the sink decides it, and the shard's listener follows."""

import asyncio
import contextlib
from typing import Final

from shared.web.jobs import report_alive

REPORT_SECONDS: Final = 1.0  # between two reports of a listener that is not needed


class Demand:
    """The demand for one shard, which is required at first."""

    def __init__(self) -> None:
        self._required = asyncio.Event()
        self._required.set()
        self._released = asyncio.Event()

    @property
    def is_required(self) -> bool:
        """Whether the listener should listen."""
        return self._required.is_set()

    def require(self) -> None:
        """The listener should listen."""
        self._released.clear()
        self._required.set()

    def release(self) -> None:
        """The listener should end its subscription."""
        self._required.clear()
        self._released.set()

    async def until_required(self) -> None:
        """Returns when the listener should listen; reports alive meanwhile, as a job must."""
        while not self.is_required:
            report_alive()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPORT_SECONDS):
                    await self._required.wait()

    async def until_released(self) -> None:
        """Returns when the listener should no longer listen."""
        await self._released.wait()
