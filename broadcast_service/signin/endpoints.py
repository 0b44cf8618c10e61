"""The HTTP endpoints of signing in, under `/api/signin`.

Requests that change something come from this origin's own pages or carry a bearer token, hold a small JSON object, and have a price:
each address may make so many of them per minute, and so many screens may wait for approval at once.
"""

import io
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
import segno
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broadcast_service.http.answers import store_answers
from broadcast_service.signin.access import SCREEN, Screens
from broadcast_service.signin.bodies import ClaimBody, CodeBody, DecisionBody, Empty, RequestBudget, TokenBody, is_letters, read_object
from broadcast_service.signin.cookies import clear_cookie, is_own_origin, set_cookie
from shared.auth import screens as records
from shared.auth.audit import Audit, address_of
from shared.auth.scope import Scope, ScopeError
from shared.auth.screens import Grant, Pairing, Screen, TooManyScreens
from shared.contract.problems import API_HEADERS, Problem, unauthorized
from shared.store.redis import Store
from shared.tokens import Claims
from shared.web.address_budget import EXTRA, LISTED_SCREEN, PAIRING, QR_CODE
from shared.web.server import json_response

POLL_SECONDS: Final = 3

T = TypeVar("T")


class SignIn:
    """The endpoints and the objects that they use. `claims_of` authenticates a request or raises a Problem."""

    def __init__(self, *, store: Store, screens: Screens, claims_of: Callable[[Request], Claims], audit: Audit) -> None:
        self._store = store
        self._screens = screens
        self._claims_of = claims_of
        self._audit = audit
        self._budget = RequestBudget()

    def routes(self) -> list[BaseRoute]:
        """Starlette's routes to the methods below."""
        pairing = "/api/signin/pairings/{letters}"
        return [
            Route("/api/signin", self.current, methods=["GET"]),
            Route("/api/signin/code", self.with_code, methods=["POST"]),
            Route("/api/signin/token", self.with_token, methods=["POST"]),
            Route("/api/signin/out", self.sign_out, methods=["POST"]),
            Route("/api/signin/screens", self.list_screens, methods=["GET"]),
            Route("/api/signin/screens/{screen_id}", self.end_screen, methods=["DELETE"]),
            Route("/api/signin/pairings", self.start_pairing, methods=["POST"]),
            Route("/api/signin/pairings/claim", self.claim_pairing, methods=["POST"]),
            Route(pairing, self.show_pairing, methods=["GET"]),
            Route(pairing, self.decide_pairing, methods=["POST"]),
            Route(pairing + "/qr.svg", self.qr_code, methods=["GET"]),
        ]

    async def current(self, request: Request) -> Response:
        """Who is signed in here."""
        claims = self._claims_of(request)
        screen = request.scope.get(SCREEN)
        return json_response(
            {
                "subject": claims.subject,
                "rooms": claims.scope.patterns(),
                "platforms": None if claims.scope.platforms is None else sorted(claims.scope.platforms),
                "expires_at": claims.expires_at,
                "screen_id": screen.screen_id if isinstance(screen, Screen) else None,
                "name": screen.name if isinstance(screen, Screen) else "",
                "manages": _manages(request),
            }
        )

    async def with_code(self, request: Request) -> Response:
        """Exchanges a single-use code for a signed-in screen."""
        body = await self._body(request, CodeBody)
        with store_answers():
            grant = await records.redeem_code(self._store, body.code)
        if grant is None:
            raise Problem(410, "this sign-in link was used before or has expired")
        return await self._signed_in(request, grant, keep=body.keep)

    async def with_token(self, request: Request) -> Response:
        """Keeps this screen signed in for as long as the token of the request is valid."""
        body = await self._body(request, TokenBody)
        claims = self._claims_of(request)
        if "authorization" not in request.headers:
            raise unauthorized()
        return await self._signed_in(request, _grant_of(claims, manages=True), keep=body.keep)

    async def sign_out(self, request: Request) -> Response:
        """Ends this screen, if it is signed in, and clears its cookie."""
        await self._body(request, Empty)
        screen = request.scope.get(SCREEN)
        if isinstance(screen, Screen):
            await self._end(screen, by=screen.subject)
        return Response(status_code=204, headers={**API_HEADERS, "Set-Cookie": clear_cookie(request.headers.get("host", ""))})

    async def list_screens(self, request: Request) -> Response:
        """The signed-in screens within the caller's scope."""
        claims, own = self._managing(request), request.scope.get(SCREEN)
        with store_answers():
            screens = await self._listed(request)
        shown = [_shown(screen, own) for screen in screens if _covers(claims.scope, screen)]
        return json_response({"screens": shown})

    async def _listed(self, request: Request) -> list[Screen]:
        """All screens; the address of the request is charged for each of them."""
        screens = await records.all_screens(self._store, int(time.time()))
        request.scope[EXTRA] = LISTED_SCREEN * len(screens)
        return screens

    async def end_screen(self, request: Request) -> Response:
        """Signs another screen out everywhere."""
        self._check_origin(request)
        claims = self._managing(request)
        with store_answers():
            found = [screen for screen in await self._listed(request) if screen.screen_id == request.path_params["screen_id"]]
        if not found or not _covers(claims.scope, found[0]):
            raise Problem(404, "no such screen is signed in")
        await self._end(found[0], by=claims.subject)
        return Response(status_code=204, headers=API_HEADERS)

    async def start_pairing(self, request: Request) -> Response:
        """Starts a pairing: six letters to show, and a secret to claim the result with."""
        await self._body(request, Empty)
        with store_answers():
            letters, claim, pairing = await records.add_pairing(
                self._store, browser=_browser(request), address=address_of(request) or "", now_seconds=int(time.time())
            )
        return json_response({"letters": letters, "claim": claim, "expires_at": pairing.expires_at, "poll_seconds": POLL_SECONDS}, 201)

    async def claim_pairing(self, request: Request) -> Response:
        """Signs the waiting screen in once a person has approved it."""
        body = await self._body(request, ClaimBody)
        request.scope[EXTRA] = PAIRING
        with store_answers():
            pairing = await records.claim_pairing(self._store, body.letters, body.claim)
        if pairing is None:
            raise Problem(410, "this pairing code has expired")
        if pairing.refused:
            raise Problem(403, "signing in this screen was denied")
        if pairing.grant is None:
            return json_response({"status": "waiting", "expires_at": pairing.expires_at}, 202)
        return await self._signed_in(request, pairing.grant, keep=True)

    async def show_pairing(self, request: Request) -> Response:
        """The data of a waiting screen, for the person who decides."""
        claims, (_, pairing) = self._managing(request), await self._pairing(request)
        return json_response(
            {
                "browser": pairing.browser,
                "address": pairing.address,
                "requested_at": pairing.requested_at,
                "expires_at": pairing.expires_at,
                "rooms": claims.scope.patterns(),
                "until": claims.expires_at,
            }
        )

    async def decide_pairing(self, request: Request) -> Response:
        """Approves or refuses a screen that waits. It gets at most the scope and the lifetime of the person who approves."""
        body = await self._body(request, DecisionBody)
        claims, (letters, pairing) = self._managing(request), await self._pairing(request)
        grant = self._grant(claims, body) if body.approve else None
        with store_answers():
            if not await records.decide_pairing(self._store, letters, pairing, grant):
                raise _no_pairing()
        if grant is not None:
            self._audit.record("screen.approved", subject=claims.subject, jti=claims.token_id, address=pairing.address)
        return Response(status_code=204, headers=API_HEADERS)

    async def qr_code(self, request: Request) -> Response:
        """The address of the approval page for these letters, as a QR code."""
        letters = request.path_params["letters"]
        if not is_letters(letters):
            raise _no_pairing()
        origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
        request.scope[EXTRA] = QR_CODE
        image = io.BytesIO()
        segno.make_qr(f"{origin}/#pair={letters}", error="m").save(
            image, kind="svg", scale=8, border=2, xmldecl=False, dark="#000", light="#fff"
        )
        return Response(image.getvalue(), headers=API_HEADERS, media_type="image/svg+xml")

    async def _signed_in(self, request: Request, grant: Grant, *, keep: bool) -> Response:
        """Signs the requesting browser in and answers with its cookie."""
        now = int(time.time())
        try:
            with store_answers():
                screen, secret = await records.add_screen(
                    self._store, grant, browser=_browser(request), address=address_of(request) or "", now_seconds=now
                )
        except TooManyScreens:
            raise Problem(503, "too many screens are signed in; end some of them") from None
        self._audit.record("screen.signed_in", subject=screen.subject, jti=screen.screen_id, address=screen.address)
        cookie = set_cookie(request.headers.get("host", ""), secret, screen.expires_at - now if keep else None)
        answer = {"subject": screen.subject, "expires_at": screen.expires_at, "screen_id": screen.screen_id}
        return json_response(answer, headers={"Set-Cookie": cookie})

    async def _end(self, screen: Screen, *, by: str) -> None:
        with store_answers():
            screens = await records.all_screens(self._store, int(time.time()))
            derived = [other for other in screens if screen.screen_id in other.derived_from]
            await records.end_screens(self._store, [screen, *derived])
        self._screens.forget(screen)
        self._audit.record("screen.ended", subject=by, jti=screen.screen_id)

    def _grant(self, claims: Claims, body: DecisionBody) -> Grant:
        try:
            scope = claims.scope.narrow(body.rooms, body.platforms)
        except ScopeError as error:
            raise Problem(403, str(error)) from None
        expires_at = claims.expires_at if body.days is None else min(claims.expires_at, int(time.time()) + body.days * 86400)
        wanted = _grant_of(claims, manages=False)
        platforms = None if scope.platforms is None else sorted(scope.platforms)
        return msgspec.structs.replace(wanted, rooms=scope.patterns(), platforms=platforms, expires_at=expires_at, name=body.name.strip())

    def _managing(self, request: Request) -> Claims:
        """The caller, if it may decide about other screens; raises a 401 or 403 Problem."""
        claims = self._claims_of(request)
        if not _manages(request):
            raise Problem(403, "this screen may not sign other screens in or out")
        return claims

    async def _pairing(self, request: Request) -> tuple[str, Pairing]:
        letters = request.path_params["letters"].upper()
        request.scope[EXTRA] = PAIRING
        with store_answers():
            pairing = await records.find_pairing(self._store, letters) if is_letters(letters) else None
        if pairing is None or pairing.refused or pairing.grant is not None:
            raise _no_pairing()
        return letters, pairing

    def _check_origin(self, request: Request) -> None:
        """A request that changes something comes from a page of this origin, or from a program that has a token and sends no Origin."""
        if "origin" in request.headers and not is_own_origin(request.headers):
            raise Problem(403, "this origin may not sign screens in or out")
        self._budget.take(address_of(request) or "", time.monotonic())

    async def _body(self, request: Request, kind: type[T]) -> T:
        """The request's JSON object, after its origin and its budget; raises a Problem."""
        self._check_origin(request)
        return await read_object(request, kind)


