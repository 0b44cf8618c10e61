"""What surrounds a service's own work."""

import asyncio
import contextlib

import pytest

from shared import serving

pytestmark = pytest.mark.anyio


async def test_a_job_that_swallows_its_cancellation_does_not_hold_up_the_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving is bounded where a library, as happens, makes a job deaf to it; the loop's own end takes the rest."""
    monkeypatch.setattr(serving, "STOP_SECONDS", 0.01)
    deaf, swallowed = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        deaf.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        async with serving.running({"deaf": job()}, on_crash=lambda: None):
            await deaf.wait()
    assert swallowed.is_set()


async def test_a_crashed_job_is_told_at_once() -> None:
    """A bug in the background stops the process instead of leaving it deaf."""
    told = asyncio.Event()

    async def crash() -> None:
        raise ZeroDivisionError

    async with asyncio.timeout(5), serving.running({"crashing": crash()}, on_crash=told.set):
        await told.wait()
