"""The past that `make run` gives a new archive is what the worker would have archived of the same readings."""

import io
import time
from typing import Any
from urllib.parse import parse_qsl

import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from shared.archive.database import Database
from shared.archive.packed_day import unpack
from shared.archive.tables import REVISION, days, minutes, series
from shared.contract.history_day import day_balances, kept_balances
from shared.contract.history_record import DAY_SECONDS
from tests.contract.committing import OneNode, commit
from tests.support.archiving import STEP, archive_once, today
from tools.simulator.archived_past import archived, fill, frames
from tools.simulator.past import archived_days, posted_minutes, recent_past
from tools.simulator.past_in_reports import has_all, query
from worker_service.archive.backup import restore
from worker_service.archive.backup_file import FORMAT, KIND, Head, write
from worker_service.archive.export import last_records

pytestmark = pytest.mark.anyio
ROOMS = 2


def rows(database: Database) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Income, balances and the last readings of minutes, by names instead of numbers."""
    names = series.c.room_id, series.c.platform, series.c.account
    with database.transaction() as connection:
        income = connection.execute(select(*names, days).join(series)).mappings().all()
        packed = connection.execute(select(*names, minutes.c.day, minutes.c.packed).join(series)).all()
    apart = {"series_id", "changed"}
    found = {(row["room_id"], row["account"], row["day"]): {key: row[key] for key in row if key not in apart} for row in income}
    for room, _, account, day, data in packed:
        stored = unpack(bytes(data), STEP)
        found[room, account, day]["balances"] = kept_balances(day_balances(stored, STEP), range(DAY_SECONDS // STEP), STEP)
        found[room, account, day]["readings"] = [*last_records(stored, STEP)]
    return found


async def test_the_restored_past_is_what_the_worker_archives_of_the_posted_one(redis: Redis, database: Database) -> None:
    """So the worker changes nothing when it copies the days that were posted too, and a second start of `make run` restores nothing."""
    now = int(time.time())
    _, past = recent_past(ROOMS, now)
    readings = [*past]
    file = io.BytesIO()
    write(file, Head(KIND, FORMAT, REVISION, now), frames(archived(iter(readings), now)))
    restore(database, lambda: io.BytesIO(file.getvalue()))
    restored = rows(database)
    assert fill(database.url, ROOMS, now) == 0
    assert {day for _, _, day in restored} == {today() - 1, today()}
    for first in range(0, len(readings), 1000):
        await commit(redis, *readings[first : first + 1000])
    await archive_once(OneNode(redis), database)
    assert rows(database) == restored


@pytest.mark.parametrize(("rooms", "number"), [(1, 14), (36, 14), (72, 7), (252, 2), (253, 0), (1000, 0)])
def test_a_larger_studio_has_a_shorter_past(rooms: int, number: int) -> None:
    assert archived_days(rooms) == number
    assert rooms * posted_minutes(rooms) <= 52_000


def test_the_past_is_there_once_every_day_before_today_is_in_a_report() -> None:
    """No two attempts ask for the same span, since a report is kept for a while."""
    queries = [dict(parse_qsl(query(14, 20_000 * DAY_SECONDS + 5000, attempt))) for attempt in range(3)]
    assert queries[0] == {"from": str(19_986 * DAY_SECONDS), "to": str(20_000 * DAY_SECONDS), "step": str(DAY_SECONDS)}
    assert len({one["from"] for one in queries}) == 3
    assert has_all({"measured_minutes": [1440, 1]})
    assert not has_all({"measured_minutes": [1440, 0]})
