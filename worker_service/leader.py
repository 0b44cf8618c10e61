"""Runs the jobs while this instance holds the lease, and waits for the lease while another instance holds it.

The lease and each job have a task of their own among the service's background jobs, so that a job that hangs is noticed although the lease
is renewed.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import structlog

from shared.store.reasons import reason_of
from shared.store.redis import RedisError
from shared.web.jobs import sleep, until_one_ends
from worker_service.job import Job
from worker_service.lease import RENEW_SECONDS, RETRY_SECONDS, FencedOff, Lease, LeaseKeeper, LeaseLost, changes, held, seconds

POLL_SECONDS: Final = 0.2

log = structlog.get_logger()


class Term:
    """One term of the lease, as the jobs see it."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.over = asyncio.Event()

    def end(self) -> None:
        """Ends the lease and the jobs that run under it."""
        self.lease.end()
        self.over.set()


class Leader:
    """This instance's lease and jobs: `work` are its tasks, `release` is called once they have ended."""

    def __init__(self, keeper: LeaseKeeper, jobs: Sequence[Job]) -> None:
        self._keeper = keeper
        self._jobs = jobs
        self._term: Term | None = None
        self._answered_at = float("-inf")
        self._is_away = False

    @property
    def is_leading(self) -> bool:
        """Whether this instance holds the lease."""
        return self._term is not None and not self._term.over.is_set()

    def seconds_since_answer(self) -> float:
        """How long ago Redis last answered; infinite before the first answer."""
        return seconds() - self._answered_at

    def work(self) -> dict[str, Coroutine[Any, Any, None]]:
        """The background jobs by name; they never end by themselves."""
        return {"lease": self._hold()} | {job.name: self._follow(job) for job in self._jobs}

    async def release(self) -> None:
        """Lets another instance have the lease at once, if this one holds it."""
        if self._term is not None:
            term, self._term = self._term, None
            term.end()
            held.set(0)
            await self._keeper.release(term.lease)

    async def _hold(self) -> None:
        """Acquires the lease, and renews it until it is lost."""
        while True:
            if (lease := await self._acquire()) is not None:
                self._term = Term(lease)
                held.set(1)
                changes.labels("acquired").inc()
                log.info("lease.acquired", token=lease.token)
                await self._keep(self._term)
                await self.release()
            await sleep(RETRY_SECONDS)

    async def _acquire(self) -> Lease | None:
        try:
            lease = await self._keeper.acquire()
        except (RedisError, OSError, TimeoutError) as error:
            self._report(error)
            return None
        self._confirm()
        return lease

    async def _keep(self, term: Term) -> None:
        """Renews the lease until it is lost."""
        while not term.over.is_set():
            await sleep(RENEW_SECONDS)
            try:
                term.lease.fence()
                await self._keeper.renew(term.lease)
                self._confirm()
            except LeaseLost as error:
                self._lose(term, error)
            except (RedisError, OSError, TimeoutError) as error:
                self._report(error)

    async def _follow(self, job: Job) -> None:
        """Runs a job during each term; raises what the job raises, unless that is the loss of the lease."""
        while True:
            if (term := self._term) is None or term.over.is_set():
                await sleep(POLL_SECONDS)
                continue
            try:
                await until_one_ends(job.run(term.lease), _wait(term.over))
            except LeaseLost as error:
                self._lose(term, error)
            if not term.over.is_set():
                raise RuntimeError("a job ended by itself")

    def _lose(self, term: Term, error: LeaseLost) -> None:
        """Ends a term; the first reason is the one that is logged."""
        if isinstance(error, FencedOff):
            self._keeper.raise_floor(error.highest)
        if not term.over.is_set():
            changes.labels("fenced_off" if isinstance(error, FencedOff) else "lost").inc()
            log.warning("lease.lost", token=term.lease.token, reason=str(error))
        term.end()
        held.set(0)

    def _confirm(self) -> None:
        self._answered_at = seconds()
        self._is_away = False

    def _report(self, error: Exception) -> None:
        if not self._is_away:
            log.warning("lease.unavailable", error=type(error).__name__, reason=reason_of(error))
        self._is_away = True


async def _wait(event: asyncio.Event) -> None:
    """Waits without reporting alive, which is the job's to do."""
    await event.wait()
