"""What the commit script decides about a reading, and what then lies in the store, on the double and on real servers."""

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from redis.asyncio import Redis

from ingest_service.commit_script import Result
from shared.contract import keys
from shared.contract.history_record import DAY_SECONDS, GRACE_SECONDS
from shared.contract.readings import Reading
from tests.contract.committing import TTL, commit, empty_store, history_key, last_version, latest, listening, record_of, results
from tests.support.readings import make_reading

pytestmark = pytest.mark.anyio

ACCEPTED, DUPLICATE, LATE = Result.ACCEPTED, Result.DUPLICATE, Result.LATE


async def test_a_new_reading_is_accepted_stored_and_published(redis: Redis) -> None:
    """One commit writes the latest value, the index, the last version and the history, and publishes the reading."""
    reading = make_reading(tips_count=2, goal_tokens=9)
    async with listening(redis) as published:
        [(result, version)] = await commit(redis, reading)
    stored = await latest(redis)
    assert (result, [[stored]]) == (ACCEPTED, published)
    assert stored is not None
    assert (stored.version, stored.tips_count, stored.viewers_count, stored.goal_tokens) == (version, 2, None, 9)
    assert await redis.zrange(keys.index(0), 0, -1, withscores=True) == [(b"blue:camsoda", version)]
    assert await last_version(redis) == version


async def test_an_identical_reading_is_a_duplicate(redis: Redis) -> None:
    """It gets the version of the first, and nothing is published again."""
    reading = make_reading()
    [(_, version)] = await commit(redis, reading)
    async with listening(redis) as published:
        assert await commit(redis, reading, reading) == [(DUPLICATE, version)] * 2
    assert (published, await last_version(redis)) == ([], version)


async def test_another_body_of_equal_order_replaces(redis: Redis) -> None:
    """A correction of the same moment is accepted, in the latest value and in history."""
    first = make_reading(tokens_count=1)
    second = make_reading(timestamp=first.timestamp, tokens_count=2, sequence=first.sequence)
    assert await results(redis, first, second, second, first) == [ACCEPTED, ACCEPTED, DUPLICATE, ACCEPTED]
    record = await record_of(redis, first)
    assert record is not None
    assert record.tokens == 1


async def test_an_older_reading_is_late(redis: Redis) -> None:
    """The latest value stays, nothing is published, and the answer has the version of the stored reading."""
    [(_, version)] = await commit(redis, make_reading(tokens_count=7))
    async with listening(redis) as published:
        assert await commit(redis, make_reading(1000), make_reading(90_000)) == [(LATE, version)] * 2
    stored = await latest(redis)
    assert stored is not None
    assert (stored.tokens_count, published) == (7, [])


async def test_sequence_orders_within_a_second(redis: Redis) -> None:
    """Readings of one second are ordered by number, not by text."""
    second = make_reading().timestamp
    tenth, ninth = (make_reading(timestamp=second, tokens_count=n, sequence=n) for n in (10, 9))
    assert await results(redis, tenth, ninth) == [ACCEPTED, LATE]


async def test_the_largest_sequence_is_exact(redis: Redis) -> None:
    """Lua's numbers hold the whole range of a sequence."""
    second, most = make_reading().timestamp, 2**53 - 1
    readings = [make_reading(timestamp=second, sequence=most - 1), make_reading(timestamp=second, sequence=most)]
    assert await results(redis, *readings, readings[0]) == [ACCEPTED, ACCEPTED, LATE]


async def test_a_reading_older_than_its_ttl_goes_to_history_alone(redis: Redis) -> None:
    """An old value never looks fresh, but fills its minute."""
    old = make_reading((TTL + 5) * 1000)
    async with listening(redis) as published:
        assert await commit(redis, old) == [(LATE, 0)]
    assert (await latest(redis), published, await redis.zcard(keys.index(0))) == (None, [], 0)
    assert await record_of(redis, old) is not None


