"""`/metrics` on a separate listener, which the front proxy does not forward to: on loopback, or on the network shared with Prometheus.

A scrape costs about a millisecond of CPU, and its content is for operators only.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable
from typing import Final

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.contract.problems import API_HEADERS, answer_http_exception
from shared.settings import SettingsError
from shared.web.guard import Guard
from shared.web.http_protocol import HttpProtocol

CACHE_SECONDS: Final = 1.0
SHUTDOWN_SECONDS: Final = 1

tasks = Gauge("pulse_event_loop_tasks", "Tasks on the event loop, including the one that serves this request")


def address_of(host: str) -> str:
    """METRICS_HOST as an address: itself, or this machine's own address in the network that it names. Raises SettingsError."""
    if "/" not in host:
        return host
    try:
        network = ipaddress.ip_network(host)
        family = socket.AF_INET6 if network.version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(network.network_address + 1), 9))  # sends nothing: the system only selects the source address
            address = str(probe.getsockname()[0])
    except (ValueError, OSError):
        raise SettingsError(["METRICS_HOST should be an address, or a network that this machine has an address in"]) from None
    if ipaddress.ip_address(address) not in network:
        raise SettingsError(["METRICS_HOST names a network that this machine has no address in"])
    return address


class Exposition:
    """The metrics in Prometheus' text format, generated at most once a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, generate: Callable[[], bytes] = generate_latest) -> None:
        self._clock = clock
        self._generate = generate
        self._made_at = -CACHE_SECONDS
        self._text = b""

    def text(self) -> bytes:
        """The metrics, at most a second old."""
        now = self._clock()
        if now - self._made_at >= CACHE_SECONDS:
            self._made_at, self._text = now, self._generate()
        return self._text


def metrics_app(exposition: Exposition) -> ASGIApp:
    """An application with one path."""

    async def metrics(_request: Request) -> Response:
        """`/metrics`"""
        tasks.set(len(asyncio.all_tasks()))
        return Response(exposition.text(), headers=API_HEADERS, media_type=CONTENT_TYPE_LATEST)

    return Guard(Starlette(routes=[Route("/metrics", metrics)], exception_handlers={HTTPException: answer_http_exception}))


def metrics_config(host: str, port: int) -> uvicorn.Config:
    """The listener's configuration; raises SettingsError."""
    return uvicorn.Config(
        metrics_app(Exposition()),
        host=address_of(host),
        port=port,
        http=HttpProtocol,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
