"""A studio's past: a reading a minute, so that no chart of a new stack is empty.

The rooms continue from the end of their past. Days have quiet dawns and busy evenings, and every midnight balances are cashed out.
"""

import asyncio
import contextlib
import math
from collections.abc import Iterator

import httpx

from shared.contract.codec import encode
from shared.contract.readings import Reading
from tools.simulator.studio import Room

BATCH = 1000
STEP_SECONDS = 5
PAUSE_SECONDS = 0.6  # a token may post 2,000 readings a second


def simulate_past(rooms: list[Room], now_seconds: int, minutes: int) -> Iterator[Reading]:
    """Simulates so many minutes up to now; the last reading of each minute, earliest first."""
    for start in range((now_seconds // 60 - minutes) * 60, now_seconds, 60):
        moments = range(start, min(start + 60, now_seconds), STEP_SECONDS)
        for room in rooms:
            if start % 86400 == 0:
                room.tokens, room.goal = room.rng.randint(0, 400), 5000
            readings = [room.step(moment) for moment in moments[-_steps(start, now_seconds) :]]
            if readings[-1] is not None:
                yield readings[-1]


def _steps(start: int, now_seconds: int) -> int:
    """How many steps of a minute are simulated: all in the last hour, two thirds in the evening, a sixth at dawn."""
    if now_seconds - start < 3600:
        return 12
    return 2 + round(3 * (1 + math.cos((start // 60 % 1440 - 1320) / 1440 * 2 * math.pi)))


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
