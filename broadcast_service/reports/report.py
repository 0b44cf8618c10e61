"""What a report of income is about, and the messages that it is made of."""

import enum
from typing import Final

from msgspec import UNSET, Struct, UnsetType

MAX_ACCOUNT_ROOMS: Final = 8


class Moment(Struct, frozen=True, omit_defaults=True):
    """Where to look for the reason of a figure: the account, the room, and the time `at` of the reading in Unix seconds."""

    room_id: str
    platform: str
    at: int
    account: str | None = None


class Figures(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The figures of a room, a platform or a feed other than income. A figure that is absent is 0.

    `unsettled` is an upper bound of what may have been made besides, and `set_aside` counts the occasions on which a number was
    contradicted; `first_unsettled` and `first_set_aside` say where the first of each is. `between_sessions` is part of `earned`.
    `on_air_seconds` counts a recorded step once, however many accounts or platforms had a reading in it; that of a platform is the sum of
    its feeds. `steps` only where it was asked for.
    """

    on_air_seconds: int = 0
    between_sessions: int = 0
    unsettled: int = 0
    set_aside: int = 0
    first_unsettled: Moment | None = None
    first_set_aside: Moment | None = None
    steps: list[int] | None = None


class FeedEarnings(Figures, frozen=True, omit_defaults=True):
    """What one feed earned; `steps` with `by=feed`."""

    room_id: str
    platform: str
    earned: int


class RoomEarnings(Figures, frozen=True, omit_defaults=True):
    """What a room earned on all platforms in scope; `steps` with `by=room`."""

    room_id: str
    earned: int


class PlatformEarnings(Figures, frozen=True, omit_defaults=True):
    """What all rooms in scope earned on a platform; `steps` with `by=platform`."""

    platform: str
    earned: int


class AccountRoom(Struct, frozen=True):
    """What an account earned in one room."""

    room_id: str
    earned: int


class AccountEarnings(Struct, frozen=True, omit_defaults=True):
    """What one account earned in the rooms in scope. `account` is null for what producers sent without one, all of a platform together.

    `earned` includes `between_sessions`, made while no page read the account, and not `unsettled`, an upper bound of what may have
    been made besides. `set_aside` counts the occasions on which a number was contradicted. `steps` only with `by=account`. `rooms` has the
    rooms in which the account earned most, at most MAX_ACCOUNT_ROOMS of them, and `other_rooms` says in how many others it was read.
    """

    platform: str
    account: str | None
    earned: int
    unsettled: int
    on_air_seconds: int
    between_sessions: int
    set_aside: int
    rooms: list[AccountRoom]
    other_rooms: int = 0
    steps: list[int] | UnsetType = UNSET
    first_unsettled: Moment | None = None
    first_set_aside: Moment | None = None


class DamagedDay(Struct, frozen=True):
    """A UTC day, YYYY-MM-DD, of an account in a room that the archive has and cannot read. `account` is null for the unnamed one."""

    day: str
    room_id: str
    platform: str
    account: str | None


class Report(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Earnings of a span: in all, per step, and by who earned them, highest first. Feeds without a reading are left out.

    `total` is certain income. `measured_minutes` is the number of minutes in each step in which at least one feed has a reading: where it
    is 0, nothing is known. The four figures after `accounts` are the sums of those of the accounts. `damaged`, absent for none, lists
    archived days that cannot be read: their income is unknown, and not in the figures. `step` is in seconds, or the word of a
    calendar step; then `starts` says when each step begins, in Unix seconds, and `timezone` in which zone.
    """

    start: int
    end: int
    step: int | str
    total: int
    earned: list[int]
    measured_minutes: list[int]
    rooms: list[RoomEarnings]
    platforms: list[PlatformEarnings]
    feeds: list[FeedEarnings]
    accounts: list[AccountEarnings]
    between_sessions: int
    unsettled: int
    set_aside: int
    on_air_seconds: int
    damaged: list[DamagedDay] | UnsetType = UNSET
    starts: list[int] | UnsetType = UNSET
    timezone: str | UnsetType = UNSET


class Detail(enum.Enum):
    """What a report holds beside totals: nothing, the steps of each feed, account, room or platform for JSON, or those of each series."""

    NONE = 0
    FEEDS = 1
    CSV = 2
    ACCOUNTS = 3
    ROOMS = 4
    PLATFORMS = 5
    CSV_LOCAL = 6
    XLSX = 7

    @property
    def is_file(self) -> bool:
        """Whether the report is written as a file of lines."""
        return self in (Detail.CSV, Detail.CSV_LOCAL, Detail.XLSX)
