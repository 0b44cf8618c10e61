"""The lease on each real server: one holder, growing tokens, and a takeover that no clock can prevent."""

import asyncio

import pytest
from redis.asyncio import Redis

from shared.contract import keys
from tests.contract.committing import OneNode
from worker_service import lease
from worker_service.lease import MARGIN_SECONDS, TERM_SECONDS, Lease, LeaseKeeper, LeaseLost

pytestmark = pytest.mark.anyio
NAME = "test"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of all instances of this process, in seconds."""
    now = [1000.0]
    monkeypatch.setattr(lease, "seconds", lambda: now[0])
    return now


def keeper(redis: Redis, instance: str) -> LeaseKeeper:
    """An instance's keeper."""
    return LeaseKeeper(OneNode(redis), NAME, instance)


async def taken(keeper: LeaseKeeper) -> Lease:
    """The lease, which must be free."""
    got = await keeper.acquire()
    assert got is not None
    return got


async def test_one_of_many_instances_gets_the_lease(real: Redis) -> None:
    got = await asyncio.gather(*(keeper(real, f"worker-{number}").acquire() for number in range(20)))
    assert len([lease for lease in got if lease is not None]) == 1


async def test_a_released_lease_is_free_at_once_and_the_next_token_is_larger(real: Redis) -> None:
    first, second = keeper(real, "a"), keeper(real, "b")
    old = await taken(first)
    assert await second.acquire() is None
    await first.release(old)
    assert (await taken(second)).token > old.token
    with pytest.raises(LeaseLost):
        old.fence()


async def test_a_holder_neither_renews_nor_releases_the_lease_of_another(real: Redis) -> None:
    first, second = keeper(real, "a"), keeper(real, "b")
    old = await taken(first)
    await real.delete(keys.lease(NAME))
    new = await taken(second)
    with pytest.raises(LeaseLost):
        await first.renew(old)
    await first.release(old)
    await second.renew(new)
    assert new.fence() == new.token


async def test_an_instance_whose_name_begins_with_anothers_is_another(real: Redis) -> None:
    first, second = keeper(real, "worker-1"), keeper(real, "worker-10")
    new = await taken(second)
    with pytest.raises(LeaseLost):
        await first.renew(Lease(new.token, float("inf")))


async def test_renewing_prolongs_the_lease_in_redis_and_here(real: Redis, clock: list[float]) -> None:
    held = await taken(own := keeper(real, "a"))
    await real.pexpire(keys.lease(NAME), 500)
    clock[0] += TERM_SECONDS - MARGIN_SECONDS - 0.1
    await own.renew(held)
    assert await real.pttl(keys.lease(NAME)) > 1000
    clock[0] += TERM_SECONDS - MARGIN_SECONDS - 0.1
    assert held.fence() == held.token


async def test_a_lease_that_has_ended_here_is_not_prolonged(real: Redis, clock: list[float]) -> None:
    """Its holder was suspended past the end; that Redis still knows it changes nothing."""
    held = await taken(own := keeper(real, "a"))
    clock[0] += TERM_SECONDS - MARGIN_SECONDS
    with pytest.raises(LeaseLost):
        held.fence()
    with pytest.raises(LeaseLost):
        await own.renew(held)


async def test_a_holder_considers_its_lease_ended_before_redis_does(real: Redis, clock: list[float]) -> None:
    held = await taken(keeper(real, "a"))
    clock[0] += TERM_SECONDS - MARGIN_SECONDS
    assert await real.exists(keys.lease(NAME))
    with pytest.raises(LeaseLost):
        held.fence()


async def test_tokens_grow_when_redis_has_lost_everything(real: Redis) -> None:
    old = await taken(first := keeper(real, "a"))
    await real.flushall()
    with pytest.raises(LeaseLost):
        await first.renew(old)
    assert (await taken(keeper(real, "b"))).token > old.token


async def test_tokens_grow_when_the_clock_of_redis_was_set_back(real: Redis) -> None:
    """The counter is ahead of the clock then."""
    ahead = 4_000_000_000_000_000
    await real.set(keys.lease_token(NAME), ahead)
    assert (await taken(keeper(real, "a"))).token == ahead + 1


async def test_a_token_is_above_what_the_database_has(real: Redis) -> None:
    """Redis has lost its counter, and its clock was set back."""
    own = keeper(real, "a")
    own.raise_floor(4_000_000_000_000_000)
    own.raise_floor(1)
    assert (await taken(own)).token == 4_000_000_000_000_001


async def test_a_lease_that_never_expires_is_taken_over_after_a_term_without_a_renewal(real: Redis, clock: list[float]) -> None:
    """Redis' clock was set back by an hour and the holder was killed: the key would stay for an hour."""
    await taken(keeper(real, "a"))
    await real.persist(keys.lease(NAME))
    candidate = keeper(real, "b")
    assert await candidate.acquire() is None
    clock[0] += TERM_SECONDS - 0.1
    assert await candidate.acquire() is None
    clock[0] += 0.1
    assert await candidate.acquire() is not None


async def test_a_lease_that_is_renewed_is_never_taken_over(real: Redis, clock: list[float]) -> None:
    held = await taken(own := keeper(real, "a"))
    candidate = keeper(real, "b")
    for _ in range(5):
        assert await candidate.acquire() is None
        clock[0] += TERM_SECONDS - MARGIN_SECONDS - 0.1
        await own.renew(held)
    assert await candidate.acquire() is None


async def test_of_two_candidates_one_takes_over(real: Redis, clock: list[float]) -> None:
    await taken(keeper(real, "a"))
    await real.persist(keys.lease(NAME))
    candidates = [keeper(real, "b"), keeper(real, "c")]
    assert [await candidate.acquire() for candidate in candidates] == [None, None]
    clock[0] += TERM_SECONDS
    assert [await candidate.acquire() is not None for candidate in candidates] == [True, False]


async def test_the_lease_works_when_redis_is_full(real: Redis) -> None:
    await real.config_set("maxmemory", "1")
    try:
        held = await taken(own := keeper(real, "a"))
        await own.renew(held)
        await own.release(held)
        assert await keeper(real, "b").acquire() is not None
    finally:
        await real.config_set("maxmemory", "0")
