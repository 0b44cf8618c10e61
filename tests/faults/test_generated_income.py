"""Generated studios of known truth through the real services, while processes are killed, connections reset and clocks are wrong.

`INCOME_SEEDS` is the number of studios, and a multiple of `GROUP`; each group has a stack of its own.
"""

import contextlib
import http.client
import json
import os
import pathlib
import random
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.faults.link import Link
from tests.support.generated import ROOMS, Seen, Story, generate
from tests.support.posting import BATCH, authorization
from tests.support.raw_http import connect, exchange, hang_up, request
from tests.support.studio import request as ask
from tools.processes import Service
from tools.redis_server import RedisServer
from tools.stack import Stack
from tools.waiting import wait_until

pytestmark = pytest.mark.faults

GROUP: Final = 5
SEEDS: Final = int(os.environ.get("INCOME_SEEDS", str(GROUP)))
HOURS: Final = 2
FAULTS: Final = 3  # of each studio
DELIVERED_WITHIN_SECONDS: Final = 60.0
DONE: Final = {"accepted", "duplicate", "late"}
CLOCKS_AHEAD_MS: Final = (None, 0, 1400, -1900, 2600, -40_400, 90_000, 3 * 3_600_000 + 700)  # None sends no `Pulse-Sent-At`


@dataclass
class Site:
    """Services behind a link to their Redis, and what may happen to each."""

    stack: Stack
    redis: RedisServer
    link: Link
    ingest: Service
    broadcast: Service

    def break_one(self, rng: random.Random) -> None:
        """Kills a process, or resets every connection to Redis; ends when all processes answer again."""
        broken = rng.choice([self.ingest, self.ingest, self.broadcast, self.redis, self.redis, None])
        if broken is None:
            self.link.reset_once()
        else:
            broken.kill()
            broken.start()


@contextlib.contextmanager
def running_site(directory: pathlib.Path) -> Iterator[Site]:
    """Redis writes each reading to a file before it is acknowledged."""
    redis = RedisServer(directory / "node", appendonly="yes")
    link = Link(redis.port)
    try:
        redis.start()
        settings = {"RATE_LIMIT_ROOM_PER_SECOND": "0", "RATE_LIMIT_TOKEN_PER_SECOND": "0", "TELEMETRY_TTL_SECONDS": "86400"}
        with link.running(), Stack(directory, redis_url=link.url, **settings) as stack:
            yield Site(stack, redis, link, stack.ingest(), stack.broadcast())
    finally:
        redis.kill()


