"""A simulated studio on a local stack, for pictures: rooms with a past, which go on reporting."""

import asyncio
import contextlib
import itertools
import pathlib
import threading
import time
from collections.abc import Iterator, Sequence

import httpx

from shared.contract.codec import encode
from shared.contract.readings import MAX_BATCH_ITEMS
from tools.processes import Service
from tools.simulator.facts import studio_file
from tools.simulator.past import simulate_past
from tools.simulator.poster import post_for_ever
from tools.simulator.studio import Room
from tools.stack import Stack

UNLIMITED = {"RATE_LIMIT_ROOM_PER_SECOND": "0", "RATE_LIMIT_TOKEN_PER_SECOND": "0"}


def post_past(ingest: Service, token: str, rooms: list[Room], minutes: int) -> None:
    """Posts so many minutes of the rooms' past in batches, as late readings."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with httpx.Client(base_url=ingest.url, headers=headers, timeout=20) as client:
        readings = simulate_past(rooms, int(time.time()), minutes)
        while batch := list(itertools.islice(readings, MAX_BATCH_ITEMS)):
            client.post("/api/tracking/telemetry/batch", content=encode(batch)).raise_for_status()


@contextlib.contextmanager
def posting(ingest: Service, token: str, rooms: list[Room]) -> Iterator[None]:
    """Posts the rooms' live readings during the block, as `make run` does."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(post_for_ever(rooms, url=ingest.url, token=token))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.gather(task, return_exceptions=True)))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


@contextlib.contextmanager
def stack_with(directory: pathlib.Path, rooms: Sequence[Room]) -> Iterator[Stack]:
    """A stack whose studio file describes these rooms; its services are not started yet."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "studio.toml"
    file.write_text(studio_file(rooms))
    with Stack(directory, STUDIO_FILE=str(file), **UNLIMITED) as stack:
        yield stack