async def test_the_ttl_counts_from_the_observation(redis: Redis) -> None:
    """A value disappears so long after it was seen, whenever it arrived."""
    reading = make_reading(1_000_000)
    await commit(redis, reading)
    assert await redis.expiretime(keys.latest(0, "blue", "camsoda")) == reading.timestamp + TTL


async def test_history_lives_for_its_retention(redis: Redis) -> None:
    """A day's array expires when its last minute is older than the retention."""
    reading = make_reading()
    await commit(redis, reading)
    midnight = reading.timestamp - reading.timestamp % DAY_SECONDS
    assert await redis.expiretime(history_key(reading)) == midnight + 8 * DAY_SECONDS + GRACE_SECONDS


async def test_unknown_is_not_zero(redis: Redis) -> None:
    """History keeps the difference between nothing known and nothing there."""
    reading = make_reading(tips_count=0, viewers_count=None)
    await commit(redis, reading)
    record = await record_of(redis, reading)
    assert record is not None
    assert record.values[:3] == (1, 0, None)


async def test_rooms_and_platforms_do_not_meet(redis: Redis) -> None:
    """Each pair of room and platform has its own order."""
    new, old = make_reading(), make_reading(5000)
    pairs = [("blue", "camsoda"), ("blue", "stripchat"), ("red", "camsoda")]
    newer, older = (
        [make_reading(room_id=r, platform=p, timestamp=one.timestamp, sequence=one.sequence) for r, p in pairs] for one in (new, old)
    )
    assert await results(redis, *newer) == [ACCEPTED] * 3
    assert await results(redis, *older) == [LATE] * 3


async def test_an_expired_room_leaves_the_index(redis: Redis) -> None:
    """The next commit removes entries that are older than the longest lifetime."""
    await redis.zadd(keys.index(0), {"gone:camsoda": 1_000_000})
    await commit(redis, make_reading())
    assert await redis.zrange(keys.index(0), 0, -1) == [b"blue:camsoda"]


async def test_versions_grow_though_the_clock_is_behind(redis: Redis) -> None:
    """Where the last version lies ahead of the clock, versions count on from it."""
    ahead = make_reading().timestamp * 1_000_000 + 3_600_000_000
    await redis.set(keys.last_version(0), ahead)
    outcomes = await commit(redis, make_reading(2), make_reading(1), make_reading())
    assert [outcome.value for outcome in outcomes] == [ahead + 1, ahead + 2, ahead + 3]


async def test_versions_grow_though_the_store_was_lost(redis: Redis) -> None:
    """After a restart without data the clock carries on where it was."""
    [(_, before)] = await commit(redis, make_reading())
    await redis.flushall()
    [(_, after)] = await commit(redis, make_reading())
    assert after > before


@pytest.mark.parametrize("seconds", [1, 2, 60, 299])
@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two commits"])
async def test_a_reading_stamped_ahead_holds_nothing_up(redis: Redis, seconds: int, together: bool) -> None:  # noqa: FBT001 - a parameter
    """It counts as made at its commit, so the next correct reading replaces it, with any sequence."""
    for _ in range(10):
        await redis.flushall()
        ahead = make_reading(-1000 * seconds, tokens_count=500)
        right = [make_reading(tokens_count=600), make_reading(tokens_count=601, sequence=0), make_reading(tokens_count=602)]
        batches = [[ahead, right[0]]] if together else [[ahead], [right[0]]]
        found = [result for batch in batches for result in await results(redis, *batch)]
        stored = await latest(redis)
        after: Any = await redis.time()
        if after[0] < ahead.timestamp:  # it was ahead all the time
            break
    assert found == [ACCEPTED, ACCEPTED]
    assert stored is not None
    assert stored.tokens_count == 600


async def test_a_reading_of_the_moments_before_replaces_one_stamped_ahead(redis: Redis) -> None:
    """A right reading is a little older than its own commit; one that is older than that stays late."""
    assert await results(redis, make_reading(-290_000), make_reading(1500), make_reading(-290_000), make_reading(5000)) == [
        ACCEPTED,
        ACCEPTED,
        ACCEPTED,
        LATE,
    ]


