"""Who is told what. No I/O: the hub decides, and writes to clients through a callable; the clock is an argument.

A client is one integer, its cursor into the log of latest values. Clients that see the same in the same encoding form an audience; those
whose cursor is the audience's share one payload per flush. A client whose socket did not take the last write is skipped, and later told
what changed since its cursor: fewer, newer values, and no queue anywhere.

Invariant: between flushes every client of `current` stands at its audience's cursor, and whatever matters to the audience after
that cursor is in `fresh`. Every other client is in `lagging`, and its own cursor says what it lacks.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from broadcast_service.frames import PING, Encoding, join
from broadcast_service.log import RESUME_OVERLAP_US, Entry, Log
from shared.messages import ExpiredData, ExpiredEvent, StoredReading, SyncEvent, UpstreamEvent, encode, telemetry_event
from shared.scope import Scope

CHUNK_BYTES: Final = 64 * 1024  # one write of a catch-up; what a stuck client can hold in our memory
SHARED_CHUNKS: Final = 64  # payloads of stragglers kept at once while they are told
SLICE_CLIENTS: Final = 64  # how many writes between two looks at the clock

Write = Callable[[bytes], None]


class Client:
    """One connected dashboard as the hub sees it.

    `blocked`: the socket has not taken all that was written. `snapshot`: what it is being told, from its cursor on, is everything in scope.
    `upstream` is the link status last told, None before the first.
    """

    __slots__ = ("audience", "blocked", "cursor", "snapshot", "upstream", "write")

    def __init__(self, write: Write) -> None:
        self.write = write
        self.cursor = 0
        self.snapshot = True
        self.blocked = False
        self.upstream: str | None = None
        self.audience: Audience | None = None


class Audience:
    """Clients that may see the same rooms in the same encoding."""

    def __init__(self, scope: Scope, encoding: Encoding, cursor: int, upstream: str) -> None:
        self.scope = scope
        self.encoding = encoding
        self.cursor = cursor
        self.upstream = upstream
        self.fresh: dict[tuple[str, str], Entry] = {}
        self.current: dict[Client, None] = {}
        self.lagging: dict[Client, None] = {}  # ordered, as `current`: who came first is told first


class _Flush:
    """What a flush fixes at its start, so that its slices agree."""

    def __init__(self, hub: "Hub", now_seconds: float, *, heartbeat: bool) -> None:
        self.log = hub.log
        self.head = hub.log.head
        self.heartbeat = heartbeat
        self.upstream_status = hub.upstream
        self.timestamp = int(now_seconds)
        self.time_ms = int(now_seconds * 1000)
        self.version = hub.resume_version()
        self.upstream = encode(UpstreamEvent(timestamp=self.timestamp, status=hub.upstream))

    def sync(self, *, snapshot: bool) -> bytes:
        return encode(SyncEvent(timestamp=self.timestamp, version=self.version, snapshot=snapshot, time_ms=self.time_ms))


class Hub:
    """The log, its audiences, and the state of the link to Redis."""

    def __init__(self, shards: int, ttl_seconds: int) -> None:
        self.log = Log()
        self.clients = 0
        self._ttl_seconds = ttl_seconds
        self._synced = [False] * shards
        self._watermarks = [0] * shards
        self._complete_from = 0
        self._audiences: dict[tuple[Scope, Encoding], Audience] = {}
        self._exact: dict[str, dict[Audience, None]] = {}
        self._prefixes: dict[int, dict[str, dict[Audience, None]]] = {}
        self._dirty: dict[Audience, None] = {}

    @property
    def upstream(self) -> str:
        """`ok` while every shard's subscription is proven, else `degraded`."""
        return "ok" if all(self._synced) else "degraded"

    @property
    def dirty(self) -> bool:
        """Whether a flush would have something to do."""
        return bool(self._dirty)

    def resume_version(self) -> int:
        """Up to which version everything committed is in the log, on every shard."""
        return min(self._watermarks)

    # --- what the listener tells ---

    def apply(self, stored: StoredReading, now_seconds: float) -> bool:
        """Takes a committed reading; False if the log has it, or a newer one, or its time is up."""
        expires_at = stored.made_at + self._ttl_seconds
        if stored.version <= self.log.version(stored.room_id, stored.platform) or expires_at <= now_seconds:
            return False
        event = encode(telemetry_event(stored))
        self._tell(self.log.put(stored.room_id, stored.platform, version=stored.version, expires_at=expires_at, event=event))
        return True

    def advance(self, shard: int, version: int) -> None:
        """Everything of this shard up to `version` has been applied."""
        self._watermarks[shard] = max(self._watermarks[shard], version)
        if not self._complete_from and self.resume_version():
            self._complete_from = max(self._watermarks)

    def set_synced(self, shard: int, *, synced: bool) -> None:
        """A shard's subscription was proven, or lost; clients hear when that changes the whole."""
        before, self._synced[shard] = self.upstream, synced
        if self.upstream != before:
            self._dirty.update(dict.fromkeys(self._audiences.values()))

    def expire(self, now_seconds: float) -> int:
        """Turns values that outlived their TTL into expiries; returns how many."""
        due = self.log.due(now_seconds)
        for entry in due:
            expired = ExpiredEvent(
                timestamp=int(now_seconds), room_id=entry.room_id, data=ExpiredData(entry.platform), version=entry.version
            )
            self._tell(
                self.log.put(
                    entry.room_id, entry.platform, version=entry.version, expires_at=entry.expires_at, event=encode(expired), expired=True
                )
            )
        return len(due)

    def _tell(self, entry: Entry) -> None:
        """Notes an entry for the audiences that may see it: those that name its room, and those with a prefix of it."""
        key = (entry.room_id, entry.platform)
        for audience in self._exact.get(entry.room_id, ()):
            self._note(audience, key, entry)
        for length, prefixes in self._prefixes.items():
            for audience in prefixes.get(entry.room_id[:length], ()):
                self._note(audience, key, entry)

    def _note(self, audience: Audience, key: tuple[str, str], entry: Entry) -> None:
        platforms = audience.scope.platforms
        if platforms is None or entry.platform in platforms:
            audience.fresh.pop(key, None)  # newest last, so that order is the log's
            audience.fresh[key] = entry
            self._dirty[audience] = None

    # --- what sessions tell ---

    def attach(self, client: Client, scope: Scope, encoding: Encoding, since: int | None = None) -> bool:
        """Adds a client, or moves it to another scope; True if `since` could be honoured. A flush tells it the rest."""
        cursor = None if since is None else self._cursor_for(since)
        self.detach(client)
        client.cursor, client.snapshot, client.upstream = cursor or 0, cursor is None, None
        audience = self._audience(scope, encoding)
        client.audience = audience
        audience.lagging[client] = None
        self._dirty[audience] = None
        self.clients += 1
        return cursor is not None

    def _cursor_for(self, since: int) -> int | None:
        """None for a version of the future, and for one before this process listened: it never saw what expired until then."""
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
        audience.current.pop(client, None)
        audience.lagging.pop(client, None)
        if not audience.current and not audience.lagging:
            self._remove(audience)

    def writable(self, client: Client) -> None:
        """The client's socket has taken everything; if it missed something, the next flush tells it."""
        client.blocked = False
        if client.audience is not None and client in client.audience.lagging:
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
        flush = _Flush(self, time.time() if now_seconds is None else now_seconds, heartbeat=heartbeat)
        audiences = list(self._audiences.values()) if heartbeat else list(self._dirty)
        self._dirty.clear()
        for audience in audiences:
            yield from _flush_current(audience, flush)
            yield from _flush_lagging(audience, flush)
            yield  # there may be as many audiences as clients

    def latest(self, scope: Scope) -> Iterator[Entry]:
        """The live entries inside a scope."""
        return (entry for entry in self.log.visible(scope, 0) if not entry.expired)


