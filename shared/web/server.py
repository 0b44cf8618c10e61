"""The parts that both services share: health and schema routes, a listener for metrics, and the configuration of uvicorn."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

import uvicorn
from prometheus_client import Info
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.contract.codec import encode
from shared.contract.problems import API_HEADERS, Problem
from shared.web.http_protocol import HttpProtocol
from shared.web.openapi import version

DROPPED: Final = 4  # times the limit of a body
FRESH_SECONDS: Final = 3.0  # a service is ready only if Redis has answered within this time

build = Info("pulse_build", "Version of the running service")
build.info({"version": version()})

Readiness = Callable[[], list[str]]
Details = Callable[[], dict[str, str]]


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Any message or plain value as a JSON response."""
    return Response(encode(value), status, {**API_HEADERS, **(headers or {})}, "application/json")


def common_routes(openapi: Callable[[], dict[str, Any]], unready: Readiness, details: Details = dict) -> list[Route]:
    """`/health`, `/livez`, `/readyz` and `/openapi.json`; `unready` lists the reasons, if any, `details` are added to `ready`."""

    async def live(_request: Request) -> Response:
        """`/health` and `/livez`: the process responds."""
        return json_response({"status": "ok"})

    async def ready(_request: Request) -> Response:
        """`/readyz`: the service can serve clients; raises a 503 Problem with the reasons why it cannot."""
        if reasons := unready():
            raise Problem(503, "not ready: " + "; ".join(reasons), retry_after_seconds=1)
        return json_response({"status": "ready", **details()})

    async def schema(_request: Request) -> Response:
        """`/openapi.json`"""
        return json_response(openapi())

    return [
        Route("/health", live),
        Route("/livez", live),
        Route("/readyz", ready),
        Route("/openapi.json", schema),
    ]


class Server(uvicorn.Server):
    """uvicorn's server with an exit status: a crashed job ends the process with status 1, so that its supervisor restarts it."""

    crashed = False

    def __init__(self, config: uvicorn.Config, metrics: uvicorn.Config) -> None:
        super().__init__(config)
        self._metrics = uvicorn.Server(metrics)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the metrics listener first, so that a port in use ends the process before it does any work."""
        self._metrics.config.load()
        self._metrics.lifespan = self._metrics.config.lifespan_class(self._metrics.config)
        await self._metrics.startup()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops the metrics listener last."""
        await super().shutdown(sockets)
        await self._metrics.shutdown()

    def crash(self) -> None:
        """Stops serving; `serve` then reports failure."""
        self.crashed = True
        self.should_exit = True


def run(server: Server) -> int:
    """Serves until a signal stops it; returns the exit status.

    Everything that was imported and created until now stays. The garbage collector does not look at it again: with the packages of the
    archive a full collection would hold the event loop for about 40 ms.
    """
    gc.collect()
    gc.freeze()
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 1 if server.crashed or not server.started else 0


def config(app: Any, *, host: str, port: int, http: Any = HttpProtocol, **options: Any) -> uvicorn.Config:
    """The uvicorn configuration of both services.

    Its request log is off, because it contains URLs, and a client may by mistake put a token into the URL of a socket.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        http=http,
        **options,
    )


Receive = Callable[[], Awaitable[Any]]


async def read_body(
    receive: Receive, *, limit_bytes: int, timeout_seconds: float, count: Callable[[int], object] = lambda _size: None
) -> bytes:
    """A request's whole body; raises a 413 or 408 Problem, or ClientGone, and what `count` raises, which is called with each held size.

    The rest of a body that is too large is read and dropped, up to DROPPED times the limit, before it is refused: a connection that is
    closed while bytes arrive is reset, and the client might see the reset instead of the 413 (RFC 9112 section 9.6).
    """
    body, received, more = b"", 0, True
    try:
        async with asyncio.timeout(timeout_seconds):
            while more and received <= limit_bytes * DROPPED:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                piece = message.get("body", b"")
                received += len(piece)
                if received <= limit_bytes:
                    count(len(piece))
                body = body + piece if received <= limit_bytes else b""
                more = message.get("more_body", False)
    except TimeoutError:
        if received <= limit_bytes:
            raise Problem(408, "the body did not arrive in time", headers={"Connection": "close"}) from None
    if received > limit_bytes:
        raise Problem(413, f"the body is larger than {limit_bytes} bytes", headers={"Connection": "close"})
    return body


class ClientGone(Exception):
    """The client disconnected before it had sent its request, so there is no one to answer."""
