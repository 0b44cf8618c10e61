"""The stage of a fault: real processes, producers and dashboards at work on them, and a checker that watches.

A story breaks something, mends it, and says what should have been seen. The scene then stops the producers and holds the checker's
judgement over the whole.
"""

import asyncio
import bisect
import concurrent.futures
import contextlib
import itertools
import pathlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import httpx
import redis.asyncio as redis

from shared.contract import keys
from shared.contract.readings import StoredReading, decode_stored
from tests.faults.actors import Dashboard, Producer
from tests.faults.checker import Checker, Key, require
from tests.faults.link import Link
from tools.processes import Service
from tools.redis_server import RedisServer
from tools.stack import Stack
from tools.waiting import DeadlineExceeded, wait_until_async

ROOMS: Final = tuple(f"room-{number}" for number in range(6))
INTERVAL_SECONDS: Final = 0.25
SETTLE_SECONDS: Final = 8.0
TOKEN_SECONDS: Final = 8 * 3600  # longer than any soak
TOKEN_AGE_SECONDS: Final = 600  # more than any clock is off


class Wiretap:
    """Reads along on the events channel: each reading must be published once, under versions that only grow."""

    def __init__(self, node: RedisServer) -> None:
        self._client = redis.Redis(port=node.port, password=node.password, protocol=2)
        self._pubsub = self._client.pubsub()
        self.published: list[StoredReading] = []

    async def run(self) -> None:
        """Reads until cancelled; messages published while Redis is away reach no subscriber."""
        async with self._client, self._pubsub:
            await self._pubsub.subscribe(keys.events_channel(0))
            async for message in self._pubsub.listen():
                if message["type"] == "message":
                    self.published += map(decode_stored, message["data"].split(b"\n"))

    def check(self) -> None:
        """Raises BrokenPromise where a reading was published twice, or a version is no greater than the one before."""
        readings = [(reading.room_id, reading.platform, reading.timestamp, reading.sequence) for reading in self.published]
        require(len(readings) == len(set(readings)), "a reading was published twice")
        versions = [reading.version for reading in self.published]
        require(all(before < after for before, after in itertools.pairwise(versions)), "a version was given twice, or went back")


