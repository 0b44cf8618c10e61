"""Refuses requests before they are parsed or routed: those with control characters in the path, and with queries beyond a limit."""

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from shared.contract.problems import Problem

MAX_QUERY_BYTES: Final = 2048
MAX_PARAMETERS: Final = 16

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def check_target(path: str, query: bytes) -> None:
    """Raises a 400 or 414 Problem. `path` is decoded, `query` is not: the limit applies before it is parsed."""
    if _CONTROL.search(path):
        raise Problem(400, "the path holds a control character")
    if len(query) > MAX_QUERY_BYTES:
        raise Problem(414, f"the query is longer than {MAX_QUERY_BYTES} bytes")
    if query.count(b"&") >= MAX_PARAMETERS:
        raise Problem(400, f"the query has more than {MAX_PARAMETERS} parameters")


class Guard:
    """An application whose requests and handshakes have passed `check_target`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on valid requests, and the lifespan."""
        if scope["type"] in ("http", "websocket"):
            try:
                check_target(scope["path"], scope["query_string"])
            except Problem as problem:
                response = problem.response()
                if scope["type"] == "websocket":
                    await WebSocket(scope, receive, send).send_denial_response(response)
                else:
                    await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
