"""Connections to each real server: who gets one when all are in use, and what a full queue answers."""

import asyncio

import pytest

from shared.store import connection as redis_connection
from shared.store.connection import new_client
from shared.store.redis import RedisError
from tests.contract import servers

pytestmark = pytest.mark.anyio
WITHIN_SECONDS = 10.0


async def test_connections_are_handed_out_in_turn(server: servers.Server) -> None:
    """A caller that has had a connection waits behind those that have not."""
    client = new_client(server.url, 2)
    served: list[int] = []

    async def reader(number: int) -> None:
        for _ in range(3):
            await client.ping()
            served.append(number)

    async with asyncio.timeout(WITHIN_SECONDS):
        await asyncio.gather(*map(reader, range(8)))
        assert {sorted(served[round_ : round_ + 8]) == list(range(8)) for round_ in (0, 8, 16)} == {True}
    await client.aclose()


async def test_the_queue_for_a_connection_is_bounded_in_length_and_time(server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller beyond it is refused at once, one within it after a while; a caller that gives up leaves nothing behind."""
    monkeypatch.setattr(redis_connection, "MAX_WAITING", 1)
    monkeypatch.setattr(redis_connection, "MAX_WAIT_SECONDS", 0.2)
    client = new_client(server.url, 1)
    async with asyncio.timeout(WITHIN_SECONDS):
        held = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        waiting = asyncio.ensure_future(client.ping())
        await asyncio.sleep(0)
        with pytest.raises(RedisError, match="too many"):
            await client.ping()
        with pytest.raises(RedisError, match="in time"):
            await waiting
        cancelled = asyncio.ensure_future(client.ping())
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        await client.connection_pool.release(held)
        assert await client.ping()
    await client.aclose()


async def test_a_connection_that_fails_is_given_back() -> None:
    """Else a pool would be empty after so many failures."""
    client = new_client("redis://127.0.0.1:1/0", 1)
    async with asyncio.timeout(WITHIN_SECONDS):
        for _ in range(3):
            with pytest.raises(RedisError, match="connecting"):
                await client.ping()
    await client.aclose()