class Scene:
    """Everything a story needs at hand."""

    def __init__(
        self,
        stack: Stack,
        ingests: Sequence[Service],
        broadcasts: Sequence[Service],
        redis: RedisServer | None,
        link: Link,
    ) -> None:
        self.stack = stack
        self.link = link
        self.ingests = ingests
        self.broadcasts = broadcasts
        self._redis = redis
        self.checker = Checker()
        self.producer = self.new_producer()
        self.dashboards: list[Dashboard] = []
        self.wiretap: Wiretap | None = None
        self._tasks: dict[Dashboard | Producer | Wiretap, asyncio.Task[None]] = {}
        self.mended_at = 0.0
        self.quiet: set[Key] = set()  # feeds that do not post again

    @property
    def redis(self) -> RedisServer:
        """The one Redis of this scene."""
        assert self._redis is not None
        return self._redis

    # --- the actors ---

    def new_producer(self, rooms: Sequence[str] = ROOMS, urls: Sequence[str] = (), *, clock_offset_seconds: int = 0) -> Producer:
        """A producer, not yet posting."""
        urls = urls or [service.url for service in self.ingests]
        token = self._token("ingest", "producer")
        return Producer(self.checker, urls, token, rooms, INTERVAL_SECONDS, clock_offset_seconds=clock_offset_seconds)

    def _token(self, audience: str, subject: str, rooms: tuple[str, ...] = ("*",)) -> str:
        return self.stack.token(audience, subject=subject, rooms=rooms, ttl_seconds=TOKEN_SECONDS, age_seconds=TOKEN_AGE_SECONDS)

    def start(self, actor: Dashboard | Producer | Wiretap) -> None:
        """Lets an actor act until the end of the scene."""
        self._tasks[actor] = asyncio.create_task(actor.run())

    async def dashboard(
        self, name: str = "", *, urls: Sequence[str] = (), rooms: frozenset[str] | None = None, token: str = "", wait: bool = True
    ) -> Dashboard:
        """A dashboard that is connected, and shows every room unless it need not wait for them."""
        token = token or self._token("dashboard", name or "wall", tuple(rooms or ("*",)))
        name = name or f"dashboard-{len(self.dashboards)}"
        dashboard = Dashboard(self.checker, name, urls or [service.url for service in self.broadcasts], token, rooms)
        self.dashboards.append(dashboard)
        self.start(dashboard)
        await self.until(lambda: dashboard.received("SYNC", snapshot=True), f"{name} has a snapshot")
        if wait:
            await self.until(lambda: self._shows_all(dashboard), f"{name} shows every room")
        return dashboard

    def _shows_all(self, dashboard: Dashboard) -> bool:
        view = self.checker.views[dashboard.name]
        return all(view.tokens(key) >= 0 for key in self.checker.posts if view.sees(key)) and bool(view.shown)

    async def leave(self, actor: Dashboard | Producer | Wiretap) -> None:
        """Stops an actor."""
        task = self._tasks.pop(actor)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if isinstance(actor, Dashboard):
            self.dashboards.remove(actor)

    async def leave_all(self) -> None:
        """Stops all actors."""
        for actor in list(self._tasks):
            await self.leave(actor)

    async def tap(self) -> Wiretap:
        """Reads along on the events channel from now on; the end of the scene checks the received messages."""
        self.wiretap = Wiretap(self.redis)
        self.start(self.wiretap)
        await self.until(lambda: self.wiretap and self.wiretap.published, "the wiretap receives a message")
        return self.wiretap

    # --- waiting ---

    async def until(self, condition: Callable[[], Any], what: str, *, within: float = SETTLE_SECONDS) -> float:
        """Waits until something is true; returns how long that took. A failure says who is behind."""
        started = time.monotonic()

        def holds() -> Any:
            """The condition's value; raises AssertionError once an actor has ended."""
            for actor, task in self._tasks.items():
                if task.done():
                    raise AssertionError(f"{actor} ended") from task.exception()
            return condition()

        try:
            await wait_until_async(holds, what, seconds=within)
        except DeadlineExceeded as error:
            raise DeadlineExceeded(f"{error}; behind: {self.checker.behind()[:9]}") from None
        return time.monotonic() - started

    async def all_know_of_it(self, since: float, *, within: float = 5.0) -> float:
        """Waits until every dashboard knows that its values may be old."""
        return await self.until(
            lambda: all(self.checker.was_notified(dashboard.name, since, within) for dashboard in self.dashboards),
            "every dashboard knows that it is behind",
            within=within,
        )

    async def mended(self, *, within: float = SETTLE_SECONDS) -> float:
        """The fault is over: waits until every dashboard shows a value accepted after now, of every room; returns how long that took."""
        self.mended_at = time.monotonic()
        await self.until(self._flows_again, "values flow again", within=within)
        return time.monotonic() - self.mended_at

    def _flows_again(self) -> bool:
        for key, posts in self.checker.posts.items():
            if key in self.quiet:
                continue
            since = bisect.bisect_right(posts, self.mended_at, key=lambda post: post.at)
            first = next((post.tokens for post in posts[since:] if post.stored), None)
            if first is None:
                return False
            views = [self.checker.views[dashboard.name] for dashboard in self.dashboards if dashboard.name in self.checker.views]
            if any(view.sees(key) and not (view.connected and view.tokens(key) >= first) for view in views):
                return False
        return True

    async def settled(self, *, within: float = 5.0) -> None:
        """Stops the producers; every connected dashboard must come to show the last accepted value of every room."""
        for producer in [actor for actor in self._tasks if isinstance(actor, Producer)]:
            await self.leave(producer)
        await self.until(lambda: not self.checker.behind(), "all show the last values", within=within)

    def is_stored_as_published(self) -> bool:
        """Whether Redis holds the last published value of every room."""
        assert self.wiretap is not None
        published = {keys.latest(0, reading.room_id, reading.platform): reading.version for reading in self.wiretap.published}
        values: list[Any] = self.redis.admin.mget(list(published))
        return [value and decode_stored(value).version for value in values] == list(published.values())

    async def status(self, service: Service, path: str = "/readyz") -> int:
        """What a service answers to a GET, 0 for nothing."""
        try:
            async with httpx.AsyncClient(timeout=5, verify=False) as client:
                return (await client.get(service.url + path)).status_code
        except httpx.HTTPError:
            return 0

    async def unready(self, service: Service, *, within: float = 5.0) -> None:
        """Waits until a service says that it is not ready: each notices an outage by questions of its own."""
        async with asyncio.timeout(within):
            while await self.status(service) != 503:
                await asyncio.sleep(0.05)

    async def metric(self, service: Service, name: str) -> float:
        """The value of a metric's line, its labels included in the name; 0 if there is none."""
        async with httpx.AsyncClient(timeout=10, verify=False) as client:
            lines = (await client.get(service.metrics_url)).text.splitlines()
        return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.rsplit(" ", 1)[0] == name), 0.0)

    async def counted(self, service: Service, name: str, at_least: float = 1, *, within: float = SETTLE_SECONDS) -> None:
        """Waits until a metric has reached a number."""
        async with asyncio.timeout(within):
            while await self.metric(service, name) < at_least:
                await asyncio.sleep(0.05)

    @property
    def connections(self) -> set[int]:
        """How many sockets each dashboard has opened; 1 for each that never had to reconnect."""
        return {dashboard.connections for dashboard in self.dashboards}


