"""Turns the session cookie of a request into claims, before the request reaches its route."""

import time
from collections import OrderedDict
from collections.abc import Container
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from broadcast_service.signin.cookies import cookie_secret, is_own_origin, is_same_site
from shared.auth.screens import Screen, digest, find_screen
from shared.contract.problems import Problem
from shared.store.redis import RedisError, Store

SCREEN: Final = "studio_pulse.screen"  # where a connection's scope keeps its screen
FRESH_SECONDS: Final = 5.0
MAX_REMEMBERED: Final = 10_000


class Screens:
    """The screens that this process has seen. A screen is read from Redis again after `FRESH_SECONDS`.

    While Redis does not answer, a screen that was seen before keeps working, as a token does; one never seen is refused with 503.
    `ended` is this process' list of ended screens and tokens.
    """

    def __init__(self, store: Store, ended: Container[str]) -> None:
        self._store = store
        self._ended = ended
        self._seen: OrderedDict[str, tuple[Screen, float]] = OrderedDict()

    async def find(self, secret: str) -> Screen | None:
        """The screen that a secret signs in; None when there is none. Raises a 503 Problem while the store does not answer."""
        lookup, now = digest(secret), time.monotonic()
        screen, seen_at = self._seen.get(lookup, (None, float("-inf")))
        if now - seen_at > FRESH_SECONDS:
            try:
                screen = await find_screen(self._store, secret)
            except (RedisError, OSError, TimeoutError):
                if screen is None:
                    raise Problem(503, "the store does not respond, so this screen cannot be verified", retry_after_seconds=1) from None
            else:
                self._remember(lookup, screen, now)
        if screen is None or screen.expires_at <= time.time() or screen.claims().is_ended(self._ended):
            return None
        return screen

    def forget(self, screen: Screen) -> None:
        """Reads a screen from Redis again at its next request."""
        self._seen.pop(screen.lookup, None)

    def _remember(self, lookup: str, screen: Screen | None, now: float) -> None:
        self._seen.pop(lookup, None)
        if screen is not None:
            self._seen[lookup] = (screen, now)
            while len(self._seen) > MAX_REMEMBERED:
                self._seen.popitem(last=False)


class CookieAccess:
    """ASGI layer: puts the screen of a request's cookie into its scope.

    A request that carries a token of its own does not need the cookie, and one caused by another origin's page may not use it.
    """

    def __init__(self, app: ASGIApp, screens: Screens) -> None:
        self._app = app
        self._screens = screens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] in ("http", "websocket") and b"cookie" in dict(scope["headers"]):
            headers = Headers(scope=scope)
            secret = cookie_secret(headers) if "authorization" not in headers else None
            reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
            if secret is not None and (is_same_site(headers) if reads else is_own_origin(headers)):
                try:
                    scope[SCREEN] = await self._screens.find(secret)
                except Problem as problem:
                    scope[SCREEN] = problem
        await self._app(scope, receive, send)
