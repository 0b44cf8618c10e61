"""Large answers: a bound on bytes in flight, and a deadline for clients that read nothing."""

import asyncio
import itertools
from typing import Any

import pytest

from broadcast_service.http import answers
from broadcast_service.http.answers import Outgoing, Sliced, in_slices
from shared.contract.problems import Problem

pytestmark = pytest.mark.anyio


def test_answers_in_flight_are_bounded_per_subject_and_in_total() -> None:
    """A subject above its bound gets 429, a process above its bound 503, and delivered bytes make room again."""
    outgoing = Outgoing(limit_bytes=100, subject_bytes=60)
    with outgoing.hold("a", 50):
        with pytest.raises(Problem) as refused, outgoing.hold("a", 20):
            pass
        assert refused.value.status == 429
        with outgoing.hold("b", 50), pytest.raises(Problem) as full, outgoing.hold("c", 10):
            pass
        assert full.value.status == 503
    with outgoing.hold("a", 60):
        pass


def test_a_single_answer_is_always_sent() -> None:
    """Other bounds limit the size of one answer."""
    with Outgoing(limit_bytes=10, subject_bytes=10).hold("a", 50):
        pass


def test_a_file_is_cut_into_slices_of_lines() -> None:
    """No line is lost between slices."""
    lines = [f"{number}\r\n" for number in range(1201)]
    parts = list(in_slices(iter(lines)))
    assert len(parts) == 3
    assert b"".join(parts).decode() == "".join(lines)


class Client:
    """Takes so many messages, then nothing more."""

    def __init__(self, takes: int) -> None:
        self._takes = takes
        self.hung_up = asyncio.Event()
        self.got: list[dict[str, Any]] = []

    async def send(self, message: Any) -> None:
        """What the server sends."""
        if len(self.got) >= self._takes:
            await asyncio.Event().wait()
        self.got.append(message)

    async def receive(self) -> Any:
        """What the server waits for."""
        await self.hung_up.wait()
        return {"type": "http.disconnect"}


def endless(outgoing: Outgoing) -> Sliced:
    """An answer without end."""
    return Sliced(itertools.repeat(b"x" * 1000), size=1000, subject="a", outgoing=outgoing, media_type="text/csv")


async def test_a_client_that_reads_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer stays incomplete, so that the client cannot take it for complete, and its bytes are free again."""
    monkeypatch.setattr(answers, "STALL_SECONDS", 0.01)
    outgoing, client = Outgoing(subject_bytes=1000), Client(takes=3)
    await endless(outgoing)({}, client.receive, client.send)
    assert client.got[-1]["more_body"] is True
    with outgoing.hold("a", 1000):
        pass


async def test_a_client_that_disconnects_ends_its_answer() -> None:
    client = Client(takes=10**9)
    task = asyncio.create_task(endless(Outgoing())({}, client.receive, client.send))
    while len(client.got) < 5:
        await asyncio.sleep(0)
    client.hung_up.set()
    await asyncio.wait_for(task, 5)
