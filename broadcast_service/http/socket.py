"""`/ws/dashboard`: the handshake that starts a session, and the answer to a plain GET of the same path."""

import functools
import time
from typing import Final

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from broadcast_service import metrics
from broadcast_service.http.access import Agreement, agree, check_origin, narrowed, no_socket
from broadcast_service.http.authentication import Authenticator
from broadcast_service.http.budget import Budget
from broadcast_service.http.parameters import filter_of
from broadcast_service.relay.relay import Relay
from broadcast_service.sessions.registry import Sessions, Slot
from broadcast_service.sessions.session import Session, SessionTerms
from broadcast_service.signin.access import SCREEN
from broadcast_service.websocket.protocol import EXTENSION
from shared.auth.audit import Audit
from shared.contract.problems import Problem

PATH: Final = "/ws/dashboard"
NO_QUERY: Final = QueryParams()
ACCEPTED: Final = metrics.handshakes.labels("101")  # bound to its label once: looking it up costs more than counting


class SocketEndpoint:
    """Decides over a handshake and hands the connection to a session. `origins` are the browser origins of ALLOWED_ORIGINS."""

    def __init__(
        self,
        relay: Relay,
        sessions: Sessions,
        authenticator: Authenticator,
        audit: Audit,
        *,
        budget: Budget,
        origins: frozenset[str],
        terms: SessionTerms,
    ) -> None:
        self._relay = relay
        self._sessions = sessions
        self._authenticator = authenticator
        self._audit = audit
        self._budget = budget
        self._report = audit.record_session  # one bound method for all sessions
        self._origins = origins
        self._terms = terms

    def routes(self) -> list[BaseRoute]:
        """Starlette's route to the answer to a plain GET."""
        return [Route(PATH, self.upgrade_required)]

    async def handshake(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application of handshakes: accepts one and starts its session, or refuses it with an HTTP status."""
        slot: Slot | None = None
        try:
            agreement = agree(
                Headers(scope=scope),
                QueryParams(scope["query_string"]) if scope["query_string"] else NO_QUERY,
                scope["subprotocols"],
                origins=self._origins,
                verify=self._authenticator.verify_for(scope),
                screen=scope.get(SCREEN),
            )
            self._budget.admit(agreement.claims.subject, time.monotonic())
            slot = self._sessions.admit(agreement.claims.subject, scope["client"][0] if scope["client"] else "")
            if (await receive())["type"] == "websocket.connect":  # else the client left while its cookie was looked up
                await send({"type": "websocket.accept", "subprotocol": agreement.subprotocol})
                self._start(scope, agreement, slot)
                slot = None
        except Problem as problem:
            metrics.handshakes.labels(str(problem.status)).inc()
            websocket = WebSocket(scope, receive, send)
            self._audit.record_refusal(websocket, problem)
            await websocket.send_denial_response(problem.response())
        finally:
            if slot is not None:
                slot.release()

    def _start(self, scope: Scope, agreement: Agreement, slot: Slot) -> None:
        session = Session(
            self._relay,
            agreement.claims,
            agreement.encoding,
            budget=self._budget,
            renew=functools.partial(self._authenticator.renew, agreement.claims),
            on_end=self._sessions.remove,
            report=self._report,
        )
        connection = scope["extensions"][EXTENSION](session)
        self._sessions.add(session, slot)
        session.start(connection, agreement.scope, agreement.filter, agreement.since, self._terms)
        ACCEPTED.inc()
        self._audit.record_session("session.started", subject=agreement.claims.subject, encoding=agreement.encoding.value)

    async def upgrade_required(self, request: Request) -> Response:
        """A plain GET: raises the Problem that would refuse a handshake of the same page and credential, else a 426 Problem."""
        check_origin(request.headers, self._origins)
        if "authorization" in request.headers or SCREEN in request.scope:
            claims = self._authenticator.claims_of(request)
            narrowed(claims, filter_of(request.query_params))
            self._sessions.admit(claims.subject, request.client.host if request.client else "").release()
        raise no_socket(request.headers, request.scope["http_version"])


class Handshakes:
    """ASGI layer: handshakes go to their endpoint without Starlette's router and layers; everything else is passed on to `ordinary`.

    When all dashboards of a studio reconnect together, handshakes are the whole load of the service.
    """

    def __init__(self, endpoint: ASGIApp, ordinary: ASGIApp) -> None:
        self._endpoint = endpoint
        self._ordinary = ordinary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on the request, the handshake or the lifespan."""
        is_handshake = scope["type"] == "websocket" and scope["path"] == PATH
        await (self._endpoint if is_handshake else self._ordinary)(scope, receive, send)
