"""Reports for many subjects: equal reports are made once and kept briefly, and each subject has a queue of its own, so waits are short.

A subject has one report made at a time; the others of the same subject wait. Reports of different subjects are made at the same time, a
feed of each in turn (`Analytics`), so that a small report never waits for a large one of another subject. A report is abandoned when no
request waits for it.
"""

import asyncio
import contextlib
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Final

from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.pace import Pace
from broadcast_service.reports.tally import Tally
from broadcast_service.reports.wanted import Wanted
from shared.contract.problems import Problem
from shared.income.steps import Steps
from shared.web.jobs import end, sleep

KEPT_BYTES: Final = 16_000_000  # of all reports that are kept
MAX_KEPT_BYTES: Final = 1_000_000  # of one
KEPT_SECONDS: Final = 20.0  # a report of a span that is over: only late readings change it
KEPT_OPEN_SECONDS: Final = 2.0  # one that reaches into the present
KEPT_TIMES: Final = 120  # as long as it took to make: so equal reports take at most a 120th of the process
MAX_KEPT_SECONDS: Final = 60.0
LONG_SECONDS: Final = 2 * 86_400  # a report of a longer span may be older: the last minutes are a small part of it
PAST_SECONDS: Final = 86_400.0  # one that ended so long ago is as old as the longest may be, since little is delivered for it
MAX_KEPT_LONG_SECONDS: Final = 600.0
SWEEP_SECONDS: Final = 1.0
STOP_SECONDS: Final = 1.0
DEADLINE_SECONDS: Final = 15.0
MAX_PER_SUBJECT: Final = 8  # different reports that a subject may wait for, the one that is being made among them
MAX_JOBS: Final = 64

Made = bytes | Tally
Charge = Callable[[float], None]
Admit = Callable[[], None]


