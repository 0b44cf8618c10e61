"""Validation: any input becomes a reading or a Problem, and the Problem repeats nothing of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_service.validation import (
    MAX_REFUSED,
    NOT_JUDGED,
    check,
    clock_offset_ms,
    judge,
    parse_batch,
    parse_reading,
    shift_seconds,
    shifted,
)
from shared.auth.scope import Scope
from shared.contract.codec import encode
from shared.contract.problems import Problem
from shared.contract.readings import Reading

NOW = 1_764_000_000
GOOD = {"room_id": "blue", "platform": "camsoda", "timestamp": NOW, "tokens_count": 1}
FIELDS = list(Reading.__struct_fields__)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)
WEEK = 7 * 86400


def problem_of(body: bytes) -> Problem | None:
    """The problem of a body, if it has one."""
    try:
        parse_reading(body)
    except Problem as problem:
        return problem
    return None


def items_of(body: bytes) -> list[Reading | Problem]:
    """A batch's items, or the one problem that it has as a whole."""
    try:
        raw_items = parse_batch(body)
    except Problem as whole:
        return [whole]
    return list(judge(raw_items, Scope.of(["*"]), shift_seconds=0, now_seconds=NOW, retention_seconds=WEEK))


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_raise_anything_but_a_problem(body: bytes) -> None:
    """Arbitrary bytes are a 400 or a 422, alone and as a batch."""
    problem = problem_of(body)
    assert problem is not None
    assert problem.status in (400, 422)
    assert all(isinstance(item, Problem) for item in items_of(body))


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), VALUES))
def test_no_values_raise_anything_but_a_problem(changes: dict[str, object]) -> None:
    """Arbitrary JSON in any field is accepted unchanged or refused."""
    body = json.dumps(GOOD | changes).encode()
    if problem := problem_of(body):
        assert problem.status in (400, 422)
    else:
        assert parse_reading(encode(parse_reading(body))) == parse_reading(body)


@given(st.text(min_size=4, alphabet="canary `$.:<>"), st.booleans())
def test_a_problem_repeats_nothing(marker: str, as_name: bool) -> None:  # noqa: FBT001 - drawn
    """Neither a field's name nor its value."""
    marker = f"QQ{marker}QQ"
    body = json.dumps(GOOD | ({marker: 1} if as_name else {"platform": marker})).encode()
    problem = problem_of(body)
    assert problem is not None
    assert "QQ" not in json.dumps(problem.as_dict())


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_items_keep_their_places(goods: list[bool]) -> None:
    """The valid items of a batch become readings, the others problems, in order."""
    body = json.dumps([GOOD if good else {"room_id": 1} for good in goods]).encode()
    assert [isinstance(item, Reading) for item in items_of(body)] == goods


@pytest.mark.parametrize("seconds", [0, 300, -WEEK])
def test_a_reading_within_the_time_limits_passes(seconds: int) -> None:
    """Including the limits themselves."""
    check(Reading("blue", "camsoda", NOW + seconds, 1), Scope.of(["*"]), now_seconds=NOW, retention_seconds=WEEK)


@pytest.mark.parametrize("seconds", [301, -WEEK - 1])
def test_a_reading_outside_the_time_limits_is_refused(seconds: int) -> None:
    """From one second beyond."""
    with pytest.raises(Problem) as refusal:
        check(Reading("blue", "camsoda", NOW + seconds, 1), Scope.of(["*"]), now_seconds=NOW, retention_seconds=WEEK)
    assert refusal.value.errors == [{"field": "timestamp", "detail": refusal.value.detail.removeprefix("timestamp ")}]


def test_scope_comes_before_time() -> None:
    """A token without the room learns nothing else about the reading."""
    with pytest.raises(Problem) as refusal:
        check(Reading("red", "camsoda", 0, 1), Scope.of(["blue"]), now_seconds=NOW, retention_seconds=WEEK)
    assert refusal.value.status == 403


COUNTED = ("tokens_count", "tips_count", "viewers_count", "goal_tokens")


