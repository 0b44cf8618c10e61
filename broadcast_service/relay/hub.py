"""Which client receives which events. No I/O: the hub writes to clients through a callable, and the clock is an argument.

A client's state is one integer, its cursor into the log of latest values. Clients with the same scope and encoding form an audience; the
clients at the audience's cursor share one payload per flush. A client whose socket has not taken the last write is skipped, and later
receives what changed since its cursor: fewer and newer values, without a queue.
"""

import time
from collections.abc import Iterator
from typing import Final

from broadcast_service.relay.audiences import Audience, Client, Flush
from broadcast_service.relay.latest_values import RESUME_OVERLAP_US, Entry, LatestValues
from broadcast_service.relay.shard_states import Shards, ShardStates
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract.codec import encode
from shared.contract.events import ExpiredData, ExpiredEvent
from shared.contract.readings import StoredReading

AHEAD_SECONDS: Final = 2  # a reading stamped later than its commit may be older than one made up to so long before the commit


class Hub:
    """The log, its audiences, and the state of the link to Redis."""

    def __init__(self, shards: int, ttl_seconds: int) -> None:
        self.log = LatestValues()
        self.clients = 0
        self.unwanted = 0  # changes that no client may see, since the start
        self._ttl_seconds = ttl_seconds
        self.states = ShardStates(shards)
        self._audiences: dict[tuple[Scope, Encoding], Audience] = {}
        self._exact: dict[str, dict[Audience, None]] = {}
        self._prefixes: dict[int, dict[str, dict[Audience, None]]] = {}
        self._dirty: dict[Audience, None] = {}

    @property
    def upstream(self) -> str:
        """`ok` while the subscriptions of all shards that are not released are confirmed, else `degraded`."""
        return self.states.upstream(self.states.all - self.states.released)

    @property
    def dirty(self) -> bool:
        """Whether a flush has anything to send."""
        return bool(self._dirty)

    # --- readings ---

    def apply(self, stored: StoredReading, now_seconds: float) -> bool:
        """Applies a committed reading; returns False if the log has the same or a newer one, or if the reading's TTL is over.

        A value that expired here and is still stored is applied again, because it expired by a wrong clock. A Redis that has lost its data
        accepts readings that are older than those that dashboards show; these are not applied.
        """
        made_at = stored.made_at
        expires_at = made_at + self._ttl_seconds
        if expires_at <= now_seconds:
            return False
        held = self.log.get(stored.room_id, stored.platform)
        if held is not None and not _supersedes(stored.version, made_at, held):
            return False
        self._publish(self.log.put(stored, expires_at, made_at - AHEAD_SECONDS if stored.timestamp > made_at else made_at))
        return True

    def lacks(self, room_id: str, platform: str, version: int) -> bool:
        """Whether a stored reading of this version may be newer than what the log has."""
        held = self.log.get(room_id, platform)
        return held is None or version > held.version or (held.expired and version == held.version)

    # --- shards ---

    def advance(self, shard: int, version: int, *, of_commit: bool = False) -> None:
        """All readings of a shard up to `version` have been applied. `of_commit`: it is the version of a reading, not of a probe."""
        self.states.advance(shard, version, of_commit=of_commit)

    def mark_reconciled(self, shard: int) -> None:
        """All stored values of a shard have been applied. Clients whose shards are all read receive the snapshot that they wait for."""
        if self.states.set_read(shard):
            for audience in self._audiences.values():
                if shard in audience.shards:
                    self._dirty[audience] = None
                    if self.states.is_complete(audience.shards):
                        audience.restart_snapshots()

    def set_confirmed(self, shard: int, *, confirmed: bool) -> None:
        """A shard's subscription was confirmed or lost. Clients receive `UPSTREAM` when the status of their shards changes.

        During a gap this process misses expiries, so no client resumes from a version before the end of the gap.
        """
        if self.states.set_confirmed(shard, confirmed=confirmed):
            self._dirty.update((a, None) for a in self._audiences.values() if self.states.decides_upstream(shard, a.shards))

    def release_shard(self, shard: int) -> None:
        """A shard that no client needs is no longer listened to. Its values stay, and are not sent before they have been read again."""
        self.states.release(shard)

    def await_shard(self, shard: int) -> None:
        """A client needs a released shard: clients that come now wait for its values."""
        self.states.await_(shard)

    def end_wait(self, shard: int) -> None:
        """The wait for a shard took too long: its clients receive what this process has, as degraded."""
        if self.states.end_wait(shard):
            self._dirty.update((a, None) for a in self._audiences.values() if shard in a.shards)

    def needed_shards(self) -> Shards:
        """The shards that the clients' rooms can be in."""
        needed: set[int] = set()
        for audience in self._audiences.values():
            needed |= audience.shards
            if len(needed) == len(self.states.all):
                break
        return Shards(needed)

    # --- expiries ---

    def expire(self, now_seconds: float) -> int:
        """Turns values that outlived their TTL into expiries; returns how many."""
        due = self.log.due(now_seconds)
        for entry in due:
            expired = ExpiredEvent(
                timestamp=int(now_seconds), room_id=entry.room_id, data=ExpiredData(entry.platform), version=entry.version
            )
            self._publish(self.log.put_expiry(entry, encode(expired)))
        return len(due)

    def _publish(self, entry: Entry) -> None:
        """Adds an entry to the audiences whose scope includes it: those that name its room, and those with a prefix of it."""
        room_id, wanted = entry.room_id, False
        if self._prefixes or room_id in self._exact:
            key = (room_id, entry.platform)
            for audience in self._exact.get(room_id, ()):
                wanted |= self._add_pending(audience, key, entry)
            for length, prefixes in self._prefixes.items():
                for audience in prefixes.get(room_id[:length], ()):
                    wanted |= self._add_pending(audience, key, entry)
        if not wanted:
            self.unwanted += 1

    def _add_pending(self, audience: Audience, key: tuple[str, str], entry: Entry) -> bool:
        platforms = audience.scope.platforms
        if platforms is not None and entry.platform not in platforms:
            return False
        audience.pending.pop(key, None)  # newest last, as in the log
        audience.pending[key] = entry
        self._dirty[audience] = None
        return True

    # --- clients ---

    def attach(self, client: Client, scope: Scope, encoding: Encoding, since: int | None = None) -> bool:
        """Adds a client, or moves it to another scope; returns whether it resumes from `since`. The next flush sends the rest."""
        cursor = None if since is None else self._cursor_for(since, self.states.of_scope(scope))
        self.detach(client)
        client.cursor, client.snapshot, client.upstream = cursor or 0, cursor is None, None
        audience = self._audience(scope, encoding)
        client.audience = audience
        audience.catching_up[client] = None
        self._dirty[audience] = None
        self.clients += 1
        return cursor is not None

    def _cursor_for(self, since: int, shards: Shards) -> int | None:
        """The cursor of a version; None for a future one, and for one before the end of the last gap, which missed expiries."""
        newest = max(self.log.newest_version, self.states.newest_version())
        if not 0 < self.states.complete_from(shards) <= since - RESUME_OVERLAP_US <= newest:
            return None
        return self.log.cursor_for(since)

    def detach(self, client: Client) -> None:
        """Removes a client, and its audience when no client is left in it."""
        audience, client.audience = client.audience, None
        if audience is None:
            return
        self.clients -= 1
        audience.in_sync.pop(client, None)
        audience.catching_up.pop(client, None)
        if not audience.in_sync and not audience.catching_up:
            self._remove(audience)

    def writable(self, client: Client) -> None:
        """The client's socket has taken everything; the next flush sends the changes that it missed."""
        client.blocked = False
        if client.audience is not None and client in client.audience.catching_up:
            self._dirty[client.audience] = None

    def _audience(self, scope: Scope, encoding: Encoding) -> Audience:
        audience = self._audiences.get((scope, encoding))
        if audience is None:
            shards = self.states.of_scope(scope)
            audience = Audience(scope, shards, encoding, self.log.head, self.states.upstream(shards))
            self._audiences[scope, encoding] = audience
            for room in scope.rooms:
                self._exact.setdefault(room, {})[audience] = None
            for prefix in scope.prefixes:
                self._prefixes.setdefault(len(prefix), {}).setdefault(prefix, {})[audience] = None
        return audience

    def _remove(self, audience: Audience) -> None:
        del self._audiences[audience.scope, audience.encoding]
        self._dirty.pop(audience, None)
        for room in audience.scope.rooms:
            _drop(self._exact, room, audience)
        for prefix in audience.scope.prefixes:
            _drop(self._prefixes[len(prefix)], prefix, audience)
            if not self._prefixes[len(prefix)]:
                del self._prefixes[len(prefix)]

    # --- sending ---

    def flush(self, now_seconds: float | None = None, *, heartbeat: bool = False) -> Iterator[None]:
        """Writes to each writable client what changed since its cursor. Yields between slices, so that the caller can pause."""
        self.log.checkpoint()
        flush = Flush(self.log, time.time() if now_seconds is None else now_seconds, self.states, heartbeat=heartbeat)
        audiences = list(self._audiences.values()) if heartbeat else list(self._dirty)
        self._dirty.clear()
        for audience in audiences:
            yield from flush.send_to(audience)
            yield  # there can be as many audiences as clients

    def latest(self, scope: Scope) -> Iterator[Entry]:
        """The live entries inside a scope."""
        return (entry for entry in self.log.visible(scope, 0) if not entry.expired)


def _supersedes(version: int, made_at: int, held: Entry) -> bool:
    """Whether a reading replaces the entry: it is newer, or the entry expired too early."""
    if held.expired:
        return version >= held.version
    return version > held.version and made_at >= held.not_before


def _drop(index: dict[str, dict[Audience, None]], key: str, audience: Audience) -> None:
    index[key].pop(audience, None)
    if not index[key]:
        del index[key]
