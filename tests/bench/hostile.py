"""A hostile client as a process: sends requests of one kind, no faster than so many bytes a second, and counts the answers.

Reads a `Plan` as JSON from stdin, and prints what was sent and answered as JSON. It sends to loopback only.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Final

import msgspec

CONNECTIONS: Final = 16
ANSWER_SECONDS: Final = 30.0


class Plan(msgspec.Struct):
    """What is sent: requests in turn, as latin-1 text, or, where `opening` is set, messages after that request's answer."""

    port: int
    seconds: float
    bytes_per_second: float
    requests: list[str]
    opening: str = ""


class Hostile:
    """Sends on some connections at once, and opens another one where one is closed."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._until = time.monotonic() + plan.seconds
        self._next_at = time.monotonic()
        self._number = 0
        self.sent = 0
        self.answers = Counter[str]()

    async def run(self) -> None:
        """Sends until the time is over."""
        await asyncio.gather(*(self._one() for _ in range(CONNECTIONS)))

    async def _one(self) -> None:
        while time.monotonic() < self._until:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._plan.port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            try:
                await self._connection(reader, writer)
            except (OSError, EOFError, ValueError, TimeoutError):
                self.answers["closed"] += 1
            finally:
                writer.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._plan.opening:
            await self._send(writer, self._plan.opening)
            await reader.readuntil(b"\r\n\r\n")
        while time.monotonic() < self._until:
            await self._send(writer, self._plan.requests[self._number % len(self._plan.requests)])
            self._number += 1
            if self._plan.opening:
                if reader.at_eof() or not await reader.read(65536):
                    raise EOFError
                self.answers["message"] += 1
            else:
                self.answers[await self._answer(reader)] += 1

    async def _send(self, writer: asyncio.StreamWriter, text: str) -> None:
        """Waits until the budget of bytes allows it."""
        data = text.encode("latin-1")
        now = time.monotonic()
        at = self._next_at = max(self._next_at, now) + len(data) / self._plan.bytes_per_second
        await asyncio.sleep(min(at, self._until + 1) - now)
        writer.write(data)
        self.sent += len(data)

    async def _answer(self, reader: asyncio.StreamReader) -> str:
        """Reads one answer; returns its status."""
        async with asyncio.timeout(ANSWER_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            if "content-length:" in head:
                await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
            elif "chunked" in head:
                while size := int(await reader.readline(), 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            if "connection: close" in head:
                raise EOFError
            return head.split(" ")[1]


def main() -> None:
    """Runs the plan."""
    hostile = Hostile(msgspec.json.decode(sys.stdin.read(), type=Plan))
    asyncio.run(hostile.run())
    print(json.dumps({"sent": hostile.sent, "answers": hostile.answers}))


if __name__ == "__main__":
    main()
