"""Decides whether an upgrade request becomes a session. Pure: a request's parts in, an `Agreement` or a Problem out.

Everything is decided before the upgrade, so that every refusal is a real HTTP status.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from starlette.datastructures import Headers, QueryParams

from broadcast_service.frames import PULSE, Encoding
from shared.messages import MAX_PATTERNS, FilterMessage
from shared.problems import Problem, unauthorized
from shared.scope import Scope, ScopeError
from shared.tokens import Claims, TokenError, bearer

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
    headers: Headers, query: QueryParams, offered: Sequence[str], *, origins: frozenset[str], verify: Callable[[str], Claims]
) -> Agreement:
    """Checks origin, then credential, then protocol and scope; raises a Problem."""
    _check_origin(headers, origins)
    claims = authenticate(headers, query, offered, verify)
    filter_ = filter_of(query)
    return Agreement(claims, _encoding(offered), narrowed(claims, filter_), filter_, _since(query))


def authenticate(headers: Headers, query: QueryParams, offered: Sequence[str], verify: Callable[[str], Claims]) -> Claims:
    """The claims of the one credential; raises a 400 or 401 Problem."""
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


def _check_origin(headers: Headers, origins: frozenset[str]) -> None:
    """Browsers always say where a page came from. The page's own host may connect, others only if listed."""
    given = headers.getlist("origin")
    if not given:
        return
    own = {f"{scheme}://{host}" for scheme in ("http", "https") for host in headers.getlist("host")}
    if len(given) > 1 or given[0] not in origins | own:
        raise Problem(403, "this origin may not connect")


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
