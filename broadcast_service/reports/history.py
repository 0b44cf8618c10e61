"""Reads history arrays and thins them for charts.

Of a step that spans several recorded ones the last reading is kept: balances and audiences are states, and the last state of a step is
the one that the next step starts from.
"""

import asyncio
import datetime as dt
import itertools
import operator
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec
from msgspec import Struct
from starlette.datastructures import QueryParams

from broadcast_service.http.budget import PART, POINT
from broadcast_service.http.parameters import int_parameter, invalid_parameter
from shared.contract import keys
from shared.contract.feeds import Feed, Series, parse_room_member
from shared.contract.history_day import StoredDay
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


Charge = Callable[[float], None]


class OlderHistory(Protocol):
    """What the chart of a room has besides Redis' history: the archive."""

    async def begins(self, start: int, now_seconds: int) -> int:
        """The Unix second before which there is nothing, for a chart that begins at `start`."""
        ...

    async def before_redis(self, feed: Feed, days: Collection[int], charge: Charge) -> dict[int, list[StoredDay]]:
        """The accounts' histories of those days that Redis no longer keeps; a day of them without history is left out."""
        ...

    async def lost_by_redis(self, feed: Feed, day: int, minutes: range, known: Collection[int], charge: Charge) -> list[StoredDay]:
        """The histories of those accounts of which Redis lacks some minutes of a day, where `known` are the ones that it has."""
        ...


class History:
    """The stored arrays of every room: those in Redis, and with an archive also those that Redis no longer has."""

    def __init__(self, store: Store, shards: int, *, step_seconds: int, retention_days: int, older: OlderHistory | None = None) -> None:
        self._store = store
        self._shards = shards
        self._retention_seconds = retention_days * DAY_SECONDS
        self._older = older
        self.step_seconds = step_seconds

    async def points(self, room_id: str, platform: str, span: Span, charge: Charge = lambda _price: None) -> list[Point]:
        """The points of a span, earliest first. `charge` gets the price of each part of the work.

        Raises RedisError, and a 503 Problem where the archive is needed and does not respond.
        """
        points: dict[int, Point] = {}
        now, feed = int(time.time()), Feed(room_id, platform)
        begin = await self._older.begins(span.start, now) if self._older else now - self._retention_seconds
        start, end = max(span.start, begin), min(span.end, now + DAY_SECONDS)  # beyond these nothing is kept
        parts = [
            _Part(day_start, range(slot, min(slot + SLOTS_AT_ONCE, last + 1)))
            for day_start in range(start - start % DAY_SECONDS, end + 1, DAY_SECONDS)
            for last in [min(DAY_SECONDS - 1, end - day_start) // self.step_seconds]
            for slot in range(max(0, start - day_start) // self.step_seconds, last + 1, SLOTS_AT_ONCE)
        ]
        for first in range(0, len(parts), PARTS_AT_ONCE):
            some = parts[first : first + PARTS_AT_ONCE]
            charge(PART * len(some))
            older = await self._older.before_redis(feed, {part.day for part in some}, charge) if self._older else {}
            for part, stored in zip(some, await self._read(feed, some), strict=True):
                newest = await self._completed(feed, part, stored.with_days(part, older.get(part.day, ())), charge)
                found = self._points_of(part, newest)
                points |= thinned((point for point in found if span.start <= point.t <= span.end), span.step)
                await asyncio.sleep(0)  # others get a turn
        return list(points.values())

    async def _completed(self, feed: Feed, part: "_Part", stored: "_Stored", charge: Charge) -> dict[int, Record]:
        """The newest record of each slot of a part; what Redis lost is read from the archive."""
        charge(POINT * stored.records)
        newest = self._newest(part, stored)
        if self._older is None:
            return newest
        minutes = range(part.slots.start * self.step_seconds // 60, -(-part.slots.stop * self.step_seconds // 60))
        known = {slot * self.step_seconds // 60 for slot in newest}
        lost = await self._older.lost_by_redis(feed, part.day, minutes, known, charge)
        if not lost:
            return newest
        stored = stored.with_days(part, lost)
        charge(POINT * stored.records)
        return self._newest(part, stored)

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

    def _newest(self, part: "_Part", stored: "_Stored") -> dict[int, Record]:
        """The newest reading of any account, by slot."""
        newest: dict[int, Record] = {slot: record for slot, record in enumerate(unpack_old(stored.old), part.slots.start) if record}
        recorded: set[int] = set()
        for layout, chunk, data in stored.chunks:
            for slot, record in enumerate(layout.unpack(data, self.step_seconds), chunk * CHUNK_SLOTS):
                if record and slot in part.slots and (slot not in recorded or record.moment_ms > newest[slot].moment_ms):
                    newest[slot] = record
                    recorded.add(slot)
        return newest

    def _points_of(self, part: "_Part", newest: dict[int, Record]) -> list[Point]:
        """The points in a part."""
        start, step = part.day_start, self.step_seconds
        return [Point(start + slot * step + record.moment_ms // 1000, *record.values) for slot, record in sorted(newest.items())]


class _Part(NamedTuple):
    """Some slots of the day that begins at a Unix second."""

    day_start: int
    slots: range

    @property
    def day(self) -> int:
        """The number of the day since the epoch."""
        return self.day_start // DAY_SECONDS

    @property
    def chunks(self) -> range:
        """The numbers of the chunks that hold the slots."""
        return range(self.slots.start // CHUNK_SLOTS, -(-self.slots.stop // CHUNK_SLOTS))


class _Stored(NamedTuple):
    """The stored bytes of a part: its piece of the day's array in layout 1, and its chunks with their layouts and numbers."""

    old: bytes
    chunks: list[tuple[Layout, int, bytes]]

    def with_days(self, part: _Part, days: Iterable[StoredDay]) -> "_Stored":
        """These and what some stored days have of the part; of two records with the same moment the ones here count."""
        old, chunks = self.old, [*self.chunks]
        for day in days:
            old = old if any(old) else (day.old or b"")[part.slots.start * OLD_RECORD_BYTES : part.slots.stop * OLD_RECORD_BYTES]
            for one in day.parts:
                chunks += [(one.layout, chunk, data) for chunk in part.chunks if chunk < len(one.chunks) and (data := one.chunks[chunk])]
        return _Stored(old, chunks)

    @property
    def records(self) -> int:
        """The number of records."""
        return len(self.old) // OLD_RECORD_BYTES + sum(len(data) // layout.record_bytes for layout, _, data in self.chunks)


def _series(members: set[bytes], feed: Feed) -> list[Series]:
    """The series of a feed among those that a room has of a day."""
    found = (parse_room_member(feed.room_id, member.decode(errors="replace")) for member in members)
    return sorted(series for series in found if series.feed == feed)
