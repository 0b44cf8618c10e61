"""The answers to producers: what became of one reading, and of each reading of a batch. Pure, but for the time of an answer."""

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from ingest_service.commit_script import Result
from ingest_service.outcomes import Outcome, Overloaded, StoreUnavailable
from ingest_service.ratelimit_headers import exhausted
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


_TIME, _VERSION, _OFFSET, _INDEX = 111_111, 222_222, 333_333, 444_444  # for these numbers a pattern has %d


def _pattern(message: Any) -> bytes:
    """A message as a pattern that is filled with numbers, which takes less time than to make a message and to encode it."""
    text = encode(message).replace(b"%", b"%%")
    for number in (_TIME, _VERSION, _OFFSET, _INDEX):
        text = text.replace(b"%d" % number, b"%d")
    return text


def _patterns_of_one(result: Result) -> tuple[bytes, bytes]:
    """The answer to a reading without and with the offset of its clock."""
    answer = IngestAnswer(message=MESSAGES[result], processed_at=_TIME, result=NAMES[result], version=_VERSION)
    return _pattern(answer), _pattern(msgspec.structs.replace(answer, clock_offset_ms=_OFFSET))


_ONE: Final = {result: _patterns_of_one(result) for result in NAMES}
_ITEM: Final = {result: _pattern(BatchItem(_INDEX, NAMES[result], version=_VERSION)) for result in NAMES}
_BATCH_OF_ONE: Final = {
    result: [_pattern(BatchAnswer([BatchItem(0, NAMES[result], version=_VERSION)], *offset)) for offset in ((), (_OFFSET,))]
    for result in NAMES
}
_BATCH: Final = [_pattern(answer).replace(b"[]", b"[%b]") for answer in (BatchAnswer([]), BatchAnswer([], _OFFSET))]


def answer_of_one(outcome: Outcome, offset_ms: int | None) -> bytes:
    """The answer to one reading that was accepted, stored before, or late."""
    plain, with_offset = _ONE[outcome.result]
    if offset_ms is None:
        return plain % (int(time.time()), outcome.value)
    return with_offset % (int(time.time()), outcome.value, offset_ms)


def answer_of_stored(outcomes: Sequence[Outcome], offset_ms: int | None) -> bytes:
    """The answer to a batch whose readings were all accepted, stored before, or late."""
    if len(outcomes) == 1:  # as the extension sends them
        [(result, version)] = outcomes
        plain, with_offset = _BATCH_OF_ONE[result]
        return plain % version if offset_ms is None else with_offset % (version, offset_ms)
    items = b",".join([_ITEM[result] % (index, version) for index, (result, version) in enumerate(outcomes)])
    plain, with_offset = _BATCH
    return plain % items if offset_ms is None else with_offset % (items, offset_ms)


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
