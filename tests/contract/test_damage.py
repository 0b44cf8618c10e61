"""Keys with unexpected contents and a server that refuses writes: only the affected feed fails, and no commit is partial."""

import contextlib
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from ingest_service.commit_script import Result
from ingest_service.limits import Limits
from ingest_service.outcomes import StoreUnavailable
from ingest_service.writer import Writer, WriterOptions
from shared.contract import keys
from tests.contract.committing import (
    NO_LIMITS,
    STEP,
    TTL,
    OneNode,
    at_work,
    commit,
    history_key,
    last_version,
    latest,
    listening,
    results,
    shard_writer,
)
from tests.support.readings import make_reading
from tools.processes import ROOT

pytestmark = pytest.mark.anyio

ACCEPTED, DAMAGED, DUPLICATE = Result.ACCEPTED, Result.DAMAGED, Result.DUPLICATE


async def everything(redis: Redis) -> dict[Any, Any]:
    """Every key with its content."""
    return {key: await redis.dump(key) async for key in redis.scan_iter()}


async def test_a_latest_value_of_the_wrong_type_fails_alone(redis: Redis) -> None:
    """Its reading is not written anywhere, its neighbours are."""
    await redis.rpush(keys.latest(0, "blue", "camsoda"), "x")
    async with listening(redis) as published:
        assert await results(redis, make_reading(room_id="red"), make_reading(), make_reading(room_id="green")) == [
            ACCEPTED,
            DAMAGED,
            ACCEPTED,
        ]
    assert [[reading.room_id for reading in batch] for batch in published] == [["red", "green"]]
    assert await redis.exists(history_key(make_reading())) == 0


async def test_a_history_of_the_wrong_type_fails_alone(redis: Redis) -> None:
    """A reading whose history cannot be written is not stored at all."""
    await redis.rpush(history_key(make_reading()), "x")
    assert await results(redis, make_reading(), make_reading(room_id="red")) == [DAMAGED, ACCEPTED]
    assert await latest(redis) is None
    assert await redis.zrange(keys.index(0), 0, -1) == [b"red:camsoda"]


@pytest.mark.parametrize("content", ["", "not json", "{}", '{"timestamp":"x"}', "\0" * 100])
async def test_a_latest_value_without_sense_is_replaced(redis: Redis, content: str) -> None:
    """Any text in that place counts as older than any reading."""
    await redis.set(keys.latest(0, "blue", "camsoda"), content)
    assert await results(redis, make_reading()) == [ACCEPTED]


async def test_a_short_history_is_written_past_its_end(redis: Redis) -> None:
    """A torn array counts as empty where it ends."""
    await redis.set(history_key(make_reading()), b"\1\2\3")
    assert await results(redis, make_reading()) == [ACCEPTED]


SHARED_KEYS = {
    "index": lambda: keys.index(0),
    "version": lambda: keys.last_version(0),
}


@pytest.mark.parametrize("key", SHARED_KEYS.values(), ids=SHARED_KEYS.keys())
async def test_a_shared_key_of_the_wrong_type_fails_the_batch_cleanly(redis: Redis, key: Any) -> None:
    """What every reading needs is looked at before the first write, so nothing is half-done."""
    await redis.rpush(key(), "x")
    before = await everything(redis)
    with pytest.raises(StoreUnavailable):
        await commit(redis, make_reading(), make_reading(room_id="red"), limits=Limits(5, 5))
    assert await everything(redis) == before


HOUR_US = 3_600_000_000


@pytest.mark.parametrize("version", ["x", "", "-1", "nan", "inf", "-inf", "1e300", str(2**53 + 10), "9" * 400, "1.5", "0x10"])
async def test_a_damaged_last_version_is_replaced_by_the_clock(redis: Redis, version: str) -> None:
    """No number, or one more than an hour ahead: to count on from there would hide every reading from dashboards."""
    await redis.set(keys.last_version(0), version)
    before = int(time.time() * 1_000_000)
    [(result, given)] = await commit(redis, make_reading())
    assert result is ACCEPTED
    assert before <= given < before + 60_000_000
    assert await last_version(redis) == given


