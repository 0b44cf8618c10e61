"""Decides whether an upgrade request becomes a session. Pure: takes the parts of a request, returns an `Agreement` or raises a Problem.

Everything is decided before the upgrade, so that each refusal has an HTTP status.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from starlette.datastructures import Headers, QueryParams

from broadcast_service.http.parameters import filter_of, since_of
from broadcast_service.websocket.frames import PULSE, Encoding
from shared.auth.origins import is_own, normalised, shown
from shared.auth.scope import Scope, ScopeError
from shared.auth.screens import Screen
from shared.contract.events import FilterMessage
from shared.contract.problems import Problem, unauthorized
from shared.tokens import Claims, TokenError, bearer

PAGE_ORIGIN: Final = "pulse-origin"
TOKEN_PREFIX: Final = "bearer."
TOKEN_PARAMETERS: Final = ("token", "access_token", "jwt", "authorization")


class Agreement(NamedTuple):
    """What a handshake that is accepted agreed on."""

    claims: Claims
    encoding: Encoding
    scope: Scope
    filter: FilterMessage
    since: int | None

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the server selects."""
        return PULSE if self.encoding.is_pulse else None


def agree(
    headers: Headers,
    query: QueryParams,
    offered: Sequence[str],
    *,
    origins: frozenset[str],
    verify: Callable[[str], Claims],
    screen: Screen | Problem | None = None,
) -> Agreement:
    """Checks origin, credential, subprotocol and scope, in this order; raises a Problem."""
    check_origin(headers, origins)
    claims = authenticate(headers, query, offered, verify, screen)
    filter_ = filter_of(query)
    return Agreement(claims, _encoding(offered), narrowed(claims, filter_), filter_, since_of(query))


def authenticate(
    headers: Headers,
    query: QueryParams,
    offered: Sequence[str],
    verify: Callable[[str], Claims],
    screen: Screen | Problem | None = None,
) -> Claims:
    """The claims of the only token, or of the signed-in screen when there is no token; raises a 400 or 401 Problem, or `screen`."""
    if any(name.lower() in TOKEN_PARAMETERS for name in query):
        raise Problem(400, "a token does not belong in a URL")
    authorization = headers.getlist("authorization")
    carried = [protocol[len(TOKEN_PREFIX) :] for protocol in offered if protocol.startswith(TOKEN_PREFIX)]
    if len(authorization) + len(carried) > 1:
        raise Problem(400, "more than one credential")
    try:
        if authorization:
            return verify(bearer(authorization[0]))
        if carried:
            return verify(carried[0])
        if isinstance(screen, Problem):
            raise screen
        if screen is not None:
            return screen.claims()
    except TokenError:
        pass
    raise unauthorized()


def narrowed(claims: Claims, filter_: FilterMessage) -> Scope:
    """The part of the token's scope that a filter names; raises a 403 Problem when the scope does not cover all of it."""
    try:
        return claims.scope.narrow(filter_.rooms, filter_.platforms)
    except ScopeError as error:
        raise Problem(403, str(error)) from None


def check_origin(headers: Headers, origins: frozenset[str]) -> None:
    """Compares a browser's `Origin` with the request's host and with ALLOWED_ORIGINS; raises a 403 Problem.

    A page cannot set `Origin`, and a browser omits it from a plain GET of the page's own server. Such a request can name the page's origin
    in `Pulse-Origin` instead, to learn whether its socket would be refused; the header has no other effect.
    """
    given = headers.getlist("origin") or headers.getlist(PAGE_ORIGIN)
    if not given:
        return
    hosts = headers.getlist("host")
    if len(given) == 1 and (normalised(given[0]) in origins or any(is_own(given[0], host) for host in hosts)):
        return
    raise Problem(
        403,
        "this origin may not connect: it is not the host that this request was sent to, as far as the proxies in between pass that on, "
        "and ALLOWED_ORIGINS does not list it",
        members={"code": "origin_refused", "setting": "ALLOWED_ORIGINS"},
        logged={"origin": shown(" ".join(given)), "host": shown(" ".join(hosts)), "setting": "ALLOWED_ORIGINS"},
    )


def no_socket(headers: Headers, http_version: str) -> Problem:
    """The 426 Problem of a request that is not an upgrade: a plain GET, or a handshake from which a proxy removed the upgrade."""
    members, detail = {"code": "upgrade_required"}, "this path speaks WebSocket"
    if "sec-websocket-key" in headers:
        members = {"code": "upgrade_dropped"}
        detail = "a WebSocket handshake arrived without its upgrade: a proxy in between does not pass on Upgrade and Connection"
        if http_version == "1.0":
            detail = "a WebSocket handshake arrived as HTTP/1.0: a proxy in between must speak HTTP/1.1 and pass on Upgrade and Connection"
    return Problem(426, detail, headers={"Upgrade": "websocket", "Connection": "Upgrade"}, members=members)


def _encoding(offered: Sequence[str]) -> Encoding:
    protocols = [protocol for protocol in offered if not protocol.startswith(TOKEN_PREFIX)]
    if PULSE in protocols:
        return Encoding.LINES
    if offered:
        raise Problem(400, f"none of the offered subprotocols is known; this server speaks {PULSE}")
    return Encoding.SINGLE
