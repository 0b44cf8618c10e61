"""How jobs run side by side and end, and how a service knows that one of them does not run."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shared.web import jobs
from shared.web.jobs import Jobs, until_one_ends

pytestmark = pytest.mark.anyio
WITHIN_SECONDS = 60.0


async def forever() -> None:
    """A job that runs."""
    while True:
        await jobs.sleep(0.01)


async def crash() -> None:
    """A job with a bug."""
    raise ZeroDivisionError


async def end_by_itself() -> None:
    """A job that is done, which a job never is."""


async def cancel_itself() -> None:
    """A job that something else than the shutdown cancels."""
    asyncio.current_task().cancel()  # type: ignore[union-attr]
    await asyncio.sleep(0)


async def hang() -> None:
    """A job that waits for something that never happens."""
    await asyncio.Event().wait()


async def test_a_job_that_swallows_its_cancellation_is_cancelled_again() -> None:
    """A shutdown is bounded even where a library swallows a cancellation."""
    deaf, swallowed = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        deaf.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.set()
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    async with asyncio.timeout(WITHIN_SECONDS):
        async with Jobs(on_crash=lambda: None).running({"deaf": job()}):
            await deaf.wait()
    assert swallowed.is_set()
    assert asyncio.all_tasks() == before


async def test_a_job_that_never_ends_does_not_hold_up_the_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the jobs' time to end, the process ends without them."""
    monkeypatch.setattr(jobs, "STOP_SECONDS", 0.1)
    let_go = asyncio.Event()

    async def job() -> None:
        while not let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await let_go.wait()

    async with asyncio.timeout(WITHIN_SECONDS):
        async with Jobs(on_crash=lambda: None).running({"immortal": job()}):
            await asyncio.sleep(0)
        let_go.set()


@pytest.mark.parametrize("job", [crash, end_by_itself, cancel_itself])
async def test_a_job_that_ends_stops_the_process_and_is_named(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """By an exception, by itself or by a stray cancellation: a server that looks alive and does nothing is the worst of all."""
    crashed = asyncio.Event()
    service = Jobs(on_crash=crashed.set)
    async with asyncio.timeout(WITHIN_SECONDS), service.running({"well": forever(), "ill": job()}):
        await crashed.wait()
        await asyncio.sleep(0)
        assert service.unready() == ["the job ill does not run"]


async def test_a_job_that_hangs_makes_the_service_unready_and_at_last_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its silence shows that it hangs."""
    for name, value in {"MAX_SILENCE_SECONDS": 0.2, "WATCH_SECONDS": 0.05, "MAX_SILENT_WATCHES": 3}.items():
        monkeypatch.setattr(jobs, name, value)
    crashed = asyncio.Event()
    service = Jobs(on_crash=crashed.set)
    async with asyncio.timeout(WITHIN_SECONDS), service.running({"well": forever(), "ill": hang()}):
        assert service.unready() == []
        await crashed.wait()
        assert service.unready() == ["the job ill does not run"]


async def test_a_job_reports_alive_through_the_tasks_that_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job may itself be jobs side by side."""
    for name, value in {"MAX_SILENCE_SECONDS": 0.3, "WATCH_SECONDS": 0.05}.items():
        monkeypatch.setattr(jobs, name, value)
    service = Jobs(on_crash=lambda: None)
    async with asyncio.timeout(WITHIN_SECONDS), service.running({"both": until_one_ends(forever(), hang())}):
        await asyncio.sleep(0.6)
        assert service.unready() == []


async def test_jobs_side_by_side_that_swallow_their_cancellation_are_ended() -> None:
    """They are cancelled more than once, and the first job's error is raised."""
    cancelled = 0

    async def deaf() -> None:
        nonlocal cancelled
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled += 1
                if cancelled > 2:
                    raise

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(WITHIN_SECONDS):
            await until_one_ends(deaf(), fails())
    assert cancelled == 3
