"""A log of latest values: one entry per room and platform, in the order in which they last changed.

Positions are local to this process and only grow. A cursor is a position: the reader has received everything up to it, and lacks the
entries after it. A snapshot, a resume, a catch-up and the live stream are therefore the same query. Superseded entries stay in the list
until it is compacted, so appending is O(1) and seeking is O(log n).
"""

import bisect
import math
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from shared.auth.scope import Scope
from shared.contract.codec import encode
from shared.contract.events import telemetry_event
from shared.contract.readings import StoredReading

RESUME_OVERLAP_US: Final = 10_000_000  # wider than the clock skew between shards and the delay of a sick one
CHECKPOINT_SPACING_US: Final = 250_000
CHECKPOINTS: Final = 2400  # ten minutes of them


class Entry(Struct, gc=False, eq=False):
    """The latest change of a feed: a reading or its expiry.

    `expires_at` and `not_before` are in Unix seconds; a reading made before `not_before` is older than this one. `content` is the reading
    until its event is needed for the first time, which is never the case for a feed that no client may see; then it is the encoded event.
    An entry refers to no container, so the garbage collector does not track it.
    """

    room_id: str
    platform: str
    version: int
    expires_at: float
    expired: bool
    position: int
    not_before: int
    content: StoredReading | bytes

    @property
    def event(self) -> bytes:
        """The event as JSON."""
        content = self.content
        if isinstance(content, StoredReading):
            content = self.content = encode(telemetry_event(content))
        return content


class LatestValues:
    """The latest entry of each feed."""

    def __init__(self) -> None:
        self.head = 0
        self.newest_version = 0
        self._rooms: dict[str, dict[str, Entry]] = {}
        self._size = 0
        self._entries: list[Entry] = []
        self._positions: list[int] = []
        self._checkpoint_versions: list[int] = [0]
        self._checkpoint_positions: list[int] = [0]
        self._next_expiry = math.inf

    def __len__(self) -> int:
        return self._size

    def get(self, room_id: str, platform: str) -> Entry | None:
        """The entry of a feed."""
        platforms = self._rooms.get(room_id)
        return None if platforms is None else platforms.get(platform)

    def version(self, room_id: str, platform: str) -> int:
        """The version of a feed's entry, 0 without one."""
        entry = self.get(room_id, platform)
        return entry.version if entry else 0

    def put(self, reading: StoredReading, expires_at: float, not_before: int) -> Entry:
        """Appends a reading, which supersedes the feed's earlier entry."""
        self.newest_version = max(self.newest_version, reading.version)
        self._next_expiry = min(self._next_expiry, expires_at)
        return self._append(
            Entry(reading.room_id, reading.platform, reading.version, expires_at, False, self.head + 1, not_before, reading)
        )

    def put_expiry(self, entry: Entry, event: bytes) -> Entry:
        """Appends the expiry of a feed's entry, which supersedes it."""
        return self._append(Entry(entry.room_id, entry.platform, entry.version, entry.expires_at, True, self.head + 1, 0, event))

    def _append(self, entry: Entry) -> Entry:
        self.head = entry.position
        platforms = self._rooms.get(entry.room_id)
        if platforms is None:
            platforms = self._rooms[entry.room_id] = {}
        if entry.platform not in platforms:
            self._size += 1
        platforms[entry.platform] = entry
        self._entries.append(entry)
        self._positions.append(entry.position)
        if len(self._entries) > 2 * self._size + 64:
            self._compact()
        return entry

    def after(self, cursor: int) -> Iterator[Entry]:
        """The current entries after a cursor, oldest change first."""
        start = bisect.bisect_right(self._positions, cursor)
        for entry in self._entries[start:] if start else self._entries:
            if self._rooms[entry.room_id].get(entry.platform) is entry:
                yield entry

    def of_rooms(self, rooms: frozenset[str], cursor: int) -> list[Entry]:
        """The same for a few rooms, without reading the whole log."""
        found = [e for room in rooms for e in self._rooms.get(room, {}).values() if e.position > cursor]
        found.sort(key=lambda entry: entry.position)
        return found

    def visible(self, scope: Scope, cursor: int) -> Iterator[Entry]:
        """The current entries after a cursor inside a scope, oldest change first."""
        if scope.is_everything:
            return self.after(cursor)
        found = self.after(cursor) if scope.prefixes else self.of_rooms(scope.rooms, cursor)
        return (entry for entry in found if scope.allows(entry.room_id, entry.platform))

    def due(self, now_seconds: float) -> list[Entry]:
        """The live entries whose TTL is over. Cheap while there are none, because the earliest expiry is known."""
        if now_seconds < self._next_expiry:
            return []
        live = [entry for platforms in self._rooms.values() for entry in platforms.values() if not entry.expired]
        self._next_expiry = min((e.expires_at for e in live if e.expires_at > now_seconds), default=math.inf)
        return [entry for entry in live if entry.expires_at <= now_seconds]

    def checkpoint(self) -> None:
        """Records which versions may precede the head, for readers that resume."""
        if self.newest_version < self._checkpoint_versions[-1] + CHECKPOINT_SPACING_US:
            return
        self._checkpoint_versions.append(self.newest_version)
        self._checkpoint_positions.append(self.head)
        if len(self._checkpoint_versions) > 2 * CHECKPOINTS:
            del self._checkpoint_versions[:CHECKPOINTS], self._checkpoint_positions[:CHECKPOINTS]
            self._forget_expired(self._checkpoint_positions[0])

    def cursor_for(self, since: int) -> int | None:
        """A cursor before every change that a reader at version `since` may lack; None where only a snapshot is complete."""
        at = bisect.bisect_right(self._checkpoint_versions, since - RESUME_OVERLAP_US) - 1
        return self._checkpoint_positions[at] if at >= 0 and self._checkpoint_positions[at] > 0 else None

    def _forget_expired(self, before: int) -> None:
        """Removes expiries that are older than every version that a reader can resume from."""
        for room_id, platforms in list(self._rooms.items()):
            for platform, entry in list(platforms.items()):
                if entry.expired and entry.position <= before:
                    del platforms[platform]
                    self._size -= 1
            if not platforms:
                del self._rooms[room_id]
        self._compact()

    def _compact(self) -> None:
        current = {id(entry) for platforms in self._rooms.values() for entry in platforms.values()}
        self._entries = [entry for entry in self._entries if id(entry) in current]
        self._positions = [entry.position for entry in self._entries]
