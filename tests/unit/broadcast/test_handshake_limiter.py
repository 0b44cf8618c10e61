"""Many handshakes run a few at a time, in order, and a single one does not wait."""

import asyncio

import pytest

from broadcast_service.websocket.handshake_limiter import HandshakeLimiter

pytestmark = pytest.mark.anyio


async def test_a_single_handshake_does_not_wait() -> None:
    """Not even for one iteration of the event loop."""
    entering = HandshakeLimiter(2).wait_turn()
    with pytest.raises(StopIteration):
        entering.send(None)


async def test_many_handshakes_run_a_few_per_iteration() -> None:
    """In the order of arrival."""
    limiter, inside, counts = HandshakeLimiter(3), list[int](), list[int]()

    async def come(number: int) -> None:
        await limiter.wait_turn()
        inside.append(number)

    comers = [asyncio.create_task(come(number)) for number in range(10)]
    while not all(comer.done() for comer in comers):
        before = len(inside)
        await asyncio.sleep(0)
        counts.append(len(inside) - before)
    assert inside == list(range(10))
    assert max(counts) <= 3


async def test_a_cancelled_handshake_takes_no_place() -> None:
    """Those behind it move up."""
    limiter = HandshakeLimiter(1)
    comers = [asyncio.create_task(limiter.wait_turn()) for _ in range(4)]
    await asyncio.sleep(0)
    comers[1].cancel()
    comers[2].cancel()
    async with asyncio.timeout(60):
        await comers[3]
