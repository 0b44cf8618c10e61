"""Background jobs: how they run side by side, how they are ended, and how a service knows that each of them runs.

A job is a coroutine that never ends by itself. A job can fail in two ways: it ends (by a bug, or because something cancelled it), or it
waits for something that never happens. The first is logged and stops the process, so that whoever supervises it starts it again. The second
is found because every job reports that it is alive; a job that has been silent for `MAX_SILENCE_SECONDS` makes the service not ready,
and one that stays silent stops the process too.
"""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog

STOP_SECONDS: Final = 2.0  # for all jobs to end
CANCEL_AGAIN_SECONDS: Final = 0.05
MAX_PAUSE_SECONDS: Final = 1.0  # between two reports of a job that has nothing to do
MAX_SILENCE_SECONDS: Final = 4.0  # longer than a connection, a command and a pause take when each one times out
WATCH_SECONDS: Final = 1.0
MAX_SILENT_WATCHES: Final = 20  # counted in the watch's own turns, so that a process that was stopped as a whole is not blamed

log = structlog.get_logger()

_report: contextvars.ContextVar[Callable[[], None]] = contextvars.ContextVar("_report", default=lambda: None)


def report_alive() -> None:
    """Called by a job in each of its turns, at least every `MAX_SILENCE_SECONDS`; the tasks that it starts report for it."""
    _report.get()()


async def sleep(seconds: float) -> None:
    """Sleeps as `asyncio.sleep` does, and reports alive meanwhile."""
    until = asyncio.get_running_loop().time() + seconds
    report_alive()
    while (left := until - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(left, MAX_PAUSE_SECONDS))
        report_alive()


async def end(tasks: Sequence[asyncio.Task[Any]], *, within_seconds: float | None = None) -> None:
    """Cancels tasks again and again until all have ended, or the time is over.

    Once is not enough: what a task waits with (Python 3.11's `wait_for` is an example) can swallow a cancellation, and the task then goes
    on as if nothing had happened.
    """
    deadline = None if within_seconds is None else time.monotonic() + within_seconds
    while (pending := [task for task in tasks if not task.done()]) and (deadline is None or time.monotonic() < deadline):
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*(task for task in tasks if task.done()), return_exceptions=True)  # else asyncio reports errors as never retrieved


async def until_one_ends(*jobs: Coroutine[Any, Any, None]) -> None:
    """Runs jobs side by side until one ends, ends the others, and raises what it ended with.

    Not a TaskGroup, which cancels once and then waits for ever for a job that swallowed its cancellation.
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
        """The names of the jobs that have ended, or have been silent for too long."""
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
            log.error("job.cancelled", job=name)  # noqa: TRY400 - where it was cancelled from is not in the trace
        except Exception:
            log.exception("job.crashed", job=name)
        self._on_crash()

    async def _watch(self) -> None:
        """Logs the jobs that are silent, and stops the process when one remains so."""
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
