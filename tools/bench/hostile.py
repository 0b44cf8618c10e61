"""A hostile client as a process: sends requests of one kind at a bounded number of bytes per second, and counts the answers.

Prints `up` when it is ready and reads a `Plan` as a line of JSON from stdin. Prints the moment when it begins (monotonic seconds), and in
the end, as JSON, when each phase ended, the bytes sent in each and the answers. It sends to loopback only.
"""

import asyncio
import bisect
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

CONNECTIONS: Final = 16  # at first
MAX_CONNECTIONS: Final = 1500  # further ones are opened while all others wait for an answer
CONNECTION_BYTES: Final = 216  # what a client sends for a connection: SYN, ACK, the headers of one segment, FIN (IPv4 with timestamps)
ANSWER_SECONDS: Final = 30.0
SEGMENT_BYTES: Final = 52  # the headers of a segment; counted for pieces of a body, since pieces sent together would be one piece
MAX_EXTRA_SECONDS: Final = 90.0
EXTENSION_SECONDS: Final = 1.0  # so long before its end a phase is extended by as much: a busy client looks at it late
MAX_CYCLES_SECONDS: Final = 120.0
GROUP_SECONDS: Final = 2.0  # without an admitted read, then the next one begins a group
BUDGET: Final = b"too many reads for this subject"  # what a 429 says when the subject's budget refuses; other ones refuse for a full queue
LATE_SECONDS: Final = 0.1  # how much of lost time is made up for


class Phase(msgspec.Struct):
    """A stretch of time with a rate of its own."""

    seconds: float
    bytes_per_second: float
    until: str = ""  # an answer without which the phase goes on, for `MAX_EXTRA_SECONDS` at most
    cycles: int = 0  # where reads are admitted in groups, the phase goes on until so many groups and one more have begun


class Plan(msgspec.Struct):
    """The requests to send, in turn, as latin-1 text, or, where `opening` is set, messages after that request's answer."""

    port: int
    phases: list[Phase]
    requests: list[str]
    opening: str = ""
    source: str = "127.0.0.1"
    churn: bool = False  # close each connection after its request, without waiting for the answer
    trickle: bool = False  # send each request as a piece of the body that `opening` announces, and await no answer
    answers: int = 1  # how many answers each request has: more than one where several are sent in one piece
    silent: bool = False  # the messages have no answer
    connections: int = CONNECTIONS  # at first
    grows: bool = True  # open further connections while all others wait for an answer; False: also take the last answers


