"""Posts a simulated studio's readings as its extensions would: each room every five seconds, at moments of its own."""

import asyncio
import heapq
import time

import httpx

from shared.contract.codec import encode
from tools.simulator.studio import Room

INTERVAL_SECONDS = 5.0


async def post_for_ever(rooms: list[Room], *, url: str, token: str) -> None:
    """Runs the studio until cancelled. A refused or lost reading is not sent again, as on a real page without an outbox."""
    start = time.time()
    queue = [(start + INTERVAL_SECONDS * position / len(rooms), position) for position in range(len(rooms))]
    heapq.heapify(queue)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=5) as client:
        while queue:
            due, position = heapq.heappop(queue)
            await asyncio.sleep(max(0.0, due - time.time()))
            heapq.heappush(queue, (max(due, time.time() - INTERVAL_SECONDS) + INTERVAL_SECONDS, position))
            update = rooms[position].step(time.time())
            if update is not None:
                try:
                    await client.post("/api/tracking/telemetry", content=encode(update))
                except httpx.HTTPError:
                    continue
