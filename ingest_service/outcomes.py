"""What becomes of readings that were given to the writer, and what may wait for it."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ingest_service.commit_script import Result


class StoreUnavailable(Exception):
    """Redis did not confirm in time, or refused; what became of the readings is unknown and retrying is safe."""


class Overloaded(Exception):
    """More readings are waiting than a second's work; nothing was taken."""


class Outcome(NamedTuple):
    """`value` is a version or, for the limited ones, the microseconds to wait."""

    result: Result
    value: int


class Waiter(Protocol):
    """Waits for the outcomes of a submission. A future is one; a waiter without a task costs less."""

    def done(self) -> bool:
        """Whether it waits no longer."""

    def set_result(self, outcomes: list[Outcome], /) -> None:
        """Receives an outcome for each reading. It raises no exception."""

    def set_exception(self, error: StoreUnavailable, /) -> None:
        """Receives the news that the outcomes are unknown. It raises no exception."""


def outcomes_of(done: asyncio.Future[list[Outcome]], count: int) -> Sequence[Outcome | StoreUnavailable]:
    """The outcomes of a submission of so many readings that has ended."""
    if done.cancelled() or done.exception() is not None:
        return [StoreUnavailable()] * count
    return known(done.result())


def known(outcomes: list[Outcome]) -> list[Outcome | StoreUnavailable]:
    """The outcomes, with StoreUnavailable for those that the script could not decide."""
    return [StoreUnavailable() if outcome.result is Result.UNAVAILABLE else outcome for outcome in outcomes]