def _drop(index: dict[str, dict[Audience, None]], key: str, audience: Audience) -> None:
    index[key].pop(audience, None)
    if not index[key]:
        del index[key]


def _flush_current(audience: Audience, flush: _Flush) -> Iterator[None]:
    """One payload for all who stand at the audience's cursor. Who cannot take it falls behind, at that cursor."""
    fresh = _take_fresh(audience, flush.head)
    events = _news(audience, fresh, flush)
    before, audience.cursor = audience.cursor, flush.head
    told, audience.upstream = audience.upstream, flush.upstream_status
    payload = join(events, audience.encoding) + (PING if flush.heartbeat else b"")
    if not payload and not fresh:
        return
    current, clients = audience.current, tuple(audience.current)
    for start in range(0, len(clients), SLICE_CLIENTS):
        # The others left during an earlier slice, or joined anew and wait for their snapshot.
        for client in [client for client in clients[start : start + SLICE_CLIENTS] if client in current]:
            if client.blocked:
                del current[client]
                audience.lagging[client] = None
                client.cursor, client.snapshot, client.upstream = before, False, told
            elif payload:
                write = client.write  # in two steps: Python 3.11 calls what a slot holds faster so, and this line runs more than any
                write(payload)
        yield


def _take_fresh(audience: Audience, head: int) -> list[Entry]:
    """What is fresh up to the head. What came since the flush began waits for the next one: stragglers are told up to the head."""
    fresh = list(audience.fresh.values())
    audience.fresh = {(e.room_id, e.platform): e for e in fresh if e.position > head} if fresh and fresh[-1].position > head else {}
    return fresh[: len(fresh) - len(audience.fresh)]


