"""The past that a fresh local stack is given: charts that are whole, and rooms that live on from where it ends."""

import asyncio
import pathlib
import time

from shared.contract.readings import Reading
from tests.support.studio import running_studio
from tools.simulator.past import post_past, simulate_past
from tools.simulator.studio import Room, studio

MINUTES = 45
NOW = 1_764_000_030


def lives(now: int, count: int = 6) -> tuple[list[Room], list[Reading]]:
    """A small studio and its last minutes."""
    rooms = studio(count, seed=5, now_seconds=now - MINUTES * 60)
    return rooms, list(simulate_past(rooms, now, MINUTES))


def test_a_minute_has_one_reading_a_room_and_time_goes_forward() -> None:
    """Nothing lies in the future, and nothing is said twice."""
    _, past = lives(NOW)
    minutes = [(update.timestamp // 60, update.room_id) for update in past]
    assert len(set(minutes)) == len(minutes) > 6 * MINUTES // 2
    assert [minute for minute, _ in minutes] == sorted(minute for minute, _ in minutes)
    assert past[-1].timestamp < NOW


def test_rooms_live_on_from_where_their_past_ends() -> None:
    """The next reading starts from the balance of the last one."""
    rooms, past = lives(NOW)
    last = {update.room_id: update.tokens_count for update in past}
    assert last == {room.room_id: room.tokens for room in rooms if room.room_id in last}


def test_no_minute_of_the_past_is_lost_to_a_rate_limit(tmp_path: pathlib.Path) -> None:
    """Newest first: all but one reading a room is late, and late readings do not count against their rooms."""
    _, past = lives(int(time.time()))
    with running_studio(tmp_path, RATE_LIMIT_ROOM_PER_SECOND="5", RATE_LIMIT_TOKEN_PER_SECOND="2000") as fresh:
        asyncio.run(post_past(past, url=fresh.ingest.url, token=fresh.stack.token("ingest")))
        room = past[-1]
        _, chart = fresh.get(f"/api/tracking/telemetry/{room.room_id}/{room.platform}/history?step=60")
        expected = [update.tokens_count for update in past if update.room_id == room.room_id]
        assert [point["tokens"] for point in chart["points"]] == expected
        assert len(expected) > 20
