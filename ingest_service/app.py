"""The composition root of the ingest service: it creates every object once and passes it to the objects that need it."""

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from ingest_service.budget import TokenBudget
from ingest_service.limits import Limits
from ingest_service.openapi import openapi
from ingest_service.ratelimit_headers import policies
from ingest_service.routes import Endpoint, Paths, Telemetry, answer_fields
from ingest_service.settings import IngestSettings
from ingest_service.validation import SENT_AT
from ingest_service.whole_posts import WholePosts
from ingest_service.writer import Writer, WriterOptions
from shared.auth.audit import Audit, behind_proxies
from shared.auth.revocations import Revocations
from shared.contract.history_record import DAY_SECONDS
from shared.contract.problems import Problem, answer_http_exception, answer_internal_error, answer_problem
from shared.store.redis import Store
from shared.tokens import Verifier
from shared.web.guard import Guard
from shared.web.jobs import Jobs
from shared.web.server import FRESH_SECONDS, common_routes
from shared.web.tracing import Spans, closing
from shared.web.whole_requests import Shortcut

ONE = "/api/tracking/telemetry"
BATCH = "/api/tracking/telemetry/batch"
TAKEN = ["Authorization", "Content-Type", SENT_AT]
VARIES = {"Vary": "Origin"}  # what the CORS middleware adds to an answer to a request without `Origin`
EXPOSED = ["Date", "RateLimit", "RateLimit-Policy", "Retry-After"]


class Service(NamedTuple):
    """The service as an ASGI application, and the shortcuts for requests that arrive whole, by their target."""

    app: ASGIApp
    shortcuts: dict[bytes, Shortcut]


def create_service(settings: IngestSettings, store: Store, on_crash: Callable[[], None], spans: Spans | None) -> Service:
    """Creates the service; `on_crash` is called when a background job ends by an exception. With spans there are no shortcuts."""
    audit, jobs = Audit(), Jobs(on_crash)
    revocations = Revocations(store, audit)
    limits = _limits(settings)
    writer = _writer(settings, store, limits, spans)
    verifier = Verifier(settings.keyring, "ingest")
    refused = behind_proxies(audit, settings.forwarded_allow_ips.values)
    budget = TokenBudget(limits.token_per_second * settings.telemetry_shards, limits.token_burst_seconds)
    telemetry = Telemetry(
        writer,
        verifier,
        revocations,
        refused,
        budget=budget,
        retention_seconds=settings.history_retention_days * DAY_SECONDS,
        body_timeout_seconds=settings.body_timeout_seconds,
    )

    def unready() -> list[str]:
        """The reasons why the service cannot accept readings, none when it can."""
        reasons = ["Redis does not respond"] if revocations.seconds_since_confirmed() > FRESH_SECONDS else []
        return reasons + jobs.unready()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        """Runs the jobs from start to shutdown, and closes the connections after them."""
        work = {"store": store.run(), "revocations": revocations.run(), "audit": audit.run()} | writer.jobs()
        async with closing(spans), store, jobs.running(work):
            yield

    starlette = Starlette(
        routes=common_routes(openapi, unready),
        lifespan=lifespan,
        exception_handlers={Problem: answer_problem, HTTPException: answer_http_exception, Exception: answer_internal_error},
    )
    headers = policies(limits)
    one, batch = Endpoint(telemetry.post_one, headers, refused), Endpoint(telemetry.post_batch, headers, refused)
    endpoints: dict[str, ASGIApp] = {ONE: one, BATCH: batch}
    layered = functools.partial(_with_cors, settings=settings)
    has_cors = bool(settings.allowed_origins.values)
    fields = answer_fields(headers, VARIES if has_cors else {})
    whole_posts = WholePosts(telemetry, writer, verifier, budget, one=one, batch=batch, fields=fields, layered=layered, has_cors=has_cors)
    shortcuts: dict[bytes, Shortcut] = {ONE.encode(): whole_posts.post_one, BATCH.encode(): whole_posts.post_batch}
    if spans is not None:
        endpoints, shortcuts = {path: spans.request(endpoint, path) for path, endpoint in endpoints.items()}, {}
    return Service(layered(Paths(endpoints, Guard(starlette))), shortcuts)


def _limits(settings: IngestSettings) -> Limits:
    """The rate limits, as the settings have them."""
    return Limits(
        settings.rate_limit_room_per_second,
        settings.rate_limit_token_per_second,
        new_feeds_per_second=settings.rate_limit_new_feeds_per_second,
        new_feeds_burst=settings.rate_limit_new_feeds_burst,
        feeds_per_room=settings.max_feeds_per_room,
        feeds_per_day=settings.max_feeds_per_day,
    )


def _writer(settings: IngestSettings, store: Store, limits: Limits, spans: Spans | None) -> Writer:
    """The writer of all shards, as the settings have it."""
    options = WriterOptions(
        ttl_seconds=settings.telemetry_ttl_seconds,
        step_seconds=settings.history_step_seconds,
        retention_days=settings.history_retention_days,
        limits=limits,
        spans=spans,
    )
    return Writer(store, settings.telemetry_shards, options)


def _with_cors(app: ASGIApp, settings: IngestSettings) -> ASGIApp:
    """Exact origins only, for an extension that lacks the host permission; without any the middleware is not there."""
    if not settings.allowed_origins.values:
        return app
    origins = sorted(settings.allowed_origins.values)
    return CORSMiddleware(app, allow_origins=origins, allow_methods=["POST"], allow_headers=TAKEN, expose_headers=EXPOSED)
