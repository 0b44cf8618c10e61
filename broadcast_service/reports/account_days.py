"""The days of an account: in which rooms it has them, and which of them matter. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from broadcast_service.http.budget import EARLIER, READING
from shared.contract.history_record import DAY_SECONDS
from shared.income.account_scan import AccountScan, Cuts, Stored
from shared.income.steps import Grid

Charge = Callable[[float], None]


class AccountDays(NamedTuple):
    """An account of a platform, and the days of each room in which it works, as bits from a first day on."""

    platform: str
    name: str
    rooms: dict[str, int]
    first_day: int

    def rooms_of(self, day: int) -> list[str]:
        """The rooms in which the account has history of a day."""
        return [room for room, days in self.rooms.items() if day >= self.first_day and days >> (day - self.first_day) & 1]

    def has(self, day: int) -> bool:
        """Whether there is history of a day."""
        return bool(self.rooms_of(day))

    def within(self, days: range) -> list[int]:
        """The days with history among some days."""
        return [day for day in days if self.has(day)]

    def before(self, day: int) -> int | None:
        """The last day with history before another one."""
        earlier = self._all() & (1 << max(0, day - self.first_day)) - 1
        return self.first_day + earlier.bit_length() - 1 if earlier else None

    def after(self, day: int) -> int | None:
        """The first day with history after another one."""
        place = max(0, day + 1 - self.first_day)
        later = self._all() >> place
        return self.first_day + place + (later & -later).bit_length() - 1 if later else None

    def stretches(self, days: Sequence[int]) -> Iterator[list[int]]:
        """Some days with history, in groups between which there are other days with history."""
        group: list[int] = []
        for day in days:
            if group and self.after(group[-1]) != day:
                yield group
                group = []
            group.append(day)
        if group:
            yield group

    def _all(self) -> int:
        found = 0
        for days in self.rooms.values():
            found |= days
        return found


def is_sure_before(held: Sequence[Stored], day: int, slot: int, step_seconds: int, charge: Charge) -> bool:
    """Whether what follows a slot of a day can be judged without the days before it; charges what finding it out cost."""
    scan = AccountScan(step_seconds)
    scan.take(day * DAY_SECONDS * 1000, held, range(slot), Cuts(0, Grid(0, DAY_SECONDS)))
    charge(EARLIER * (slot > 0) + READING * scan.judged)
    return scan.is_sure
