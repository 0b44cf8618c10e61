"""A real stack for the dashboard's tests, and readings that a test writes itself."""

import contextlib
import json
import pathlib
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from tools.processes import Service, free_port
from tools.stack import Stack
from tools.waiting import wait_until

NO_ROOM: Final = "no-room-reports-under-this-name"
REPORT_SECONDS: Final = 3.0  # a value is live for 15 s, so some reports may be late on a busy machine
RETRY_SECONDS: Final = 0.2
COMMITTED_WITHIN_SECONDS: Final = 15.0
NOT_CONFIRMED: Final = 503
_PAGE_PORTS: Final[list[int]] = []  # those of stacks that have ended


@dataclass
class Studio:
    """A running stack with one service of each kind, and the requests that tests make of it.

    Where several tests share the stack, `own_rooms` holds the rooms that this test has posted; None means that the stack is the test's own.
    """

    stack: Stack
    ingest: Service
    broadcast: Service
    own_rooms: set[str] | None = None

    def for_one_test(self, rooms: Iterable[str] = ()) -> Self:
        """The same stack, on which tokens cover by default only these rooms and those that are posted through the returned studio."""
        return replace(self, own_rooms=set(rooms))

    def token(self, **scope: Any) -> str:
        """A dashboard token. On a shared stack it covers by default the rooms that this test has posted so far, and no others:
        what a page says depends on every room that it sees, and on how long ago each reported."""
        if self.own_rooms is not None:
            scope.setdefault("rooms", tuple(sorted(self.own_rooms)) or (NO_ROOM,))
        return self.stack.token("dashboard", **scope)

    def post(self, *readings: dict[str, Any]) -> list[str]:
        """Posts readings in one batch; returns the result of each.

        A batch that the store does not confirm in time, as on a busy machine, is sent again as producers do; its readings may be
        duplicates then.
        """
        body = self._batch(readings)
        return wait_until(
            lambda: self._send(body), "the store confirms readings", seconds=COMMITTED_WITHIN_SECONDS, poll_seconds=RETRY_SECONDS
        )

    def post_once(self, *readings: dict[str, Any]) -> list[str] | None:
        """As `post`, but None if the store did not confirm them."""
        return self._send(self._batch(readings))

    def _batch(self, readings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.own_rooms is not None:
            self.own_rooms |= {reading["room_id"] for reading in readings}
        return [{"timestamp": int(time.time()), "tokens_count": 0, "platform": "camsoda", **reading} for reading in readings]

    def _send(self, body: list[dict[str, Any]]) -> list[str] | None:
        token = self.stack.token("ingest", subject="producer")
        status, answer = request(f"{self.ingest.url}/api/tracking/telemetry/batch", token, body)
        if status == NOT_CONFIRMED:
            return None
        assert status == 200, answer
        return [item["result"] for item in json.loads(answer)["results"]]

    def get(self, path: str, **scope: Any) -> tuple[int, Any]:
        """Reads from the broadcast service with a token of this scope."""
        status, answer = request(self.broadcast.url + path, self.token(**scope))
        return status, json.loads(answer) if answer[:1] in b"{[" else answer.decode()


class OnAir:
    """Rooms that report the same numbers again every few seconds, as producers do, until the block ends.

    A page that shows them says the same however long a test takes. Failed posts are repeated, so the stack may be broken meanwhile.
    """

    def __init__(self, studio: Studio, *readings: dict[str, Any], every_seconds: float = REPORT_SECONDS) -> None:
        self._studio = studio
        self._every_seconds = every_seconds
        self._readings: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.report(*readings)

    def report(self, *readings: dict[str, Any]) -> None:
        """Posts these readings and repeats them from now on, instead of the rooms' previous ones. Returns when they are committed."""
        with self._lock:
            self._readings |= {reading["room_id"]: reading for reading in readings}
        wait_until(self._is_posted, "the stack commits readings", seconds=COMMITTED_WITHIN_SECONDS, poll_seconds=RETRY_SECONDS)

    def _is_posted(self) -> bool:
        with self._lock:
            now_ms = time.time_ns() // 10**6
            reports = ({**reading, "timestamp": now_ms // 1000, "sequence": now_ms} for reading in self._readings.values())
            try:
                return self._studio.post_once(*reports) is not None
            except (AssertionError, OSError):
                return False

    def _run(self) -> None:
        pause = self._every_seconds
        while not self._stopped.wait(pause):
            pause = self._every_seconds if self._is_posted() else RETRY_SECONDS

    def __enter__(self) -> Self:
        """Begins to repeat."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Returns when the last report has been answered. The rooms are silent from then on."""
        self._stopped.set()
        self._thread.join()

    def __exit__(self, *_raised: object) -> None:
        """Stops, unless the test has done so."""
        self.stop()


def request(url: str, token: str, body: Any = None) -> tuple[int, bytes]:
    """One HTTP request with a bearer token."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(asked, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@contextlib.contextmanager
def page_port() -> Iterator[int]:
    """A port for a server of the page, which the next one gets as well: a browser keeps files by origin."""
    port = _PAGE_PORTS.pop() if _PAGE_PORTS else free_port()
    yield port
    _PAGE_PORTS.append(port)


@contextlib.contextmanager
def running_studio(directory: pathlib.Path, **settings: str) -> Iterator[Studio]:
    """Starts a stack, optionally with other settings; ends it with the block."""
    unlimited = {"RATE_LIMIT_ROOM_PER_SECOND": "0", "RATE_LIMIT_TOKEN_PER_SECOND": "0"}
    with page_port() as port, Stack(directory, **{**unlimited, **settings}) as stack:
        yield Studio(stack, stack.ingest(), stack.broadcast(port))
