"""Readings of this moment, with changes: as a JSON body, as a decoded reading, and as one that the store has given a version."""

import time
from typing import Any, Final

from shared.contract.readings import Reading, StoredReading

PLATFORM: Final = "camsoda"


def make_body(**changed: Any) -> dict[str, Any]:
    """What a producer posts; `sequence` is its clock in milliseconds."""
    milliseconds = time.time_ns() // 1_000_000
    good = {"room_id": "blue", "platform": PLATFORM, "timestamp": milliseconds // 1000, "tokens_count": 1, "sequence": milliseconds}
    return good | changed


def make_reading(milliseconds_ago: int = 0, **changed: Any) -> Reading:
    """The reading that such a body decodes to, made some time ago."""
    at = time.time_ns() // 1_000_000 - milliseconds_ago
    return Reading(**make_body(timestamp=at // 1000, sequence=at) | changed)


def make_stored_reading(version: int, *, now: float = 1000, age: int = 0, **changed: Any) -> StoredReading:
    """A reading made `age` seconds before `now`, in Unix seconds, and committed at `now`."""
    fields = {**make_body(timestamp=int(now) - age, sequence=0), "version": version, "committed_at": int(now) * 1_000_000}
    return StoredReading(**fields | changed)
