"""Groups of clients with the same scope and encoding, and what a flush writes to them. No I/O: clients are written to through a callable.

Invariant: between flushes every client of `in_sync` is at its audience's cursor, and `pending` has all entries in scope after that
cursor. All other clients are in `catching_up`, each with its own cursor.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from broadcast_service.relay.latest_values import Entry, LatestValues
from broadcast_service.relay.shard_states import Shards, ShardStates
from broadcast_service.websocket.frames import PING, Encoding, join
from shared.auth.scope import Scope
from shared.contract.codec import encode
from shared.contract.events import SyncEvent, UpstreamEvent

CHUNK_BYTES: Final = 64 * 1024  # one write of a catch-up; bounds the memory that a client that reads nothing can take
SHARED_CHUNKS: Final = 64  # payloads kept for reuse while clients catch up
SLICE_CLIENTS: Final = 64  # writes between two checks of the clock

Write = Callable[[bytes], None]


class Client:
    """One connected dashboard as the hub sees it.

    `blocked`: the socket has not taken everything that was written. `snapshot`: the next `SYNC` completes a full snapshot.
    `upstream` is the upstream status that was last sent, None before the first.
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
    """Clients with the same scope and encoding; `shards` are those that its rooms can be in."""

    def __init__(self, scope: Scope, shards: Shards, encoding: Encoding, cursor: int, upstream: str) -> None:
        self.scope = scope
        self.shards = shards
        self.encoding = encoding
        self.cursor = cursor
        self.upstream = upstream
        self.pending: dict[tuple[str, str], Entry] = {}
        self.in_sync: dict[Client, None] = {}
        self.catching_up: dict[Client, None] = {}  # ordered, as `in_sync`: first come, first served

    def restart_snapshots(self) -> None:
        """Restarts the snapshots that could not be complete yet."""
        for client in [client for client in (*self.in_sync, *self.catching_up) if client.snapshot]:
            self.in_sync.pop(client, None)
            self.catching_up[client] = None
            client.cursor, client.upstream = 0, None


class Link(NamedTuple):
    """The link to Redis, as far as it concerns the shards of some audiences."""

    status: str
    upstream: bytes  # the encoded `UPSTREAM`
    version: int
    is_complete: bool


class Flush:
    """The state that a flush takes at its start, so that all its slices are consistent."""

    def __init__(self, log: LatestValues, now_seconds: float, states: ShardStates, *, heartbeat: bool) -> None:
        self.log = log
        self.head = log.head
        self.heartbeat = heartbeat
        self.timestamp = int(now_seconds)
        self.time_ms = int(now_seconds * 1000)
        self._states = states.copy()
        self._links: dict[Shards, Link] = {}

    def link(self, shards: Shards) -> Link:
        """The link to Redis of some shards."""
        link = self._links.get(shards)
        if link is None:
            states, status = self._states, self._states.upstream(shards)
            upstream = encode(UpstreamEvent(timestamp=self.timestamp, status=status))
            link = self._links[shards] = Link(status, upstream, states.resume_version(shards), states.is_complete(shards))
        return link

    def sync(self, link: Link, *, snapshot: bool) -> bytes:
        """The `SYNC` of this flush. It announces a complete snapshot only when all rooms are known."""
        return encode(
            SyncEvent(timestamp=self.timestamp, version=link.version, snapshot=snapshot and link.is_complete, time_ms=self.time_ms)
        )

    def send_to(self, audience: Audience) -> Iterator[None]:
        """Writes to each writable client of an audience what changed since its cursor, in slices.

        The clients of an audience whose shards are awaited receive nothing yet: what this process has may be old.
        """
        if not self._states.is_awaited(audience.shards):
            yield from _flush_in_sync(audience, self)
            yield from _flush_catching_up(audience, self)


