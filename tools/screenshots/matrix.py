"""Takes the matrix: every scene with every look, and runs axe on each or measures it where that is wanted."""

import itertools
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from playwright.sync_api import Browser, Page

from tools.processes import Service
from tools.screenshots.geometry import geometry_findings
from tools.screenshots.sample import post_past, posting, stack_with
from tools.screenshots.scenes import EMPTY_VIEWS, LOST, LOST_ROOMS, PHONE_WIDTH, Look, Scene, query_of
from tools.screenshots.stage import Stage, axe_findings
from tools.simulator.studio import Room, studio
from tools.stack import Stack

FULL_PAST_ROOMS: Final = 36
SHORT_PAST_MINUTES: Final = 60  # of the rooms beyond
DAY_MINUTES: Final = 1440


@dataclass
class Wanted:
    """The screenshots to take, and their directory; without one nothing is written."""

    scenes: Sequence[Scene]
    looks: Sequence[Look]
    directory: pathlib.Path | None
    days: int = 7
    full: bool = False
    axe: bool = False
    geometry: bool = False
    report: Callable[[str], None] = field(default=lambda _line: None)


class Matrix:
    """A stack with a past, an empty one, and one broadcast service that is stopped under an open page."""

    def __init__(self, browser: Browser, wanted: Wanted, stack: Stack, empty: Stack, rooms: list[Room]) -> None:
        self._browser = browser
        self._wanted = wanted
        self._stack = stack
        self._empty = empty
        self._rooms = rooms
        self._broadcast = stack.broadcast()
        self._nothing = empty.broadcast() if any(scene.state == "0" for scene in wanted.scenes) else None
        self._lost: Service | None = None

    def run(self) -> Iterator[tuple[Scene, Look, list[str]]]:
        """Takes all pictures; yields the findings on each."""
        for scene in self._wanted.scenes:
            began = time.monotonic()
            for _, looks in itertools.groupby(self._wanted.looks, lambda look: look.width <= PHONE_WIDTH):
                stage: Stage | None = None  # a page keeps the form of its rooms that fits the screen it was opened on
                for look in looks:
                    stage = stage or self._open(scene, look)
                    stage.take(look, self._path(scene, look), full=self._wanted.full)
                    yield scene, look, self._findings(stage.page)
                if stage:
                    stage.close()
            self._wanted.report(f"{scene.view} {scene.state}: {len(self._wanted.looks)} looks in {time.monotonic() - began:.0f} s")

    def _findings(self, page: Page) -> list[str]:
        axe = axe_findings(page) if self._wanted.axe else []
        return axe + geometry_findings(page) if self._wanted.geometry else axe

    def _path(self, scene: Scene, look: Look) -> pathlib.Path | None:
        directory = self._wanted.directory
        return directory / scene.file(look) if directory else None

    def _open(self, scene: Scene, look: Look) -> Stage:
        """A page that shows the scene."""
        if scene.state == LOST:
            self._lost = self._lost or self._stack.broadcast()
            if self._lost.poll() is not None:
                self._lost.start()
        service = self._lost if scene.state == LOST else self._nothing if scene.state == "0" else self._broadcast
        assert service is not None
        shown = self._shown(scene)
        query = query_of(scene.view, (shown[0].room_id, shown[0].platform) if shown else ("sala", "camsoda"), int(time.time()))
        stage = Stage(self._browser, service.url, look)
        stage.open(scene.view, query, self._token(scene, shown), has_rooms=bool(shown))
        if scene.state == LOST:
            service.stop()
            stage.page.wait_for_selector("#notice:not([hidden])")
        return stage

    def _shown(self, scene: Scene) -> list[Room]:
        """The rooms of a scene, one on air first."""
        number = LOST_ROOMS if scene.state == LOST else int(scene.state)
        if scene.view in EMPTY_VIEWS:
            number = 0
        first = next(place for place, room in enumerate(self._rooms) if room.on_air)
        return [self._rooms[first], *self._rooms[:first], *self._rooms[first + 1 :]][:number]

    def _token(self, scene: Scene, shown: list[Room]) -> str:
        if scene.view in ("signin", "pairing"):
            return ""
        if not shown:
            return self._empty.token("dashboard")
        everything = len(shown) == len(self._rooms)
        return self._stack.token("dashboard", rooms=("*",) if everything else tuple(room.room_id for room in shown))


def take_matrix(browser: Browser, wanted: Wanted) -> Iterator[tuple[Scene, Look, list[str]]]:
    """Starts the stacks, fills them, and yields the findings on each picture."""
    most = max(LOST_ROOMS if scene.state == LOST else int(scene.state) for scene in wanted.scenes)
    most = max(most, 1)
    minutes = wanted.days * DAY_MINUTES
    rooms = studio(most, seed=11, now_seconds=time.time() - minutes * 60)
    with (
        tempfile.TemporaryDirectory() as directory,
        stack_with(pathlib.Path(directory, "full"), rooms) as stack,
        stack_with(pathlib.Path(directory, "empty"), []) as empty,
    ):
        ingest, token = stack.ingest(), stack.token("ingest")
        began = time.monotonic()
        post_past(ingest, token, rooms[FULL_PAST_ROOMS:], SHORT_PAST_MINUTES)
        post_past(ingest, token, rooms[:FULL_PAST_ROOMS], minutes)
        wanted.report(f"{len(rooms)} rooms with a past in {time.monotonic() - began:.0f} s")
        with posting(ingest, token, rooms):
            time.sleep(6)  # each room has reported once
            yield from Matrix(browser, wanted, stack, empty, rooms).run()
