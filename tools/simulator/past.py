"""A studio's past: a reading a minute, so that no chart of a new stack is empty.

The rooms continue from the end of their past. Days have quiet dawns and busy evenings, and every midnight all balances are cashed out.
"""

import asyncio
import contextlib
import math
from collections.abc import Iterator
from typing import Final

import httpx

from shared.contract.codec import encode
from shared.contract.history_record import DAY_SECONDS
from shared.contract.readings import Reading
from tools.simulator.studio import Room, studio

SEED: Final = 7  # of the studio of `make run`
BATCH: Final = 1000
STEP_SECONDS: Final = 5
PAUSE_SECONDS: Final = 0.6  # a token may post 2,000 readings a second
POSTED_READINGS: Final = 52_000  # a day of the default studio; of a larger one a shorter span is posted
ARCHIVED_DAYS: Final = 14  # before today
MAX_ROOM_DAYS: Final = 36 * ARCHIVED_DAYS  # of a larger studio fewer days are archived
LATE_SECONDS: Final = 3600  # the end of the past, in which every step is simulated


def simulate_past(rooms: list[Room], now_seconds: int, minutes: int) -> Iterator[Reading]:
    """Simulates so many minutes up to now; the last reading of each minute, earliest first. A room does not depend on the others."""
    for start in range((now_seconds // 60 - minutes) * 60, now_seconds, 60):
        number = 12 if now_seconds - start < LATE_SECONDS else _steps(start)
        moments = range(start, min(start + 60, now_seconds), STEP_SECONDS)[-number:]
        for room in rooms:
            if start % DAY_SECONDS == 0:
                room.cash_out()
            is_on_air = False
            for moment in moments:
                is_on_air = room.advance(moment)
            if is_on_air:
                yield room.reading(moments[-1])


def simulate_days(room: Room, days: range) -> Iterator[Reading]:
    """Simulates whole days of a room, numbered since the epoch, in half the time: its audience changes once a minute."""
    for start in range(days.start * DAY_SECONDS, days.stop * DAY_SECONDS, 60):
        if start % DAY_SECONDS == 0:
            room.cash_out()
        if room.advance(start + 55, _steps(start)):
            yield room.reading(start + 55)


def _steps(start: int) -> int:
    """How many steps of a minute are simulated: two thirds in the evening, a sixth at dawn."""
    return 2 + round(3 * (1 + math.cos((start // 60 % 1440 - 1320) / 1440 * 2 * math.pi)))


def recent_start(rooms: int, now_seconds: int) -> int:
    """When the recent past of a studio begins: yesterday at midnight, or later for a studio that is too large to be archived."""
    if archived_days(rooms):
        return (now_seconds // DAY_SECONDS - 1) * DAY_SECONDS
    return (now_seconds // 60 - posted_minutes(rooms)) * 60


def recent_past(rooms: int, now_seconds: int) -> tuple[list[Room], Iterator[Reading]]:
    """The studio of `make run`, and its recent past; once all of that was read, the rooms are as they are now."""
    start = recent_start(rooms, now_seconds)
    made = studio(rooms, SEED, start)
    return made, simulate_past(made, now_seconds, (now_seconds - start) // 60)


def archived_days(rooms: int) -> int:
    """How many days of the past before today go to the archive; 0 for a studio of very many rooms."""
    days = min(ARCHIVED_DAYS, MAX_ROOM_DAYS // max(rooms, 1))
    return days if days > 1 else 0


def posted_minutes(rooms: int) -> int:
    """How many minutes of the past are posted."""
    return min(DAY_SECONDS // 60, POSTED_READINGS // max(rooms, 1))


async def post_past(past: list[Reading], *, url: str, token: str) -> None:
    """Posts the newest readings first, as an outbox does: the current values come before the charts. Stops at a refusal."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with contextlib.suppress(httpx.HTTPError):
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client:
            newest_first = past[::-1]
            for start in range(0, len(past), BATCH):
                answer = await client.post("/api/tracking/telemetry/batch", content=encode(newest_first[start : start + BATCH]))
                answer.raise_for_status()
                await asyncio.sleep(PAUSE_SECONDS)
