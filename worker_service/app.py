"""The composition root of the worker service: it creates each object once and passes it to the objects that use it."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from shared.contract.problems import Problem, answer_http_exception, answer_internal_error, answer_problem
from shared.store.redis import Store
from shared.web.guard import Guard
from shared.web.jobs import Jobs
from shared.web.server import FRESH_SECONDS, common_routes
from shared.web.tracing import Spans, closing
from worker_service.job import Job
from worker_service.leader import Leader
from worker_service.lease import LeaseKeeper
from worker_service.openapi import openapi

LEASE: Final = "jobs"


def create_app(store: Store, jobs: Sequence[Job], on_crash: Callable[[], None], spans: Spans | None) -> ASGIApp:
    """The service as an ASGI application; `on_crash` is called when a background job ends by an exception."""
    running = Jobs(on_crash)
    leader = Leader(LeaseKeeper(store, LEASE, f"worker-{secrets.token_hex(6)}"), jobs)

    def unready() -> list[str]:
        reasons = ["Redis does not respond"] if leader.seconds_since_answer() > FRESH_SECONDS else []
        return reasons + running.unready() + [reason for job in jobs for reason in job.unready()]

    def details() -> dict[str, str]:
        waiting = {job.name: f"waits: {job.trouble}" for job in jobs if job.trouble}
        return {"lease": "held" if leader.is_leading else "standby", **waiting}

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with closing(spans), store:
            try:
                async with running.running({"store": store.run()} | leader.work()):
                    yield
            finally:
                await leader.release()

    return Guard(
        Starlette(
            routes=common_routes(openapi, unready, details),
            lifespan=lifespan,
            exception_handlers={Problem: answer_problem, HTTPException: answer_http_exception, Exception: answer_internal_error},
        )
    )
