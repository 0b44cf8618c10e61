"""The answers to producers: what became of one reading, and of each reading of a batch. Pure, but for the time of an answer."""

import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET, UnsetType

from ingest_service.commit_script import Result
from ingest_service.ratelimit_headers import exhausted
from ingest_service.writer import Outcome, Overloaded, StoreUnavailable
from shared.contract.codec import encode
from shared.contract.problems import Problem
from shared.contract.readings import BatchAnswer, BatchItem, IngestAnswer

MESSAGES: Final = {
    Result.ACCEPTED: "Telemetry stored and published",
    Result.DUPLICATE: "Telemetry was stored before",
    Result.LATE: "Telemetry is older than the stored one; kept in history",
}
NAMES: Final = {Result.ACCEPTED: "accepted", Result.DUPLICATE: "duplicate", Result.LATE: "late"}

TOO_MANY_FEEDS: Final = "this would begin another feed (a platform or an account of a room), and too many were begun already"


def answer_of_one(outcome: Outcome, offset_ms: int | None) -> bytes:
    """The answer to one reading that was accepted, stored before, or late."""
    return encode(
        IngestAnswer(
            message=MESSAGES[outcome.result],
            processed_at=int(time.time()),
            result=NAMES[outcome.result],
            version=outcome.value,
            clock_offset_ms=_known(offset_ms),
        )
    )


def answer_of_batch(outcomes: Sequence[Outcome | Exception], offset_ms: int | None) -> tuple[int, bytes, list[Problem]]:
    """Status and body of the answer, and its refusals: the first problem of each status.

    The status is 503 where all that was valid could not be written.
    """
    refusals = _Refusals()
    results = [_item(position, outcome, refusals) for position, outcome in enumerate(outcomes)]
    unavailable = sum(isinstance(outcome, StoreUnavailable | Overloaded) for outcome in outcomes)
    valid = sum(not isinstance(outcome, Problem) for outcome in outcomes)
    status = 503 if unavailable and unavailable == valid else 200
    return status, encode(BatchAnswer(results, _known(offset_ms))), list(refusals.by_status.values())


def problem_of(outcome: Outcome | Exception) -> Problem:
    """Why a reading was not taken, as a problem."""
    if isinstance(outcome, Problem):
        return outcome
    if isinstance(outcome, Outcome):
        if outcome.result is Result.DAMAGED:
            return Problem(500, "a stored value of this room is damaged; the reading was not stored")
        if outcome.result is Result.TOO_MANY_FEEDS:
            return Problem(429, TOO_MANY_FEEDS, retry_after_seconds=-(-outcome.value // 1_000_000), members={"limit": "feeds"})
        whose = "room" if outcome.result is Result.ROOM_LIMITED else "token"
        seconds = -(-outcome.value // 1_000_000)
        return Problem(429, f"too many readings for this {whose}", retry_after_seconds=seconds, headers=exhausted(whose, seconds))
    if isinstance(outcome, Overloaded):
        return Problem(503, "too many readings are queued; send it again later", retry_after_seconds=1)
    return Problem(503, "the store did not confirm in time; sending the reading again is safe", retry_after_seconds=1)


class _Refusals:
    """The refusals of a batch: the first of each status, and the document of each different one, made once."""

    def __init__(self) -> None:
        self.by_status: dict[int, Problem] = {}
        self._documents: dict[tuple[int, str, int | None], dict[str, Any]] = {}

    def document(self, problem: Problem) -> dict[str, Any]:
        """A problem as its document."""
        self.by_status.setdefault(problem.status, problem)
        key = (problem.status, problem.detail, problem.retry_after_seconds)
        if key not in self._documents:
            self._documents[key] = problem.as_dict()
        return self._documents[key]


def _item(position: int, outcome: Outcome | Exception, refusals: _Refusals) -> BatchItem:
    """The outcome of one item."""
    if isinstance(outcome, Outcome) and outcome.result <= Result.LATE:
        return BatchItem(position, NAMES[outcome.result], version=outcome.value)
    return BatchItem(position, "rejected", problem=refusals.document(problem_of(outcome)))


def _known(offset_ms: int | None) -> int | UnsetType:
    return UNSET if offset_ms is None else offset_ms