def _flush_in_sync(audience: Audience, flush: Flush) -> Iterator[None]:
    """Writes one payload to all clients at the audience's cursor. A blocked client keeps that cursor and has to catch up."""
    pending, link = _take_pending(audience, flush.head), flush.link(audience.shards)
    events = _pending_events(audience, pending, flush, link)
    before, audience.cursor = audience.cursor, flush.head
    sent_upstream, audience.upstream = audience.upstream, link.status
    payload = join(events, audience.encoding) + (PING if flush.heartbeat else b"")
    if not payload and not pending:
        return
    in_sync, clients = audience.in_sync, tuple(audience.in_sync)
    for start in range(0, len(clients), SLICE_CLIENTS):
        # The others left during an earlier slice, or joined again and wait for their snapshot.
        for client in [client for client in clients[start : start + SLICE_CLIENTS] if client in in_sync]:
            if client.blocked:
                del in_sync[client]
                audience.catching_up[client] = None
                client.cursor, client.upstream = before, sent_upstream
            elif payload:
                write = client.write  # in two steps, which is faster in Python 3.11; no other line runs as often
                write(payload)
        yield


def _take_pending(audience: Audience, head: int) -> list[Entry]:
    """The pending entries up to the head. Later ones wait for the next flush, as all clients are brought up to the same head."""
    pending = list(audience.pending.values())
    audience.pending = {(e.room_id, e.platform): e for e in pending if e.position > head} if pending and pending[-1].position > head else {}
    return pending[: len(pending) - len(audience.pending)]


def _pending_events(audience: Audience, pending: list[Entry], flush: Flush, link: Link) -> list[bytes]:
    """The events that the audience has not received yet."""
    if not audience.encoding.is_pulse:
        return [entry.event for entry in pending if not entry.expired]
    events = [link.upstream] if audience.upstream != link.status else []
    events += [entry.event for entry in pending]
    if flush.heartbeat:
        events.append(flush.sync(link, snapshot=False))
    return events


def _flush_catching_up(audience: Audience, flush: Flush) -> Iterator[None]:
    """Brings each writable client up to the head, in chunks; clients with equal cursors share them."""
    shared: dict[tuple[int, bool, str | None], tuple[bytes, int]] = {}
    link = flush.link(audience.shards)
    for position, client in enumerate(tuple(audience.catching_up)):
        while client.audience is audience and not client.blocked and client in audience.catching_up:
            key = (client.cursor, client.snapshot, client.upstream)
            if key not in shared:
                if len(shared) >= SHARED_CHUNKS:
                    shared.clear()
                shared[key] = _next_chunk(audience, flush, link, client)
            payload, client.cursor = shared[key]
            client.upstream = link.status
            if client.cursor == flush.head:
                audience.catching_up.pop(client, None)
                audience.in_sync[client] = None
                client.snapshot = client.snapshot and not link.is_complete
            if payload:
                client.write(payload)
            if client.audience is audience and client in audience.catching_up:
                yield  # between chunks of a long catch-up
        if position % SLICE_CLIENTS == SLICE_CLIENTS - 1:
            yield


def _next_chunk(audience: Audience, flush: Flush, link: Link, client: Client) -> tuple[bytes, int]:
    """The next chunk of what a client lacks, and the cursor after it; the last chunk ends with `SYNC`."""
    is_pulse = audience.encoding.is_pulse
    events = [link.upstream] if is_pulse and client.upstream != link.status else []
    size = 0
    for entry in flush.log.visible(audience.scope, client.cursor):
        if entry.position > flush.head:
            break
        if entry.expired and (not is_pulse or client.cursor == 0):  # a client that has received nothing has nothing to remove
            continue
        events.append(entry.event)
        size += len(entry.event)
        if size >= CHUNK_BYTES and entry.position < flush.head:  # only the last chunk ends with `SYNC`
            return join(events, audience.encoding), entry.position
    if is_pulse:
        events.append(flush.sync(link, snapshot=client.snapshot))
    return join(events, audience.encoding), flush.head
