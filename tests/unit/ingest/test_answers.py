"""The answers to producers are made of patterns; they say what their messages say."""

import itertools
import time

import msgspec
import pytest

from ingest_service.answers import NAMES, answer_of_batch, answer_of_one, answer_of_stored
from ingest_service.commit_script import Result
from ingest_service.outcomes import Outcome
from shared.contract.readings import BatchAnswer, BatchItem, IngestAnswer

NUMBERS = [0, 1, 111_111, 222_222, 333_333, 444_444, 2**53]  # some are those that patterns are made with


@pytest.mark.parametrize("result", NAMES)
@pytest.mark.parametrize("version", NUMBERS)
def test_the_answer_to_one_reading_is_its_message(result: Result, version: int) -> None:
    """In all its fields and their order, with an offset of the clock and without."""
    for offset in (None, 0, -5, *NUMBERS):
        before = int(time.time())
        body = answer_of_one(Outcome(result, version), offset)
        answer = msgspec.json.decode(body, type=IngestAnswer)
        assert body == msgspec.json.encode(answer)
        assert (answer.result, answer.version, answer.status) == (NAMES[result], version, "success")
        assert answer.clock_offset_ms is (msgspec.UNSET if offset is None else answer.clock_offset_ms)
        assert offset is None or answer.clock_offset_ms == offset
        assert before <= answer.processed_at <= time.time()


def test_the_answer_to_a_batch_that_was_stored_is_its_message() -> None:
    """The same as that to a batch of which some were refused would be."""
    outcomes = [Outcome(result, version) for result in NAMES for version in NUMBERS]
    items = [BatchItem(index, NAMES[result], version=version) for index, (result, version) in enumerate(outcomes)]
    for offset in (None, 0, -5, 333_333):
        body = answer_of_stored(outcomes, offset)
        assert body == msgspec.json.encode(BatchAnswer(items) if offset is None else BatchAnswer(items, offset))
        assert (200, body, []) == answer_of_batch(outcomes, offset)


def test_the_answer_to_a_batch_of_one_is_its_message() -> None:
    """It is made in another way, since the extension sends nothing else."""
    for result, version, offset in itertools.product(NAMES, NUMBERS, (None, 0, -5, 333_333)):
        item = [BatchItem(0, NAMES[result], version=version)]
        body = answer_of_stored([Outcome(result, version)], offset)
        assert body == msgspec.json.encode(BatchAnswer(item) if offset is None else BatchAnswer(item, offset))
