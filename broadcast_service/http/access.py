"""Decides whether an upgrade request becomes a session. Pure: a request's parts in, an `Agreement` or a Problem out.

Everything is decided before the upgrade, so that every refusal is a real HTTP status.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from starlette.datastructures import Headers, QueryParams

from broadcast_service.websocket.frames import PULSE, Encoding
from shared.auth.origins import is_own, normalised, shown
from shared.auth.scope import Scope, ScopeError
from shared.auth.screens import Screen
from shared.contract.events import MAX_PATTERNS, FilterMessage
from shared.contract.problems import Problem, unauthorized
from shared.tokens import Claims, TokenError, bearer

PAGE_ORIGIN: Final = "pulse-origin"
TOKEN_PREFIX: Final = "bearer."
TOKEN_PARAMETERS: Final = ("token", "access_token", "jwt", "authorization")


class Agreement(NamedTuple):
    """The terms under which a socket may open."""

    claims: Claims
    encoding: Encoding
    scope: Scope
    filter: FilterMessage
    since: int | None

    @property
    def subprotocol(self) -> str | None:
        """What to echo."""
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
    """Checks origin, then credential, then protocol and scope; raises a Problem."""
    check_origin(headers, origins)
    claims = authenticate(headers, query, offered, verify, screen)
    filter_ = filter_of(query)
    return Agreement(claims, _encoding(offered), narrowed(claims, filter_), filter_, _since(query))


def authenticate(
    headers: Headers,
    query: QueryParams,
    offered: Sequence[str],
    verify: Callable[[str], Claims],
    screen: Screen | Problem | None = None,
) -> Claims:
    """The claims of the one token, or without one those of the signed-in screen; raises a 400 or 401 Problem, or the screen's own."""
    if any(name.lower() in TOKEN_PARAMETERS for name in query):
        raise Problem(400, "a token does not belong in a URL")
    authorization = headers.getlist("authorization")
    carried = [protocol[len(TOKEN_PREFIX) :] for protocol in offered if protocol.startswith(TOKEN_PREFIX)]
    if len(authorization) + len(carried) > 1:
        raise Problem(400, "one credential, please")
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


def filter_of(query: QueryParams) -> FilterMessage:
    """The narrowing that `rooms=` and `platforms=` ask for; empty means none."""
    return FilterMessage(_list(query, "rooms"), _list(query, "platforms"))


def narrowed(claims: Claims, filter_: FilterMessage) -> Scope:
    """The part of the token's scope that was asked for; raises a 403 Problem when it is not wholly inside."""
    try:
        return claims.scope.narrow(filter_.rooms, filter_.platforms)
    except ScopeError as error:
        raise Problem(403, str(error)) from None


def check_origin(headers: Headers, origins: frozenset[str]) -> None:
    """Compares a browser's `Origin` with the request's own host and with ALLOWED_ORIGINS, as browsers write them; raises a 403 Problem.

    A page cannot set `Origin`, and a browser leaves it out of a plain GET of the page's own server. Such a request may name the page's
    origin in `Pulse-Origin` instead, to learn what would become of its socket; it decides nothing else.
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
    """Why a request for the socket's path opens none: it is a plain one, or a proxy in between made it one."""
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


def _list(query: QueryParams, name: str) -> list[str] | None:
    values = [part.strip() for value in query.getlist(name) for part in value.split(",") if part.strip()]
    if len(values) > MAX_PATTERNS:
        raise Problem(400, f"{name} holds more than {MAX_PATTERNS} names")
    return values or None


def _since(query: QueryParams) -> int | None:
    """The version to resume from; anything that is none means a full snapshot."""
    text = query.get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None