@pytest.mark.parametrize("known", COUNTED)
def test_one_known_number_is_enough(known: str) -> None:
    """A page may show an audience and hide the balance."""
    update = parse_reading(json.dumps(GOOD | dict.fromkeys(COUNTED) | {known: 0}).encode())
    check(update, Scope.of(["*"]), now_seconds=NOW, retention_seconds=WEEK)


def test_a_reading_without_any_number_is_refused() -> None:
    update = parse_reading(json.dumps(GOOD | dict.fromkeys(COUNTED)).encode())
    with pytest.raises(Problem) as refusal:
        check(update, Scope.of(["*"]), now_seconds=NOW, retention_seconds=WEEK)
    assert (refusal.value.status, [error["field"] for error in refusal.value.errors or []]) == (422, ["tokens_count"])


INTEGERS = {
    "timestamp": NOW,
    "sequence": 7,
    "tokens_count": 5000,
    "tips_count": 1,
    "viewers_count": 0,
    "goal_tokens": 90,
    "interval_seconds": 60,
}


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("spelling", ["{}.0", "{}e0", "{}E+00", "{}.000"])
def test_every_integer_may_be_written_as_a_whole_float(name: str, spelling: str) -> None:
    """JSON has one kind of number: 5000.0 is an integer to its schemas, and is stored as one."""
    text = json.dumps(GOOD | INTEGERS | {name: "VALUE"}).replace('"VALUE"', spelling.format(INTEGERS[name]))
    plain = parse_reading(json.dumps(GOOD | INTEGERS).encode())
    assert encode(parse_reading(text.encode())) == encode(plain)
    assert [encode(item) for item in items_of(f"[{text}]".encode())] == [encode(plain)]


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("text", ["1.5", "-1.0", "1e300", "1e-3", "0.1"])
def test_a_float_that_is_no_integer_in_bounds_names_its_field(name: str, text: str) -> None:
    """A fraction is refused, not rounded."""
    problem = problem_of(json.dumps(GOOD | INTEGERS | {name: "VALUE"}).replace('"VALUE"', text).encode())
    assert problem is not None
    assert (problem.status, [error["field"] for error in problem.errors or []]) == (422, [name])


BAD_VALUES = [
    *[("interval_seconds", value) for value in (0, 3601, 1.5, -1, "5", None, True, [5])],
    *[("account", value) for value in ("a b", "a:b", "a" * 65, "", 7, None, "a\n", "\u00e9", "{a}", ["a"])],
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES, ids=lambda value: repr(value)[:12])
def test_a_bad_account_or_interval_is_named(name: str, value: object) -> None:
    """Neither is corrected."""
    problem = problem_of(json.dumps(GOOD | {name: value}).encode())
    assert problem is not None
    assert (problem.status, [error["field"] for error in problem.errors or []]) == (422, [name])


NOW_MS = NOW * 1000


@pytest.mark.parametrize("offset_ms", [0, 1, -1, 2000, -90_000, 86_400_000, -86_400_000])
def test_the_offset_is_received_minus_sent(offset_ms: int) -> None:
    """Offsets of up to a day are accepted."""
    assert clock_offset_ms([str(NOW_MS - offset_ms).encode()], NOW_MS) == offset_ms


SENT_AT = b"1764000000000"
BAD_SENT_AT = [
    *[[value] for value in (b"", b"now", b"-1", b"+1764000000000", b"1764000000000.0", b"17e11", b"0x1", SENT_AT + b"\n", b"9" * 400)],
    *[[value] for value in (b" " + SENT_AT, "\u0661\u0662".encode(), b"1764000000", b"0", SENT_AT + b"," + SENT_AT)],
    [str(NOW_MS + 86_400_001).encode()],
    [str(NOW_MS - 86_400_001).encode()],
    [SENT_AT, SENT_AT],
]


