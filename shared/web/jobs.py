"""Background jobs: how they run concurrently, how they are ended, and how a service detects that one of them does not run.

A job is a coroutine that never ends by itself. A job can fail in two ways: it ends (by a bug, or because it was cancelled), or it waits for
an event that never happens. The first is logged and stops the process, so that its supervisor restarts it. The second is detected because
every job reports that it is alive: a job without a report for `MAX_SILENCE_SECONDS` makes the service not ready, and one that stays silent
stops the process as well.
"""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog

STOP_SECONDS: Final = 2.0  # in which all jobs must end
CANCEL_AGAIN_SECONDS: Final = 0.05
MAX_PAUSE_SECONDS: Final = 1.0  # between two reports of a job that has nothing to do
MAX_SILENCE_SECONDS: Final = 4.0  # longer than a connection, a command and a pause that each time out
WATCH_SECONDS: Final = 1.0
MAX_SILENT_WATCHES: Final = 20  # counted in iterations of the watch, so that a process that was suspended does not stop afterwards

log = structlog.get_logger()

_report: contextvars.ContextVar[Callable[[], None]] = contextvars.ContextVar("_report", default=lambda: None)


def report_alive() -> None:
    """Called by a job in each iteration, at least every `MAX_SILENCE_SECONDS`; tasks that a job starts report for it."""
    _report.get()()


async def sleep(seconds: float) -> None:
    """Sleeps as `asyncio.sleep` does, and reports alive meanwhile."""
    until = asyncio.get_running_loop().time() + seconds
    report_alive()
    while (left := until - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(left, MAX_PAUSE_SECONDS))
        report_alive()


async def end(tasks: Sequence[asyncio.Task[Any]], *, within_seconds: float | None = None) -> None:
    """Cancels tasks repeatedly until all have ended, or until the time is over.

    One cancellation can be lost: the function that a task waits in (for example `wait_for` in Python 3.11) can swallow it, and the task
    continues.
    """
    deadline = None if within_seconds is None else time.monotonic() + within_seconds
    while (pending := [task for task in tasks if not task.done()]) and (deadline is None or time.monotonic() < deadline):
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*(task for task in tasks if task.done()), return_exceptions=True)  # or asyncio reports them


async def until_one_ends(*jobs: Coroutine[Any, Any, None]) -> None:
    """Runs jobs concurrently until one ends, ends the others, and raises the exception of the first.

    A TaskGroup cancels only once, and would wait forever for a job that swallowed its cancellation.
    """
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(tasks)
    for task in done:
        task.result()


class Jobs:
    """A service's named background jobs. `on_crash` is called when one ends or stays silent: it stops the process."""

    def __init__(self, on_crash: Callable[[], None]) -> None:
        self._on_crash = on_crash
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reported_at: dict[str, float] = {}
        self._stopping = False

    @contextlib.asynccontextmanager
    async def running(self, jobs: Mapping[str, Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
        """Runs the jobs while the body runs."""
        for name, job in {**jobs, "watch": self._watch()}.items():
            self._reported_at[name] = time.monotonic()
            self._tasks[name] = asyncio.create_task(self._supervise(name, job), name=name)
        try:
            yield
        finally:
            self._stopping = True
            await end(list(self._tasks.values()), within_seconds=STOP_SECONDS)

    def not_running(self) -> list[str]:
        """The names of the jobs that have ended, or have not reported for too long."""
        now = time.monotonic()
        return [name for name, task in self._tasks.items() if task.done() or now - self._reported_at[name] > MAX_SILENCE_SECONDS]

    def unready(self) -> list[str]:
        """The reasons, if any, for which a service with these jobs is not ready."""
        return [f"the job {name} does not run" for name in self.not_running()]

    async def _supervise(self, name: str, job: Coroutine[Any, Any, None]) -> None:
        _report.set(lambda: self._reported_at.__setitem__(name, time.monotonic()))
        try:
            await job
            log.error("job.ended", job=name)
        except asyncio.CancelledError:
            if self._stopping:
                raise
            log.error("job.cancelled", job=name)  # noqa: TRY400 - a traceback does not show the canceller
        except Exception:
            log.exception("job.crashed", job=name)
        self._on_crash()

    async def _watch(self) -> None:
        """Logs the jobs that do not report, and stops the process when one stays silent."""
        silent: dict[str, int] = {}
        while True:
            await sleep(WATCH_SECONDS)
            silent = {name: silent.get(name, 0) + 1 for name in self.not_running()}
            for name, watches in silent.items():
                if watches == 1:
                    log.error("job.unresponsive", job=name)
                elif watches == MAX_SILENT_WATCHES:
                    log.error("job.stuck", job=name)
                    self._on_crash()
