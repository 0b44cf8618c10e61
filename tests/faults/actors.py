"""Producers and dashboards that behave as the protocol asks, and report to the checker all they do and see."""

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from shared.contract.codec import encode
from shared.contract.readings import Reading
from tests.faults.checker import Checker
from tests.support.clients import connect_async
from tests.support.readings import make_reading

POST_TIMEOUT_SECONDS: Final = 3.0
STARTED: Final = time.monotonic()
STARTED_MS: Final = int(time.time() * 1000)
SILENCE_SECONDS: Final = 4.0  # four of the tests' heartbeats


def reading(room_id: str, clock_offset_seconds: int = 0) -> Reading:
    """A reading of now by some clock; balances in these tests grow with time, so that an older value is a smaller one."""
    tokens = int((time.monotonic() - STARTED) * 1000)
    milliseconds = STARTED_MS + tokens + clock_offset_seconds * 1000
    return make_reading(room_id=room_id, timestamp=milliseconds // 1000, tokens_count=tokens, sequence=milliseconds)


class Producer:
    """Posts readings of some rooms, each at an interval of its own, to whichever ingest service answers."""

    def __init__(
        self,
        checker: Checker,
        urls: Sequence[str],
        token: str,
        rooms: Sequence[str],
        interval_seconds: float,
        *,
        clock_offset_seconds: int = 0,
    ) -> None:
        self._checker = checker
        self._urls = itertools.cycle(urls)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._rooms = rooms
        self._interval_seconds = interval_seconds
        self._clock_offset_seconds = clock_offset_seconds
        self.answers: list[tuple[float, float, int]] = []

    async def run(self) -> None:
        """Posts until cancelled, but never leaves an answer unrecorded."""
        async with httpx.AsyncClient(timeout=POST_TIMEOUT_SECONDS, verify=False) as client, asyncio.TaskGroup() as group:
            for number, room_id in enumerate(self._rooms):
                group.create_task(self._room(client, room_id, number))

    async def _room(self, client: httpx.AsyncClient, room_id: str, number: int) -> None:
        await asyncio.sleep(self._interval_seconds * number / len(self._rooms))
        while True:
            posting = asyncio.create_task(self._post_and_retry(client, reading(room_id, self._clock_offset_seconds)))
            try:
                await asyncio.shield(posting)
            except asyncio.CancelledError:
                await posting
                raise
            await asyncio.sleep(self._interval_seconds)

    async def _post_and_retry(self, client: httpx.AsyncClient, update: Reading) -> None:
        """A reading of which nothing is known is sent once more; it must not be published twice for that."""
        if await self.post(client, update) in (0, 503):
            await asyncio.sleep(0.05)
            await self.post(client, update)

    async def post_batch(self, rooms: Sequence[str]) -> None:
        """Posts a reading of now for many rooms, of which the checker need not know."""
        body = encode([reading(room_id) for room_id in rooms])
        async with httpx.AsyncClient(timeout=POST_TIMEOUT_SECONDS, verify=False) as client:
            response = await client.post(next(self._urls) + "/api/tracking/telemetry/batch", content=body, headers=self._headers)
            response.raise_for_status()

    async def post(self, client: httpx.AsyncClient, update: Reading) -> int:
        """Posts one reading once; returns the status, 0 for no answer."""
        self._checker.posting(update)
        started = time.monotonic()
        try:
            response = await client.post(next(self._urls) + "/api/tracking/telemetry", content=encode(update), headers=self._headers)
            status, stored = response.status_code, _stored(response)
        except httpx.HTTPError:
            status, stored = 0, None
        now = time.monotonic()
        self.answers.append((now, now - started, status))
        self._checker.posted(update, stored=stored, at=now)
        return status

    def statuses(self, since: float) -> set[int]:
        """The answers after a moment."""
        return {status for at, _, status in self.answers if at >= since}

    def slowest(self, since: float) -> float:
        """The longest wait for an answer after a moment, in seconds."""
        return max((took for at, took, _ in self.answers if at >= since), default=0.0)


def _stored(response: httpx.Response) -> bool | None:
    if response.status_code == 200:
        return response.json()["result"] in ("accepted", "duplicate")
    return None if response.status_code >= 500 else False


class Dashboard:
    """One dashboard: connects, resumes, comes back with backoff, changes the server when one is gone."""

    def __init__(self, checker: Checker, name: str, urls: Sequence[str], token: str, rooms: frozenset[str] | None = None) -> None:
        self._checker = checker
        self.name = name
        self._urls = itertools.cycle(urls)
        self._token = token
        self._rooms = rooms
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.closes: list[int] = []
        self.connections = 0
        self._since = 0

    async def run(self) -> None:
        """Stays connected until cancelled."""
        for failures in itertools.count():
            pause = random.uniform(0.05, min(0.1 * 2 ** min(failures, 4), 1.0))
            with contextlib.suppress(OSError, WebSocketException, TimeoutError, InvalidHandshake):
                async with self._connect() as connection:
                    pause = await self._follow(connection)
            await asyncio.sleep(pause)

    def _connect(self) -> connect:
        options = {"compression": None, "open_timeout": 3, "close_timeout": 0.2, "ping_interval": None}
        return connect_async(next(self._urls), self._token, f"?since={self._since}", **options)

    async def _follow(self, connection: ClientConnection) -> float:
        """Takes what comes until the socket ends or is silent for too long; returns how long to wait before coming back."""
        self._checker.opened(self.name, time.monotonic(), self._rooms)
        self.connections += 1
        pause = 0.1
        try:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    frame = await connection.recv()
                for event in self._events(frame):
                    if event["event_type"] == "RECONNECT":
                        pause = event["retry_after_ms"] / 1000
        except (WebSocketException, OSError, TimeoutError):
            return pause
        finally:
            self._checker.closed(self.name, time.monotonic())
            if connection.close_code is not None:
                self.closes.append(connection.close_code)

    def _events(self, frame: str | bytes) -> Iterator[dict[str, Any]]:
        now = time.monotonic()
        for line in frame.splitlines():
            event = json.loads(line)
            if event["event_type"] != "TELEMETRY_UPDATE":  # those are the checker's
                self.events.append((now, event))
            self._checker.saw(self.name, event, now)
            if event["event_type"] == "SYNC":
                self._since = event["version"]
            yield event

    def received(self, kind: str, since: float = 0.0, **fields: Any) -> bool:
        """Whether an event of this kind with these fields came after a moment."""
        return any(at >= since and event["event_type"] == kind and fields.items() <= event.items() for at, event in self.events)
