"""History and analytics agree with the posted readings, in any order of arrival."""

import time
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.income.rules import CONFIRM_MS, Balance, Kind, judge
from tests.support.studio import Studio

HOUR = 3600
MINUTE = 60
readings = st.lists(st.tuples(st.integers(0, HOUR - 1), st.integers(0, 500)), min_size=1, max_size=30, unique_by=lambda reading: reading[0])


def per_minute(posted: list[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """By minute, the last reading of each: its second and its balance."""
    return {second // MINUTE: (second, tokens) for second, tokens in sorted(posted)}


def earned(posted: list[tuple[int, int]], step: int) -> list[int]:
    """Income of each step of the hour, by the rules."""
    gains = [0] * (HOUR // step)
    for entry in judge([Balance(1000 * second, tokens) for second, tokens in posted], 1000 * HOUR + CONFIRM_MS + 1):
        if entry.kind in (Kind.INCOME, Kind.BETWEEN_SESSIONS):
            gains[entry.at_ms // 1000 // step] += entry.tokens
    return gains


@settings(max_examples=25)
@given(readings, st.sampled_from([1, 5, 15, 60]), st.booleans())
def test_history_and_earnings_are_what_was_posted(
    studio: Studio,
    posted: list[tuple[int, int]],
    minutes: int,
    in_order: bool,  # noqa: FBT001 - drawn
) -> None:
    """Charts agree with the readings in any order of arrival, and income is exact where they arrive in order."""
    start = int(time.time()) // HOUR * HOUR - 2 * HOUR
    room, step = f"any-{uuid.uuid4().hex}", minutes * MINUTE
    arriving = sorted(posted) if in_order else posted
    studio.post(*({"room_id": room, "timestamp": start + second, "tokens_count": tokens} for second, tokens in arriving))
    expected = {second // step: (start + second, tokens) for second, tokens in per_minute(posted).values()}
    _, chart = studio.get(f"/api/tracking/telemetry/{room}/camsoda/history?from={start}&to={start + HOUR}&step={step}")
    assert [(point["t"], point["tokens"]) for point in chart["points"]] == list(expected.values())
    _, report = studio.get(f"/api/tracking/analytics?from={start}&to={start + HOUR}&step={step}&rooms={room}")
    assert report["total"] == sum(report["earned"])
    if in_order or len(per_minute(posted)) == len(posted):
        assert report["earned"] == earned(posted, step)


def test_income_is_explained_reading_by_reading(studio: Studio) -> None:
    """A placeholder 0 is named as such, and what counts adds up to the report; another room's token may not ask."""
    start = int(time.time()) // HOUR * HOUR - 2 * HOUR
    room = f"why-{uuid.uuid4().hex}"
    posted = [(0, 1000), (60, 1040), (65, 0), (70, 1050), (130, 1050)]
    studio.post(*({"room_id": room, "timestamp": start + second, "tokens_count": tokens, "account": room} for second, tokens in posted))
    path = f"/api/tracking/telemetry/{room}/camsoda/explain?from={start}&to={start + HOUR}"
    _, found = studio.get(path)
    assert [(line["at_ms"] // 1000 - start, line["balance"], line["verdict"], line["earned"]) for line in found["lines"]] == [
        (0, 1000, "baseline", 0),
        (60, 1040, "income", 40),
        (65, 0, "set_aside", 0),
        (70, 1050, "income", 10),
        (130, 1050, "unchanged", 0),
    ]
    assert [line.get("reason") for line in found["lines"]] == [None, None, "read_as_zero", None, None]
    assert (found["merged_seconds"], found["omitted"], found["set_aside"]) == (0, 0, 1)
    _, report = studio.get(f"/api/tracking/analytics?from={start}&to={start + HOUR}&rooms={room}")
    assert found["earned"] == report["total"] == 50
    assert [one["account"] for one in found["accounts"]] == [room]


def test_viewers_of_all_feeds_are_summed_and_averaged_over_what_is_known(studio: Studio) -> None:
    """Two feeds at once count together, five minutes without viewers do not count, and nothing outside of the scope does."""
    own, start = studio.for_one_test(), int(time.time()) // HOUR * HOUR - 2 * HOUR
    rooms = [f"audience-{n}-{uuid.uuid4().hex}" for n in range(3)]
    posted = [
        (rooms[0], 10, 100),
        (rooms[0], 290, 120),
        (rooms[1], 20, 30),
        (rooms[0], 400, 50),
        (rooms[1], 700, None),
        (rooms[2], 30, 999),
    ]
    own.post(*({"room_id": room, "timestamp": start + second, "viewers_count": viewers} for room, second, viewers in posted))
    path = f"/api/tracking/audience?from={start}&to={start + HOUR}&rooms={rooms[0]},{rooms[1]}"
    _, found = own.get(path)
    assert found == {"from": start, "to": start + HOUR, "viewers": (120 + 30 + 50) // 2, "measured_seconds": 600}
    _, nothing = own.get(f"/api/tracking/audience?from={start - HOUR}&to={start}&rooms={rooms[0]}")
    assert (nothing["viewers"], nothing["measured_seconds"]) == (None, 0)
    status, refused = own.get(f"/api/tracking/audience?from={start - 1}&to={start + HOUR}")
    assert (status, refused["errors"][0]["field"]) == (422, "from")
    status, _ = own.get(path, rooms=(rooms[1],))
    assert status == 403
