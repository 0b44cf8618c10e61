"""Problems: what a refusal looks like, and that a crash shows nothing of itself."""

import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope

from ingest_service.routes import Endpoint
from shared.contract.problems import CloseCode, Problem, answer_http_exception, answer_internal_error, answer_problem

pytestmark = pytest.mark.anyio


async def crash(_scope: Scope, _receive: Receive) -> tuple[int, bytes]:
    """An endpoint that was never finished."""
    raise ZeroDivisionError("canary")


async def unheard(_scope: Scope, _problem: Problem) -> None:
    """Discards the answer."""


async def refuse(_request: Request) -> Response:
    """A route that refuses."""
    raise Problem(429, "too many", retry_after_seconds=7)


def client() -> httpx.AsyncClient:
    """A client of an application with both."""
    handlers = {Problem: answer_problem, 404: answer_http_exception, Exception: answer_internal_error}
    app = Starlette(routes=[Route("/crash", Endpoint(crash, {}, unheard)), Route("/refusal", refuse)], exception_handlers=handlers)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://service")


async def test_an_internal_error_is_500_without_internals() -> None:
    """The client learns only that the error is the server's."""
    async with client() as http:
        answer = await http.get("/crash")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert not any(word in answer.text for word in ("canary", "Zero", "Traceback", ".py"))


async def test_a_refusal_says_when_to_retry() -> None:
    """In the header, and in the body for readers of batch results."""
    async with client() as http:
        answer = await http.get("/refusal")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert json.loads(answer.content)["retry_after_seconds"] == 7


async def test_a_wrong_path_is_a_problem_too() -> None:
    """The framework's own refusals are problems too."""
    async with client() as http:
        answer = await http.get("/canary")
    assert (answer.status_code, answer.headers["content-type"], "canary" in answer.text) == (404, "application/problem+json", False)


def test_every_close_code_names_its_reason() -> None:
    """In a text that fits into a close frame."""
    assert all(0 < len(code.reason) <= 123 for code in CloseCode)
