"""Errors as data: RFC 9457 problems for HTTP and named close codes for the socket.

A problem never repeats what was sent: its texts are written here or name a field of ours.
"""

import enum
import http
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from shared.contract.codec import encode

MEDIA_TYPE: Final = "application/problem+json"

# Of every answer that is not a page: nobody keeps a copy, guesses its type, or shows it in a frame.
API_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Problem(Exception):
    """A refusal with an HTTP status, raised anywhere below a route and answered in one place."""

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
        """`members` extend the problem document; `logged` is for the audit log alone and never sent."""
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
    """The one answer to a missing, malformed, expired, revoked or forged token: it does not say which."""
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
    """The answer to anything unforeseen: it is logged, and the client learns nothing of the inside."""
    return Problem(500, "an unexpected error; it has been logged")


async def answer_internal_error(_request: Request, _error: Exception) -> Response:
    """Starlette's handler for anything unforeseen; the server logs it."""
    return internal_error().response()


class CloseCode(enum.IntEnum):
    """Why a dashboard's socket was closed (RFC 6455 section 7.4; 4xxx are ours)."""

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
        """The reason phrase that travels with the code, and names it in logs and metrics."""
        return self.name.lower().replace("_", " ")