@pytest.mark.parametrize("values", BAD_SENT_AT, ids=lambda values: repr(values[0])[:20])
def test_a_malformed_moment_of_sending_is_refused(values: list[bytes]) -> None:
    """The problem names the header."""
    with pytest.raises(Problem) as refusal:
        clock_offset_ms(values, NOW_MS)
    assert (refusal.value.status, [error["field"] for error in refusal.value.errors or []]) == (400, ["Pulse-Sent-At"])


def test_without_the_header_the_offset_is_unknown() -> None:
    """Unknown is None, not zero."""
    assert clock_offset_ms([], NOW_MS) is None


@pytest.mark.parametrize(
    ("offset_ms", "seconds"), [(None, 0), (0, 0), (2000, 0), (-2000, 0), (2001, 2), (-2600, -3), (90_400, 90), (-3_600_000, -3600)]
)
def test_a_clock_is_corrected_beyond_two_seconds(offset_ms: int | None, seconds: int) -> None:
    """By whole seconds."""
    assert shift_seconds(offset_ms) == seconds


@given(
    st.lists(
        st.tuples(
            st.integers(NOW - 100, NOW),
            st.integers(0, 5) | st.integers(10**12 - 5, 10**12 - 1) | st.integers(NOW_MS - 100_000, NOW_MS + 999),
        ),
        min_size=2,
    ),
    st.integers(-86_400, 86_400),
)
def test_a_shift_keeps_the_order(moments: list[tuple[int, int]], seconds: int) -> None:
    """For any sequences the readings of a producer keep their order."""
    updates = [Reading("a", "p", timestamp, 1, sequence) for timestamp, sequence in moments]

    def order(readings: list[Reading]) -> list[int]:
        return sorted(range(len(readings)), key=lambda at: (readings[at].timestamp, readings[at].sequence))

    assert order([shifted(update, seconds) for update in updates]) == order(updates)


def test_a_sequence_in_milliseconds_is_shifted_along() -> None:
    """It stays the millisecond of the observation; other numbers are not changed."""
    sequences = (NOW_MS + 250, 7, 100_250, 10**12 - 1)
    assert [shifted(Reading("a", "p", NOW, 1, sequence), -90).sequence for sequence in sequences] == [
        NOW_MS - 89_750,
        7,
        100_250,
        10**12 - 1,
    ]


REFUSED_ITEMS = {
    "no object": b"1",
    "no field": b"{}",
    "an unknown field": json.dumps(GOOD | {"x": 1}).encode(),
    "another room": json.dumps(GOOD | {"room_id": "other"}).encode(),
    "too old": json.dumps(GOOD | {"timestamp": NOW - 2 * WEEK}).encode(),
    "a bad number": json.dumps(GOOD | {"tokens_count": -1}).encode(),
}


@pytest.mark.parametrize("bad", REFUSED_ITEMS.values(), ids=REFUSED_ITEMS)
@pytest.mark.parametrize("good_in_front", [0, 3])
def test_judging_a_batch_ends_after_a_number_of_refusals(bad: bytes, good_in_front: int) -> None:
    """Later items are not examined, and their problem asks the producer to send them again."""
    good = json.dumps(GOOD).encode()
    body = b"[" + b",".join([good] * good_in_front + [bad] * 60 + [good]) + b"]"
    items = list(judge(parse_batch(body), Scope.of(["blue"]), shift_seconds=0, now_seconds=NOW, retention_seconds=WEEK))
    assert len(items) == good_in_front + 61
    judged = items[good_in_front : good_in_front + MAX_REFUSED]
    assert all(isinstance(item, Reading) for item in items[:good_in_front])
    assert all(isinstance(item, Problem) and item.status in (403, 422) for item in judged)
    assert all(item is NOT_JUDGED for item in items[good_in_front + MAX_REFUSED :])
    assert (NOT_JUDGED.status, NOT_JUDGED.retry_after_seconds) == (429, 1)


def test_good_items_never_end_the_judging() -> None:
    """A full batch with fewer refusals than the bound is judged completely."""
    body = json.dumps([GOOD if at % 25 else {"room_id": 1} for at in range(1000)]).encode()
    assert sum(isinstance(item, Reading) for item in items_of(body)) == 960
