"""Rates: GCRA in the script, on the store's clock, so that all instances share one limit."""

import pytest
from redis.asyncio import Redis

from ingest_service.commit_script import Result
from ingest_service.limits import Limits
from shared.contract.readings import Reading
from tests.contract.committing import commit, last_version, results
from tests.support.readings import make_reading

pytestmark = pytest.mark.anyio

ACCEPTED, LATE = Result.ACCEPTED, Result.LATE
ROOM, TOKEN = Limits(5, 0), Limits(0, 10)  # each lets 20 come at once


def rising(count: int, room_id: str = "blue") -> list[Reading]:
    """Readings that are each newer than the one before."""
    first = make_reading(count * 10).sequence
    return [make_reading(room_id=room_id, timestamp=at // 1000, sequence=at) for at in range(first, first + count)]


async def test_a_room_may_burst_and_no_further(redis: Redis) -> None:
    """Four seconds' worth are accepted at one moment; the next reading has to wait one interval."""
    outcomes = await commit(redis, *rising(22), limits=ROOM)
    assert [outcome.result for outcome in outcomes] == [ACCEPTED] * 20 + [Result.ROOM_LIMITED] * 2
    assert [outcome.value for outcome in outcomes[20:]] == [200_000] * 2


async def test_a_token_may_burst_and_no_further(redis: Redis) -> None:
    """The same for a token across all its rooms."""
    readings = [reading for number in range(22) for reading in rising(1, f"room-{number}")]
    outcomes = await commit(redis, *readings, limits=TOKEN)
    assert [outcome.result for outcome in outcomes] == [ACCEPTED] * 20 + [Result.TOKEN_LIMITED] * 2
    assert outcomes[20].value == 100_000


async def test_a_limited_reading_leaves_nothing(redis: Redis) -> None:
    """Refused readings are neither stored nor counted."""
    accepted = await commit(redis, *rising(20), limits=ROOM)
    await commit(redis, *rising(5), limits=ROOM)
    assert await last_version(redis) == accepted[-1].value


async def test_instances_share_a_limit(redis: Redis) -> None:
    """Two writers together get one burst; other rooms and tokens have their own."""
    assert set(await results(redis, *rising(20), limits=ROOM)) == {ACCEPTED}
    assert await results(redis, *rising(1), limits=ROOM, token="other") == [Result.ROOM_LIMITED]
    assert await results(redis, *rising(1, "red"), limits=ROOM) == [ACCEPTED]


@pytest.mark.parametrize("ahead_seconds", [1, 30, 60, 119, 3600])
@pytest.mark.parametrize(("limits", "kind", "field"), [(ROOM, "room", "blue"), (TOKEN, "token", "token")])
async def test_a_clock_that_steps_back_refuses_no_reading(redis: Redis, limits: Limits, kind: str, field: str, ahead_seconds: int) -> None:
    """Counts left by a clock that was ahead, in this minute's hash or the previous one, delay a producer no longer than a burst does."""
    for windows_ago in (0, 1):
        caught_up = True
        while caught_up:  # on a busy machine the clock may pass the count meanwhile, which is then an ordinary burst
            await redis.flushall()
            seconds, _ = await redis.time()
            count = str((seconds + ahead_seconds) * 1_000_000 + 4_000_000)
            await redis.hset(f"rate:{{0}}:{kind}:{seconds // 60 - windows_ago}", field, count)
            outcomes = await commit(redis, *rising(2), limits=limits)
            caught_up = (await redis.time())[0] >= seconds + ahead_seconds
        assert outcomes[0].result is ACCEPTED
        assert outcomes[1].result is ACCEPTED or outcomes[1].value <= 200_000


async def test_another_token_has_its_own_rate(redis: Redis) -> None:
    """One busy producer does not use up another's."""
    assert (await results(redis, *rising(21), limits=TOKEN))[-1] is Result.TOKEN_LIMITED
    assert await results(redis, *rising(1), limits=TOKEN, token="other") == [ACCEPTED]


async def test_late_readings_do_not_count_against_the_room(redis: Redis) -> None:
    """An outbox may catch up while the room goes on."""
    assert await results(redis, make_reading(), limits=ROOM) == [ACCEPTED]
    old = [make_reading(10_000 + number) for number in range(40)]
    assert await results(redis, *old, limits=ROOM) == [LATE] * 40
    assert await results(redis, make_reading(), limits=ROOM) == [ACCEPTED]


async def test_late_readings_count_against_the_token(redis: Redis) -> None:
    """But not without any bound."""
    await commit(redis, make_reading(), token="first")
    old = [make_reading(10_000 + number) for number in range(25)]
    assert await results(redis, *old, limits=TOKEN) == [LATE] * 20 + [Result.TOKEN_LIMITED] * 5


async def test_duplicates_count_against_the_room(redis: Redis) -> None:
    """Repeating oneself is no way around a limit."""
    [reading] = rising(1)
    assert (await results(redis, *[reading] * 21, limits=ROOM))[-1] is Result.ROOM_LIMITED


async def test_a_limit_outlives_its_minute(redis: Redis) -> None:
    """The state of the minute before is carried over, so a burst at its end is not forgotten at once."""
    seconds, microseconds = await redis.time()
    await redis.hset(f"rate:{{0}}:room:{seconds // 60 - 1}", "blue", str(seconds * 1_000_000 + microseconds + 4_000_000))
    [(result, wait)] = await commit(redis, make_reading(), limits=ROOM)
    assert result is Result.ROOM_LIMITED
    assert 0 < wait <= 200_000


async def test_limits_expire(redis: Redis) -> None:
    """Rooms and tokens that fall silent leave nothing behind."""
    await commit(redis, make_reading(), limits=Limits(5, 10))
    rates = [key async for key in redis.scan_iter("rate:*")]
    assert len(rates) == 2
    assert all([0 < await redis.ttl(key) <= 120 for key in rates])


async def test_no_limit_is_no_limit(redis: Redis) -> None:
    """Zero switches a limit off and keeps no state for it."""
    assert set(await results(redis, *rising(500))) == {ACCEPTED}
    assert [key async for key in redis.scan_iter("rate:*")] == []
