"""Who is told what. No I/O: the hub decides, and writes to clients through a callable; the clock is an argument.

A client is one integer, its cursor into the log of latest values. Clients that see the same in the same encoding form an audience; those
whose cursor is the audience's share one payload per flush. A client whose socket did not take the last write is skipped, and later told
what changed since its cursor: fewer, newer values, and no queue anywhere.
"""

import time
from collections.abc import Iterator
from typing import Final

from broadcast_service.relay.audiences import Audience, Client, Flush
from broadcast_service.relay.latest_values import RESUME_OVERLAP_US, Entry, LatestValues
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract.codec import encode
from shared.contract.events import ExpiredData, ExpiredEvent, telemetry_event
from shared.contract.readings import StoredReading

RESUME_VERSION_STEP_US: Final = 500_000
AHEAD_SECONDS: Final = 2  # a reading stamped after its commit is not known to be newer than one made so shortly before


class Hub:
    """The log, its audiences, and the state of the link to Redis."""

    def __init__(self, shards: int, ttl_seconds: int) -> None:
        self.log = LatestValues()
        self.clients = 0
        self._ttl_seconds = ttl_seconds
        self._confirmed = [False] * shards
        self._reconciled = [False] * shards
        self._watermarks = [0] * shards
        self._resume_versions = [0] * shards
        self._complete_from = 0
        self._audiences: dict[tuple[Scope, Encoding], Audience] = {}
        self._exact: dict[str, dict[Audience, None]] = {}
        self._prefixes: dict[int, dict[str, dict[Audience, None]]] = {}
        self._dirty: dict[Audience, None] = {}

    @property
    def upstream(self) -> str:
        """`ok` while every shard's subscription is proven, else `degraded`."""
        return "ok" if all(self._confirmed) else "degraded"

    @property
    def is_complete(self) -> bool:
        """Whether the stored values of every shard have been read at least once: before that nobody knows all rooms."""
        return all(self._reconciled)

    @property
    def dirty(self) -> bool:
        """Whether a flush would have something to do."""
        return bool(self._dirty)

    def resume_version(self) -> int:
        """Up to which version everything committed is in the log, on every shard, rounded down.

        It follows the probes alone, which come at the same pace whatever is committed: else a client could read from it when rooms outside
        its scope were paid. Resuming has an overlap that is twenty times as wide.
        """
        return min(self._resume_versions)

    # --- what the listener tells ---

    def apply(self, stored: StoredReading, now_seconds: float) -> bool:
        """Takes a committed reading; False if the log has it, or a newer one, or its time is up.

        An expired value that is stored all the same is taken again: it expired by a clock that was wrong. Where Redis has lost its data it
        accepts readings that are older than what dashboards show, and those are not taken.
        """
        expires_at = stored.made_at + self._ttl_seconds
        held = self.log.get(stored.room_id, stored.platform)
        if expires_at <= now_seconds or (held is not None and not _supersedes(stored, held)):
            return False
        self._publish(
            self.log.put(
                stored.room_id,
                stored.platform,
                version=stored.version,
                expires_at=expires_at,
                event=encode(telemetry_event(stored)),
                not_before=stored.made_at - (AHEAD_SECONDS if stored.timestamp > stored.made_at else 0),
            )
        )
        return True

    def lacks(self, room_id: str, platform: str, version: int) -> bool:
        """Whether a stored reading of this version might be news."""
        held = self.log.get(room_id, platform)
        return held is None or version > held.version or (held.expired and version == held.version)

    def advance(self, shard: int, version: int, *, of_commit: bool = False) -> None:
        """Everything of this shard up to `version` has been applied. `of_commit`: it is the version of a reading, not that of a probe."""
        self._watermarks[shard] = max(self._watermarks[shard], version)
        if not of_commit:
            self._resume_versions[shard] = max(self._resume_versions[shard], version - version % RESUME_VERSION_STEP_US)
        if not self._complete_from and all(self._confirmed) and min(self._watermarks):
            self._complete_from = max(self._watermarks)

    def mark_reconciled(self, shard: int) -> None:
        """All stored values of a shard have been applied. Clients that were promised a snapshot get it once that is so of every shard."""
        before, self._reconciled[shard] = self.is_complete, True
        if self.is_complete and not before:
            for audience in self._audiences.values():
                audience.restart_snapshots()
            self._dirty.update(dict.fromkeys(self._audiences.values()))

    def set_confirmed(self, shard: int, *, confirmed: bool) -> None:
        """A shard's subscription was proven, or lost; clients hear when that changes the whole.

        After a gap this process has not seen what expired meanwhile, so nobody resumes from before its end.
        """
        before, self._confirmed[shard] = self.upstream, confirmed
        if not confirmed:
            self._complete_from = 0
        if self.upstream != before:
            self._dirty.update(dict.fromkeys(self._audiences.values()))

    def expire(self, now_seconds: float) -> int:
        """Turns values that outlived their TTL into expiries; returns how many."""
        due = self.log.due(now_seconds)
        for entry in due:
            expired = ExpiredEvent(
                timestamp=int(now_seconds), room_id=entry.room_id, data=ExpiredData(entry.platform), version=entry.version
            )
            self._publish(
                self.log.put(
                    entry.room_id, entry.platform, version=entry.version, expires_at=entry.expires_at, event=encode(expired), expired=True
                )
            )
        return len(due)

    def _publish(self, entry: Entry) -> None:
        """Notes an entry for the audiences that may see it: those that name its room, and those with a prefix of it."""
        key = (entry.room_id, entry.platform)
        for audience in self._exact.get(entry.room_id, ()):
            self._add_pending(audience, key, entry)
        for length, prefixes in self._prefixes.items():
            for audience in prefixes.get(entry.room_id[:length], ()):
                self._add_pending(audience, key, entry)

    def _add_pending(self, audience: Audience, key: tuple[str, str], entry: Entry) -> None:
        platforms = audience.scope.platforms
        if platforms is None or entry.platform in platforms:
            audience.pending.pop(key, None)  # newest last, so that order is the log's
            audience.pending[key] = entry
            self._dirty[audience] = None

    # --- what sessions tell ---

    def attach(self, client: Client, scope: Scope, encoding: Encoding, since: int | None = None) -> bool:
        """Adds a client, or moves it to another scope; True if `since` could be honoured. A flush tells it the rest."""
        cursor = None if since is None else self._cursor_for(since)
        self.detach(client)
        client.cursor, client.snapshot, client.upstream = cursor or 0, cursor is None, None
        audience = self._audience(scope, encoding)
        client.audience = audience
        audience.catching_up[client] = None
        self._dirty[audience] = None
        self.clients += 1
        return cursor is not None

    def _cursor_for(self, since: int) -> int | None:
        """None for a version of the future, and for one before the end of the last gap: it never saw what expired until then."""
        newest = max(self.log.newest_version, *self._watermarks)
        if not 0 < self._complete_from <= since - RESUME_OVERLAP_US <= newest:
            return None
        return self.log.cursor_for(since)

    def detach(self, client: Client) -> None:
        """Forgets a client; an audience without clients is forgotten too."""
        audience, client.audience = client.audience, None
        if audience is None:
            return
        self.clients -= 1
        audience.in_sync.pop(client, None)
        audience.catching_up.pop(client, None)
        if not audience.in_sync and not audience.catching_up:
            self._remove(audience)

    def writable(self, client: Client) -> None:
        """The client's socket has taken everything; if it missed something, the next flush tells it."""
        client.blocked = False
        if client.audience is not None and client in client.audience.catching_up:
            self._dirty[client.audience] = None

    def _audience(self, scope: Scope, encoding: Encoding) -> Audience:
        audience = self._audiences.get((scope, encoding))
        if audience is None:
            audience = self._audiences[scope, encoding] = Audience(scope, encoding, self.log.head, self.upstream)
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

    # --- telling ---

    def flush(self, now_seconds: float | None = None, *, heartbeat: bool = False) -> Iterator[None]:
        """Writes to every writable client what changed since its cursor. Yields between slices, so that a caller may pause."""
        self.log.checkpoint()
        flush = Flush(
            self.log,
            time.time() if now_seconds is None else now_seconds,
            heartbeat=heartbeat,
            upstream=self.upstream,
            version=self.resume_version(),
            is_complete=self.is_complete,
        )
        audiences = list(self._audiences.values()) if heartbeat else list(self._dirty)
        self._dirty.clear()
        for audience in audiences:
            yield from flush.send_to(audience)
            yield  # there may be as many audiences as clients

    def latest(self, scope: Scope) -> Iterator[Entry]:
        """The live entries inside a scope."""
        return (entry for entry in self.log.visible(scope, 0) if not entry.expired)


def _supersedes(stored: StoredReading, held: Entry) -> bool:
    """Whether a reading replaces what is held: it is newer, or what is held expired too early."""
    if held.expired:
        return stored.version >= held.version
    return stored.version > held.version and stored.made_at >= held.not_before


def _drop(index: dict[str, dict[Audience, None]], key: str, audience: Audience) -> None:
    index[key].pop(audience, None)
    if not index[key]:
        del index[key]
