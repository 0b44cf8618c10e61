"""Connections to each real server: who gets one when all are in use, and what a full queue answers."""

import asyncio
import contextlib
import hashlib
import os
import signal
from typing import Any, cast

import pytest
from redis.exceptions import NoScriptError

from shared.store import connection as redis_connection
from shared.store.connection import new_client
from shared.store.redis import RedisError
from tests.contract import servers

pytestmark = pytest.mark.anyio
WITHIN_SECONDS = 60.0
SCRIPT = "return {ARGV[1], 7}"
DIGEST = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()


async def test_connections_are_handed_out_in_turn(server: servers.Server) -> None:
    """A caller that has had a connection waits behind those that have not."""
    client = new_client(server.url, 1)  # with two, their replies may arrive in any order
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


async def test_a_script_runs_by_its_digest_on_one_connection(server: servers.Server) -> None:
    """An error of the reply leaves the connection as it is."""
    client = new_client(server.url, 1)
    await client.script_flush()
    number = await client.client_id()
    with pytest.raises(NoScriptError):
        await client.evalsha(DIGEST, 0, "x")
    assert await client.eval(SCRIPT, 0, "x") == [b"x", 7]
    assert await client.evalsha(DIGEST, 0, b"\x00\xff") == [b"\x00\xff", 7]
    assert await client.evalsha(DIGEST, 0, 5) == [b"5", 7]
    assert await client.client_id() == number
    with pytest.raises(RedisError):
        await client.evalsha(DIGEST, 0, cast("Any", object()))
    assert await client.evalsha(DIGEST, 0, "y") == [b"y", 7]
    await client.aclose()


@pytest.mark.own_deadlines
async def test_the_reply_to_a_script_that_was_given_up_is_not_taken_for_the_next_one(server: servers.Server) -> None:
    """Given up by its caller, or because the server did not answer in time; the next call is on a new connection."""
    client = new_client(server.url, 1)
    await client.eval(SCRIPT, 0, "x")
    for wait in (0.05, redis_connection.OPERATION_TIMEOUT_SECONDS + WITHIN_SECONDS):
        number = await client.client_id()
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises((RedisError, TimeoutError)):
                async with asyncio.timeout(wait):
                    await client.evalsha(DIGEST, 0, "late")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert await client.evalsha(DIGEST, 0, "next") == [b"next", 7]
        assert await client.client_id() != number
    await client.aclose()


async def test_a_script_does_not_run_on_a_connection_that_the_server_has_closed(server: servers.Server) -> None:
    client, other = new_client(server.url, 1), new_client(server.url, 1)
    await client.eval(SCRIPT, 0, "x")
    await other.client_kill_filter(_id=str(await client.client_id()))
    async with asyncio.timeout(WITHIN_SECONDS):
        while True:  # until the news of it has arrived
            with contextlib.suppress(RedisError):
                assert await client.evalsha(DIGEST, 0, "x") == [b"x", 7]
                break
    await client.aclose()
    await other.aclose()
