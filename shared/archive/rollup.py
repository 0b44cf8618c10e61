"""The income of a series' day in quarters of an hour: how it is calculated, stored and read. Pure.

Every UTC offset is a whole number of quarters, so calendar days and months of any time zone consist of whole quarters of UTC days.
A day is stored for ever as sums, the income before the end of each quarter, the other findings by quarter, and a bit for each minute with
a reading.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from shared.contract.history_record import DAY_SECONDS
from shared.income.account_scan import AccountScan, Cuts, Stored
from shared.income.rules import Entry, Kind
from shared.income.steps import Grid

QUARTER_SECONDS: Final = 900
QUARTERS: Final = DAY_SECONDS // QUARTER_SECONDS
MINUTES: Final = DAY_SECONDS // 60
MINUTE_BYTES: Final = MINUTES // 8
ODD: Final = struct.Struct(">BQQIII")  # the fields of `OddQuarter`, the moments + 1
_ON_AIR: Final = f">{QUARTERS}H"
_WIDTHS: Final = {2: "H", 4: "I", 8: "Q"}


class Rollup(NamedTuple):
    """A day of a series. `gained`, `odd`, `minutes` and `on_air` are bytes as the database stores them.

    `earned` includes `between_sessions`. `on_air` has the seconds of each quarter where the step of the history is no whole minute;
    else it is empty, since the minutes say the same. `is_settled` is set where no reading of the account waited for confirmation at the
    end of the day, so later readings of other days do not change it.
    """

    earned: int
    between_sessions: int
    unsettled: int
    set_aside: int
    on_air_seconds: int
    gained: bytes
    odd: bytes
    minutes: bytes
    on_air: bytes
    is_settled: bool


class OddQuarter(NamedTuple):
    """The findings of a quarter other than income; the moments are milliseconds since midnight."""

    quarter: int
    between_sessions: int
    unsettled: int
    set_aside: int
    first_unsettled_ms: int | None
    first_set_aside_ms: int | None


class _Findings:
    """The findings of an account in one room on one day."""

    def __init__(self) -> None:
        self.earned = Counter[int]()
        self.between_sessions = Counter[int]()
        self.unsettled = Counter[int]()
        self.set_aside = Counter[int]()
        self.first_ms: dict[tuple[Kind, int], int] = {}  # since midnight, by kind and quarter
        self.lasts: Sequence[int] = ()
        self.is_settled = True

    def add(self, entry: Entry) -> None:
        """Adds an entry of the day."""
        at_ms = entry.at_ms % (1000 * DAY_SECONDS)
        quarter = at_ms // (1000 * QUARTER_SECONDS)
        self.first_ms[entry.kind, quarter] = min(at_ms, self.first_ms.get((entry.kind, quarter), at_ms))
        if entry.kind is Kind.UNSETTLED:
            self.unsettled[quarter] += entry.tokens
        elif entry.kind is Kind.SET_ASIDE:
            self.set_aside[quarter] += 1
        elif entry.kind is not Kind.FALL:
            self.earned[quarter] += entry.tokens
            if entry.kind is Kind.BETWEEN_SESSIONS:
                self.between_sessions[quarter] += entry.tokens

    def rollup(self, step_seconds: int) -> Rollup:
        """The day as it is stored."""
        on_air = [0] * QUARTERS
        minutes = 0
        for slot, last in enumerate(self.lasts):
            if last:
                on_air[slot * step_seconds // QUARTER_SECONDS] += step_seconds
                minutes |= 1 << slot * step_seconds // 60
        odd = sorted({*self.between_sessions, *self.unsettled, *self.set_aside})
        return Rollup(
            earned=self.earned.total(),
            between_sessions=self.between_sessions.total(),
            unsettled=self.unsettled.total(),
            set_aside=self.set_aside.total(),
            on_air_seconds=sum(on_air),
            gained=_running(self.earned),
            odd=b"".join(map(self._odd, odd)),
            minutes=minutes.to_bytes(MINUTE_BYTES, "little"),
            on_air=b"" if step_seconds == 60 else struct.pack(_ON_AIR, *on_air),
            is_settled=self.is_settled,
        )

    def _odd(self, quarter: int) -> bytes:
        firsts = (self.first_ms.get((kind, quarter), -1) + 1 for kind in (Kind.UNSETTLED, Kind.SET_ASIDE))
        return ODD.pack(quarter, self.between_sessions[quarter], self.unsettled[quarter], self.set_aside[quarter], *firsts)


class HistoryDay(NamedTuple):
    """A day on which an account was read, as a number since the epoch, and what each of its rooms has of it."""

    day: int
    held: Sequence[Stored]


def rollups(days: Iterable[HistoryDay], wanted: Iterable[int], step_seconds: int, now_ms: int) -> dict[tuple[int, str], Rollup]:
    """The income of the wanted days of an account, by day and room.

    `days` are the account's days with history, the earliest first, from the one before the wanted ones on. Of those after the wanted ones
    as many are read as it takes until no reading is pending.
    """
    wanted = {*wanted}
    scan = AccountScan(step_seconds)
    found: dict[tuple[int, str], _Findings] = {}
    slots = range(DAY_SECONDS // step_seconds)
    cuts = Cuts(0, Grid(len(slots), QUARTER_SECONDS // step_seconds))

    def findings(day: int, room: str) -> _Findings:
        """The findings of a room on a day, empty at first."""
        return found.setdefault((day, room), _Findings())

    def add(entries: Iterable[Entry]) -> None:
        """Adds each entry to the findings of its day and room."""
        for entry in entries:
            findings(entry.at_ms // (1000 * DAY_SECONDS), entry.room).add(entry)

    for day, held in days:
        if day > max(wanted) and scan.is_settled:
            break
        taken = scan.take(day * DAY_SECONDS * 1000, held, slots, cuts)
        add(taken.entries)
        for room, slot, tokens in taken.gains:
            findings(day, room).earned[slot * step_seconds // QUARTER_SECONDS] += tokens
        for one in held:
            of_room = findings(day, one.room)
            of_room.lasts, of_room.is_settled = one.day.lasts, scan.is_settled
    add(scan.finish(now_ms))
    return {key: of_room.rollup(step_seconds) for key, of_room in found.items() if key[0] in wanted}


def _running(earned: Counter[int]) -> bytes:
    """The tokens earned before the end of each quarter, big-endian, as wide as the sum needs; empty for none."""
    total = earned.total()
    if not total:
        return b""
    width = next(width for width in _WIDTHS if total < 1 << 8 * width)
    sums, so_far = [], 0
    for quarter in range(QUARTERS):
        so_far += earned[quarter]
        sums.append(so_far)
    return struct.pack(f">{QUARTERS}{_WIDTHS[width]}", *sums)


def earned_before(gained: bytes, quarter: int) -> int:
    """The tokens of a day that were earned before a quarter of it begins."""
    if not quarter or not gained:
        return 0
    width = len(gained) // QUARTERS
    return int.from_bytes(gained[(quarter - 1) * width : quarter * width], "big")


def odd_quarters(odd: bytes) -> Iterator[OddQuarter]:
    """The findings of a day other than income, by quarter."""
    for quarter, between_sessions, unsettled, set_aside, *firsts in ODD.iter_unpack(odd):
        yield OddQuarter(quarter, between_sessions, unsettled, set_aside, *(first - 1 if first else None for first in firsts))


def minutes_of(minutes: bytes) -> int:
    """The minutes of a day with a reading, as bits of a number."""
    return int.from_bytes(minutes, "little")


def on_air_within(minutes: bytes, on_air: bytes, quarters: range) -> int:
    """The seconds in some quarters of a day in which there is a reading."""
    if on_air:
        return sum(struct.unpack(_ON_AIR, on_air)[quarters.start : quarters.stop])
    first, last = (quarter * QUARTER_SECONDS // 60 for quarter in (quarters.start, quarters.stop))
    return 60 * (minutes_of(minutes) >> first & (1 << last - first) - 1).bit_count()
