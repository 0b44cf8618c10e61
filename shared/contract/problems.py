"""Errors as data: RFC 9457 problem details for HTTP and named close codes for the WebSocket.

A problem never repeats client input: its texts are constants, or name a field of the contract.
"""

import enum
import http
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from shared.contract.codec import encode

MEDIA_TYPE: Final = "application/problem+json"

# For every response that is not a page: it is not cached, its type is not guessed, and it is not shown in a frame.
API_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Problem(Exception):
    """An error response with an HTTP status. It is raised anywhere below a route and sent by one handler."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        retry_after_seconds: int | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, str] | None = None,
        logged: Mapping[str, str] | None = None,
    ) -> None:
        """`members` extend the problem document. `logged` is written to the audit log only and never sent."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds
        self.members = dict(members or {})
        self.logged = dict(logged or {})
        self.headers = {**API_HEADERS, **(headers or {})}
        if retry_after_seconds is not None:
            self.headers["Retry-After"] = str(retry_after_seconds)

    def as_dict(self) -> dict[str, Any]:
        """The members of the problem document."""
        members: dict[str, Any] = {
            "type": "about:blank",
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            members["errors"] = self.errors
        if self.retry_after_seconds is not None:
            members["retry_after_seconds"] = self.retry_after_seconds
        return members | self.members

    def response(self) -> Response:
        """The problem as an HTTP response."""
        return Response(encode(self.as_dict()), self.status, self.headers, MEDIA_TYPE)


def unauthorized() -> Problem:
    """The only response to a missing, malformed, expired, revoked or forged token. It does not disclose which."""
    return Problem(401, "a valid bearer token is required", headers={"WWW-Authenticate": 'Bearer realm="studio-pulse"'})


async def answer_problem(_request: Request, problem: Exception) -> Response:
    """Starlette's handler for `Problem`."""
    assert isinstance(problem, Problem)
    return problem.response()


async def answer_http_exception(_request: Request, error: Exception) -> Response:
    """Starlette's handler for its own HTTPException (404, 405), as a problem."""
    status = getattr(error, "status_code", 500)
    phrase = http.HTTPStatus(status).phrase
    return Problem(status, phrase.lower(), headers=getattr(error, "headers", None)).response()


def internal_error() -> Problem:
    """The response to an unexpected exception. The exception is logged; its details are not sent."""
    return Problem(500, "an internal error occurred and was logged")


async def answer_internal_error(_request: Request, _error: Exception) -> Response:
    """Starlette's handler for unexpected exceptions; the server logs them."""
    return internal_error().response()


class CloseCode(enum.IntEnum):
    """Why a dashboard's WebSocket was closed (RFC 6455 section 7.4; 4xxx are ours)."""

    BINARY_FRAME = 1003
    SERVER_ERROR = 1011
    RESTART = 1012
    TRY_LATER = 1013
    BAD_MESSAGE = 4400
    TOKEN_ENDED = 4401
    FORBIDDEN = 4403
    TOO_SLOW = 4408
    TOO_MANY = 4429

    @property
    def reason(self) -> str:
        """The reason phrase that is sent with the code and identifies it in logs and metrics."""
        return self.name.lower().replace("_", " ")
