"""Validation: whatever arrives, a reading or a Problem comes out, and the Problem repeats nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.validation import check, parse_batch, parse_update
from shared.messages import TelemetryUpdate, encode
from shared.problems import Problem
from shared.scope import Scope

NOW = 1_764_000_000
GOOD = {"room_id": "blue", "platform": "camsoda", "timestamp": NOW, "tokens_count": 1}
FIELDS = list(TelemetryUpdate.__struct_fields__)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
WEEK = 7 * 86400


def problem_of(body: bytes) -> Problem | None:
    """What is wrong with a body, if anything."""
    try:
        parse_update(body)
    except Problem as problem:
        return problem
    return None


def items_of(body: bytes) -> list[TelemetryUpdate | Problem]:
    """A batch's items, or the one problem that it has as a whole."""
    try:
        return parse_batch(body)
    except Problem as whole:
        return [whole]


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_raise_anything_but_a_problem(body: bytes) -> None:
    """Arbitrary bytes are a 400 or a 422, alone and as a batch."""
    problem = problem_of(body)
    assert problem is not None
    assert problem.status in (400, 422)
    assert all(isinstance(item, Problem) for item in items_of(body))


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), VALUES))
def test_no_values_raise_anything_but_a_problem(changes: dict[str, object]) -> None:
    """Arbitrary JSON in any field is taken as it was sent, or refused."""
    body = json.dumps(GOOD | changes).encode()
    if problem := problem_of(body):
        assert problem.status in (400, 422)
    else:
        assert parse_update(encode(parse_update(body))) == parse_update(body)


@given(st.text(min_size=4, alphabet="canary `$.:<>"), st.booleans())
def test_a_problem_repeats_nothing(marker: str, as_name: bool) -> None:  # noqa: FBT001 - drawn
    """Neither a field's name nor its value comes back."""
    marker = f"QQ{marker}QQ"
    body = json.dumps(GOOD | ({marker: 1} if as_name else {"platform": marker})).encode()
    problem = problem_of(body)
    assert problem is not None
    assert "QQ" not in json.dumps(problem.as_dict())


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_items_keep_their_places(goods: list[bool]) -> None:
    """The good items of a batch are readings, the others problems, in order."""
    body = json.dumps([GOOD if good else {"room_id": 1} for good in goods]).encode()
    assert [isinstance(item, TelemetryUpdate) for item in parse_batch(body)] == goods


@pytest.mark.parametrize("seconds", [0, 300, -WEEK])
def test_a_reading_of_our_time_passes(seconds: int) -> None:
    """The edges themselves are inside."""
    check(TelemetryUpdate("blue", "camsoda", NOW + seconds, 1), Scope.of(["*"]), now_seconds=NOW, retention_seconds=WEEK)


@pytest.mark.parametrize("seconds", [301, -WEEK - 1])
def test_a_reading_of_another_time_is_refused(seconds: int) -> None:
    """One second beyond is beyond."""
    with pytest.raises(Problem) as refusal:
        check(TelemetryUpdate("blue", "camsoda", NOW + seconds, 1), Scope.of(["*"]), now_seconds=NOW, retention_seconds=WEEK)
    assert refusal.value.errors == [{"field": "timestamp", "detail": refusal.value.detail.removeprefix("timestamp ")}]


def test_scope_comes_before_time() -> None:
    """Whoever may not post for a room learns nothing else."""
    with pytest.raises(Problem) as refusal:
        check(TelemetryUpdate("red", "camsoda", 0, 1), Scope.of(["blue"]), now_seconds=NOW, retention_seconds=WEEK)
    assert refusal.value.status == 403
