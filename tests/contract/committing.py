"""What contract tests do with a store: commit readings, listen to the channel, read back what lies there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import fakeredis
from redis.asyncio import Redis

from ingest_service.commit_script import Result
from ingest_service.limits import Limits
from ingest_service.outcomes import Outcome
from ingest_service.writer import ShardWriter, Writer, WriterOptions
from shared.contract import keys
from shared.contract.history_day import Kept, StoredDay, day_balances, day_keys, kept_balances, stored_day
from shared.contract.history_record import DAY_SECONDS, LAYOUT, Record, series_of, slot_of
from shared.contract.readings import Reading, StoredReading, decode_stored
from shared.income.rules import Account, Balance, Entry
from shared.store.listener import ShardListener
from shared.store.redis import RedisUrl, Store

W = TypeVar("W", ShardWriter, Writer, ShardListener)

TTL = 3600
STEP = 60
NO_LIMITS = Limits(0, 0)


class Double(fakeredis.FakeAsyncRedis):
    """The double, which cannot read the script's header that real servers want."""

    async def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Any:
        """Runs the script without its header."""
        return await super().eval(script.removeprefix("#!lua\n"), numkeys, *keys_and_args)


class OneNode(Store):
    """A store whose only node is a given client."""

    def __init__(self, client: Redis) -> None:
        super().__init__(RedisUrl.parse("redis://given"))
        self._client = client

    def owner(self, _key: str) -> Redis:
        """The client, for every key."""
        return self._client

    def health(self, _key: str) -> Redis:
        """The same client."""
        return self._client


@contextlib.asynccontextmanager
async def empty_store(url: str) -> AsyncIterator[Redis]:
    """The store at an address, or the double, connected as a service would, with nothing in it."""
    if not url:
        yield Double()
        return
    async with Store(RedisUrl.parse(url)) as store:
        client = store.owner("any")
        await client.flushall()
        yield client


def shard_writer(redis: Redis, limits: Limits = NO_LIMITS) -> ShardWriter:
    """The writer of the one shard."""
    return ShardWriter(OneNode(redis), 0, WriterOptions(TTL, STEP, retention_days=7, limits=limits))


@contextlib.asynccontextmanager
async def at_work(writer: W) -> AsyncIterator[W]:
    """The writer, or the listener, with its task running."""
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        while not task.done():  # Python 3.11's wait_for, which redis-py sends with, can swallow a cancellation
            task.cancel()
            await asyncio.wait([task], timeout=0.2)


async def commit(redis: Redis, *updates: Reading, token: str = "token", limits: Limits = NO_LIMITS) -> list[Outcome]:
    """Commits readings as one submission."""
    async with at_work(shard_writer(redis, limits)) as writer:
        return await writer.submit(updates, token)


async def results(redis: Redis, *updates: Reading, **options: Any) -> list[Result]:
    """The same, without the versions."""
    return [outcome.result for outcome in await commit(redis, *updates, **options)]


@contextlib.asynccontextmanager
async def listening(redis: Redis) -> AsyncIterator[list[list[StoredReading]]]:
    """The readings published while the body runs, a list for each message; filled when the body ends."""
    published: list[list[StoredReading]] = []
    channel = keys.events_channel(0)
    async with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        await pubsub.subscribe(channel)
        yield published
        await redis.publish(channel, "end")
        async with asyncio.timeout(60):
            async for message in pubsub.listen():
                if message["data"] == b"end":
                    break
                published.append([decode_stored(line) for line in message["data"].split(b"\n")])


async def latest(redis: Redis, room_id: str = "blue", platform: str = "camsoda") -> StoredReading | None:
    """The stored reading."""
    value: Any = await redis.get(keys.latest(0, room_id, platform))
    return None if value is None else decode_stored(value)


def history_key(reading: Reading) -> str:
    """The chunk that a reading belongs in."""
    return f"{keys.history_chunk_prefix(0, LAYOUT.number)}{':'.join(series_of(reading))}:{slot_of(reading, STEP).key_end}"


def trail_key(reading: Reading) -> str:
    """The trail of a reading's day."""
    return keys.history_trail(keys.history_day_prefix(0, LAYOUT.number, series_of(reading), keys.day_of(reading.timestamp), STEP))


async def day_of(redis: Redis, reading: Reading) -> StoredDay:
    """All that is kept of the day of a reading."""
    values: Any = await redis.mget(day_keys(0, series_of(reading), keys.day_of(reading.timestamp), STEP))
    return stored_day(values, STEP)


async def kept_readings(redis: Redis, reading: Reading) -> list[Kept]:
    """Every balance that is kept of the day of a reading."""
    return kept_balances(day_balances(await day_of(redis, reading), STEP), range(DAY_SECONDS // STEP), STEP)


async def income(redis: Redis, *readings: Reading) -> list[Entry]:
    """What the rules find in all that is kept of the accounts of some readings; without an account each room is one."""
    days = {(reading.timestamp // DAY_SECONDS, series_of(reading)): reading for reading in readings}
    accounts: dict[tuple[str, ...], list[Balance]] = {}
    for (day, (room, platform, account)), reading in days.items():
        kept = [Balance(day * DAY_SECONDS * 1000 + one.at_ms, one.tokens, room, one.climbed) for one in await kept_readings(redis, reading)]
        accounts.setdefault((platform, account) if account else (platform, account, room), []).extend(kept)
    return [entry for found in accounts.values() for entry in judge_kept(found)]


def judge_kept(readings: list[Balance]) -> list[Entry]:
    """The entries of one account's kept readings, long after the last of them."""
    account, entries = Account(), list[Entry]()
    for reading in sorted(readings, key=lambda one: one.at_ms):
        entries += account.read(reading)
    return [*entries, *account.settle(2**53), *account.provisional()]


async def record_of(redis: Redis, reading: Reading) -> Record | None:
    """What history holds of a reading's minute."""
    offset = slot_of(reading, STEP).offset
    data: Any = await redis.getrange(history_key(reading), offset, offset + LAYOUT.record_bytes - 1)
    return next(LAYOUT.unpack(data), None)


async def last_version(redis: Redis) -> int:
    """The last version given."""
    value: Any = await redis.get(keys.last_version(0))
    return int(value or 0)


def run_async(story: Coroutine[Any, Any, None]) -> None:
    """Runs a story to its end, for tests that Hypothesis drives."""
    asyncio.run(story)
