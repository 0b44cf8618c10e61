"""The history that the commit script writes: exact runs of balances, a series per account, bounded memory and bounded names."""

import datetime as dt
import itertools
import json
import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ingest_service.commit_script import SCRIPT, Result
from ingest_service.limits import Limits
from shared.contract import keys
from shared.contract.history_record import DAY_SECONDS, GRACE_SECONDS, LAYOUT, MAX_RISE
from shared.contract.readings import METRICS, Reading
from shared.income.rules import Balance, judge, sums
from tests.contract.committing import (
    STEP,
    commit,
    empty_store,
    history_key,
    income,
    kept_readings,
    record_of,
    results,
    run_async,
    trail_key,
)
from tests.support.readings import make_reading
from tools.processes import ROOT

pytestmark = pytest.mark.anyio

CENTURY_DAYS = 47_500  # to the year 2100
VIEWERS = next(number for number, metric in enumerate(METRICS) if metric.field == "viewers_count")
ACCEPTED, LATE, TOO_MANY = Result.ACCEPTED, Result.LATE, Result.TOO_MANY_FEEDS


def minute(*tokens: int | None, step_ms: int = 5000, **changed: Any) -> list[Reading]:
    """Readings of one minute that is over, every few seconds."""
    start = make_reading().timestamp // 60 * 60_000 - 120_000
    moments = [start + step_ms * number for number in range(len(tokens))]
    return [make_reading(timestamp=at // 1000, sequence=at, tokens_count=n, **changed) for at, n in zip(moments, tokens, strict=True)]


async def earned(redis: Redis, *readings: Reading) -> int:
    """Certain income of the accounts of some readings."""
    return sums(await income(redis, *readings)).earned


TABLE = json.loads((ROOT / "tests/income_cases.json").read_text())["cases"]


def readings_of_case(case: dict[str, Any]) -> list[Reading]:
    """The readings of a case of the table, with its last one at the end of an hour that is over, or at the moments that it gives."""
    seconds = [second for second, *_ in case["readings"]]
    start = make_reading().timestamp // 3600 * 3600 - 3600 - max(seconds) // 3600 * 3600
    if "start" in case:
        start = (make_reading().timestamp // DAY_SECONDS - 3) * DAY_SECONDS + int(
            dt.datetime.fromisoformat(case["start"]).timestamp()
        ) % DAY_SECONDS
    found = []
    for second, tokens, *names in case["readings"]:
        account, room = [*names, "", ""][:2]
        changed = {"account": account} if account else {}
        moment = start + second
        found.append(make_reading(timestamp=moment, sequence=1000 * moment, tokens_count=tokens, room_id=room or "blue", **changed))
    return found


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "one by one"])
async def test_what_is_kept_has_the_income_of_what_was_read(redis: Redis, together: bool) -> None:  # noqa: FBT001 - a parameter
    """The table of cases through the script and the record: income, unsettled and set-aside readings."""
    expected, kept = dict[str, tuple[int, ...]](), dict[str, tuple[int, ...]]()
    for case in TABLE:
        if "now" in case:
            continue
        await redis.flushall()
        readings = readings_of_case(case)
        for batch in [readings] if together else [[reading] for reading in readings]:
            await commit(redis, *batch)
        found = sums(await income(redis, *readings))
        kept[case["name"]] = (found.earned, found.between_sessions, found.unsettled, found.set_aside)
        expected[case["name"]] = (case["earned"], case["between_sessions"], case["unsettled"], case["set_aside"])
    assert len(expected) > 100
    assert kept == expected


async def test_a_balance_may_be_unknown_in_between(redis: Redis) -> None:
    """Before it is first known, and while it is not."""
    for tokens in ([100, None, 150], [None, 100, 150]):
        readings = minute(*tokens, room_id=f"room {tokens[0]}")
        await commit(redis, *readings)
        assert await earned(redis, readings[0]) == 50
        record = await record_of(redis, readings[0])
        assert record is not None
        assert record.tokens == 150


