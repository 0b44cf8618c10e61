"""Relays that break the promise, each in one way: proxies between dashboards and a real broadcast service.

They are real sockets that real dashboards connect to, so that a scene with one of them in it fails only if the checker sees its lie.
"""

import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tools.processes import free_port

Event = dict[str, Any]
Tamper = Callable[[Event], list[Event]]
UPDATE: Final = "TELEMETRY_UPDATE"


def faithful() -> Tamper:
    """Passes everything on."""
    return lambda event: [event]


def dropping(room_id: str) -> Tamper:
    """Delivers the first event of a room and drops all later ones."""
    sent: list[bool] = []

    def tamper(event: Event) -> list[Event]:
        """Passes the first event of the room on, and no later one."""
        if event["event_type"] != UPDATE or event["room_id"] != room_id:
            return [event]
        sent.append(True)
        return [event] if len(sent) == 1 else []

    return tamper


def reordering(room_id: str) -> Tamper:
    """Holds back every third value of a room until the next one has been delivered."""
    held: list[Event] = []
    count = 0

    def tamper(event: Event) -> list[Event]:
        """Swaps every third value with the one after it."""
        nonlocal count
        if event["event_type"] != UPDATE or event["room_id"] != room_id:
            return [event]
        count += 1
        if count % 3 == 0:
            held.append(event)
            return []
        swapped, held[:] = [event, *held], []
        return swapped

    return tamper


def repeating(room_id: str) -> Tamper:
    """Delivers a value of a room again after three newer ones."""
    sent: deque[Event] = deque(maxlen=4)

    def tamper(event: Event) -> list[Event]:
        """Adds the oldest of the last four values to the newest."""
        if event["event_type"] != UPDATE or event["room_id"] != room_id:
            return [event]
        sent.append(event)
        return [event] if len(sent) < 4 else [event, sent[0]]

    return tamper


def inventing(room_id: str) -> Tamper:
    """Delivers a balance that no producer posted, a little below the true one."""

    def tamper(event: Event) -> list[Event]:
        """Takes one token from a balance."""
        if event["event_type"] != UPDATE or event["room_id"] != room_id:
            return [event]
        return [{**event, "data": {**event["data"], "tokens": event["data"]["tokens"] - 1}}]

    return tamper


def silent() -> Tamper:
    """Drops the notice that values may be old."""
    return lambda event: [] if event == {**event, "event_type": "UPSTREAM", "status": "degraded"} else [event]


class Relay:
    """A proxy in front of a broadcast service. `token` replaces the dashboards' own, for a relay that shows more than it may."""

    def __init__(self, target: str, make_tamper: Callable[[], Tamper], token: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._target = target.replace("http", "ws", 1)
        self._make_tamper = make_tamper
        self._token = token

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Serves until the end."""
        async with serve(self._serve, "127.0.0.1", self.port, subprotocols=[Subprotocol("pulse.v1")], compression=None) as server:
            yield server

    async def _serve(self, dashboard: ServerConnection) -> None:
        assert dashboard.request is not None
        offered = [Subprotocol(part.strip()) for part in dashboard.request.headers["Sec-WebSocket-Protocol"].split(",")]
        protocols = [Subprotocol("pulse.v1"), Subprotocol(f"bearer.{self._token}")] if self._token else offered
        tamper = self._make_tamper()
        with contextlib.suppress(WebSocketException, OSError):
            async with connect(self._target + dashboard.request.path, subprotocols=protocols, compression=None, proxy=None) as service:
                async for frame in service:
                    events = [sent for line in str(frame).splitlines() for sent in tamper(json.loads(line))]
                    await dashboard.send("\n".join(map(json.dumps, events)))
