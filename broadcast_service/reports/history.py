"""Reads history arrays and thins them for charts.

Of a step that spans several recorded ones the last reading is kept: balances and audiences are states, and the last state of a step is
the one that the next step starts from.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from msgspec import Struct
from starlette.datastructures import QueryParams

from broadcast_service.http.budget import POINT
from broadcast_service.http.parameters import int_parameter, invalid_parameter
from broadcast_service.reports.earnings import Feed
from shared.contract import keys
from shared.contract.history_record import CHUNK_SLOTS, DAY_SECONDS, OLD_RECORD_BYTES, RECORD_BYTES, Record, unpack, unpack_old
from shared.store.redis import Store

MAX_POINTS: Final = 11_000  # a week at one a minute, and some
DEFAULT_POINTS: Final = 1440
SLOTS_AT_ONCE: Final = 1440  # stored records that are unpacked in one stretch


class Point(Struct, frozen=True):
    """The last reading of one step; `t` is its moment in Unix seconds, unknown values are None."""

    t: int
    tokens: int | None
    tips: int | None
    viewers: int | None
    goal: int | None


class Span(NamedTuple):
    """From `start` to `end` in Unix seconds, both included, one point per `step` seconds."""

    start: int
    end: int
    step: int


def parse_span(query: QueryParams, step_seconds: int, *, now_seconds: int) -> Span:
    """Reads `from`, `to` and `step`; the default is the last day. Raises a 422 Problem."""
    end = int_parameter(query, "to", now_seconds)
    start = int_parameter(query, "from", end - DAY_SECONDS)
    if not start < end <= start + 366 * DAY_SECONDS:
        raise invalid_parameter("from", "should lie before to, by at most 366 days")
    least = -(-(end - start) // DEFAULT_POINTS)
    step = int_parameter(query, "step", -(-least // step_seconds) * step_seconds)
    if step < step_seconds or step % step_seconds:
        raise invalid_parameter("step", f"should be a multiple of {step_seconds} seconds")
    if (end - start) // step > MAX_POINTS:
        raise invalid_parameter("step", f"gives more than {MAX_POINTS} points")
    return Span(start, end, step)


def thinned(points: Iterable[Point], step: int) -> dict[int, Point]:
    """The last point of each step of Unix time, by the step; points come earliest first."""
    return {point.t // step: point for point in points}


def points_as_csv(points: list[Point]) -> Iterator[str]:
    """One line per point; an unknown value is empty, never zero."""
    yield "time,tokens,tips,viewers,goal\r\n"
    for point in points:
        moment = dt.datetime.fromtimestamp(point.t, dt.UTC)
        values = ("" if value is None else str(value) for value in (point.tokens, point.tips, point.viewers, point.goal))
        yield f"{moment:%Y-%m-%dT%H:%M:%SZ},{','.join(values)}\r\n"


class History:
    """The stored arrays of every room."""

    def __init__(self, store: Store, shards: int, *, step_seconds: int, retention_days: int) -> None:
        self._store = store
        self._shards = shards
        self._retention_seconds = retention_days * DAY_SECONDS
        self.step_seconds = step_seconds

    async def points(self, room_id: str, platform: str, span: Span, charge: Callable[[float], None] = lambda _price: None) -> list[Point]:
        """The points of a span, earliest first; raises RedisError. `charge` gets the price of each part of the work."""
        points: dict[int, Point] = {}
        now = int(time.time())
        start, end = max(span.start, now - self._retention_seconds), min(span.end, now + DAY_SECONDS)  # beyond these nothing is kept
        for day_start in range(start - start % DAY_SECONDS, end + 1, DAY_SECONDS):
            first = max(0, start - day_start) // self.step_seconds
            last = min(DAY_SECONDS - 1, end - day_start) // self.step_seconds
            for slot in range(first, last + 1, SLOTS_AT_ONCE):
                part = await self._part(Feed(room_id, platform), day_start, range(slot, min(slot + SLOTS_AT_ONCE, last + 1)), charge)
                points |= thinned((point for point in part if span.start <= point.t <= span.end), span.step)
        return list(points.values())

    async def _part(self, feed: Feed, day_start: int, slots: range, charge: Callable[[float], None]) -> list[Point]:
        """The points in some slots of a day: of each slot the newest reading of any account."""
        shard, day = keys.shard_of(feed.room_id, self._shards), keys.day_of(day_start)
        old = keys.history(shard, *feed, day, self.step_seconds)
        redis = self._store.owner(old)
        data: bytes = await redis.getrange(old, slots.start * OLD_RECORD_BYTES, slots.stop * OLD_RECORD_BYTES - 1)  # type: ignore[assignment]
        newest: dict[int, Record] = {slot: record for slot, record in enumerate(unpack_old(data), slots.start) if record}
        charge(POINT * (len(data) // OLD_RECORD_BYTES))
        chunks = range(slots.start // CHUNK_SLOTS, -(-slots.stop // CHUNK_SLOTS))
        recorded: set[int] = set()
        for account in await self._accounts(shard, feed, day_start):
            names = keys.history_chunks(shard, (*feed, account), day, self.step_seconds, chunks)
            found: list[bytes | None] = await redis.mget(names)  # type: ignore[assignment]
            charge(POINT * sum(len(chunk) // RECORD_BYTES for chunk in found if chunk))
            for number, chunk in zip(chunks, found, strict=True):
                for slot, record in enumerate(unpack(chunk or b"", self.step_seconds), number * CHUNK_SLOTS):
                    if record and slot in slots and (slot not in recorded or record.moment_ms > newest[slot].moment_ms):
                        newest[slot] = record
                        recorded.add(slot)
        return [
            Point(day_start + slot * self.step_seconds + record.moment_ms // 1000, record.tokens, record.tips, record.viewers, record.goal)
            for slot, record in sorted(newest.items())
        ]

    async def _accounts(self, shard: int, feed: Feed, day_start: int) -> list[str]:
        """The accounts of a feed on a day; empty is the nameless one."""
        key = keys.history_names(shard, feed.room_id, day_start)
        members: set[bytes] = await self._store.owner(key).smembers(key)  # type: ignore[assignment]
        names = (member.decode(errors="replace").partition(":") for member in members)
        return sorted(account for platform, _, account in names if platform == feed.platform)
