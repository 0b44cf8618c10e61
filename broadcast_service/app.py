"""The composition root of the broadcast service: everything is made here, once, and passed to whoever needs it."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from broadcast_service.http.answers import answer_client_gone
from broadcast_service.http.budget import Budget
from broadcast_service.http.openapi import openapi
from broadcast_service.http.routes import Dashboards
from broadcast_service.http.static import pages, read_files
from broadcast_service.relay.relay import Pacing, Relay
from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.history import History
from broadcast_service.reports.report_queue import Reports
from broadcast_service.sessions.registry import ConnectionLimits, Sessions
from broadcast_service.sessions.session import SessionTerms
from broadcast_service.settings import BroadcastSettings
from broadcast_service.signin.access import CookieAccess, Screens
from broadcast_service.signin.ended import EndedScreens
from broadcast_service.signin.endpoints import SignIn
from shared.auth.audit import Audit
from shared.auth.revocations import Revocations
from shared.contract.problems import Problem, answer_http_exception, answer_internal_error
from shared.store.listener import ShardListener, mostly_confirmed
from shared.store.redis import Store
from shared.tokens import Verifier
from shared.web.guard import Guard
from shared.web.jobs import Jobs
from shared.web.server import FRESH_SECONDS, common_routes
from shared.web.tracing import Spans, closing

STALE_SECONDS = 15  # three intervals of a producer


def create_app(settings: BroadcastSettings, store: Store, sessions: Sessions, on_crash: Callable[[], None], spans: Spans | None) -> ASGIApp:
    """The service as an ASGI application; `on_crash` is called when a background job dies of a bug."""
    shards = settings.telemetry_shards
    instance = f"broadcast-{secrets.token_hex(3)}"
    pacing = Pacing(settings.flush_share, settings.flush_max_pause_ms / 1000, settings.heartbeat_seconds)
    relay = Relay(shards, settings.telemetry_ttl_seconds, pacing, spans)
    sessions.before_drain = relay.flush_now
    tolerance = settings.telemetry_ttl_seconds / 2
    listeners = [ShardListener(store, shard, relay, instance, clock_tolerance_seconds=tolerance) for shard in range(shards)]
    audit, jobs = Audit(), Jobs(on_crash)

    def on_revoked(token_ids: set[str]) -> None:
        sessions.end_tokens(token_ids)
        ended.end_derived(token_ids)

    revocations = Revocations(store, audit, on_revoked)
    ended = EndedScreens(store, revocations, sessions.end_tokens)
    screens = Screens(store, ended)
    analytics = Analytics(store, shards, step_seconds=settings.history_step_seconds, retention_days=settings.history_retention_days)
    reports = Reports(analytics)
    files = read_files()
    dashboards = Dashboards(
        store=store,
        shards=shards,
        relay=relay,
        sessions=sessions,
        verifier=Verifier(settings.keyring, "dashboard"),
        revocations=ended,
        audit=audit,
        origins=settings.allowed_origins.values,
        terms=SessionTerms(instance, settings.heartbeat_seconds, STALE_SECONDS, settings.telemetry_ttl_seconds, files.build),
        history=History(store, shards, step_seconds=settings.history_step_seconds, retention_days=settings.history_retention_days),
        reports=reports,
        budget=Budget(settings.read_share),
    )

    signin = SignIn(store=store, screens=screens, claims_of=dashboards.claims_of, audit=audit)

    def unready() -> list[str]:
        reasons = ["draining"] if sessions.draining else []
        if revocations.seconds_since_confirmed() > FRESH_SECONDS:
            reasons.append("Redis does not answer")
        if not mostly_confirmed(listeners):
            reasons.append("too few subscriptions are proven")
        return reasons + jobs.unready()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        work = {f"listener-{shard}": listener.run() for shard, listener in enumerate(listeners)}
        work |= {
            "store": store.run(),
            "relay": relay.run(),
            "sessions": sessions.run(),
            "revocations": revocations.run(),
            "ended-screens": ended.run(),
            "reports": reports.run(),
            "audit": audit.run(),
        }
        async with closing(spans), store, jobs.running(work):
            yield

    return Guard(
        Starlette(
            routes=[*dashboards.routes(), *signin.routes(), *common_routes(openapi, unready), pages(files.pages)],
            lifespan=lifespan,
            middleware=[Middleware(CookieAccess, screens=screens)],
            exception_handlers={
                Problem: audit.answer_problem,
                ClientDisconnect: answer_client_gone,
                HTTPException: answer_http_exception,
                Exception: answer_internal_error,
            },
        )
    )


def connection_limits(settings: BroadcastSettings) -> ConnectionLimits:
    """The connection connection_limits of the settings."""
    return ConnectionLimits(settings.max_connections, settings.max_connections_per_subject, settings.max_connections_per_address)
