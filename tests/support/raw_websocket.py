"""WebSocket by hand, for what well-behaved clients refuse to do: odd handshakes, odd frames, and reading byte by byte or not at all."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import urllib.parse
from collections.abc import Iterator
from typing import Any, Final, Self

from tests.support.clients import PATH
from tests.support.raw_http import Answer, Headers, exchange, head
from tools.processes import Service

SMALL: Final = 4096
UPGRADE: Final[Headers] = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
)


def carried(*protocols: str) -> tuple[str, str]:
    """The header that offers subprotocols."""
    return ("Sec-WebSocket-Protocol", ", ".join(protocols))


def handshake(token: str, path: str = PATH) -> bytes:
    """The request that opens a `pulse.v1` connection."""
    return head("GET", path, (*UPGRADE, carried("pulse.v1", f"bearer.{token}")))


def upgrade(broadcast: Service, headers: Headers, path: str = PATH) -> Answer:
    """Sends a handshake with further headers; for those that are refused."""
    return exchange(broadcast.port, head("GET", path, (*UPGRADE, *headers)))


def frame(opcode: int, payload: bytes, *, first_bits: int = 0x80) -> bytes:
    """One masked frame; `first_bits` are FIN and the reserved ones."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes((first_bits | opcode,)) + length + mask + masked


class NeverReader:
    """A client that completes the handshake and then reads nothing."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(handshake(token))
        self.socket.recv(12)

    def close(self) -> None:
        """Closes the connection."""
        with contextlib.suppress(OSError):
            self.socket.close()


class RawDashboard:
    """A `pulse.v1` connection that reads only as much as the test asks for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._taken = b""
        self.tokens: dict[str, int] = {}
        self.updates = 0

    @classmethod
    async def connect(cls, url: str, token: str, *, receive_bytes: int = SMALL) -> Self:
        """Opens a connection with a small receive buffer, so that unread data stays in the server."""
        address = urllib.parse.urlsplit(url)
        bare = socket.socket()
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        bare.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(bare, (address.hostname, address.port))
        except OSError:
            bare.close()
            raise
        reader, writer = await asyncio.open_connection(sock=bare, limit=SMALL)
        writer.write(handshake(token))
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in answer, answer
        except BaseException:
            writer.transport.abort()
            raise
        return cls(reader, writer)

    async def take(self, size: int) -> bool:
        """Reads up to `size` bytes; False at the end of the stream."""
        try:
            data = await self.reader.read(size)
        except ConnectionError:
            return False
        self._taken += data
        for event in self._events():
            if event["event_type"] == "TELEMETRY_UPDATE":
                self.tokens[event["room_id"]] = event["data"]["tokens"]
                self.updates += 1
        return bool(data)

    async def ping_for_ever(self) -> None:
        """Sends pings of the largest size without reading the answers; raises ConnectionError once the connection is cut."""
        while True:
            self.writer.write((b"\x89\xfd\x00\x00\x00\x00" + bytes(125)) * 200)
            await self.writer.drain()

    def _events(self) -> Iterator[dict[str, Any]]:
        """The events in the complete frames so far."""
        while len(data := self._taken) >= 10:
            size, start = data[1], 2
            if size == 126:
                size, start = struct.unpack_from("!H", data, 2)[0], 4
            elif size == 127:
                size, start = struct.unpack_from("!Q", data, 2)[0], 10
            if start + size > len(data):
                return
            if data[0] & 15 == 1:
                yield from (json.loads(line) for line in data[start : start + size].splitlines())
            self._taken = data[start + size :]

    def close(self) -> None:
        """Aborts the connection."""
        self.writer.transport.abort()