def _grant_of(claims: Claims, *, manages: bool) -> Grant:
    """All that the claims allow, derived from them."""
    platforms = None if claims.scope.platforms is None else sorted(claims.scope.platforms)
    above = [claims.token_id, *claims.derived_from]
    return Grant(claims.subject, claims.scope.patterns(), platforms, claims.expires_at, above, manages=manages)


def _manages(request: Request) -> bool:
    """Whether the caller may decide about other screens: a caller with a token may, a screen only if it was signed in with that right."""
    screen = request.scope.get(SCREEN)
    return screen.manages if isinstance(screen, Screen) else True


def _covers(scope: Scope, screen: Screen) -> bool:
    """Whether a screen sees nothing outside a scope."""
    try:
        scope.narrow(screen.rooms, screen.platforms)
    except ScopeError:
        return False
    return scope.platforms is None or screen.platforms is not None


def _shown(screen: Screen, own: Any) -> dict[str, Any]:
    """A screen as the list shows it; nothing of its secret."""
    return {
        "screen_id": screen.screen_id,
        "subject": screen.subject,
        "name": screen.name,
        "rooms": screen.rooms,
        "platforms": screen.platforms,
        "created_at": screen.created_at,
        "expires_at": screen.expires_at,
        "browser": screen.browser,
        "address": screen.address,
        "this": isinstance(own, Screen) and own.screen_id == screen.screen_id,
    }


def _no_pairing() -> Problem:
    return Problem(404, "no screen is waiting with this pairing code")


def _browser(request: Request) -> str:
    """What the browser calls itself, shortened and printable: shown to the person who approves, never interpreted."""
    return "".join(c for c in request.headers.get("user-agent", "")[:200] if c.isprintable())
