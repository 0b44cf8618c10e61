"""`make bench BENCH='--url https://wall.example.com --mine wall.example.com'`: loads a deployment of yours, within fixed bounds.

Dashboards connect at an even pace, receive their snapshot and stay for a while. With a token for ingest, readings are posted to one room
and timed until a dashboard has them; they are so old that the room disappears by itself a minute later.

Tokens come from the environment or from files, never from the command line: BENCH_DASHBOARD_TOKEN and BENCH_INGEST_TOKEN, or the path of a
file in the same name with `_FILE`. BENCH_ROOM is the room that is posted to, `bench-load` unless it is set; BENCH_INGEST_URL is for a
stack without a front proxy.
"""

import asyncio
import http.client
import ipaddress
import json
import pathlib
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from tools.bench.processes import BenchError

MAX_CLIENTS: Final = 2000
MAX_SECONDS: Final = 300
MAX_POSTS_PER_SECOND: Final = 20
CONNECTIONS_PER_SECOND: Final = 50
FAILURES_TO_STOP: Final = 10  # in a row
TIMEOUT_SECONDS: Final = 10
VISIBLE_SECONDS: Final = 60
PLATFORM: Final = "chaturbate"


class Plan(NamedTuple):
    """A load within the bounds, and a deployment that was confirmed to be the caller's."""

    url: urllib.parse.SplitResult
    ingest_url: urllib.parse.SplitResult
    clients: int
    seconds: float
    posts_per_second: float
    dashboard_token: str
    ingest_token: str
    room_id: str

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"Plan({self.url.geturl()}, {self.clients} clients, {self.seconds} s, {self.posts_per_second} posts/s)"


def plan(url: str, *, mine: str, clients: int, seconds: float, posts_per_second: float, environment: Mapping[str, str]) -> Plan:
    """Checks everything before a connection is opened; raises BenchError, whose text never has a token."""
    address = _confirmed(url, "--url", mine)
    ingest_address = _confirmed(environment.get("BENCH_INGEST_URL") or url, "BENCH_INGEST_URL", mine)
    for name, value, limit in (("--clients", clients, MAX_CLIENTS), ("--seconds", seconds, MAX_SECONDS)):
        if not 1 <= value <= limit:
            raise BenchError(f"{name} is from 1 to {limit} for a deployment")
    if not 0 <= posts_per_second <= MAX_POSTS_PER_SECOND:
        raise BenchError(f"--posts is from 0 to {MAX_POSTS_PER_SECOND} a second")
    dashboard = _token(environment, "BENCH_DASHBOARD_TOKEN")
    if not dashboard:
        raise BenchError("set BENCH_DASHBOARD_TOKEN, or BENCH_DASHBOARD_TOKEN_FILE to the path of a file that has the token")
    room_id = environment.get("BENCH_ROOM") or "bench-load"
    ingest = _token(environment, "BENCH_INGEST_TOKEN")
    return Plan(address, ingest_address, clients, seconds, posts_per_second, dashboard, ingest, room_id)


def _confirmed(url: str, name: str, mine: str) -> urllib.parse.SplitResult:
    try:
        parts = urllib.parse.urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        parts = urllib.parse.urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise BenchError(f"{name} is written like https://wall.example.com, without user, query or fragment")
    if not _is_loopback(parts.hostname):
        if parts.scheme != "https":
            raise BenchError("a deployment on another machine is loaded over https alone, since tokens are sent to it")
        if mine != parts.hostname:
            raise BenchError(f"confirm that this deployment is yours and that you may load it: --mine {parts.hostname}")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(environment: Mapping[str, str], name: str) -> str:
    token = environment.get(name, "").strip()
    if path := environment.get(f"{name}_FILE", ""):
        try:
            token = pathlib.Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise BenchError(f"{name}_FILE cannot be read: {type(error).__name__}") from None
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise BenchError(f"{name} is not a token: it has spaces or other characters that a token never has")
    return token