class Progress:
    """How many batches were sent so far, for who waits for a number of them."""

    def __init__(self) -> None:
        self._sent = 0
        self._changed = threading.Condition()

    def count(self) -> None:
        """One more was sent, or no more will be."""
        with self._changed:
            self._sent += 1
            self._changed.notify_all()

    def reaches(self, number: int) -> None:
        """Returns once so many were sent."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._sent >= number, DELIVERED_WITHIN_SECONDS)


@dataclass
class Desk:
    """A room whose producer sends its readings in order, each until it is acknowledged, by a clock of its own."""

    site: Site
    rng: random.Random
    seed: int
    ahead_ms: int | None

    def deliver(self, seen: Sequence[Seen], progress: Progress) -> None:
        """Sends everything, some of it twice."""
        token = self.site.stack.token("ingest", subject=f"desk-{self.seed}", rooms=(f"s{self.seed}-*",))
        before: list[dict[str, Any]] = []
        while seen:
            size = self.rng.randint(1, 300)
            batch, seen = [self._body(one) for one in seen[:size]], seen[size:]
            if self.rng.random() < 0.2:
                self._send_and_hang_up(token, batch)
            progress.count()
            self._store(token, batch)
            if before and self.rng.random() < 0.2:
                self._store(token, before)
            before = batch

    def _store(self, token: str, batch: list[dict[str, Any]]) -> None:
        wait_until(lambda: self._is_stored(token, batch), "a batch is stored", seconds=DELIVERED_WITHIN_SECONDS)

    def _body(self, seen: Seen) -> dict[str, Any]:
        at_ms = 1000 * seen.second + (self.ahead_ms or 0)
        names = {"room_id": f"s{self.seed}-{seen.room}", "platform": "camsoda", "account": f"s{self.seed}-{seen.account}"}
        return {**names, "timestamp": at_ms // 1000, "sequence": at_ms, "tokens_count": seen.tokens}

    def _request(self, token: str, batch: list[dict[str, Any]]) -> bytes:
        sent_at = () if self.ahead_ms is None else (("Pulse-Sent-At", str(time.time_ns() // 1_000_000 + self.ahead_ms)),)
        headers = (authorization(token), ("Content-Type", "application/json"), ("Connection", "close"), *sent_at)
        return request("POST", BATCH, headers, json.dumps(batch).encode())

    def _send_and_hang_up(self, token: str, batch: list[dict[str, Any]]) -> None:
        """Resets the connection instead of reading the answer."""
        with contextlib.suppress(OSError):
            connection = connect(self.site.ingest.port)
            try:
                connection.sendall(self._request(token, batch))
            finally:
                hang_up(connection)

    def _is_stored(self, token: str, batch: list[dict[str, Any]]) -> bool:
        try:
            answer = exchange(self.site.ingest.port, self._request(token, batch))
        except (OSError, http.client.HTTPException):
            return False
        return answer.status == 200 and all(item["result"] in DONE for item in answer.json()["results"])


def play(site: Site, seed: int) -> tuple[Story, dict[str, Any]]:
    """Delivers a studio amid faults; its story, and the report of it."""
    rng, progress = random.Random(-seed - 1), Progress()
    start = int(time.time()) // 60 * 60 - HOURS * 3600 - 300
    story = generate(seed, start, HOURS)
    by_room = {room: [one for one in story.seen if one.room == room] for room in ROOMS}
    with ThreadPoolExecutor() as pool:
        desks = [Desk(site, random.Random(rng.random()), seed, rng.choice(CLOCKS_AHEAD_MS)) for _ in ROOMS]
        working = [pool.submit(desk.deliver, seen, progress) for desk, seen in zip(desks, by_room.values(), strict=True)]
        at_least = sum(map(len, by_room.values())) // 300
        for number in sorted(rng.sample(range(1, at_least), FAULTS)):
            progress.reaches(number)
            site.break_one(rng)
        for desk in working:
            desk.result()
    query = urllib.parse.urlencode({"from": start - 3600, "to": start + (HOURS + 1) * 3600, "step": 3600, "by": "account"})
    token, url = site.stack.token("dashboard", rooms=(f"s{seed}-*",)), f"{site.broadcast.url}/api/tracking/analytics?{query}"
    return story, wait_until(lambda: _report(url, token), "a report", seconds=DELIVERED_WITHIN_SECONDS, ignoring=(OSError,))


def _report(url: str, token: str) -> dict[str, Any] | None:
    status, body = ask(url, token)
    return json.loads(body) if status == 200 else None


@pytest.mark.timeout(60 + 40 * GROUP)
@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_a_report_is_true_of_a_generated_studio_amid_faults(first: int, tmp_path: pathlib.Path) -> None:
    """Reported is at most the truth, the truth at most reported and unsettled; both are equal where every change was read."""
    with running_site(tmp_path) as site:
        for seed in range(first, first + GROUP):
            story, report = play(site, seed)
            earned = {row["account"].removeprefix(f"s{seed}-"): (row["earned"], row["unsettled"]) for row in report["accounts"]}
            assert earned.keys() == {one.account for one in story.seen}
            for account, (reported, unsettled) in earned.items():
                true = story.truth[account].seen
                assert reported <= true <= reported + unsettled, (seed, account, reported, unsettled, true)
                assert reported == true or not story.is_calm, (seed, account, reported, true)
            assert report["total"] == sum(reported for reported, _ in earned.values()) == sum(report["earned"])
