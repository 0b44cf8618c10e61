"""The socket and the HTTP reads."""

import functools
import time
from collections.abc import Callable, Container, Iterator
from typing import Final

import structlog
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from broadcast_service import metrics
from broadcast_service.http.access import Agreement, agree, authenticate, check_origin, filter_of, narrowed, no_socket
from broadcast_service.http.answers import Outgoing, Sliced, in_slices, sliced, store_answers, while_connected
from broadcast_service.http.budget import EVENT, LINES_PRICE, REQUEST, Budget
from broadcast_service.relay.relay import Relay
from broadcast_service.reports.analytics import Pace, parse_wanted
from broadcast_service.reports.history import History, invalid_parameter, parse_span, points_as_csv
from broadcast_service.reports.report_queue import Reports
from broadcast_service.sessions.registry import Sessions, Slot
from broadcast_service.sessions.session import Session, SessionTerms
from broadcast_service.signin.access import SCREEN
from broadcast_service.websocket.protocol import EXTENSION
from shared.auth.audit import CLAIMS, Audit
from shared.auth.scope import is_room
from shared.contract import keys
from shared.contract.codec import UNREADABLE, encode
from shared.contract.problems import Problem, unauthorized
from shared.contract.readings import decode_stored
from shared.store.redis import Store
from shared.tokens import Claims, TokenError, Verifier
from shared.web.address_budget import CHARGED
from shared.web.server import json_response

POINT_BYTES: Final = 200  # about what a point holds in memory

log = structlog.get_logger()