class Kept:
    """Finished reports by request, within a number of bytes and until they are old. The clock is an argument."""

    def __init__(self, limit_bytes: int = KEPT_BYTES, limit_one: int = MAX_KEPT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._limit_one = limit_one
        self._reports: OrderedDict[Wanted, tuple[bytes, float]] = OrderedDict()
        self.held_bytes = 0

    def get(self, wanted: Wanted, now: float) -> bytes | None:
        """A report that is still fresh."""
        body, until = self._reports.get(wanted, (None, 0.0))
        return body if now < until else None

    def put(self, wanted: Wanted, body: bytes, until: float) -> None:
        """Keeps a report, unless it is large; the oldest ones make room."""
        self._drop(wanted)
        if len(body) > self._limit_one:
            return
        self._reports[wanted] = body, until
        self.held_bytes += len(body)
        while self.held_bytes > self._limit_bytes:
            self._drop(next(iter(self._reports)))

    def sweep(self, now: float) -> None:
        """Removes reports that are no longer fresh."""
        for wanted in [wanted for wanted, (_, until) in self._reports.items() if until <= now]:
            self._drop(wanted)

    def _drop(self, wanted: Wanted) -> None:
        body, _ = self._reports.pop(wanted, (b"", 0.0))
        self.held_bytes -= len(body)


def kept_seconds(steps: Steps, took_seconds: float, *, ended_seconds: float) -> float:
    """How long a report is kept that took so long to make and whose span ended so many seconds ago, or will end."""
    if ended_seconds > PAST_SECONDS:
        return MAX_KEPT_LONG_SECONDS
    longest = MAX_KEPT_LONG_SECONDS if steps.end - steps.start > LONG_SECONDS else MAX_KEPT_SECONDS
    return min(longest, max(KEPT_SECONDS if ended_seconds >= 0 else KEPT_OPEN_SECONDS, KEPT_TIMES * took_seconds))


class Queues:
    """A first-come-first-served lock per name, removed while no task uses it."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._users = Counter[Hashable]()

    @contextlib.asynccontextmanager
    async def turn(self, name: Hashable) -> AsyncIterator[None]:
        """Waits for one's turn, and has it until the end of the block."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._users[name] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name], self._locks[name]


class _Job:
    """A report that is being made, or waits to be, and how many wait for it."""

    task: "asyncio.Task[Made]"

    def __init__(self, charge: Charge, admit: Admit) -> None:
        self._charge = charge
        self.admit = admit
        self.waiting = 0

    def charge(self, price: float) -> None:
        """Charges a part of the work, and ends the work if no request waits for it: redis-py on Python 3.11 can swallow a cancellation."""
        self._charge(price)
        if not self.waiting:
            raise asyncio.CancelledError


class Reports:
    """Makes reports in tasks of its own; `run` is the job that removes old reports, and ends all tasks when it is cancelled."""

    def __init__(self, analytics: Analytics) -> None:
        self._analytics = analytics
        self.kept = Kept()
        self._queues = Queues()
        self._jobs: dict[tuple[str, Wanted], _Job] = {}

    async def run(self) -> None:
        """Sweeps for ever."""
        try:
            while True:
                await sleep(SWEEP_SECONDS)
                self.kept.sweep(time.monotonic())
        finally:
            await end([job.task for job in self._jobs.values()], within_seconds=STOP_SECONDS)

    async def get(self, wanted: Wanted, subject: str, charge: Charge, admit: Admit = lambda: None) -> Made:
        """A report, made now or a moment ago: JSON, or what CSV is written from. Raises a 429 or 503 Problem, or RedisError.

        `admit` is called when the subject's turn comes and raises the Problem of a subject that has used up its budget by then.
        """
        if kept := self.kept.get(wanted, time.monotonic()):
            return kept
        job = self._job(wanted, subject, charge, admit)
        job.waiting += 1
        try:
            async with asyncio.timeout(DEADLINE_SECONDS) as deadline:
                return await asyncio.shield(job.task)
        except TimeoutError:
            if deadline.expired():
                raise Problem(503, "the report takes too long; request a shorter span or fewer rooms", retry_after_seconds=5) from None
            raise
        finally:
            job.waiting -= 1
            if not job.waiting:
                self._forget((subject, wanted), job)
                job.task.cancel()

    def _job(self, wanted: Wanted, subject: str, charge: Charge, admit: Admit) -> _Job:
        """The job of an equal report of the same subject, else a new one."""
        if job := self._jobs.get((subject, wanted)):
            return job
        if sum(other == subject for other, _ in self._jobs) >= MAX_PER_SUBJECT:
            raise Problem(429, "too many reports are queued for this subject", retry_after_seconds=2)
        if len(self._jobs) >= MAX_JOBS:
            raise Problem(503, "too many reports are queued", retry_after_seconds=5)
        job = _Job(charge, admit)
        job.task = asyncio.create_task(self._make(wanted, subject, job), name="report")
        self._jobs[subject, wanted] = job
        job.task.add_done_callback(lambda task: self._end((subject, wanted), job, task))
        return job

    def _end(self, key: tuple[str, Wanted], job: _Job, task: "asyncio.Task[Made]") -> None:
        self._forget(key, job)
        if not task.cancelled():
            task.exception()  # the waiting requests get it; if there is none, asyncio must not log it

    def _forget(self, key: tuple[str, Wanted], job: _Job) -> None:
        if self._jobs.get(key) is job:
            del self._jobs[key]

    async def _make(self, wanted: Wanted, subject: str, job: _Job) -> Made:
        """Waits for the subject's turn, and for another subject that has the same report made; makes it unless it is there by then."""
        async with self._queues.turn(("subject", subject)), self._queues.turn(("report", wanted)):
            began = time.monotonic()
            if kept := self.kept.get(wanted, began):
                return kept
            job.admit()
            tally, measured = await self._analytics.make(wanted, job.charge)
            if wanted.detail.is_file:
                return tally
            pace, parts = Pace(), list[bytes]()
            for part in tally.json(measured):
                parts.append(part)
                await pace.rest()
            made, now = b"".join(parts), time.monotonic()
            await pace.rest()
            self.kept.put(wanted, made, now + kept_seconds(wanted.steps, now - began, ended_seconds=time.time() - wanted.steps.end))
            return made
