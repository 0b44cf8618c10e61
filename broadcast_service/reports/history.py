"""Reads history arrays and thins them for charts.

Of a step that spans several recorded ones the last reading is kept: balances and audiences are states, and the last state of a step is
the one that the next step starts from.
"""

import asyncio
import datetime as dt
import itertools
import operator
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec import Struct
from starlette.datastructures import QueryParams

from broadcast_service.http.budget import PART, POINT
from broadcast_service.http.parameters import int_parameter, invalid_parameter
from shared.contract import keys
from shared.contract.feeds import Feed, Series, parse_room_member
from shared.contract.history_record import CHUNK_SLOTS, DAY_SECONDS, LAYOUTS, OLD_RECORD_BYTES, Layout, Record, unpack_old
from shared.contract.readings import METRIC_FIELDS, METRICS
from shared.store.redis import Store

MAX_POINTS: Final = 11_000  # a week at one a minute, and some
DEFAULT_POINTS: Final = 1440
SLOTS_AT_ONCE: Final = 1440  # stored records that are unpacked in one stretch
PARTS_AT_ONCE: Final = 8  # stretches that are read together: a week


if TYPE_CHECKING:

    class Point(Struct):
        """The last reading of one step."""

        t: int

        def __init__(self, t: int, *values: int | None) -> None: ...

else:
    Point = msgspec.defstruct("Point", [("t", int), *METRIC_FIELDS], frozen=True, module=__name__)
    Point.__doc__ = "The last reading of one step; `t` is its moment in Unix seconds, unknown values are null."

_values_of: Final = operator.attrgetter(*(metric.name for metric in METRICS))


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
    yield ",".join(["time", *(metric.name for metric in METRICS)]) + "\r\n"
    for point in points:
        moment = dt.datetime.fromtimestamp(point.t, dt.UTC)
        values = ("" if value is None else str(value) for value in _values_of(point))
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
        redis = self._store.owner(keys.history_array(shard, feed, days[0], self.step_seconds))
        pipeline = redis.pipeline(transaction=False)
        for part, day in zip(parts, days, strict=True):
            key = keys.history_array(shard, feed, day, self.step_seconds)
            pipeline.getrange(key, part.slots.start * OLD_RECORD_BYTES, part.slots.stop * OLD_RECORD_BYTES - 1)
            pipeline.smembers(keys.history_names(shard, feed.room_id, part.day_start))
        answers = await pipeline.execute()
        names, wanted = [], []
        for number, (part, day, members) in enumerate(zip(parts, days, answers[1::2], strict=True)):
            for series, layout in itertools.product(_series(members, feed), LAYOUTS):
                prefix = keys.history_day_prefix(shard, layout.number, series, day, self.step_seconds)
                names += [f"{prefix}{chunk}" for chunk in part.chunks]
                wanted += [(number, layout, chunk) for chunk in part.chunks]
        values: list[bytes | None] = (await redis.mget(names)) if names else []  # type: ignore[assignment]
        found = [_Stored(old, []) for old in answers[0::2]]
        for (number, layout, chunk), data in zip(wanted, values, strict=True):
            if data:
                found[number].chunks.append((layout, chunk, data))
        return found

    def _points_of(self, part: "_Part", stored: "_Stored") -> list[Point]:
        """The points in a part: of each slot the newest reading of any account."""
        newest: dict[int, Record] = {slot: record for slot, record in enumerate(unpack_old(stored.old), part.slots.start) if record}
        recorded: set[int] = set()
        for layout, chunk, data in stored.chunks:
            for slot, record in enumerate(layout.unpack(data, self.step_seconds), chunk * CHUNK_SLOTS):
                if record and slot in part.slots and (slot not in recorded or record.moment_ms > newest[slot].moment_ms):
                    newest[slot] = record
                    recorded.add(slot)
        start, step = part.day_start, self.step_seconds
        return [Point(start + slot * step + record.moment_ms // 1000, *record.values) for slot, record in sorted(newest.items())]


class _Part(NamedTuple):
    """Some slots of the day that begins at a Unix second."""

    day_start: int
    slots: range

    @property
    def chunks(self) -> range:
        """The numbers of the chunks that hold the slots."""
        return range(self.slots.start // CHUNK_SLOTS, -(-self.slots.stop // CHUNK_SLOTS))


class _Stored(NamedTuple):
    """The stored bytes of a part: its piece of the day's array in layout 1, and its chunks with their layouts and numbers."""

    old: bytes
    chunks: list[tuple[Layout, int, bytes]]

    @property
    def records(self) -> int:
        """The number of records."""
        return len(self.old) // OLD_RECORD_BYTES + sum(len(data) // layout.record_bytes for layout, _, data in self.chunks)


def _series(members: set[bytes], feed: Feed) -> list[Series]:
    """The series of a feed among those that a room has of a day."""
    found = (parse_room_member(feed.room_id, member.decode(errors="replace")) for member in members)
    return sorted(series for series in found if series.feed == feed)
