"""The steps of a report: equal ones counted from the start of its span, or days, weeks and months of a calendar. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

UNITS: Final = ("day", "week", "month")  # a week begins on a Monday


class Steps(NamedTuple):
    """From `start` up to, not including, `end` in Unix seconds, cut into steps; the first and the last one may be shorter.

    Equal steps last `step` seconds and begin at `start`. Steps of a calendar begin at `starts`, the first of which is `start`; `unit` is
    their kind, `zone` is the name of the time zone, and `step` is not used.
    """

    start: int
    end: int
    step: int
    starts: tuple[int, ...] = ()
    unit: str = ""
    zone: str = ""

    @property
    def number(self) -> int:
        """How many steps there are."""
        return len(self.starts) or -(-(self.end - self.start) // self.step)

    def begin(self, index: int) -> int:
        """When a step begins; the one after the last begins at the end of the span."""
        if index >= self.number:
            return self.end
        return self.starts[index] if self.starts else self.start + index * self.step

    def step_at(self, second: int) -> int:
        """The step that holds a moment of the span."""
        return bisect_right(self.starts, second) - 1 if self.starts else (second - self.start) // self.step

    def grid(self, step_seconds: int) -> "Grid":
        """The same in recorded steps; all begin and end on one."""
        starts = tuple((start - self.start) // step_seconds for start in self.starts)
        return Grid((self.end - self.start) // step_seconds, max(1, self.step // step_seconds), starts)


class Grid(NamedTuple):
    """Where the steps of a report begin, in recorded steps from the start of its span, which ends before `end`.

    They begin at `starts`, or if there are none every `group`.
    """

    end: int
    group: int
    starts: tuple[int, ...] = ()

    @property
    def smallest(self) -> int:
        """About the number of recorded steps in a step."""
        return -(-self.end // len(self.starts)) if self.starts else self.group

    def begin(self, index: int) -> int:
        """Where a step begins; the one after the last begins at the end of the span."""
        if self.starts:
            return self.starts[index] if index < len(self.starts) else self.end
        return min(index * self.group, self.end)

    def step_at(self, slot: int) -> int:
        """The step of a recorded step."""
        return bisect_right(self.starts, slot) - 1 if self.starts else slot // self.group

    def between(self, start: int, stop: int) -> Sequence[int]:
        """Where steps begin after `start` and before `stop`, and where the span ends if it ends there."""
        if self.starts:
            cuts: Sequence[int] = self.starts[bisect_right(self.starts, start) : bisect_left(self.starts, stop)]
        else:
            cuts = range(start // self.group * self.group + self.group, stop, self.group)
        return sorted({*cuts, self.end}) if start < self.end < stop else cuts


def cut(start: int, end: int, begins: Sequence[int]) -> tuple[int, ...]:
    """The starts of the steps of a span: its own, and those of the calendar within it."""
    return (start, *sorted({begin for begin in begins if start < begin < end}))
