"""Large answers: a bound on what is being sent, and an end for clients that take nothing."""

import asyncio
import itertools
from typing import Any

import pytest

from broadcast_service.http import answers
from broadcast_service.http.answers import Outgoing, Sliced, in_slices
from shared.contract.problems import Problem

pytestmark = pytest.mark.anyio


def test_what_is_being_sent_is_bounded_for_each_subject_and_in_all() -> None:
    """A subject that holds much gets 429, a process that does gets 503, and what was received makes room again."""
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


def test_one_answer_is_always_let_through() -> None:
    """However large it is: bounds on single answers are elsewhere."""
    with Outgoing(limit_bytes=10, subject_bytes=10).hold("a", 50):
        pass


def test_a_file_is_cut_into_slices_of_lines() -> None:
    """Nothing is lost between them."""
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


async def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer stays incomplete, so that it is never taken for the whole one, and what it held is free."""
    monkeypatch.setattr(answers, "STALL_SECONDS", 0.01)
    outgoing, client = Outgoing(subject_bytes=1000), Client(takes=3)
    await endless(outgoing)({}, client.receive, client.send)
    assert client.got[-1]["more_body"] is True
    with outgoing.hold("a", 1000):
        pass


async def test_a_client_that_hangs_up_ends_its_answer() -> None:
    """Nothing is written for somebody who left."""
    client = Client(takes=10**9)
    task = asyncio.create_task(endless(Outgoing())({}, client.receive, client.send))
    while len(client.got) < 5:
        await asyncio.sleep(0)
    client.hung_up.set()
    await asyncio.wait_for(task, 5)