class _Connect(connect):
    """A handshake that follows no redirect: the token is for the host that was confirmed."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Load:
    """The counts and times so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.snapshot_ms: list[float] = []
        self.failures: dict[str, int] = {}
        self.failed_in_a_row = 0
        self.lost = 0
        self.events = 0
        self.ttl_seconds = 3600
        self.lag_ms: list[float] = []
        self.post_ms: list[float] = []
        self.refused = 0
        self.sent: dict[int, float] = {}

    def fail(self, reason: str) -> None:
        self.failures[reason] = self.failures.get(reason, 0) + 1
        self.failed_in_a_row += 1

    async def dashboard(self, until: float) -> None:
        """One client, from its handshake to the end of the run."""
        scheme = "wss" if self.plan.url.scheme == "https" else "ws"
        url = f"{scheme}://{self.plan.url.netloc}{self.plan.url.path.rstrip('/')}/ws/dashboard"
        begun = time.perf_counter()
        try:
            async with _Connect(
                url,
                subprotocols=[Subprotocol("pulse.v1")],
                additional_headers={"Authorization": f"Bearer {self.plan.dashboard_token}"},
                open_timeout=TIMEOUT_SECONDS,
                close_timeout=1,
                max_size=None,
                proxy=None,
            ) as client:
                await self._read(client, begun, until)
        except InvalidStatus as error:
            self.fail(f"HTTP {error.response.status_code}")
        except (OSError, WebSocketException, TimeoutError) as error:
            self.fail(type(error).__name__)

    async def _read(self, client: ClientConnection, begun: float, until: float) -> None:
        is_live = False
        try:
            async with asyncio.timeout_at(until):
                async for message in client:
                    for line in message.splitlines():
                        kind = self._take(json.loads(line))
                        if kind == "SYNC" and not is_live:
                            is_live, self.failed_in_a_row = True, 0
                            self.snapshot_ms.append((time.perf_counter() - begun) * 1000)
        except TimeoutError:
            if not is_live:
                self.fail("no snapshot")
            return
        self.lost += 1

    def _take(self, event: dict[str, Any]) -> str:
        kind = str(event.get("event_type"))
        if kind == "HELLO":
            self.ttl_seconds = event.get("ttl_seconds", self.ttl_seconds)
        elif kind == "TELEMETRY_UPDATE":
            self.events += 1
            if event.get("room_id") == self.plan.room_id and (sent := self.sent.get(event["data"].get("tokens"))):
                self.lag_ms.append((time.perf_counter() - sent) * 1000)
        return kind

    async def post_until(self, until: float) -> None:
        """Posts one reading after the other at the pace of the plan."""
        loop = asyncio.get_running_loop()
        every, due = 1 / self.plan.posts_per_second, loop.time()
        address = self.plan.ingest_url
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.netloc, timeout=TIMEOUT_SECONDS)
        number = int(time.time()) % 1_000_000
        try:
            while loop.time() + every < until:
                number += 1
                self.sent[number] = begun = time.perf_counter()
                status = await asyncio.to_thread(self._post, connection, number)
                self.post_ms.append((time.perf_counter() - begun) * 1000)
                self.refused += status != 200
                due += every
                await asyncio.sleep(max(0.0, due - loop.time()))
        finally:
            connection.close()

    def _post(self, connection: http.client.HTTPConnection, number: int) -> int:
        now = time.time()
        reading = {
            "room_id": self.plan.room_id,
            "platform": PLATFORM,
            "tokens_count": number,
            "timestamp": int(now) - max(0, self.ttl_seconds - VISIBLE_SECONDS),
            "sequence": int(now * 1000),
        }
        headers = {"Authorization": f"Bearer {self.plan.ingest_token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"{self.plan.ingest_url.path.rstrip('/')}/api/tracking/telemetry", json.dumps(reading), headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0
        return answer.status


async def load(plan: Plan) -> dict[str, Any]:
    """Runs the plan, and ends it early if many handshakes in a row fail. Returns the figures."""
    seen, loop = _Load(plan), asyncio.get_running_loop()
    until = loop.time() + plan.clients / CONNECTIONS_PER_SECOND + plan.seconds
    async with asyncio.TaskGroup() as group:
        clients: list[asyncio.Task[None]] = []
        while len(clients) < plan.clients and seen.failed_in_a_row < FAILURES_TO_STOP:
            clients.append(group.create_task(seen.dashboard(until)))
            await asyncio.sleep(1 / CONNECTIONS_PER_SECOND)
        if seen.failed_in_a_row >= FAILURES_TO_STOP:
            for client in clients:
                client.cancel()
        elif plan.ingest_token and plan.posts_per_second:
            while not seen.snapshot_ms and loop.time() < until:
                await asyncio.sleep(0.05)  # a delay is measured from the first live client on
            await seen.post_until(until)
    return {
        "clients": len(clients),
        "live": len(seen.snapshot_ms),
        "failures": seen.failures,
        "closed_by_server": seen.lost,
        "snapshot_p50_ms": _percentile(seen.snapshot_ms, 0.5),
        "snapshot_p99_ms": _percentile(seen.snapshot_ms, 0.99),
        "events": seen.events,
        "posts": len(seen.post_ms),
        "posts_refused": seen.refused,
        "post_p50_ms": _percentile(seen.post_ms, 0.5),
        "post_p99_ms": _percentile(seen.post_ms, 0.99),
        "delivered_percent": len(seen.lag_ms) / max((len(seen.post_ms) - seen.refused) * len(seen.snapshot_ms), 1) * 100,
        "post_to_client_p50_ms": _percentile(seen.lag_ms, 0.5),
        "post_to_client_p99_ms": _percentile(seen.lag_ms, 0.99),
    }


def _percentile(values: list[float], part: float) -> float | None:
    """None where nothing was measured: unknown is not zero."""
    return sorted(values)[int((len(values) - 1) * part)] if values else None


def show(figures: Mapping[str, Any]) -> str:
    """One figure a line."""
    return "\n".join(f"  {name.replace('_', ' '):28}{_shown(value):>14}" for name, value in figures.items())


def _shown(value: object) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, dict):
        return ", ".join(f"{count} times {reason}" for reason, count in value.items()) or "none"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
