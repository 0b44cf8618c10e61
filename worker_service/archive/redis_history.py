"""Reads the history of a day from Redis, in bounded batches."""

import hashlib
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from shared.contract import keys
from shared.contract.feeds import Series, parse_member
from shared.contract.history_day import StoredDay, day_keys, stored_day
from shared.contract.history_record import DAY_SECONDS
from shared.contract.readings import Account, Platform, RoomId
from shared.store.redis import Store

SCAN_COUNT: Final = 200  # members per answer
SERIES_AT_ONCE: Final = 20  # days of series that are read in one round trip: at most about 1 MB

log = structlog.get_logger()


class _Names(msgspec.Struct):
    room_id: RoomId
    platform: Platform
    account: Account


class RedisDay(NamedTuple):
    """What Redis has of a day of a series, and a digest of it."""

    series: Series
    stored: StoredDay
    digest: bytes


class RedisHistory:
    """The history of all feeds; the methods raise RedisError."""

    def __init__(self, store: Store, shards: int, step_seconds: int) -> None:
        self._store = store
        self._shards = shards
        self._step_seconds = step_seconds

    async def empty(self, days: Sequence[int]) -> frozenset[int]:
        """Those of some days of which Redis has nothing; not one whose names cannot be read."""
        found: set[int] = set()
        for shard in range(self._shards):
            names = [keys.history_feeds(shard, keys.day_of(day * DAY_SECONDS)) for day in days]
            pipeline = self._store.owner(names[0]).pipeline(transaction=False)
            for name in names:
                pipeline.scard(name)
            found.update(itertools.compress(days, await pipeline.execute(raise_on_error=False)))  # an error is no empty day
        return frozenset(days) - found

    async def days(self, day: int) -> AsyncIterator[list[RedisDay]]:
        """Everything that Redis has of a day, a number since the epoch, some series at a time."""
        name = keys.day_of(day * DAY_SECONDS)
        for shard in range(self._shards):
            seen: set[Series] = set()
            async for members in self._store.members(keys.history_feeds(shard, name), SCAN_COUNT):
                found = [one for one in map(_series_of, members) if one and one not in seen]
                seen.update(found)
                for first in range(0, len(found), SERIES_AT_ONCE):
                    yield await self._read(shard, found[first : first + SERIES_AT_ONCE], name)

    async def _read(self, shard: int, some: Sequence[Series], day: str) -> list[RedisDay]:
        names = [day_keys(shard, series, day, self._step_seconds) for series in some]
        pipeline = self._store.owner(names[0][0]).pipeline(transaction=False)
        for of_series in names:
            pipeline.mget(of_series)
        answers: list[list[bytes | None]] = await pipeline.execute()
        return [
            RedisDay(series, stored_day(values, self._step_seconds), _digest(values))
            for series, values in zip(some, answers, strict=True)
            if any(values)
        ]


def _series_of(member: bytes) -> Series | None:
    """The series that a member of a set names, None for one that no reading can have: the set is damaged, and the others count."""
    series = parse_member(member.decode(errors="replace"))
    try:
        names: Any = series._asdict() if series.account else {**series._asdict(), "account": "unnamed"}
        msgspec.convert(names, _Names)
    except msgspec.ValidationError:
        log.warning("archive.invalid_member")
        return None
    return series


def _digest(values: Sequence[bytes | None]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        digest.update(b"\0" if value is None else b"%d:" % len(value))
        digest.update(value or b"")
    return digest.digest()
