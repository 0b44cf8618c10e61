"""Reads history arrays and thins them for charts.

Of a step that spans several recorded ones the last reading is kept: balances and audiences are states, and the last state of a step is
the one that the next step starts from.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Struct
from starlette.datastructures import QueryParams

from broadcast_service.http.budget import PART, POINT
from broadcast_service.http.parameters import int_parameter, invalid_parameter
from broadcast_service.reports.earnings import Feed
from shared.contract import keys
from shared.contract.history_record import CHUNK_SLOTS, DAY_SECONDS, OLD_RECORD_BYTES, RECORD_BYTES, Record, unpack, unpack_old
from shared.store.redis import Store

MAX_POINTS: Final = 11_000  # a week at one a minute, and some
DEFAULT_POINTS: Final = 1440
SLOTS_AT_ONCE: Final = 1440  # stored records that are unpacked in one stretch
PARTS_AT_ONCE: Final = 8  # stretches that are read together: a week


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
        parts = [
            _Part(day_start, range(slot, min(slot + SLOTS_AT_ONCE, last + 1)))
            for day_start in range(start - start % DAY_SECONDS, end + 1, DAY_SECONDS)
            for last in [min(DAY_SECONDS - 1, end - day_start) // self.step_seconds]
            for slot in range(max(0, start - day_start) // self.step_seconds, last + 1, SLOTS_AT_ONCE)
        ]
        for first in range(0, len(parts), PARTS_AT_ONCE):
            some = parts[first : first + PARTS_AT_ONCE]
            charge(PART * len(some))
            for part, stored in zip(some, await self._read(Feed(room_id, platform), some), strict=True):
                charge(POINT * stored.records)
                found = self._points_of(part, stored)
                points |= thinned((point for point in found if span.start <= point.t <= span.end), span.step)
                await asyncio.sleep(0)  # others get a turn
        return list(points.values())

    async def _read(self, feed: Feed, parts: Sequence["_Part"]) -> list["_Stored"]:
        """The stored records of some parts, in two round trips."""
        shard = keys.shard_of(feed.room_id, self._shards)
        days = [keys.day_of(part.day_start) for part in parts]
        redis = self._store.owner(keys.history(shard, *feed, days[0], self.step_seconds))
        pipeline = redis.pipeline(transaction=False)
        for part, day in zip(parts, days, strict=True):
            key = keys.history(shard, *feed, day, self.step_seconds)
            pipeline.getrange(key, part.slots.start * OLD_RECORD_BYTES, part.slots.stop * OLD_RECORD_BYTES - 1)
            pipeline.smembers(keys.history_names(shard, feed.room_id, part.day_start))
        answers = await pipeline.execute()
        names = [
            keys.history_chunks(shard, (*feed, account), day, self.step_seconds, part.chunks)
            for part, day, members in zip(parts, days, answers[1::2], strict=True)
            for account in _accounts(members, feed.platform)
        ]
        flat = [name for series in names for name in series]
        values: list[bytes | None] = (await redis.mget(flat)) if flat else []  # type: ignore[assignment]
        found, chunks = [], iter(values)
        for part, old, members in zip(parts, answers[0::2], answers[1::2], strict=True):
            found.append(_Stored(old, [[next(chunks) for _ in part.chunks] for _ in _accounts(members, feed.platform)]))
        return found

    def _points_of(self, part: "_Part", stored: "_Stored") -> list[Point]:
        """The points in a part: of each slot the newest reading of any account."""
        newest: dict[int, Record] = {slot: record for slot, record in enumerate(unpack_old(stored.old), part.slots.start) if record}
        recorded: set[int] = set()
        for series in stored.chunks:
            for number, chunk in zip(part.chunks, series, strict=True):
                for slot, record in enumerate(unpack(chunk or b"", self.step_seconds), number * CHUNK_SLOTS):
                    if record and slot in part.slots and (slot not in recorded or record.moment_ms > newest[slot].moment_ms):
                        newest[slot] = record
                        recorded.add(slot)
        start, step = part.day_start, self.step_seconds
        return [
            Point(start + slot * step + record.moment_ms // 1000, record.tokens, record.tips, record.viewers, record.goal)
            for slot, record in sorted(newest.items())
        ]


class _Part(NamedTuple):
    """Some slots of the day that begins at a Unix second."""

    day_start: int
    slots: range

    @property
    def chunks(self) -> range:
        """The numbers of the chunks that hold the slots."""
        return range(self.slots.start // CHUNK_SLOTS, -(-self.slots.stop // CHUNK_SLOTS))


class _Stored(NamedTuple):
    """The stored bytes of a part: its piece of the day's array in layout 1, and the chunks of each account."""

    old: bytes
    chunks: list[list[bytes | None]]

    @property
    def records(self) -> int:
        """The number of records."""
        return len(self.old) // OLD_RECORD_BYTES + sum(len(chunk) // RECORD_BYTES for series in self.chunks for chunk in series if chunk)


def _accounts(members: set[bytes], platform: str) -> list[str]:
    """The accounts of a platform among a room's names of a day; empty is the nameless one."""
    names = (member.decode(errors="replace").partition(":") for member in members)
    return sorted(account for name, _, account in names if name == platform)