Settings = dict[str, dict[str, str]]
Story = Callable[[Scene], Awaitable[None]]


@contextlib.contextmanager
def services(stack: Stack, ingests: int, broadcasts: int, settings: Settings) -> Iterator[tuple[list[Service], list[Service]]]:
    """Starts so many of each, side by side, with a heartbeat short enough for tests."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        write = [threads.submit(lambda: stack.ingest(None, **settings.get("ingest", {}))) for _ in range(ingests)]
        read = [
            threads.submit(lambda: stack.broadcast(None, **{"HEARTBEAT_SECONDS": "1", **settings.get("broadcast", {})}))
            for _ in range(broadcasts)
        ]
        yield [future.result() for future in write], [future.result() for future in read]


@contextlib.asynccontextmanager
async def acting(scene: Scene, dashboards: int, rooms: frozenset[str] | None) -> AsyncIterator[Scene]:
    """Producers post and dashboards watch; at the end the last values must be shown and the promise must have held."""
    scene.start(scene.producer)
    try:
        await scene.until(lambda: len(scene.checker.posts) == len(ROOMS), "every room has posted")
        await asyncio.gather(*(scene.dashboard(f"wall-{number}", rooms=rooms) for number in range(dashboards)))
        yield scene
        await scene.settled()
        if scene.wiretap is not None:
            await scene.until(scene.is_stored_as_published, "the stored values equal the last published ones")
    finally:
        await scene.leave_all()
    scene.checker.check()
    if scene.wiretap is not None:
        scene.wiretap.check()


def play(
    directory: pathlib.Path,
    story: Story,
    *,
    url: str = "",
    ingests: int = 1,
    broadcasts: int = 1,
    dashboards: int = 2,
    rooms: frozenset[str] | None = None,
    redis: dict[str, Any] | None = None,
    cut: str = "",
    settings: dict[str, str] | None = None,
) -> None:
    """Sets the scene, lets a story happen in it, and judges.

    `rooms` limits what the dashboards see; `cut` names the service whose way to Redis leads over the scene's link.
    """
    node = RedisServer(directory / "redis", **(redis or {}))
    link = Link(node.port)
    with contextlib.ExitStack() as open_now:
        if not url:
            open_now.callback(node.kill)
            node.start()
            open_now.enter_context(link.running())
        stack = open_now.enter_context(Stack(directory, redis_url=url or node.url_with_password, **(settings or {})))
        through = {cut: {"REDIS_URL": link.url}} if cut else {}
        write, read = open_now.enter_context(services(stack, ingests, broadcasts, through))
        asyncio.run(_play(Scene(stack, write, read, None if url else node, link), story, dashboards, rooms))


async def _play(scene: Scene, story: Story, dashboards: int, rooms: frozenset[str] | None) -> None:
    async with acting(scene, dashboards, rooms):
        await story(scene)
