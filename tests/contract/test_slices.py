"""A large report is made in slices: how long each blocks the event loop, measured in CPU time and printed."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from broadcast_service.http.answers import in_slices
from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.days import RedisDays
from broadcast_service.reports.files import machine_csv
from broadcast_service.reports.history import History, Span
from broadcast_service.reports.report import Detail, Report
from broadcast_service.reports.report_queue import Made, Reports
from broadcast_service.reports.tally import Tally
from broadcast_service.reports.wanted import Wanted
from shared.auth.scope import Scope
from shared.contract.history_record import DAY_SECONDS
from shared.income.steps import Steps
from shared.store.redis import Store
from shared.web.server import json_response
from tests.contract.reports import store_with_days
from tests.support import speed

pytestmark = pytest.mark.anyio

ROOMS = 300
DAYS = 2
MIN_TURNS = 5
MAX_MS = 10  # CPU time
ALL = Scope.of(["*"])


@pytest.fixture
async def store(embedded_url: str) -> AsyncIterator[Store]:
    """Two whole days of three hundred rooms that earn every minute."""
    async with store_with_days(embedded_url, rooms=ROOMS, days=DAYS) as store:
        yield store


class Stretches:
    """How long the loop ran without a turn for other tasks, in CPU time of this thread, so that other processes do not count."""

    def __init__(self) -> None:
        self.max_ms = 0.0
        self.turns = 0
        self._since = time.thread_time()
        self._watching = True

    def turn(self) -> None:
        """A turn of another task."""
        now = time.thread_time()
        self.max_ms = max(self.max_ms, (now - self._since) * 1000)
        self._since = now
        self.turns += 1
        if self._watching:
            asyncio.get_running_loop().call_soon(self.turn)

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Takes a turn whenever the loop gives one. The garbage collector would walk the test runner's heap, which no service has."""
        gc.disable()
        try:
            self._since = time.thread_time()
            self.turn()
            yield
        finally:
            self._watching = False
            gc.enable()


def record(name: str, seen: Stretches) -> None:
    """Others had their turns in between, as long as it took; how long they waited is kept."""
    assert seen.turns > MIN_TURNS
    speed.record(f"slices-{name}", {"max_ms": round(seen.max_ms, 1), "turns": seen.turns}, is_good=seen.max_ms < MAX_MS)


async def report(store: Store, step: int, detail: Detail) -> Made:
    """A report of both days."""
    end = int(time.time()) // DAY_SECONDS * DAY_SECONDS
    reports = Reports(Analytics(RedisDays(store, 1, step_seconds=60, retention_days=7)))
    return await reports.get(Wanted(ALL, Steps(end - DAYS * DAY_SECONDS, end, step), detail), "tester", lambda _price: None)


@pytest.mark.parametrize(
    ("name", "step", "detail"), [("by the hour", 3600, Detail.NONE), ("by the minute", 60, Detail.NONE), ("by feed", 120, Detail.FEEDS)]
)
async def test_a_report_of_many_rooms_lets_others_in(store: Store, name: str, step: int, detail: Detail) -> None:
    """However finely it is cut."""
    stretches = Stretches()
    with stretches.watch():
        made = await report(store, step, detail)
        await asyncio.sleep(0)
    assert isinstance(made, bytes)
    assert msgspec.json.decode(made, type=Report).total == ROOMS * 1439 * DAYS
    record(f"report-{name.replace(' ', '-')}", stretches)


async def test_a_long_export_lets_others_in(store: Store) -> None:
    """A file of four hundred thousand lines is written a few hundred at a time."""
    made = await report(store, 120, Detail.CSV)
    assert isinstance(made, Tally)
    stretches, lines = Stretches(), 0
    with stretches.watch():
        for part in in_slices(machine_csv(made)):
            lines += part.count(b"\r\n")
            await asyncio.sleep(0)
    assert lines == ROOMS * 720 * DAYS + 1
    record("export", stretches)


async def test_a_long_chart_lets_others_in(store: Store) -> None:
    """All points of a room at one a minute."""
    end = int(time.time()) // DAY_SECONDS * DAY_SECONDS
    history = History(store, 1, step_seconds=60, retention_days=7)
    stretches = Stretches()
    with stretches.watch():
        points = await history.points("room-0", "camsoda", Span(end - DAYS * DAY_SECONDS, end, 60))
        json_response(points)
        await asyncio.sleep(0)
    assert len(points) == 1440 * DAYS
    record("history", stretches)