def _news(audience: Audience, fresh: list[Entry], flush: _Flush) -> list[bytes]:
    """What an audience has not been told yet, as events."""
    if not audience.encoding.is_pulse:
        return [entry.event for entry in fresh if not entry.expired]
    events = [flush.upstream] if audience.upstream != flush.upstream_status else []
    events += [entry.event for entry in fresh]
    if flush.heartbeat:
        events.append(flush.sync(snapshot=False))
    return events


def _flush_lagging(audience: Audience, flush: _Flush) -> Iterator[None]:
    """Tells each writable straggler what it lacks, in chunks; equal stragglers share them."""
    shared: dict[tuple[int, bool, str | None], tuple[bytes, int]] = {}
    for position, client in enumerate(tuple(audience.lagging)):
        while client.audience is audience and not client.blocked and client in audience.lagging:
            key = (client.cursor, client.snapshot, client.upstream)
            if key not in shared:
                if len(shared) >= SHARED_CHUNKS:
                    shared.clear()
                shared[key] = _chunk(audience, flush, client)
            payload, client.cursor = shared[key]
            client.upstream = flush.upstream_status
            if client.cursor == flush.head:
                audience.lagging.pop(client, None)
                audience.current[client] = None
                client.snapshot = False
            if payload:
                client.write(payload)
            if client.audience is audience and client in audience.lagging:
                yield  # between chunks of a long catch-up
        if position % SLICE_CLIENTS == SLICE_CLIENTS - 1:
            yield


def _chunk(audience: Audience, flush: _Flush, client: Client) -> tuple[bytes, int]:
    """The next part of what a client lacks, and the cursor after it; the last part ends with `SYNC`."""
    is_pulse = audience.encoding.is_pulse
    events = [flush.upstream] if is_pulse and client.upstream != flush.upstream_status else []
    size = 0
    for entry in flush.log.visible(audience.scope, client.cursor):
        if entry.position > flush.head:
            break
        if entry.expired and (not is_pulse or client.cursor == 0):  # who has been told nothing need not forget anything
            continue
        events.append(entry.event)
        size += len(entry.event)
        if size >= CHUNK_BYTES and entry.position < flush.head:  # the last part is the one that ends with `SYNC`
            return join(events, audience.encoding), entry.position
    if is_pulse:
        events.append(flush.sync(snapshot=client.snapshot))
    return join(events, audience.encoding), flush.head