async def test_counters_beyond_a_thousand_keep_their_order_within_a_second(redis: Redis) -> None:
    """A producer without milliseconds: a cash-out between two readings of one second, in either order of arrival."""
    second = make_reading().timestamp - 100
    for room, order in (("in order", 1), ("reversed", -1)):
        readings = [
            make_reading(timestamp=second, sequence=5000 + n, tokens_count=t, room_id=room) for n, t in enumerate([100, 150, 20, 30])
        ]
        await commit(redis, *readings[::order])
        assert [one.tokens for one in await kept_readings(redis, readings[0])][-1] == 30
        assert await earned(redis, readings[0]) == 60


async def test_counters_that_pass_a_thousand_within_a_second_keep_the_order_of_arrival(redis: Redis) -> None:
    """An accepted reading is the newest of its feed."""
    second = make_reading().timestamp - 100
    readings = [make_reading(timestamp=second, sequence=999 + n, tokens_count=t) for n, t in enumerate([100, 150, 20, 30])]
    assert await results(redis, *readings) == [ACCEPTED] * 4
    assert await earned(redis, readings[0]) == 60


async def test_the_newest_first_is_exact_too_where_balances_rise(redis: Redis) -> None:
    """An outbox after an outage."""
    readings = minute(10, 20, 20, 45, 60)
    assert await results(redis, make_reading(), *readings[::-1]) == [ACCEPTED, *[LATE] * 5]
    assert await earned(redis, readings[0]) == 50


async def test_a_repeated_batch_changes_nothing_that_is_kept(redis: Redis) -> None:
    """Where a minute has several runs, a repeated reading of the first one does not move the beginning of the last one."""
    readings = minute(700, 700, 7000, 7000, 710, 710, 0, 0, 720, 730, 730, 750)
    await commit(redis, *readings)
    kept = await kept_readings(redis, readings[0])
    await commit(redis, *readings)
    await commit(redis, *readings[3:9])
    assert await kept_readings(redis, readings[0]) == kept
    assert await earned(redis, readings[0]) == 50


async def test_late_readings_within_a_run_are_denied_by_it(redis: Redis) -> None:
    """The readings around them are not kept, so the end of the run is all that shows them to be wrong."""
    readings = minute(*[700] * 12)
    late = [make_reading(timestamp=r.timestamp + 1, sequence=r.sequence + 1000, tokens_count=7000) for r in readings[2:4]]
    await commit(redis, *readings, *late)
    found = sums(await income(redis, readings[0]))
    assert (found.earned, found.set_aside) == (0, 1)


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


BALANCES = st.integers(0, 600) | st.sampled_from([0, 100, 120, 5000, 12_345])
STEPS = st.tuples(st.sampled_from([1, 5, 5, 5, 7, 29, 31, 61]), BALANCES | st.sampled_from(["same", "plus 40", "plus 40", "before"]))


@settings(max_examples=150)
@given(start=st.integers(0, 3600), steps=st.lists(STEPS, min_size=1, max_size=25))
def test_what_arrives_in_order_is_exact(url: str, start: int, steps: list[tuple[int, int | str]]) -> None:
    """The rules find the same income in the ends of runs, across minutes and hours, as in every reading."""
    tokens, second, readings = [500], make_reading().timestamp // 3600 * 3600 - 7200 + start, list[Reading]()
    for wait, change in steps:
        second += wait
        known = {"same": tokens[-1], "plus 40": tokens[-1] + 40, "before": tokens[-2] if len(tokens) > 1 else tokens[-1]}
        tokens.append(known[change] if isinstance(change, str) else change)
        readings.append(make_reading(timestamp=second, sequence=1000 * second, tokens_count=tokens[-1]))

    async def story() -> None:
        async with empty_store(url) as redis:
            await commit(redis, *readings)
            expected = judge([Balance(1000 * one.timestamp, one.tokens_count or 0, "blue") for one in readings], 2**53)
            assert sums(await income(redis, *readings)).earned == sums(expected).earned

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
    start = (make_reading().timestamp // DAY_SECONDS - 2) * DAY_SECONDS
    reading = make_reading(timestamp=start + DAY_SECONDS - 1, sequence=0)
    assert await results(redis, reading) == [LATE]
    assert await redis.strlen(history_key(reading)) == LAYOUT.chunk_bytes
    names = [key async for key in redis.scan_iter("history:*")]
    assert len(names) == 3
    assert all([await redis.expiretime(name) == start + 8 * DAY_SECONDS + GRACE_SECONDS for name in names])


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


@pytest.mark.parametrize("wrong_seconds", [-200, 0, 200])
async def test_the_clock_of_an_ingest_service_moves_no_reading(redis: Redis, monkeypatch: pytest.MonkeyPatch, wrong_seconds: int) -> None:
    """Its producers' clocks and Redis' clock decide where a reading is recorded: services that differ would mix up its order."""
    reading = make_reading(tokens_count=700)
    real_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + wrong_seconds * 10**9)
    assert await results(redis, reading) == [ACCEPTED]
    record = await record_of(redis, reading)
    assert record is not None
    assert (record.tokens, record.moment_ms) == (700, reading.timestamp % STEP * 1000 + reading.sequence % 1000)


