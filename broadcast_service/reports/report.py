"""What a report of income is about, and the messages that it is made of."""

import enum
from typing import NamedTuple

from msgspec import UNSET, Struct, UnsetType


class Steps(NamedTuple):
    """From `start` up to, not including, `end`, cut every `step` seconds from `start` on; the last one may be shorter."""

    start: int
    end: int
    step: int

    @property
    def number(self) -> int:
        """How many steps there are."""
        return -(-(self.end - self.start) // self.step)


class FeedEarnings(Struct, frozen=True, omit_defaults=True):
    """What one feed earned; `steps` only where it was asked for."""

    room_id: str
    platform: str
    earned: int
    steps: list[int] | None = None


class RoomEarnings(Struct, frozen=True):
    """What a room earned on all platforms in scope."""

    room_id: str
    earned: int


class PlatformEarnings(Struct, frozen=True):
    """What all rooms in scope earned on a platform."""

    platform: str
    earned: int


class AccountEarnings(Struct, frozen=True, omit_defaults=True):
    """What one account earned in the rooms in scope. `account` is null for what producers sent without one, all of a platform together.

    `earned` includes `between_sessions`, made while no page read the account, and not `unsettled`, an upper bound of what may have
    been made besides. `set_aside` counts the occasions on which a number was contradicted. `steps` only with `by=account`.
    """

    platform: str
    account: str | None
    earned: int
    unsettled: int
    on_air_seconds: int
    between_sessions: int
    set_aside: int
    steps: list[int] | UnsetType = UNSET


class Report(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Earnings of a span: in all, per step, and by who earned them, highest first. Feeds without a reading are left out.

    `total` is certain income. `measured_minutes` is the number of minutes in each step in which at least one feed has a reading: where it
    is 0, nothing is known. The last four figures are the sums of those of the accounts.
    """

    start: int
    end: int
    step: int
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


class Detail(enum.Enum):
    """What a report holds beside totals: nothing, the steps of each feed or of each account for JSON, or those of each series for CSV."""

    NONE = 0
    JSON = 1
    CSV = 2
    ACCOUNTS = 3
