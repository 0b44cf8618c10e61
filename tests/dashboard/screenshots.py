"""`python -m tests.dashboard.screenshots`: a simulated week, then pictures of every view into docs/images/.

The week is lived by the same simulator as `make run`, a minute at a time, with daily cash-outs and quieter nights, and posted as late
readings; the last minute is posted as it happens. Nothing in the pictures is drawn by hand.
"""

import asyncio
import contextlib
import pathlib
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

from shared.contract.codec import encode
from shared.contract.readings import Reading
from tests.support import needs
from tests.support.browser import Dashboard
from tests.support.studio import Studio, request, running_studio
from tools.simulator.past import lived
from tools.simulator.poster import post_for_ever
from tools.simulator.studio import Room, studio

IMAGES = pathlib.Path(__file__).parents[2] / "docs/images"
ROOMS = 44
WEEK_MINUTES = 7 * 1440
SETTLE_MS = 6000


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


def post_week(place: Studio, rooms: list[Room]) -> None:
    """Posts the week in batches."""
    token = place.stack.token("ingest")
    batch: list[Reading] = []
    for reading in lived(rooms, int(time.time()), WEEK_MINUTES):
        batch.append(reading)
        if len(batch) == 1000:
            request(f"{place.ingest.url}/api/tracking/telemetry/batch", token, encode(batch))
            batch.clear()
    request(f"{place.ingest.url}/api/tracking/telemetry/batch", token, encode(batch))


@contextlib.contextmanager
def broadcasting(place: Studio, rooms: list[Room]) -> Iterator[None]:
    """The studio goes on living, as under `make run`."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(post_for_ever(rooms, url=place.ingest.url, token=place.stack.token("ingest")))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.gather(task, return_exceptions=True)))
    thread.start()
    yield
    loop.call_soon_threadsafe(task.cancel)
    thread.join()
    loop.close()


def take(browser: Browser, place: Studio, picture: Picture, scheme: str) -> None:
    """One picture in one theme."""
    dashboard = Dashboard(browser, place, viewport={"width": picture.width, "height": picture.height}, color_scheme=scheme)
    dashboard.open(picture.query).live()
    dashboard.page.wait_for_timeout(SETTLE_MS)
    dashboard.page.screenshot(path=IMAGES / f"dashboard-{picture.view}-{picture.width}-{scheme}.png")
    dashboard.close()


def main() -> None:
    """Takes all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    rooms = studio(ROOMS, seed=11, now_seconds=time.time() - WEEK_MINUTES * 60)
    with tempfile.TemporaryDirectory() as directory, running_studio(pathlib.Path(directory)) as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs.chromium(), args=["--no-sandbox"])
        post_week(place, rooms)
        with broadcasting(place, rooms):
            time.sleep(70)
            room = f"?view=room&room={rooms[3].room_id}&on={rooms[3].platform}"
            for scheme in ("dark", "light"):
                for picture in (*PICTURES, Picture("room", room, 1280, 900)):
                    take(browser, place, picture, scheme)


if __name__ == "__main__":
    main()