async def test_a_version_just_beyond_an_hour_is_damage(redis: Redis) -> None:
    """Up to an hour it is what a clock that was ahead left, and versions count on from it."""
    now = int(time.time() * 1_000_000)
    await redis.set(keys.last_version(0), now + HOUR_US + 60_000_000)
    [(_, first)] = await commit(redis, make_reading(1000))
    await redis.set(keys.last_version(0), now + HOUR_US - 60_000_000)
    [(_, second)] = await commit(redis, make_reading())
    assert (first < now + HOUR_US // 2, second) == (True, now + HOUR_US - 60_000_000 + 1)


async def test_versions_go_on_from_what_the_writer_was_answered(redis: Redis) -> None:
    """Redis' clock was ahead and Redis came back empty: what dashboards hold is still older than what comes."""
    async with at_work(shard_writer(redis)) as writer:
        ahead = int(time.time() * 1_000_000) + 120_000_000
        await redis.set(keys.last_version(0), ahead)
        [(_, before)] = await writer.submit([make_reading(1000)], "token")
        await redis.flushall()
        [(_, after)] = await writer.submit([make_reading()], "token")
    assert (before, after) == (ahead + 1, ahead + 2)


RIGHTS = (
    "eval evalsha time get set zcard zadd zscore zremrangebyscore "
    "hmget hset expire expireat strlen getrange setrange append sadd sismember scard publish"
).split()


@contextlib.asynccontextmanager
async def limited_user(real: Redis, *rules: str) -> AsyncIterator[Redis]:
    """A client whose user has the rights of ingest, changed by some rules."""
    name = f"user-{time.monotonic_ns()}"
    allowed = [
        "~telemetry:{*}:*",
        "~history:{*}:*",
        "~rate:{*}:*",
        "resetchannels",
        "&telemetry:{*}:events",
        *(f"+{name}" for name in RIGHTS),
    ]
    await real.execute_command("ACL", "SETUSER", name, "on", "nopass", "-@all", *allowed, *rules)  # type: ignore[no-untyped-call]
    options = real.connection_pool.connection_kwargs
    async with Redis(host=options["host"], port=options["port"], username=name, password="any", protocol=2) as client:
        yield client
    await real.execute_command("ACL", "DELUSER", name)  # type: ignore[no-untyped-call]


def test_the_rights_tried_here_are_those_that_are_shipped() -> None:
    """deploy/redis/users.acl gives ingest these commands."""
    line = next(line for line in (ROOT / "deploy/redis/users.acl").read_text().splitlines() if line.startswith("user ingest "))
    assert set(re.findall(r"\+(\w+)", line.partition("(")[0])) == set(RIGHTS)


LACKING = [*[f"-{command}" for command in RIGHTS], "resetchannels", "resetchannels &other", "resetkeys ~telemetry:{*}:* ~rate:{*}:*"]


@pytest.mark.parametrize("rules", LACKING)
async def test_a_commit_that_is_not_permitted_leaves_nothing_and_is_taken_when_it_is(real: Redis, rules: str) -> None:
    """Whichever right is missing: refused before the first write, and the same reading is accepted and published after the mend."""
    await real.script_flush()  # a server that has the script needs no right to load it
    readings, limits = [make_reading(10), make_reading(room_id="red"), make_reading(90_000)], Limits(5, 100)
    await real.script_flush()  # a server that knows the script needs no right to be sent it
    async with limited_user(real, *rules.split()) as client:
        with pytest.raises(StoreUnavailable):
            await commit(client, *readings, limits=limits)
        assert await everything(real) == {}
    async with limited_user(real) as client, listening(real) as published:
        assert await results(client, *readings, limits=limits) == [ACCEPTED, ACCEPTED, Result.LATE]
    assert [[reading.room_id for reading in batch] for batch in published] == [["blue", "red"]]


@pytest.mark.parametrize("lost", ["index", "score"])
async def test_a_reading_that_was_stored_and_not_indexed_is_taken_again(redis: Redis, lost: str) -> None:
    """However a commit came to be cut short: the repeated reading is published, not called a duplicate."""
    reading = make_reading()
    await commit(redis, reading)
    if lost == "index":
        await redis.delete(keys.index(0))
    else:
        await redis.zadd(keys.index(0), {"blue:camsoda": 1_000_000})
    async with listening(redis) as published:
        assert await results(redis, reading, reading) == [ACCEPTED, DUPLICATE]
    assert [len(batch) for batch in published] == [1]


async def test_a_rate_of_the_wrong_type_fails_the_batch_cleanly(redis: Redis) -> None:
    """A limit that cannot be read is not taken for none."""
    seconds, _ = await redis.time()
    for minute in (seconds // 60, seconds // 60 + 1):
        await redis.rpush(f"rate:{{0}}:room:{minute}", "x")
    before = await everything(redis)
    with pytest.raises(StoreUnavailable):
        await commit(redis, make_reading(), limits=Limits(5, 0))
    assert await everything(redis) == before


async def test_a_damaged_shard_fails_alone(real: Redis) -> None:
    """Readings of one batch that belong to another shard are stored."""
    writer = Writer(OneNode(real), 2, WriterOptions(TTL, STEP, retention_days=7, limits=NO_LIMITS))
    rooms = sorted("abcdefgh", key=lambda room: keys.shard_of(room, 2))
    await real.rpush(keys.index(0), "x")
    async with at_work(writer):
        outcomes = await writer.write([make_reading(room_id=room) for room in rooms], "token")
    failed = [room for room, outcome in zip(rooms, outcomes, strict=True) if isinstance(outcome, StoreUnavailable)]
    assert failed == [room for room in rooms if keys.shard_of(room, 2) == 0]
    assert 0 < len(failed) < len(rooms)


async def test_out_of_memory_nothing_is_written_or_published(real: Redis) -> None:
    """The header of the script makes the server refuse it up front; with memory again it heals by itself."""
    reading = make_reading()
    async with listening(real) as published:
        await real.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable):
            await commit(real, reading)
        await real.config_set("maxmemory", 0)
    assert (published, await real.dbsize(), await last_version(real)) == ([], 0, 0)
    assert await results(real, reading) == [ACCEPTED]


async def test_a_replica_refuses_and_nothing_is_written(real: Redis) -> None:
    """A primary that was demoted answers READONLY, which is an outage like any other."""
    await real.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(StoreUnavailable):
            await commit(real, make_reading())
    finally:
        await real.replicaof("NO", "ONE")
    assert await results(real, make_reading()) == [ACCEPTED]


async def test_a_flushed_script_is_loaded_again(redis: Redis) -> None:
    """SCRIPT FLUSH needs no restart of any service."""
    await commit(redis, make_reading(1000))
    await redis.script_flush()
    assert await results(redis, make_reading()) == [ACCEPTED]
