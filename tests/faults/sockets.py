"""Dashboards that do not behave: raw sockets whose reading the test decides, byte by byte."""

import asyncio
import base64
import json
import secrets
import socket
import struct
import urllib.parse
from collections.abc import Iterator
from typing import Any, Self

SMALL: int = 4096


class RawDashboard:
    """A `pulse.v1` socket that takes from the network only what it is told to take."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._taken = b""
        self.tokens: dict[str, int] = {}
        self.updates = 0

    @classmethod
    async def connect(cls, url: str, token: str, *, receive_bytes: int = SMALL) -> Self:
        """Upgrades; the receive buffer is small, so that what is not taken soon stays with the server."""
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
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = ["GET /ws/dashboard HTTP/1.1", f"Host: {address.netloc}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Protocol: pulse.v1, bearer.{token}", "", ""]
        writer.write("\r\n".join(lines).encode())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in head, head
        except BaseException:
            writer.transport.abort()
            raise
        return cls(reader, writer)

    async def take(self, size: int) -> bool:
        """Takes up to so many bytes; False at the end of the stream."""
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
        """Sends pings, as large as they may be, without caring for the answers; raises ConnectionError once it is cut."""
        while True:
            self.writer.write((b"\x89\xfd\x00\x00\x00\x00" + bytes(125)) * 200)
            await self.writer.drain()

    def _events(self) -> Iterator[dict[str, Any]]:
        """The events in the whole frames that were taken."""
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
        """Goes without a word."""
        self.writer.transport.abort()
