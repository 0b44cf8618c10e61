"""Reads of one subject that are made at the same time."""

import asyncio

import pytest

from broadcast_service.http.read_turns import ReadTurns
from shared.contract.problems import Problem

pytestmark = pytest.mark.anyio


async def test_a_few_reads_of_a_subject_run_at_once_and_those_of_others_do_not_wait() -> None:
    """The rest of the subject's follow in order."""
    turns, order, end = ReadTurns(at_once=2), [], asyncio.Event()

    async def read(subject: str, number: int) -> None:
        async with turns.turn(subject):
            order.append((subject, number))
            await end.wait()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(read("greedy", number))
        group.create_task(read("modest", 0))
        while len(order) < 3:
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        assert order == [("greedy", 0), ("greedy", 1), ("modest", 0)]
        end.set()
    assert order[3:] == [("greedy", 2), ("greedy", 3), ("greedy", 4)]
    assert len(turns) == 0


async def test_reads_that_wait_are_bounded() -> None:
    """Beyond the bound the answer is 429, and a read that is cancelled while it waits leaves its place."""
    turns = ReadTurns(at_once=1, max_waiting=1)
    async with asyncio.timeout(60), turns.turn("greedy"):
        waiting = asyncio.create_task(turns.turn("greedy").__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await turns.turn("greedy").__aenter__()
        assert (refused.value.status, refused.value.retry_after_seconds) == (429, 2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        waiting = asyncio.create_task(turns.turn("greedy").__aenter__())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert len(turns) == 0
