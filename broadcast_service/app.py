"""The composition root of the broadcast service: it creates each object once and passes it to the objects that use it."""

import contextlib
import importlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from broadcast_service.http import static
from broadcast_service.http.analytics import AnalyticsEndpoint
from broadcast_service.http.answers import answer_client_gone
from broadcast_service.http.audience import AudienceEndpoint
from broadcast_service.http.authentication import Authenticator
from broadcast_service.http.budget import Budget
from broadcast_service.http.explain import ExplainEndpoint
from broadcast_service.http.history import HistoryEndpoint
from broadcast_service.http.openapi import openapi
from broadcast_service.http.reads import Reads
from broadcast_service.http.socket import Handshakes, SocketEndpoint
from broadcast_service.http.studio import StudioEndpoint
from broadcast_service.http.telemetry import TelemetryEndpoints
from broadcast_service.relay.relay import Pacing, Relay
from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.audience import Audiences
from broadcast_service.reports.days import RedisDays
from broadcast_service.reports.explanations import Explanations
from broadcast_service.reports.history import History
from broadcast_service.reports.report_queue import Reports
from broadcast_service.sessions.registry import ConnectionLimits, Sessions
from broadcast_service.sessions.session import SessionTerms
from broadcast_service.settings import BroadcastSettings
from broadcast_service.signin.access import CookieAccess, Screens
from broadcast_service.signin.ended import EndedScreens
from broadcast_service.signin.endpoints import SignIn
from broadcast_service.studio.reloader import StudioFile
from shared.auth.audit import Audit
from shared.auth.revocations import Revocations
from shared.contract.problems import Problem, answer_http_exception, answer_internal_error
from shared.settings import SettingsError
from shared.store.listener import ShardListener, mostly_confirmed
from shared.store.redis import Store
from shared.tokens import Verifier
from shared.web.guard import Guard
from shared.web.jobs import Jobs
from shared.web.server import FRESH_SECONDS, common_routes
from shared.web.tracing import Spans, closing

if TYPE_CHECKING:
    from broadcast_service.reports.archived_days import ArchivedDays  # which needs SQLAlchemy

MAX_REMEMBERED: Final = 20_000  # verified tokens, where the number of connections has no limit
STALE_SECONDS: Final = 15  # three intervals of a producer


def create_app(settings: BroadcastSettings, store: Store, sessions: Sessions, on_crash: Callable[[], None], spans: Spans | None) -> ASGIApp:
    """The service as an ASGI application; `on_crash` is called when a background job ends by an exception. Raises StudioError."""
    instance = f"broadcast-{secrets.token_hex(3)}"
    audit, jobs, files, studio_file = Audit(), Jobs(on_crash), static.read_files(), StudioFile(settings.studio_file)
    relay, listeners = _relay(settings, store, instance, spans)
    sessions.before_drain = relay.flush_now
    revocations, ended = _revocations(store, audit, sessions)
    screens = Screens(store, ended)
    authenticator = Authenticator(
        Verifier(settings.keyring, "dashboard", remembered=settings.max_connections or MAX_REMEMBERED), ended, audit
    )
    history, reports, explanations, audiences = _reports(settings, store)
    budget = Budget(settings.read_share)
    reads = Reads(authenticator, budget)
    terms = SessionTerms(instance, settings.heartbeat_seconds, STALE_SECONDS, settings.telemetry_ttl_seconds, files.build)

    def unready() -> list[str]:
        """The reasons why the service cannot serve clients, none when it can."""
        reasons = ["shutting down"] if sessions.draining else []
        if revocations.seconds_since_confirmed() > FRESH_SECONDS:
            reasons.append("Redis does not respond")
        if not mostly_confirmed(listeners):
            reasons.append("too few subscriptions are confirmed")
        return reasons + jobs.unready()

    def work() -> dict[str, Coroutine[Any, Any, None]]:
        """The background jobs by name."""
        return {f"listener-{shard}": listener.run() for shard, listener in enumerate(listeners)} | {
            "store": store.run(),
            "relay": relay.run(),
            "sessions": sessions.run(),
            "revocations": revocations.run(),
            "ended-screens": ended.run(),
            "reports": reports.run(),
            "audit": audit.run(),
            "studio-file": studio_file.run(),
        }

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        """Runs the jobs from start to shutdown, and closes the connections after them."""
        async with closing(spans), store, jobs.running(work()):
            yield

    socket = SocketEndpoint(relay, sessions, authenticator, audit, budget=budget, origins=settings.allowed_origins.values, terms=terms)
    routes = [
        *socket.routes(),
        *TelemetryEndpoints(reads, relay, store, settings.telemetry_shards, terms).routes(),
        *HistoryEndpoint(reads, history).routes(),
        *ExplainEndpoint(reads, explanations).routes(),
        *AudienceEndpoint(reads, audiences).routes(),
        *AnalyticsEndpoint(reads, reports, settings.history_step_seconds, lambda: studio_file.studio).routes(),
        *StudioEndpoint(reads, relay, studio_file).routes(),
        *SignIn(store=store, screens=screens, claims_of=authenticator.claims_of, audit=audit).routes(),
        *common_routes(openapi, unready),
        static.pages(files.pages),
    ]
    handlers: dict[Any, Any] = {
        Problem: audit.answer_problem,
        ClientDisconnect: answer_client_gone,
        HTTPException: answer_http_exception,
        Exception: answer_internal_error,
    }
    middleware = [Middleware(CookieAccess, screens=screens)]
    starlette = Starlette(routes=routes, lifespan=lifespan, middleware=middleware, exception_handlers=handlers)
    return Guard(Handshakes(CookieAccess(socket.handshake, screens), starlette))


