"""Waiting for a condition, with a deadline: for tools and tests alike."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

T = TypeVar("T")
Condition = Callable[[], T | Literal[False] | None]  # false or None: not yet
WAIT_SECONDS = 60.0  # no promise: so that what never comes ends a test, on a slow machine as well
POLL_SECONDS = 0.02


class DeadlineExceeded(AssertionError):
    """A condition did not hold in time; the text says which."""


def wait_until(
    condition: Condition[T],
    what: str,
    *,
    seconds: float = WAIT_SECONDS,
    poll_seconds: float = POLL_SECONDS,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Polls until a condition is true and returns its value; an exception in `ignoring` counts as false. Raises DeadlineExceeded."""
    for value in _attempts(condition, what, seconds, ignoring):
        if value:
            return value
        time.sleep(poll_seconds)
    raise AssertionError("the attempts end with DeadlineExceeded")


async def wait_until_async(
    condition: Condition[T],
    what: str,
    *,
    seconds: float = WAIT_SECONDS,
    poll_seconds: float = POLL_SECONDS,
) -> T:
    """The same without blocking the event loop."""
    for value in _attempts(condition, what, seconds, ()):
        if value:
            return value
        await asyncio.sleep(poll_seconds)
    raise AssertionError("the attempts end with DeadlineExceeded")


def _attempts(
    condition: Condition[T], what: str, seconds: float, ignoring: tuple[type[Exception], ...]
) -> Iterator[T | Literal[False] | None]:
    """The condition's value at each attempt; the last attempt begins no earlier than the deadline."""
    end = time.monotonic() + seconds
    while True:
        is_last = time.monotonic() >= end
        value: T | Literal[False] | None = None
        ignored: Exception | None = None
        try:
            value = condition()
        except ignoring as error:
            ignored = error.with_traceback(None)  # a traceback would hold this frame, and with it what the condition opened
        yield value
        if is_last:
            raise DeadlineExceeded(f"not within {seconds:g} s: {what}") from ignored
