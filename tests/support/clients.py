"""The two ends of the system: a producer that posts readings, and a dashboard that applies the events it receives."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

import httpx
import websockets.asyncio.client as websockets_asyncio
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.readings import PLATFORM, make_body
from tools.processes import metrics_url
from tools.waiting import WAIT_SECONDS, DeadlineExceeded, wait_until

PATH: Final = "/ws/dashboard"
AS_BROWSERS: Final = (ClientPerMessageDeflateFactory(client_max_window_bits=True),)


class Producer:
    """Posts readings with one token; an answer may take so many seconds."""

    def __init__(self, url: str, token: str, *, seconds: float = 5) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def post(self, room_id: str, tokens: int, **fields: Any) -> httpx.Response:
        """Posts one reading of this moment."""
        return self._client.post("/api/tracking/telemetry", json=make_body(**{"room_id": room_id, "tokens_count": tokens, **fields}))

    def deliver(self, room_id: str, tokens: int, **fields: Any) -> httpx.Response:
        """Posts a reading until it is accepted, as producers do: 503 asks for a retry."""
        response: httpx.Response = wait_until(
            lambda: (r := self.post(room_id, tokens, **fields)).status_code != 503 and r, f"an answer for {room_id}"
        )
        assert response.status_code == 200
        return response


def socket_url(url: str, query: str = "") -> str:
    """The address of a service's dashboards."""
    return url.replace("http", "ws", 1) + PATH + query


def subprotocols(token: str) -> list[Subprotocol]:
    """What a `pulse.v1` client offers."""
    return [Subprotocol("pulse.v1"), Subprotocol(f"bearer.{token}")]


def connect_async(url: str, token: str, query: str = "", **options: Any) -> websockets_asyncio.connect:
    """A `pulse.v1` connection for tests that run on an event loop."""
    return websockets_asyncio.connect(socket_url(url, query), subprotocols=subprotocols(token), proxy=None, **options)


class Client:
    """A connection that is read event by event."""

    def __init__(self, url: str, **options: Any) -> None:
        self._connecting = connect(url, ping_interval=None, **options)
        self._lines: list[str] = []
        self.connection: ClientConnection

    def __enter__(self) -> Self:
        self.connection = self._connecting.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def next_event(self, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """The next event; raises TimeoutError or ConnectionClosed."""
        while not self._lines:
            self._lines = str(self.connection.recv(timeout=seconds)).split("\n")
        event: dict[str, Any] = json.loads(self._lines.pop(0))
        return event


class OldClient(Client):
    """A client of the system that this one replaces: Authorization header, no subprotocol, one event per frame."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(socket_url(url), additional_headers={"Authorization": f"Bearer {token}"})


class Dashboard(Client):
    """A client of `pulse.v1`: applies newer values, forgets those that a snapshot leaves out, and keeps every event."""

    def __init__(
        self, url: str, token: str, query: str = "", *, offers: Sequence[ClientPerMessageDeflateFactory] = AS_BROWSERS, **options: Any
    ) -> None:
        super().__init__(socket_url(url, query), subprotocols=subprotocols(token), compression=None, extensions=list(offers), **options)
        self.values: dict[tuple[str, str], tuple[int, int]] = {}
        self.events: list[dict[str, Any]] = []
        self.since = 0
        self.close_code: int | None = None
        self._received: set[tuple[str, str]] = set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind so far, in order."""
        return [event for event in self.events if event["event_type"] == kind]

    def next_event(self, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """The next event, applied; raises TimeoutError or ConnectionClosed."""
        event = super().next_event(seconds)
        self._apply(event)
        return event

    def next_of(self, kind: str, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """The next event of one kind; events before it are applied and skipped. `seconds` is the longest wait for one event."""
        while (event := self.next_event(seconds))["event_type"] != kind:
            pass
        return event

    def snapshot(self) -> set[str]:
        """Reads to the next SYNC; returns the rooms whose events came before it."""
        rooms = set()
        while (event := self.next_event())["event_type"] != "SYNC":
            rooms |= {event["room_id"]} if "room_id" in event else set()
        return rooms

    def wait_for(self, condition: Callable[["Dashboard"], Any], what: str, *, seconds: float = WAIT_SECONDS) -> Any:
        """Reads whole frames until a condition holds; returns its value. Raises DeadlineExceeded."""

        def holds() -> Any:
            """The condition's value, after one more frame if it does not hold yet."""
            if value := condition(self):
                return value
            if self.close_code is not None:
                raise DeadlineExceeded(f"closed with {self.close_code} before {what}")
            self._read_frame()
            return condition(self)

        try:
            return wait_until(holds, what, seconds=seconds, poll_seconds=0, ignoring=(TimeoutError,))
        except DeadlineExceeded as error:
            raise DeadlineExceeded(f"{error}; last events: {self.events[-3:]}") from None

    def wait_for_close(self, seconds: float = WAIT_SECONDS) -> int:
        """Reads until the connection is closed; returns the close code."""
        self.wait_for(lambda d: d.close_code is not None, "the close", seconds=seconds)
        assert self.close_code is not None
        return self.close_code

    def wait_for_tokens(self, room_id: str, tokens: int, *, seconds: float = WAIT_SECONDS) -> None:
        """Reads until a room shows a balance."""
        key = (room_id, PLATFORM)
        self.wait_for(lambda d: d.values.get(key, (0, -1))[1] == tokens, f"{room_id} = {tokens}", seconds=seconds)

    def send(self, **message: Any) -> None:
        """Sends a message of the protocol."""
        self.send_raw(json.dumps(message))

    def send_raw(self, message: str | bytes) -> None:
        """Sends any text or bytes as one message."""
        self.connection.send(message)

    def _read_frame(self) -> None:
        try:
            self.next_event(0.2)
            while self._lines:
                self.next_event()
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else 1006

    def _apply(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        kind = event["event_type"]
        if kind in ("TELEMETRY_UPDATE", "TELEMETRY_EXPIRED"):
            key = (event["room_id"], event["data"]["platform"])
            self._received.add(key)
            if event["version"] >= self.values.get(key, (0, 0))[0]:
                if kind == "TELEMETRY_EXPIRED":
                    self.values.pop(key, None)
                else:
                    self.values[key] = (event["version"], event["data"]["tokens"])
        elif kind == "SYNC":
            if event["snapshot"]:
                self.values = {key: value for key, value in self.values.items() if key in self._received}
            self.since = event["version"]


def metric(url: str, name: str) -> float:
    """One sample of a service's metrics, by its full name with labels; 0 if there is none."""
    for line in httpx.get(f"{metrics_url(url)}/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    return 0.0