def _relay(settings: BroadcastSettings, store: Store, instance: str, spans: Spans | None) -> tuple[Relay, list[ShardListener]]:
    """The relay, and the listeners that deliver the readings of each shard to it."""
    pacing = Pacing(settings.flush_share, settings.flush_max_pause_ms / 1000, settings.heartbeat_seconds)
    relay = Relay(settings.telemetry_shards, settings.telemetry_ttl_seconds, pacing, spans)
    tolerance = settings.telemetry_ttl_seconds / 2
    shards = range(settings.telemetry_shards)
    return relay, [
        ShardListener(store, shard, relay, instance, clock_tolerance_seconds=tolerance, demand=relay.demands[shard]) for shard in shards
    ]


def _revocations(store: Store, audit: Audit, sessions: Sessions) -> tuple[Revocations, EndedScreens]:
    """The lists of revoked tokens and of ended screens; the sessions of either are closed."""

    def on_revoked(token_ids: set[str]) -> None:
        """Closes the sessions of revoked tokens, and of screens that were signed in with them."""
        sessions.end_tokens(token_ids)
        ended.end_derived(token_ids)

    revocations = Revocations(store, audit, on_revoked)
    ended = EndedScreens(store, revocations, sessions.end_tokens)
    return revocations, ended


def _reports(settings: BroadcastSettings, store: Store) -> tuple[History, Reports, Explanations, Audiences]:
    """The history of single rooms, the reports over all feeds in scope, their explanations, and their viewers."""
    shards, step_seconds, retention_days = settings.telemetry_shards, settings.history_step_seconds, settings.history_retention_days
    days = _days(settings, RedisDays(store, shards, step_seconds=step_seconds, retention_days=retention_days))
    older = None if isinstance(days, RedisDays) else days
    history = History(store, shards, step_seconds=step_seconds, retention_days=retention_days, older=older)
    analytics = Analytics(days)
    return history, Reports(analytics), Explanations(analytics, step_seconds), Audiences(days, history)


def _days(settings: BroadcastSettings, redis: RedisDays) -> "RedisDays | ArchivedDays":
    """Where reports have their days from: from Redis, and with DATABASE_URL from the archive as well. Raises SettingsError."""
    if settings.database_url is None:
        return redis
    try:
        archive = importlib.import_module("broadcast_service.reports.archived_days")  # the only part that needs SQLAlchemy
    except ModuleNotFoundError as error:
        raise SettingsError([f"DATABASE_URL needs the package {error.name}: install requirements-worker.txt"]) from None
    found: ArchivedDays = archive.open_archive(settings.database_url, redis)
    return found


def connection_limits(settings: BroadcastSettings) -> ConnectionLimits:
    """The limits on connections from the settings."""
    return ConnectionLimits(settings.max_connections, settings.max_connections_per_subject, settings.max_connections_per_address)
