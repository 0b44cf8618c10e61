"""A second consumer of readings: an archive stand-in that keeps every reading it receives, and knows where some may be missing.

It imports nothing of a service, as a real archive would not.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from shared.contract.readings import StoredReading
from shared.store.reading_sink import Source


class Gap(NamedTuple):
    """Versions after `after`, up to and including `up_to`, of which readings may have been conflated."""

    after: int
    up_to: float


class Archive:
    """A `ReadingSink` that keeps all readings of one shard by feed and version."""

    def __init__(self) -> None:
        self.received: list[tuple[StoredReading, Source]] = []
        self.readings: dict[tuple[str, str, int], StoredReading] = {}
        self.gaps: list[Gap] = [Gap(0, math.inf)]
        self.is_confirmed = False
        self.reconciles = 0
        self._advanced_to = 0

    def receive(self, readings: Sequence[StoredReading], source: Source, now_seconds: float) -> int:
        """Keeps each reading once."""
        before = len(self.readings)
        self.received += [(reading, source) for reading in readings]
        self.readings |= {(reading.room_id, reading.platform, reading.version): reading for reading in readings}
        return len(self.readings) - before

    def lacks(self, room_id: str, platform: str, version: int) -> bool:
        """Whether this very reading is missing."""
        return (room_id, platform, version) not in self.readings

    def advance(self, shard: int, version: int, *, of_commit: bool) -> None:
        """Ends an open gap: what follows is complete."""
        if self.gaps and self.gaps[-1].up_to == math.inf:
            self.gaps[-1] = Gap(self.gaps[-1].after, version)
        self._advanced_to = max(self._advanced_to, version)

    def mark_reconciled(self, shard: int) -> None:
        """Counts full reconciles."""
        self.reconciles += 1

    def set_confirmed(self, shard: int, *, confirmed: bool) -> None:
        """Opens a gap when the subscription is lost."""
        if self.is_confirmed and not confirmed:
            self.gaps.append(Gap(self._advanced_to, math.inf))
        self.is_confirmed = confirmed

    def read_delay_seconds(self, busy_seconds: float) -> float:
        """An archive stores immediately."""
        return 0.0

    def may_lack(self, version: int) -> bool:
        """Whether a reading of this version may have been conflated."""
        return any(gap.after < version <= gap.up_to for gap in self.gaps)