@pytest.mark.parametrize("seconds", [1, 61, 299])
async def test_a_reading_stamped_ahead_is_recorded_at_its_commit(redis: Redis, seconds: int) -> None:
    """With its whole record, in the step of Redis' clock."""
    for attempt in range(5):  # unless a second began in between, or the reading was no longer ahead when it arrived
        ahead = make_reading(-1000 * seconds, tokens_count=700, viewers_count=9)
        before: Any = await redis.time()
        await results(redis, ahead)
        after: Any = await redis.time()
        if before[0] == after[0] < ahead.timestamp:
            break
        await redis.flushall()
        assert attempt < 4
    record = await record_of(redis, make_reading(timestamp=before[0], sequence=before[0] * 1000))
    assert record is not None
    begin, end = (at[0] % STEP * 1000 + at[1] // 1000 for at in (before, after))
    assert begin <= record.moment_ms <= end
    assert (record.tokens, record.first_tokens, record.values[VIEWERS]) == (700, 700, 9)


@pytest.mark.parametrize("back_seconds", [20, 107, 3500])
async def test_a_clock_that_steps_back_records_nothing_before_what_was_committed(redis: Redis, back_seconds: int) -> None:
    """Redis' clock is behind its own last version: a reading that is ahead of both is recorded at that version, in order of arrival."""
    second = make_reading().timestamp + back_seconds
    await redis.set(keys.last_version(0), second * 1_000_000)
    stamps = [second - 1, second, second + 5, second + 10]
    readings = [make_reading(timestamp=stamp, sequence=stamp * 1000, tokens_count=100 * n) for n, stamp in enumerate(stamps)]
    for reading in readings:
        assert await results(redis, reading) == [ACCEPTED]
    days = {reading.timestamp // DAY_SECONDS: reading for reading in readings}
    kept = [one for reading in days.values() for one in await kept_readings(redis, reading)]
    assert [one.tokens for one in kept] == [0, 100, 200, 300]
    assert [(one.at_ms // 1000 - second) % DAY_SECONDS for one in kept] == [DAY_SECONDS - 1, 0, 0, 0]


async def test_the_script_spells_days_as_keys_do(real: Redis) -> None:
    """Every day of a century, leap days and turns of years among them."""
    [function] = re.findall(r"^local function day_of.*?^end$", SCRIPT, re.DOTALL | re.MULTILINE)
    script = f"""
        local DAY_SECONDS, floor = {DAY_SECONDS}, math.floor
        {function}
        local days = {{}}
        for day = 0, ARGV[1] - 1 do days[day + 1] = day_of(day * DAY_SECONDS + day % DAY_SECONDS) end
        return days"""
    found: Any = await real.eval(script, 0, str(CENTURY_DAYS))
    assert [day.decode() for day in found] == [keys.day_of(day * DAY_SECONDS) for day in range(CENTURY_DAYS)]
