"""The history that the commit script writes: exact runs of balances, a series per account, bounded memory and bounded names."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ingest_service.commit_script import Result
from ingest_service.limits import Limits
from shared.contract import keys
from shared.contract.history_day import Balance, set_aside
from shared.contract.history_record import DAY_SECONDS, MAX_RISE
from shared.contract.readings import Reading
from tests.contract.committing import balances, commit, empty_store, history_key, kept_readings, record_of, results, run_async, trail_key
from tests.support.readings import make_reading

pytestmark = pytest.mark.anyio

ACCEPTED, LATE, TOO_MANY = Result.ACCEPTED, Result.LATE, Result.TOO_MANY_FEEDS


def minute(*tokens: int | None, step_ms: int = 5000, **changed: Any) -> list[Reading]:
    """Readings of one minute that is over, every few seconds."""
    start = make_reading().timestamp // 60 * 60_000 - 120_000
    moments = [start + step_ms * number for number in range(len(tokens))]
    return [make_reading(timestamp=at // 1000, sequence=at, tokens_count=n, **changed) for at, n in zip(moments, tokens, strict=True)]


def gain(readings: list[Balance]) -> int:
    """The sum of the rises."""
    return sum(max(0, after.tokens - before.tokens) for before, after in itertools.pairwise(readings))


async def earned(redis: Redis, reading: Reading) -> int:
    """What the reading's series gained within its minute."""
    day = await balances(redis, reading)
    slot = reading.timestamp % DAY_SECONDS // 60
    first, last = day.pairs[2 * slot : 2 * slot + 2]
    return max(0, last - first) + day.gains.get(slot, 0)


CASES = {
    "a session's first minute": ([1000, 1500, 2000], 1000),
    "small tips": ([10, 20, 20, 45, 60], 50),
    "a cash-out within the minute": ([100, 160, 20, 50], 90),
    "a placeholder": ([12_345, 0, 12_345, 12_400], 55),
    "a placeholder in two readings running": ([12_345, 0, 0, 12_400], 55),
    "a slipped digit": ([35_549, 355_492, 35_550], 1),
    "half a number": ([12_345, 123, 12_350], 5),
    "a large tip": ([100, 5100, 5200], 5100),
    "spending": ([500, 300, 350], 50),
    "two cash-outs": ([100, 10, 60, 5, 25], 70),
    "unknown in between": ([100, None, 150], 50),
    "unknown at first": ([None, 100, 150], 50),
}


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "one by one"])
@pytest.mark.parametrize(("tokens", "expected"), CASES.values(), ids=CASES.keys())
async def test_a_minute_is_exact_at_five_seconds(redis: Redis, tokens: list[int | None], expected: int, together: bool) -> None:  # noqa: FBT001 - a parameter
    """The income within the minute, for falls and jumps of every kind."""
    readings = minute(*tokens)
    for batch in [readings] if together else [[reading] for reading in readings]:
        await commit(redis, *batch)
    assert await earned(redis, readings[0]) == expected
    record = await record_of(redis, readings[0])
    assert record is not None
    assert record.tokens == tokens[-1]


async def test_the_newest_first_is_exact_too_where_balances_rise(redis: Redis) -> None:
    """An outbox after an outage."""
    readings = minute(10, 20, 20, 45, 60)
    assert await results(redis, make_reading(), *readings[::-1]) == [ACCEPTED, *[LATE] * 5]
    assert await earned(redis, readings[0]) == 50


async def test_accounts_that_alternate_in_a_minute_are_two_series(redis: Redis) -> None:
    """Two desks with one room: each account's gain is its own, and neither is the difference of both."""
    ana, eva = minute(100, 110, 130, account="ana"), minute(9000, 9000, 9050, account="eva")
    later = [make_reading(timestamp=r.timestamp + 2, sequence=r.sequence + 2000, tokens_count=r.tokens_count, account="eva") for r in eva]
    both = [reading for pair in zip(ana, later, strict=True) for reading in pair]
    assert await results(redis, *both) == [ACCEPTED] * 6
    assert [await earned(redis, reading) for reading in (ana[0], later[0])] == [30, 50]
    day = keys.day_of(ana[0].timestamp)
    assert await redis.smembers(keys.history_feeds(0, day)) == {b"blue:camsoda:ana", b"blue:camsoda:eva"}
    assert await redis.smembers(keys.history_names(0, "blue", ana[0].timestamp)) == {b"camsoda:ana", b"camsoda:eva"}