class Dashboards:
    """What dashboards may ask of this service, and what the answers stand on."""

    def __init__(
        self,
        *,
        store: Store,
        shards: int,
        relay: Relay,
        sessions: Sessions,
        verifier: Verifier,
        revocations: Container[str],
        audit: Audit,
        origins: frozenset[str],
        terms: SessionTerms,
        history: History,
        reports: Reports,
        budget: Budget,
    ) -> None:
        self._store = store
        self._shards = shards
        self._relay = relay
        self._sessions = sessions
        self._verifier = verifier
        self._revocations = revocations
        self._audit = audit
        self._report = audit.session  # one bound method for all sessions
        self._origins = origins
        self._terms = terms
        self._history = history
        self._reports = reports
        self._budget = budget
        self._outgoing = Outgoing()

    def routes(self) -> list[BaseRoute]:
        """Starlette's routes to the methods below."""
        room = "/api/tracking/telemetry/{room_id}/{platform}"
        return [
            WebSocketRoute("/ws/dashboard", self.socket),
            Route("/ws/dashboard", self.upgrade_required),
            Route("/api/tracking/telemetry", self.latest),
            Route(room, self.latest_of_room),
            Route(room + "/history", self.history_of_room),
            Route("/api/tracking/analytics", self.analytics),
        ]

    def verify(self, token: str) -> Claims:
        """A dashboard token's claims; raises TokenError, also for a revoked one."""
        return self._check(self._verifier.verify(token, time.time()))

    def _check(self, claims: Claims) -> Claims:
        if claims.is_ended(self._revocations):
            raise TokenError
        return claims

    def _renew(self, opened_with: Claims, token: str) -> Claims:
        """`verify` for a session that is open; a refusal is on record under the token that opened it."""
        try:
            return self.verify(token)
        except TokenError:
            self._audit.note("token.refused", detail="on an open socket", subject=opened_with.subject, jti=opened_with.token_id)
            raise

    def _verify_for(self, connection: HTTPConnection) -> Callable[[str], Claims]:
        """`verify`, keeping with the connection what the token said, for the audit log."""

        def verify(token: str) -> Claims:
            connection.scope[CLAIMS] = claims = self._verifier.verify(token, time.time())
            return self._check(claims)

        return verify

    async def socket(self, websocket: WebSocket) -> None:
        """The handshake; what follows is the session's."""
        slot: Slot | None = None
        try:
            agreement = agree(
                websocket.headers,
                websocket.query_params,
                websocket.scope["subprotocols"],
                origins=self._origins,
                verify=self._verify_for(websocket),
                screen=websocket.scope.get(SCREEN),
            )
            address = websocket.client.host if websocket.client else ""
            slot = self._sessions.admit(agreement.claims.subject, address)
            await websocket.accept(agreement.subprotocol)
            self._start(websocket, agreement, slot)
            slot = None
        except Problem as problem:
            metrics.handshakes.labels(str(problem.status)).inc()
            self._audit.refusal(websocket, problem)
            await websocket.send_denial_response(problem.response())
        finally:
            if slot is not None:
                slot.release()

    def _start(self, websocket: WebSocket, agreement: Agreement, slot: Slot) -> None:
        session = Session(
            self._relay,
            agreement.claims,
            agreement.encoding,
            renew=functools.partial(self._renew, agreement.claims),
            on_end=self._sessions.remove,
            report=self._report,
        )
        connection = websocket.scope["extensions"][EXTENSION](session)
        self._sessions.add(session, slot)
        session.start(connection, agreement.scope, agreement.filter, agreement.since, self._terms)
        metrics.handshakes.labels("101").inc()
        self._audit.session("session.started", subject=agreement.claims.subject, encoding=agreement.encoding.value)

    async def upgrade_required(self, request: Request) -> Response:
        """A plain GET of the socket's path: what the handshake of this page and credential would be refused for, else 426."""
        check_origin(request.headers, self._origins)
        if "authorization" in request.headers or SCREEN in request.scope:
            claims = self.claims_of(request)
            narrowed(claims, filter_of(request.query_params))
            self._sessions.admit(claims.subject, request.client.host if request.client else "").release()
        raise no_socket(request.headers, request.scope["http_version"])

    async def latest(self, request: Request) -> Response:
        """All latest values in scope, as this process holds them."""
        claims = self._reader(request)
        scope = narrowed(claims, filter_of(request.query_params))
        pace, events = Pace(), {}
        for entry in self._relay.latest(scope):
            events[entry.room_id, entry.platform] = entry.event  # once each, whatever changes meanwhile
            await pace.rest()
        self._charge(claims, EVENT * len(events))
        session = {
            "stale_seconds": self._terms.stale_seconds,
            "ttl_seconds": self._terms.ttl_seconds,
            "token_expires_at": claims.expires_at,
            "rooms": scope.patterns(),
            "platforms": None if scope.platforms is None else sorted(scope.platforms),
            "build": self._terms.build,
            "time_ms": time.time_ns() // 1_000_000,
        }
        head = encode({"upstream": self._relay.upstream, "version": self._relay.resume_version(), "session": session})
        body = b"".join((head[:-1], b',"events":[', b",".join(events.values()), b"]}"))
        return sliced(body, claims.subject, self._outgoing)

    async def latest_of_room(self, request: Request) -> Response:
        """One stored reading, from Redis itself."""
        claims, room_id, platform = self._room(request)
        with store_answers():
            key = keys.latest(keys.shard_of(room_id, self._shards), room_id, platform)
            value = await self._store.owner(key).get(key)
        self._still_good(claims)
        if value is None:
            raise Problem(404, "nothing is stored for this room on this platform")
        try:
            return json_response(decode_stored(value))
        except UNREADABLE:
            raise Problem(500, "the stored value of this room is damaged") from None

    async def history_of_room(self, request: Request) -> Response:
        """Points for charts."""
        claims, room_id, platform = self._room(request)
        span, csv = parse_span(request.query_params, self._history.step_seconds, now_seconds=int(time.time())), _wants_csv(request)
        with store_answers():
            points = await while_connected(request, self._history.points(room_id, platform, span, functools.partial(self._charge, claims)))
        self._still_good(claims)
        if csv:
            return self._csv(points_as_csv(points), POINT_BYTES * len(points), claims, f"{room_id}-{platform}")
        body = encode({"room_id": room_id, "platform": platform, "from": span.start, "to": span.end, "step": span.step, "points": points})
        return sliced(body, claims.subject, self._outgoing)

    async def analytics(self, request: Request) -> Response:
        """What the rooms in scope earned."""
        claims, csv = self._reader(request), _wants_csv(request)
        scope = narrowed(claims, filter_of(request.query_params))
        wanted = parse_wanted(request.query_params, scope, self._history.step_seconds, now_seconds=int(time.time()), csv=csv)
        charge = functools.partial(self._charge, claims)
        with store_answers():
            made = await while_connected(request, self._reports.get(wanted, claims.subject, charge))
        self._still_good(claims)
        if isinstance(made, bytes):
            return sliced(made, claims.subject, self._outgoing)
        return self._csv(made.csv(), made.size(), claims, "earnings")

    def _csv(self, lines: Iterator[str], size: int, claims: Claims, name: str) -> Response:
        charge = functools.partial(self._charge, claims)
        parts = _charged(in_slices(lines), charge)
        return Sliced(parts, size=size, subject=claims.subject, outgoing=self._outgoing, media_type="text/csv", name=name)

    def claims_of(self, request: Request) -> Claims:
        """Who makes a request, by token or as a signed-in screen; raises a Problem."""
        claims = authenticate(request.headers, request.query_params, (), self._verify_for(request), request.scope.get(SCREEN))
        request.scope[CLAIMS] = claims
        return claims

    def _reader(self, request: Request) -> Claims:
        """The claims of a read whose subject has not used up its budget; raises a 401 or 429 Problem."""
        claims = self.claims_of(request)
        self._budget.admit(claims.subject, time.monotonic())
        self._charge(claims, REQUEST)
        request.scope[CHARGED] = True
        return claims

    def _charge(self, claims: Claims, price: float) -> None:
        self._budget.charge(claims.subject, price, time.monotonic())

    def _still_good(self, claims: Claims) -> None:
        """Raises a 401 Problem where a token ended while its answer was made."""
        if claims.expires_at <= time.time() or claims.is_ended(self._revocations):
            raise unauthorized()

    def _room(self, request: Request) -> tuple[Claims, str, str]:
        """The room of the path, if the token covers it. A name that is no room's is covered by no token."""
        claims = self._reader(request)
        room_id, platform = request.path_params["room_id"], request.path_params["platform"]
        if not is_room(room_id, platform) or not claims.scope.allows(room_id, platform):
            raise Problem(403, "the token does not cover this room on this platform")
        return claims, room_id, platform


def _wants_csv(request: Request) -> bool:
    wanted = request.query_params.get("format", "json")
    if wanted not in ("json", "csv"):
        raise invalid_parameter("format", "should be json or csv")
    return wanted == "csv"


def _charged(parts: Iterator[bytes], charge: Callable[[float], None]) -> Iterator[bytes]:
    """The parts of a file, each charged as it is written."""
    for part in parts:
        charge(LINES_PRICE)
        yield part
