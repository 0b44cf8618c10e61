"""The two ends of the system as tests use them: a producer that posts readings, a dashboard that keeps what it is told."""

import contextlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any, Self

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tools.processes import metrics_url
from tools.waiting import WAIT_SECONDS, DeadlineExceeded, wait_until


class Producer:
    """Posts readings with one token."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def post(self, room_id: str, tokens: int, **fields: Any) -> httpx.Response:
        """Posts one reading of now."""
        now_ms = time.time_ns() // 1_000_000
        body = {"room_id": room_id, "platform": "stripchat", "tokens_count": tokens, "timestamp": now_ms // 1000, "sequence": now_ms}
        return self._client.post("/api/tracking/telemetry", json={**body, **fields})

    def deliver(self, room_id: str, tokens: int, **fields: Any) -> httpx.Response:
        """Posts a reading until it is taken, as producers do: 503 means to come back."""
        response: httpx.Response = wait_until(
            lambda: (r := self.post(room_id, tokens, **fields)).status_code != 503 and r, f"an answer for {room_id}"
        )
        assert response.status_code == 200
        return response


class Dashboard:
    """A client of `pulse.v1`: applies what is newer, forgets what a snapshot does not name, remembers everything it heard."""

    def __init__(self, url: str, token: str, query: str = "") -> None:
        self.values: dict[tuple[str, str], tuple[int, int]] = {}
        self.events: list[dict[str, Any]] = []
        self.since = 0
        self.close_code: int | None = None
        self._told: set[tuple[str, str]] = set()
        address = url.replace("http", "ws") + "/ws/dashboard" + query
        protocols = [Subprotocol("pulse.v1"), Subprotocol(f"bearer.{token}")]
        self._connecting = connect(address, subprotocols=protocols, ping_interval=None)
        self.socket: ClientConnection

    def __enter__(self) -> Self:
        self.socket = self._connecting.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind, in order."""
        return [event for event in self.events if event["event_type"] == kind]

    def wait_for(self, condition: Callable[["Dashboard"], Any], what: str, *, seconds: float = WAIT_SECONDS) -> Any:
        """Reads until a condition holds; raises DeadlineExceeded."""
        end = time.monotonic() + seconds
        while not (value := condition(self)):
            left = end - time.monotonic()
            if left <= 0:
                raise DeadlineExceeded(f"{what} did not happen within {seconds} s; last events: {self.events[-3:]}")
            self._read(left)
        return value

    def wait_for_close(self, seconds: float = WAIT_SECONDS) -> int:
        """Reads until the socket is closed; returns the close code."""
        self.wait_for(lambda d: d.close_code is not None, "the close", seconds=seconds)
        assert self.close_code is not None
        return self.close_code

    def wait_for_tokens(self, room_id: str, tokens: int, *, seconds: float = WAIT_SECONDS) -> None:
        """Reads until a room shows a balance."""
        key = (room_id, "stripchat")
        self.wait_for(lambda d: d.values.get(key, (0, -1))[1] == tokens, f"{room_id} = {tokens}", seconds=seconds)

    def send(self, **message: Any) -> None:
        """Sends a message of the protocol."""
        self.socket.send(json.dumps(message))

    def _read(self, seconds: float) -> None:
        if self.close_code is not None:
            raise DeadlineExceeded(f"the socket was closed with {self.close_code}")
        try:
            for line in str(self.socket.recv(timeout=seconds)).split("\n"):
                self._apply(json.loads(line))
        except TimeoutError:
            pass
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else 1006

    def _apply(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        kind = event["event_type"]
        if kind in ("TELEMETRY_UPDATE", "TELEMETRY_EXPIRED"):
            key = (event["room_id"], event["data"]["platform"])
            self._told.add(key)
            if event["version"] >= self.values.get(key, (0, 0))[0]:
                if kind == "TELEMETRY_EXPIRED":
                    self.values.pop(key, None)
                else:
                    self.values[key] = (event["version"], event["data"]["tokens"])
        elif kind == "SYNC":
            if event["snapshot"]:
                self.values = {key: value for key, value in self.values.items() if key in self._told}
            self.since = event["version"]


class OldClient:
    """A client of the system that this one replaces: Authorization header, no subprotocol, one event per frame."""

    def __init__(self, url: str, token: str) -> None:
        address = url.replace("http", "ws") + "/ws/dashboard"
        self._connecting = connect(address, additional_headers={"Authorization": f"Bearer {token}"}, ping_interval=None)
        self.socket: ClientConnection

    def next(self, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """The next event; raises TimeoutError."""
        event: dict[str, Any] = json.loads(self.socket.recv(timeout=seconds))
        return event

    def __enter__(self) -> Self:
        self.socket = self._connecting.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


class NeverReader:
    """A client that completes the handshake and then takes nothing off its socket."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        request = (
            "GET /ws/dashboard HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Sec-WebSocket-Protocol: pulse.v1, bearer.{token}\r\n\r\n"
        )
        self.socket.sendall(request.encode())
        self.socket.recv(12)

    def close(self) -> None:
        """Hangs up."""
        with contextlib.suppress(OSError):
            self.socket.close()


def metric(url: str, name: str) -> float:
    """One sample of a service's metrics, by its full name with labels."""
    for line in httpx.get(f"{metrics_url(url)}/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    return 0.0
