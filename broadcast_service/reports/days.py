"""Where the days of a report come from.

`Analytics` calculates a report from a `DaySource` alone: which feeds, accounts and rooms have history on which days, and what a day of a
series holds. `RedisDays` is the history in Redis; another source can answer for older days.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from broadcast_service.http.budget import DAY, SLOT
from broadcast_service.reports.account_days import Charge
from broadcast_service.reports.feeds import FeedIndex
from shared.auth.scope import Scope
from shared.contract import keys
from shared.contract.feeds import Feed, Series
from shared.contract.history_day import DayBalances, StoredDay, day_balances, day_keys, stored_day
from shared.contract.history_record import DAY_SECONDS, LAYOUT
from shared.income.steps import Steps
from shared.store.redis import Store

if TYPE_CHECKING:
    from broadcast_service.reports.rolled import Rolled  # which needs SQLAlchemy

AHEAD_SECONDS: Final = 600  # readings may be ahead of our clock

SeriesDay = tuple[Series, int]
Damaged = set[SeriesDay]
"""Days that a source has and cannot read, or of which it cannot read a part; a report names them."""


class DayIndex(Protocol):
    """Which feeds and accounts have history on which days; days are bits, bit 0 is the first day of the last `refresh`."""

    def names_of(self, scope: Scope) -> list[str]:
        """The rooms inside a scope, sorted."""
        ...

    def of(self, scope: Scope) -> Iterator[tuple[Feed, int]]:
        """The feeds inside a scope and the days of each, by room."""
        ...

    def accounts(self, feed: Feed) -> list[str]:
        """The accounts of a feed, the unnamed one (empty) first."""
        ...

    def rooms(self, feed: Feed, account: str) -> dict[str, int]:
        """The rooms in which an account of a feed works, and the days of each."""
        ...

    def shared_days(self, room_id: str) -> int:
        """The days on which a room has more than one series."""
        ...


class Fetched:
    """Days that were read ahead, as Redis and the archive have them. A day is taken out when it is used."""

    def __init__(self) -> None:
        self.redis: dict[SeriesDay, Sequence[bytes | None]] = {}
        self.archived: dict[SeriesDay, StoredDay | None] = {}  # None for a damaged one


class DaySource(Protocol):
    """What reports are made from."""

    step_seconds: int

    @property
    def index(self) -> DayIndex:
        """The days that have records, as of the last `refresh`."""
        ...

    async def refresh(self, now_seconds: int) -> range:
        """Brings the index up to date, and returns the days that may hold something; raises RedisError."""
        ...

    async def fetch(self, wanted: Collection[SeriesDay]) -> Fetched:
        """Reads some days in one round trip per shard, so that `read` need not; raises RedisError. It charges nothing, `read` does."""
        ...

    async def read(self, series: Series, day: int, charge: Charge, fetched: Fetched, damaged: Damaged) -> DayBalances | None:
        """What a day of a series holds, None if nothing; charges what reading it costs, and adds the day to `damaged` if it is.

        Raises RedisError.
        """
        ...

    def first_readings(self) -> int:
        """The first day of which stored readings may be left."""
        ...

    def rolled(self, steps: Steps, window: range, *, with_read: bool) -> "Rolled | None":
        """The part of a report that is read from days that are rolled up, if any; raises a 422 or 503 Problem."""
        ...

    async def load(self, rolled: "Rolled", wanted: Iterable[Series], charge: Charge) -> None:
        """Adds the rolled-up days of some series."""
        ...


class RedisDays:
    """The days that Redis keeps."""

    def __init__(self, store: Store, shards: int, *, step_seconds: int, retention_days: int) -> None:
        self._store = store
        self._shards = shards
        self._retention_seconds = retention_days * DAY_SECONDS
        self._index = FeedIndex(store, shards)
        self.step_seconds = step_seconds

    @property
    def index(self) -> DayIndex:
        """The days that have records, as of the last `refresh`."""
        return self._index

    def days(self, now_seconds: int) -> range:
        """The days within the retention, and those of clocks that are ahead."""
        return range((now_seconds - self._retention_seconds) // DAY_SECONDS, (now_seconds + AHEAD_SECONDS) // DAY_SECONDS + 1)

    async def refresh(self, now_seconds: int) -> range:
        """Brings the index of the days within the retention up to date."""
        days = self.days(now_seconds)
        await self._index.refresh(days, days)
        return days

    async def refresh_among(self, days: range, kept: range) -> FeedIndex:
        """The index, brought up to date with the days that Redis keeps, for a source that knows of more days."""
        await self._index.refresh(days, kept)
        return self._index

    def first_readings(self) -> int:
        """0: Redis deletes nothing of a day but the whole of it."""
        return 0

    def rolled(self, _steps: Steps, _window: range, *, with_read: bool) -> "Rolled | None":
        """None: Redis has no days that are rolled up."""
        del with_read
        return None

    async def load(self, _rolled: "Rolled", _wanted: Iterable[Series], _charge: Charge) -> None:
        """There is nothing to add."""

    async def fetch(self, wanted: Collection[SeriesDay]) -> Fetched:
        """Reads some days in one round trip per shard. Keys of one shard have one owner."""
        by_shard: dict[int, list[SeriesDay]] = {}
        for one in wanted:
            by_shard.setdefault(keys.shard_of(one[0].room_id, self._shards), []).append(one)
        fetched = Fetched()
        for shard, some in by_shard.items():
            names = [day_keys(shard, series, keys.day_of(day * DAY_SECONDS), self.step_seconds) for series, day in some]
            values: list[bytes | None] = await self._store.owner(names[0][0]).mget([*itertools.chain.from_iterable(names)])  # type: ignore[assignment]
            rest = iter(values)
            fetched.redis |= {one: [*itertools.islice(rest, len(own))] for one, own in zip(some, names, strict=True)}
        return fetched

    async def read(self, series: Series, day: int, charge: Charge, fetched: Fetched, _damaged: Damaged) -> DayBalances | None:
        """What a day of a series holds, None if nothing; charges what reading it costs. Raises RedisError."""
        stored = await self.read_stored(series, day, charge, fetched)
        return None if stored is None else day_balances(stored, self.step_seconds)

    async def read_stored(self, series: Series, day: int, charge: Charge, fetched: Fetched) -> StoredDay | None:
        """The same as it is stored."""
        wanted = series, day
        values = (fetched if wanted in fetched.redis else await self.fetch([wanted])).redis.pop(wanted)
        charge(DAY)
        if not any(values):
            return None
        charge(SLOT * sum(map(len, filter(None, values))) / LAYOUT.record_bytes)
        return stored_day(values, self.step_seconds)
