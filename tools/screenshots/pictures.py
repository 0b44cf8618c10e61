"""The pictures of the documents, in docs/images/."""

import pathlib
import tempfile
import time
from typing import Final, NamedTuple

from playwright.sync_api import Browser

from tools.processes import ROOT
from tools.screenshots.sample import post_past, posting, stack_with
from tools.screenshots.scenes import Look, Scheme, query_of
from tools.screenshots.stage import Stage
from tools.simulator.studio import studio

IMAGES: Final = ROOT / "docs" / "images"
ROOMS: Final = 44
WEEK_MINUTES: Final = 7 * 1440
LIVE_SECONDS: Final = 70  # so that the live view has a whole minute of changes


class Picture(NamedTuple):
    """One view at one size."""

    view: str
    width: int
    height: int
    name: str = ""


SCHEMES: Final[tuple[Scheme, ...]] = ("dark", "light")
PICTURES: Final = (
    Picture("live", 390, 844),
    Picture("live", 1280, 800),
    Picture("wall", 2560, 1440, "live"),
    Picture("analytics", 390, 844),
    Picture("analytics", 1280, 1420),
    Picture("room", 1280, 900),
)


def take_pictures(browser: Browser) -> None:
    """Takes them after a simulated week. Nothing in them is drawn by hand."""
    rooms = studio(ROOMS, seed=11, now_seconds=time.time() - WEEK_MINUTES * 60)
    with tempfile.TemporaryDirectory() as directory, stack_with(pathlib.Path(directory), rooms) as stack:
        ingest, broadcast = stack.ingest(), stack.broadcast()
        producer, viewer = stack.token("ingest"), stack.token("dashboard")
        post_past(ingest, producer, rooms, WEEK_MINUTES)
        with posting(ingest, producer, rooms):
            time.sleep(LIVE_SECONDS)
            on_air = next(room for room in rooms[3:] if room.on_air)
            for picture in PICTURES:
                look = Look(picture.width, "dark", "en", picture.height)
                stage = Stage(browser, broadcast.url, look, locale="en-US")
                query = query_of(picture.view, (on_air.room_id, on_air.platform), int(time.time()))
                stage.open(picture.view, query, viewer, has_rooms=True)
                for scheme in SCHEMES:
                    name = f"dashboard-{picture.name or picture.view}-{picture.width}-{scheme}.png"
                    stage.take(look._replace(scheme=scheme), IMAGES / name)
                stage.close()
