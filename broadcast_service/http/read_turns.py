"""Limits how many reads of one subject run at the same time, so that all of its others wait in its own queue."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from shared.contract.problems import Problem

READS_AT_ONCE: Final = 4
MAX_WAITING: Final = 500  # a hundred dashboards of one token that load at the same time


class ReadTurns:
    """First come, first served within a subject; subjects do not wait for each other."""

    def __init__(self, at_once: int = READS_AT_ONCE, max_waiting: int = MAX_WAITING) -> None:
        self._at_once = at_once
        self._max_waiting = max_waiting
        self._semaphores: dict[str, asyncio.Semaphore] = {}
        self._users = Counter[str]()

    def __len__(self) -> int:
        """The number of subjects that have reads running or waiting."""
        return len(self._semaphores)

    @contextlib.asynccontextmanager
    async def turn(self, subject: str) -> AsyncIterator[None]:
        """Waits for the subject's turn and has it until the end of the block; raises a 429 Problem where too many wait."""
        if self._users[subject] >= self._at_once + self._max_waiting:
            raise Problem(429, "too many reads are waiting for this subject", retry_after_seconds=2)
        semaphore = self._semaphores.setdefault(subject, asyncio.Semaphore(self._at_once))
        self._users[subject] += 1
        try:
            async with semaphore:
                yield
        finally:
            self._users[subject] -= 1
            if not self._users[subject]:
                del self._users[subject], self._semaphores[subject]
