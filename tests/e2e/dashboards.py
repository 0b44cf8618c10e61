"""How end-to-end tests open dashboards' sockets, well-behaved or not."""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.e2e.raw import Answer, Headers, exchange, head
from tools.processes import Service

PATH = "/ws/dashboard"
WAIT_SECONDS = 10.0

UPGRADE: Headers = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
)


def upgrade(broadcast: Service, headers: Headers, path: str = PATH) -> Answer:
    """Asks for an upgrade by hand; for requests that are refused."""
    return exchange(broadcast.port, head("GET", path, (*UPGRADE, *headers)))


def carried(*protocols: str) -> tuple[str, str]:
    """The header that offers subprotocols."""
    return ("Sec-WebSocket-Protocol", ", ".join(protocols))


def frame(opcode: int, payload: bytes, *, first_bits: int = 0x80) -> bytes:
    """One masked frame; `first_bits` are FIN and the reserved ones."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes((first_bits | opcode,)) + length + mask + masked


class Dashboard:
    """A `pulse.v1` client that hears one event after the other."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._lines: list[str] = []

    def send(self, message: str | bytes) -> None:
        """Sends text, a JSON text or bytes as one message."""
        self.connection.send(message)

    def next(self) -> dict[str, Any]:
        """The next event; raises ConnectionClosed."""
        while not self._lines:
            self._lines = str(self.connection.recv(timeout=WAIT_SECONDS)).split("\n")
        event: dict[str, Any] = json.loads(self._lines.pop(0))
        return event

    def until(self, event_type: str) -> dict[str, Any]:
        """The next event of a type; what comes before it is passed over."""
        while (event := self.next())["event_type"] != event_type:
            pass
        return event

    def snapshot(self) -> set[str]:
        """Reads the snapshot; the rooms it told."""
        rooms = set()
        while (event := self.next())["event_type"] != "SYNC":
            rooms |= {event["room_id"]} if "room_id" in event else set()
        return rooms

    def close_code(self) -> int | None:
        """Reads to the end; the code with which the server closed."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.next()
        return self.connection.close_code


@contextlib.contextmanager
def dashboard(
    broadcast: Service, token: str, query: str = "", offers: Sequence[ClientPerMessageDeflateFactory] = ()
) -> Iterator[Dashboard]:
    """An open dashboard, which may offer compression."""
    url = f"ws://127.0.0.1:{broadcast.port}{PATH}{query}"
    protocols = [Subprotocol("pulse.v1"), Subprotocol(f"bearer.{token}")]
    with connect(url, subprotocols=protocols, compression=None, extensions=list(offers), open_timeout=WAIT_SECONDS) as connection:
        yield Dashboard(connection)