class Hostile:
    """Sends on some connections at once, and opens another one where one is closed."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._next_at = self.began = time.monotonic()
        self._ends = [self.began + end for end in itertools.accumulate(phase.seconds for phase in plan.phases)]
        self._number = 0
        self.sent = [0] * len(plan.phases)
        self.connections = 0
        self._ready = 0  # connections that wait for their turn to send
        self.answers = Counter[str]()
        self.admitted: list[float] = []  # when each 200 arrived

    async def run(self) -> None:
        """Sends until the time is over. Opens a further connection whenever none is free to send."""
        extra = 0.0
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._one()) for _ in range(self._plan.connections)]
            while time.monotonic() < self._until:
                await asyncio.sleep(0.01)
                number = self._phase(now := time.monotonic())
                until = self._plan.phases[number].until
                waits = until and not self.answers[until] and extra < MAX_EXTRA_SECONDS
                if self._ends[number] - now < EXTENSION_SECONDS and (waits or self._is_within_cycles(number, now)):
                    extra += EXTENSION_SECONDS
                    self._ends[number:] = [end + EXTENSION_SECONDS for end in self._ends[number:]]
                if self._plan.grows and not self._ready and len(workers) < MAX_CONNECTIONS:
                    workers += [group.create_task(self._one()) for _ in range(CONNECTIONS)]
            await asyncio.sleep(0.1)
            if self._plan.grows:
                for worker in workers:
                    worker.cancel()
        self.connections = len(workers)

    def _is_within_cycles(self, number: int, now: float) -> bool:
        """Whether a phase waits for further groups of admitted reads."""
        start, wanted = ([self.began, *self._ends])[number], self._plan.phases[number].cycles
        if not wanted or now - start > MAX_CYCLES_SECONDS:
            return False
        times = [at for at in self.admitted if at >= start]
        has_paused = now - (times[-1] if times else start) > GROUP_SECONDS
        begun = group_starts(times)
        return len(begun) <= wanted and (has_paused or bool(begun))

    @property
    def ends(self) -> list[float]:
        """The moments at which the phases ended."""
        return self._ends

    @property
    def _until(self) -> float:
        return self._ends[-1]

    async def _one(self) -> None:
        while time.monotonic() < self._until:
            await self._pace(CONNECTION_BYTES)
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._plan.port, local_addr=(self._plan.source, 0))
            except OSError:
                self.answers["unconnected"] += 1
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
            if self._plan.trickle:
                await self._trickle(reader, writer)
                return
            await self._opened(reader)
        while time.monotonic() < self._until:
            await self._send(writer, self._plan.requests[self._number % len(self._plan.requests)])
            self._number += 1
            if self._plan.churn:
                self.answers["left"] += 1
                return
            if self._plan.silent:
                await writer.drain()
                if reader.at_eof():
                    raise EOFError
            elif self._plan.opening:
                if reader.at_eof() or not await reader.read(65536):
                    raise EOFError
                self.answers["message"] += 1
            else:
                for _ in range(self._plan.answers):
                    self.answers[await self._answer(reader)] += 1

    async def _opened(self, reader: asyncio.StreamReader) -> None:
        """Reads the answer to a handshake; raises EOFError where it opened no socket."""
        status = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        if status != "101":
            self.answers[f"opening {status}"] += 1
            raise EOFError

    async def _trickle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(1000):
            await self._pace(SEGMENT_BYTES)
            await self._send(writer, self._plan.requests[0])
            await writer.drain()
            self.answers["piece"] += 1
            if reader.at_eof() or time.monotonic() > self._until:
                return

    async def _pace(self, size: int) -> None:
        """Waits until the budget of bytes allows as many."""
        now = time.monotonic()
        at = self._next_at = max(self._next_at, now - LATE_SECONDS) + size / self._plan.phases[self._phase(now)].bytes_per_second
        self._ready += 1
        try:
            while (now := time.monotonic()) < min(at, self._until):  # the end can be moved meanwhile
                await asyncio.sleep(min(at, self._until) - now)
        finally:
            self._ready -= 1
        if now < self._until:
            self.sent[self._phase(now)] += size

    def _phase(self, now: float) -> int:
        """The number of the phase that a moment is in."""
        return min(bisect.bisect_right(self._ends, now), len(self._ends) - 1)

    async def _send(self, writer: asyncio.StreamWriter, text: str) -> None:
        """Waits until the budget of bytes allows it."""
        data = text.encode("latin-1")
        await self._pace(len(data))
        if time.monotonic() < self._until:
            writer.write(data)

    async def _answer(self, reader: asyncio.StreamReader) -> str:
        """Reads one answer; returns its status."""
        async with asyncio.timeout(ANSWER_SECONDS):
            head, body = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower(), b""
            if "content-length:" in head:
                body = await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
            elif "chunked" in head:
                while size := int(await reader.readline(), 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            if "connection: close" in head:
                raise EOFError
            status = head.split(" ")[1]
            if status == "200":
                self.admitted.append(time.monotonic())
            return "429 budget" if BUDGET in body else status


def group_starts(times: Sequence[float]) -> list[float]:
    """When the groups began that follow a pause of `GROUP_SECONDS`."""
    return [after for before, after in itertools.pairwise(times) if after - before > GROUP_SECONDS]


def main() -> None:
    """Runs the plan."""
    print("up", flush=True)
    hostile = Hostile(msgspec.json.decode(sys.stdin.readline(), type=Plan))
    print(hostile.began, flush=True)
    asyncio.run(hostile.run())
    print(
        json.dumps(
            {
                "ends": hostile.ends,
                "sent": hostile.sent,
                "answers": hostile.answers,
                "connections": hostile.connections,
                "admitted": hostile.admitted,
            }
        )
    )


if __name__ == "__main__":
    main()
