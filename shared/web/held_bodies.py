"""The memory that bodies hold while they arrive is bounded: in all, and for each sender.

A body is held from its first piece until it is whole, is refused or has taken too long. Without a bound a sender of many bodies that never
end would fill the memory of the process, which the kernel then ends.
"""

import collections
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from shared.contract.problems import Problem

RETRY_SECONDS: Final = 1
CLOSED: Final = {"Connection": "close"}  # the rest of the body is not read


class HeldBodies:
    """The bytes that are held of all bodies, and of each sender's."""

    def __init__(self, *, total_bytes: int, sender_bytes: int) -> None:
        self._total_bytes = total_bytes
        self._sender_bytes = sender_bytes
        self._held: collections.Counter[str] = collections.Counter()
        self.total = 0

    @contextlib.contextmanager
    def of(self, sender: str) -> Iterator[Callable[[int], None]]:
        """A function that counts further bytes of one body until the end of the block; it raises a 429 or 503 Problem."""
        counted = 0

        def count(size: int) -> None:
            """Adds bytes of this body; raises a 429 or 503 Problem where they do not fit."""
            nonlocal counted
            if self._held[sender] + size > self._sender_bytes:
                raise Problem(429, "this token sends too many bodies at the same time", retry_after_seconds=RETRY_SECONDS, headers=CLOSED)
            if self.total + size > self._total_bytes:
                raise Problem(503, "too many bodies arrive at the same time", retry_after_seconds=RETRY_SECONDS, headers=CLOSED)
            counted += size
            self._held[sender] += size
            self.total += size

        try:
            yield count
        finally:
            self.total -= counted
            self._held[sender] -= counted
            if self._held[sender] <= 0:
                del self._held[sender]
