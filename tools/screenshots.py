"""`python -m tools.screenshots`: writes pictures of every view, after a simulated week, into docs/images/.

The simulator of `make run` makes the week's readings, with daily cash-outs and quieter nights, and they are posted as late readings;
the readings of the last minute are posted live. Nothing in the pictures is drawn by hand.
"""

import asyncio
import contextlib
import itertools
import os
import pathlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import httpx
from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from shared.contract.codec import encode
from shared.contract.readings import MAX_BATCH_ITEMS
from tools.processes import ROOT, Service
from tools.simulator.past import simulate_past
from tools.simulator.poster import post_for_ever
from tools.simulator.studio import Room, studio
from tools.stack import Stack

IMAGES = ROOT / "docs" / "images"
ROOMS = 44
WEEK_MINUTES = 7 * 1440
SETTLE_MS = 6000
LIVE_SECONDS = 70  # so that the live view has a whole minute of changes
SCHEMES: Final[tuple[Literal["dark", "light"], ...]] = ("dark", "light")


class Picture(NamedTuple):
    """One view at one size."""

    view: str
    query: str
    width: int
    height: int


WEEK = "?view=analytics&period=week"
PICTURES = (
    Picture("live", "", 390, 844),
    Picture("live", "", 1280, 800),
    Picture("live", "?wall=1", 2560, 1440),
    Picture("analytics", WEEK, 390, 844),
    Picture("analytics", WEEK, 1280, 1420),
)


def post_week(ingest: Service, token: str, rooms: list[Room]) -> None:
    """Posts the week in batches."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with httpx.Client(base_url=ingest.url, headers=headers, timeout=10) as client:
        readings = simulate_past(rooms, int(time.time()), WEEK_MINUTES)
        while batch := list(itertools.islice(readings, MAX_BATCH_ITEMS)):
            client.post("/api/tracking/telemetry/batch", content=encode(batch)).raise_for_status()


@contextlib.contextmanager
def posting(ingest: Service, token: str, rooms: list[Room]) -> Iterator[None]:
    """Posts the rooms' live readings during the block, as `make run` does."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(post_for_ever(rooms, url=ingest.url, token=token))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.gather(task, return_exceptions=True)))
    thread.start()
    yield
    loop.call_soon_threadsafe(task.cancel)
    thread.join()
    loop.close()


def take(browser: Browser, page_url: str, token: str, picture: Picture, scheme: Literal["dark", "light"]) -> None:
    """Takes one picture in one theme."""
    size: ViewportSize = {"width": picture.width, "height": picture.height}
    with contextlib.closing(browser.new_context(locale="en-US", viewport=size, color_scheme=scheme)) as context:
        page = context.new_page()
        page.goto(f"{page_url}/{picture.query}#token={token}")
        expect(page.locator("#link")).to_have_attribute("data-phase", "live")
        page.wait_for_timeout(SETTLE_MS)
        page.screenshot(path=IMAGES / f"dashboard-{picture.view}-{picture.width}-{scheme}.png")


def main() -> None:
    """Takes all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    rooms = studio(ROOMS, seed=11, now_seconds=time.time() - WEEK_MINUTES * 60)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with (
        tempfile.TemporaryDirectory() as directory,
        Stack(pathlib.Path(directory), RATE_LIMIT_ROOM_PER_SECOND="0", RATE_LIMIT_TOKEN_PER_SECOND="0") as stack,
        sync_playwright() as playwright,
    ):
        ingest, broadcast = stack.ingest(), stack.broadcast()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        producer, viewer = stack.token("ingest"), stack.token("dashboard")
        post_week(ingest, producer, rooms)
        with posting(ingest, producer, rooms):
            time.sleep(LIVE_SECONDS)
            room = f"?view=room&room={rooms[3].room_id}&on={rooms[3].platform}"
            for scheme in SCHEMES:
                for picture in (*PICTURES, Picture("room", room, 1280, 900)):
                    take(browser, broadcast.url, viewer, picture, scheme)


if __name__ == "__main__":
    main()
