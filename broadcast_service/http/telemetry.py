"""`/api/tracking/telemetry`: the latest values, of all feeds in scope as this process has them, or of one room as Redis stores it."""

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broadcast_service.http.answers import store_answers
from broadcast_service.http.budget import EVENT, SCANNED
from broadcast_service.http.reads import ROOM_PATH, Reads
from broadcast_service.relay.relay import Relay
from broadcast_service.reports.pace import Pace
from broadcast_service.sessions.session import SessionTerms
from shared.contract import keys
from shared.contract.codec import UNREADABLE, encode
from shared.contract.problems import Problem
from shared.contract.readings import decode_stored
from shared.store.redis import Store
from shared.web.server import json_response


class TelemetryEndpoints:
    """The latest values over HTTP."""

    def __init__(self, reads: Reads, relay: Relay, store: Store, shards: int, terms: SessionTerms) -> None:
        self._reads = reads
        self._relay = relay
        self._store = store
        self._shards = shards
        self._terms = terms

    def routes(self) -> list[BaseRoute]:
        """Starlette's routes to the methods below."""
        return [Route("/api/tracking/telemetry", self.latest), Route(ROOM_PATH, self.latest_of_room)]

    async def latest(self, request: Request) -> Response:
        """All latest values in scope, as this process has them."""
        read = self._reads.admit(request)
        scope = read.scope(request)
        async with read.turn():
            await self._relay.ready(scope)
            read.charge(SCANNED * (len(self._relay) if scope.prefixes else len(scope.rooms)))
            pace, events = Pace(), {}
            for entry in self._relay.latest(scope):
                events[entry.room_id, entry.platform] = entry.event  # each feed once, even if it changes meanwhile
                await pace.rest()
            read.charge(EVENT * len(events))
        session = {
            "stale_seconds": self._terms.stale_seconds,
            "ttl_seconds": self._terms.ttl_seconds,
            "token_expires_at": read.claims.expires_at,
            "rooms": scope.patterns(),
            "platforms": None if scope.platforms is None else sorted(scope.platforms),
            "build": self._terms.build,
            "time_ms": time.time_ns() // 1_000_000,
        }
        head = encode({"upstream": self._relay.upstream(scope), "version": self._relay.resume_version(scope), "session": session})
        return read.json(b"".join((head[:-1], b',"events":[', b",".join(events.values()), b"]}")))

    async def latest_of_room(self, request: Request) -> Response:
        """The stored reading of a room on a platform, from Redis."""
        read, room_id, platform = self._reads.admit_room(request)
        async with read.turn():
            with store_answers():
                key = keys.latest(keys.shard_of(room_id, self._shards), room_id, platform)
                value = await self._store.owner(key).get(key)
        read.check_valid()
        if value is None:
            raise Problem(404, "nothing is stored for this room on this platform")
        try:
            return json_response(decode_stored(value))
        except UNREADABLE:
            raise Problem(500, "the stored value of this room is damaged") from None
