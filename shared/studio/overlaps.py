"""Whether two shifts overlap. Pure."""

import itertools
from typing import Final

from shared.studio.calendar import DAY_MINUTES
from shared.studio.config import WEEK, Shift

_WEEK_MINUTES: Final = 7 * DAY_MINUTES


def may_share_room(one: Shift, other: Shift) -> bool:
    """Whether some room could work both: patterns share an id only where one of them covers another."""
    pairs = itertools.product(one.rooms.patterns(), other.rooms.patterns())
    return any(_covers(a, b) or _covers(b, a) for a, b in pairs)


def _covers(wide: str, narrow: str) -> bool:
    return narrow.startswith(wide[:-1]) if wide.endswith("*") else wide == narrow


def shared_time(one: Shift, other: Shift) -> str:
    """The first time of the week that both shifts have, in words; empty where there is none."""
    for first, second in itertools.product(sorted(one.days), sorted(other.days)):
        for week in (-_WEEK_MINUTES, 0, _WEEK_MINUTES):
            begin = max(first * DAY_MINUTES + one.start, second * DAY_MINUTES + other.start + week)
            if begin < min(first * DAY_MINUTES + one.end, second * DAY_MINUTES + other.end + week):
                day, minute = divmod(begin % _WEEK_MINUTES, DAY_MINUTES)
                return f"{WEEK[day]} from {minute // 60:02}:{minute % 60:02}"
    return ""
