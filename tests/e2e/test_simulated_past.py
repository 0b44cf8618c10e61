"""The past that a fresh local stack is given: charts that are whole, and rooms that live on from where it ends."""

import asyncio
import pathlib
import subprocess
import sys
import time
from typing import Any

from shared.contract.history_record import DAY_SECONDS
from shared.contract.readings import Reading
from tests.support.studio import Studio, running_studio
from tools.processes import ROOT
from tools.simulator.past import ARCHIVED_DAYS, post_past, recent_past, simulate_past
from tools.simulator.studio import Room, studio

MINUTES = 45
NOW = 1_764_000_030
SAME = ("total", "earned", "measured_minutes", "between_sessions", "unsettled", "set_aside", "on_air_seconds", "accounts")


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


def two_weeks(studio: Studio, now: int, by: str) -> dict[str, Any]:
    """A report by day of the two weeks before a moment, in complete minutes. A report is kept, so each call needs its own `by`."""
    start = (now // DAY_SECONDS - ARCHIVED_DAYS) * DAY_SECONDS
    status, report = studio.get(f"/api/tracking/analytics?from={start}&to={now // 60 * 60}&step={DAY_SECONDS}&by={by}")
    assert status == 200, report
    return dict(report)


def test_two_weeks_of_the_past_are_in_reports_as_soon_as_they_are_archived(tmp_path: pathlib.Path) -> None:
    """No worker has to run, and posting a part of the past again changes nothing."""
    now, rooms = int(time.time()), 2
    with running_studio(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/archive.db") as studio:
        assert two_weeks(studio, now, "room")["accounts"] == []
        command = [sys.executable, "-m", "tools.simulator.archived_past", "--rooms", str(rooms), "--now", str(now)]
        subprocess.run(command, cwd=ROOT, env=studio.stack.environment(), check=True, timeout=120)
        report = two_weeks(studio, now, "feed")
        assert len(report["measured_minutes"]) >= ARCHIVED_DAYS
        assert min(report["measured_minutes"][:ARCHIVED_DAYS]) > 1000
        assert min(report["earned"][:ARCHIVED_DAYS]) > 1000
        assert {row["account"] for row in report["accounts"]} == {
            account for room in recent_past(rooms, now)[0] for account in room.accounts
        }
        newest = [reading for reading in recent_past(rooms, now)[1] if reading.timestamp > now - DAY_SECONDS]
        asyncio.run(post_past(newest, url=studio.ingest.url, token=studio.stack.token("ingest")))
        after = two_weeks(studio, now, "platform")
        assert [after[name] for name in SAME] == [report[name] for name in SAME]
