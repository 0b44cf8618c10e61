"""The days of an account: in which rooms it has them, and which of them matter. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from broadcast_service.http.budget import READING
from shared.contract.history_record import DAY_SECONDS
from shared.income.account_scan import AccountScan, Cuts, Stored
from shared.income.steps import Grid

Charge = Callable[[float], None]


class AccountDays(NamedTuple):
    """An account of a platform, and the days of each room in which it works."""

    platform: str
    name: str
    rooms: dict[str, list[int]]

    def before(self, day: int) -> int | None:
        """The last day with history before another one."""
        return max((one for days in self.rooms.values() for one in days if one < day), default=None)

    def after(self, day: int) -> int | None:
        """The first day with history after another one."""
        return min((one for days in self.rooms.values() for one in days if one > day), default=None)


def is_sure_before(held: Sequence[Stored], day: int, slot: int, step_seconds: int, charge: Charge) -> bool:
    """Whether what follows a slot of a day can be judged without the days before it; charges what finding it out cost."""
    scan = AccountScan(step_seconds)
    scan.take(day * DAY_SECONDS * 1000, held, range(slot), Cuts(0, Grid(0, DAY_SECONDS)))
    charge(READING * scan.judged)
    return scan.is_sure