async def test_a_nameless_account_is_listed_as_before(redis: Redis) -> None:
    """Servers of the version before list its feed."""
    reading = make_reading()
    await commit(redis, reading)
    assert await redis.smembers(keys.history_feeds(0, keys.day_of(reading.timestamp))) == {b"blue:camsoda"}


@settings(max_examples=60)
@given(tokens=st.lists(st.integers(0, 2000), min_size=1, max_size=12))
def test_what_arrives_in_order_is_exact(url: str, tokens: list[int]) -> None:
    """Readings that are not kept lie within a run, so the gain of those that are is the gain of all."""

    async def story() -> None:
        async with empty_store(url) as redis:
            readings = minute(*tokens)
            await commit(redis, *readings)
            kept = await kept_readings(redis, readings[0])
            assert gain(kept) == gain([Balance(5000 * number, balance) for number, balance in enumerate(tokens)])
            assert await earned(redis, readings[0]) == gain(set_aside(kept))

    run_async(story())


@settings(max_examples=30)
@given(order=st.permutations(range(8)), rises=st.lists(st.integers(0, MAX_RISE // 8), min_size=8, max_size=8))
def test_rising_readings_in_any_order_end_alike(url: str, order: list[int], rises: list[int]) -> None:
    """In either order of arrival."""

    async def story() -> None:
        async with empty_store(url) as redis:
            readings = minute(*itertools.accumulate(rises))
            await commit(redis, *[readings[number] for number in order])
            assert await earned(redis, readings[0]) == sum(rises[1:])

    run_async(story())


async def test_memory_follows_what_is_written(redis: Redis) -> None:
    """A reading at the end of a day allocates one hour, not the day."""
    start = (make_reading().timestamp // DAY_SECONDS - 1) * DAY_SECONDS
    reading = make_reading(timestamp=start + DAY_SECONDS - 1, sequence=0)
    assert await results(redis, reading) == [LATE]
    assert await redis.strlen(history_key(reading)) == 60 * 28
    names = [key async for key in redis.scan_iter("history:*")]
    assert len(names) == 3
    assert all([await redis.expiretime(name) == start + 8 * DAY_SECONDS for name in names])


async def test_a_trail_has_an_end_and_the_readings_go_on(redis: Redis) -> None:
    """Beyond a thousand runs a day is exact to the minute; no reading is refused for that."""
    reading = minute(1)[0]
    trail = trail_key(reading)
    await redis.set(trail, bytes(1024 * 20))
    readings = minute(500, 100, 700)
    assert await results(redis, *readings) == [ACCEPTED] * 3
    assert await redis.strlen(trail) == 1024 * 20
    record = await record_of(redis, readings[0])
    assert record is not None
    assert record.tokens == 700


async def test_a_damaged_trail_costs_no_reading(redis: Redis) -> None:
    """Its day is exact to the minute."""
    reading = minute(1)[0]
    await redis.rpush(trail_key(reading), "x")
    assert await results(redis, *minute(500, 100, 700)) == [ACCEPTED] * 3


async def test_a_room_has_so_many_feeds_a_day(redis: Redis) -> None:
    """Invented platforms and accounts end at the bound; feeds that the room has go on, and other rooms are not concerned."""
    limits = Limits(0, 0, feeds_per_room=3)
    names = [make_reading(platform=f"p{n}") for n in range(2)] + [make_reading(account=f"a{n}") for n in range(3)]
    assert await results(redis, *names, limits=limits) == [ACCEPTED] * 3 + [TOO_MANY] * 2
    again = [make_reading(0, tokens_count=2, **name) for name in ({"platform": "p0"}, {"account": "a0"}, {"account": "a1"})]
    again += [make_reading(room_id="red"), make_reading(room_id="red", account="a1")]
    assert await results(redis, *again, limits=limits) == [ACCEPTED, ACCEPTED, TOO_MANY, ACCEPTED, ACCEPTED]
    old = [make_reading(90_000_000 + n, platform=f"late{n}") for n in range(5)]
    assert await results(redis, *old, limits=limits) == [LATE] * 3 + [TOO_MANY] * 2


async def test_a_shard_has_so_many_feeds_a_day(redis: Redis) -> None:
    """New feeds beyond the limit are refused and leave nothing in the store."""
    limits = Limits(0, 0, feeds_per_day=3)
    rooms = [make_reading(room_id=f"room-{n}") for n in range(5)]
    assert await results(redis, *rooms, *rooms[:2], limits=limits) == [ACCEPTED] * 3 + [TOO_MANY] * 2 + [Result.DUPLICATE] * 2
    assert await redis.zcard(keys.index(0)) == 3


async def test_a_token_begins_so_many_feeds(redis: Redis) -> None:
    """New ones only: what lives, or had history the day before, costs nothing, so no midnight refuses anybody."""
    limits = Limits(0, 0, new_feeds_per_second=1, new_feeds_burst=4)
    yesterday = [make_reading(DAY_SECONDS * 1000, room_id=f"room-{n}") for n in range(8)]
    assert await results(redis, *yesterday) == [LATE] * 8
    outcomes = await commit(redis, *[make_reading(room_id=f"room-{n}") for n in range(13)], limits=limits)
    assert [outcome.result for outcome in outcomes] == [ACCEPTED] * 12 + [TOO_MANY]
    assert 0 < outcomes[-1].value <= 1_000_000
    assert await results(redis, make_reading(room_id="other"), limits=limits, token="another") == [ACCEPTED]


async def test_a_day_of_one_feed_fits_its_budget(real: Redis) -> None:
    """Every five seconds for a day, with tips, a cash-out each hour and a placeholder each quarter: below 60 kB."""
    start = (make_reading().timestamp // DAY_SECONDS - 1) * DAY_SECONDS
    tokens, batch = 1000, []
    for second in range(0, DAY_SECONDS, 5):
        tokens = 100 if second % 3600 == 1800 else tokens + second % 7
        balance = 0 if second % 900 == 450 else tokens
        batch.append(
            make_reading(timestamp=start + second, sequence=(start + second) * 1000, tokens_count=balance, viewers_count=second % 99)
        )
        if len(batch) == 1000:
            await commit(real, *batch)
            batch.clear()
    await commit(real, *batch)
    sizes = {name: await real.memory_usage(name, samples=0) async for name in real.scan_iter("history:*")}
    assert sum(filter(None, sizes.values())) < 60_000, sizes


async def test_a_hostile_token_of_one_room_cannot_fill_the_store(real: Redis) -> None:
    """A simulated day at full pace: every platform, account and hour of every retained day that it can think of."""
    limits = Limits(0, 0, new_feeds_per_second=1, new_feeds_burst=5000, feeds_per_room=16)
    today = make_reading().timestamp // DAY_SECONDS * DAY_SECONDS
    await commit(real, make_reading(room_id="other"))
    before = (await real.info("memory"))["used_memory"]
    refused = 0
    for day, hour in itertools.product(range(1, 8), range(24)):
        moment = today - day * DAY_SECONDS + hour * 3600 + 3599
        names: list[dict[str, Any]] = [{"platform": f"p{hour}-{n}", "account": f"a{n}"} for n in range(40)] + [
            {"platform": f"p0-{n}", "account": f"a{n}"} for n in range(16)
        ]
        readings = [make_reading(0, timestamp=moment, sequence=n, tokens_count=n * 999, **name) for n, name in enumerate(names)]
        refused += (await results(real, *readings, limits=limits)).count(TOO_MANY)
    used = (await real.info("memory"))["used_memory"] - before
    assert refused > 5000
    assert used < 8_000_000, used
