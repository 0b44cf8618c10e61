"""The studio's configuration as frozen structs. `parse.py` makes them from `studio.toml`; without a file all defaults apply."""

import zoneinfo
from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import Struct, field

from shared.auth.scope import Scope
from shared.studio.calendar import zone_named

WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY: Final = frozenset(range(len(WEEK)))
EVERY_ROOM: Final = Scope.of(["*"])


class AccountId(NamedTuple):
    """An account on a platform."""

    platform: str
    account: str


class Currency(Struct, frozen=True):
    """What the studio receives for a token: `per_token` units of the currency with an ISO 4217 code."""

    code: str
    per_token: float


class Shift(Struct, frozen=True, kw_only=True):
    """A shift of some rooms on some days of the week.

    `start` and `end` are minutes of the clock after midnight of the day on which the shift begins; `end` is up to a day after `start`, so
    it is beyond 1440 for a shift over midnight. `days` are weekdays, 0 for Monday.
    """

    name: str
    start: int
    end: int
    days: frozenset[int] = EVERY_DAY
    rooms: Scope = EVERY_ROOM

    def covers(self, room_id: str) -> bool:
        """Whether a room works this shift."""
        return self.rooms.allows(room_id, "")


class Targets(Struct, frozen=True, kw_only=True):
    """Tokens to earn in a shift. The most specific one applies: account, room, shift, default."""

    default: int | None = None
    shifts: Mapping[str, int] = field(default_factory=dict)
    rooms: Mapping[str, int] = field(default_factory=dict)
    accounts: Mapping[AccountId, int] = field(default_factory=dict)

    def of(self, shift: str, room_id: str, account: AccountId | None = None) -> int | None:
        """The target of a room in a shift, for the account that works there; None where there is none."""
        if account is not None and account in self.accounts:
            return self.accounts[account]
        return self.rooms.get(room_id, self.shifts.get(shift, self.default))


class Studio(Struct, frozen=True, kw_only=True):
    """All facts about the studio."""

    timezone: str = "UTC"
    locale: str | None = None  # a BCP 47 tag, whose forms numbers and times have
    currency: Currency | None = None
    shifts: tuple[Shift, ...] = ()
    rooms: Mapping[str, str] = field(default_factory=dict)  # display names
    accounts: Mapping[AccountId, str] = field(default_factory=dict)  # display names
    targets: Targets = Targets()

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone that decides what today, this shift and this week are."""
        return zone_named(self.timezone)