async def test_readings_of_a_clock_that_is_ahead_keep_their_order(redis: Redis) -> None:
    """Of one commit, the older of two readings stamped ahead is late, the newer accepted, a repeated one a duplicate."""
    first, second = make_reading(-200_000), make_reading(-205_000)
    assert await results(redis, second, first, second) == [ACCEPTED, LATE, DUPLICATE]
    assert await results(redis, make_reading(-210_000)) == [ACCEPTED]


async def test_two_desks_of_one_room_are_both_taken(redis: Redis) -> None:
    """One desk's clock is ahead, the other's right: each new reading of either is accepted."""
    for _ in range(3):
        assert await results(redis, make_reading(-299_000)) == [ACCEPTED]
        assert await results(redis, make_reading()) == [ACCEPTED]


async def test_the_ttl_of_a_reading_stamped_ahead_counts_from_its_commit(redis: Redis) -> None:
    """A clock that is ahead keeps no value alive for longer."""
    before = make_reading().timestamp
    await commit(redis, make_reading(-290_000))
    assert before + TTL <= await redis.expiretime(keys.latest(0, "blue", "camsoda")) <= make_reading().timestamp + TTL


async def test_account_and_interval_are_stored_and_published(redis: Redis) -> None:
    """Both lie beside the numbers, and a reading that differs in them alone is another reading."""
    reading = make_reading(account="Ana.7-x_", interval_seconds=60)
    async with listening(redis) as published:
        assert await results(redis, reading, reading, make_reading(timestamp=reading.timestamp, sequence=reading.sequence)) == [
            ACCEPTED,
            DUPLICATE,
            ACCEPTED,
        ]
    assert [(line.account, line.interval_seconds) for line in published[0]] == [("Ana.7-x_", 60), (UNSET, UNSET)]


async def test_an_unknown_balance_is_stored_and_ordered(redis: Redis) -> None:
    """It becomes the latest value; the minute's known balance stays in history."""
    known, unknown = make_reading(10, tokens_count=7), make_reading(tokens_count=None, viewers_count=3)
    assert await results(redis, known, unknown, unknown, make_reading(5)) == [ACCEPTED, ACCEPTED, DUPLICATE, LATE]
    stored = await latest(redis)
    assert stored is not None
    assert (stored.tokens_count, stored.viewers_count) == (None, 3)


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[int]]:
    """Moments within five minutes, some repeated, in any order and in batches of any size."""
    moments = draw(st.lists(st.integers(0, 300_000), min_size=1, max_size=12, unique=True))
    arrivals = draw(st.permutations(moments + draw(st.lists(st.sampled_from(moments), max_size=6))))
    bounds = sorted(draw(st.sets(st.integers(1, 17))) | {0, 18})
    return [arrivals[start:end] for start, end in itertools.pairwise(bounds) if arrivals[start:end]]


@settings(max_examples=30)
@given(batches=deliveries())
def test_any_order_of_arrival_ends_alike(url: str, batches: list[list[int]]) -> None:
    """Shuffled, batched and repeated as may be: the newest reading is the latest value, the last of each minute its history."""
    start = make_reading(400_000).sequence
    readings = {m: Reading("blue", "camsoda", (start + m) // 1000, m, start + m) for batch in batches for m in batch}
    last_of_minute = {reading.timestamp // 60: reading for _, reading in sorted(readings.items())}

    async def deliver() -> None:
        async with empty_store(url) as redis:
            outcomes = [await commit(redis, *[readings[moment] for moment in batch]) for batch in batches]
            versions = [value for batch in outcomes for result, value in batch if result is ACCEPTED]
            assert versions == sorted(set(versions))
            stored = await latest(redis)
            assert stored is not None
            assert (stored.tokens_count, stored.version) == (max(readings), versions[-1])
            for reading in last_of_minute.values():
                record = await record_of(redis, reading)
                assert record is not None
                assert record.tokens == reading.tokens_count

    asyncio.run(deliver())
