"""Which minutes of a report were measured. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from shared.income.steps import Grid


class Coverage:
    """Which minutes of a span were measured: a minute counts where at least one feed has a reading in it.

    Minutes are counted from the start of each step, so that a step that is no whole number of minutes counts its last, shorter one too.
    The span is looked at in parts, ranges of its recorded steps that follow each other; outside of them nothing is measured.
    """

    def __init__(self, parts: Sequence[range], grid: Grid, slots_per_minute: int, known: Collection[int] = ()) -> None:
        """`known` are the first slots of parts that are not looked at: their empty minutes are given to `minutes`."""
        self._kept = range(parts[0].start, parts[-1].stop) if parts else range(0)
        self._grid = grid
        self._slots_per_minute = slots_per_minute
        self._empty = {part.start: [*part] for part in parts if part.start not in known}
        self._empty_of_minute = Counter[tuple[int, int]]()

    def add(self, stored: Sequence[int], part: int, first: int) -> None:
        """Some of one feed's stored balances of the part that begins at slot `part`; `first` is the slot of the first of them.

        Slots that earlier feeds have filled are not read again.
        """
        empty = self._empty[part]
        some = slice(bisect_left(empty, first), bisect_left(empty, first + len(stored)))
        empty[some] = [slot for slot in empty[some] if not stored[slot - first]]

    def count(self) -> Iterator[None]:
        """Counts when all feeds are added, a part at a time."""
        for slots in self._empty.values():
            self._empty_of_minute.update(map(self._minute_of, slots))
            yield

    def minutes(self, steps: int, empty: Mapping[int, int] | None = None) -> list[int]:
        """The measured minutes in each of so many steps, after `count`; `empty` has those of `known` parts that are not, by step."""
        measured, begin_of, kept = [0] * steps, self._grid.begin, self._kept
        for step in range(self._grid.step_at(kept.start), self._grid.step_at(kept.stop - 1) + 1) if kept else ():
            first = self._minute_of(max(kept.start, begin_of(step)))
            last = self._minute_of(min(kept.stop, begin_of(step + 1)) - 1)
            measured[step] = last[1] - first[1] + 1
        for step, minutes in (empty or {}).items():
            measured[step] -= minutes
        for (step, minute), slots in self._empty_of_minute.items():
            begin = begin_of(step) + minute * self._slots_per_minute
            end = min(begin + self._slots_per_minute, begin_of(step + 1), kept.stop)
            measured[step] -= slots == end - max(begin, kept.start)
        return measured

    def _minute_of(self, slot: int) -> tuple[int, int]:
        """The step of a slot, and the minute within that step."""
        if self._grid.starts:
            step = self._grid.step_at(slot)
            return step, (slot - self._grid.starts[step]) // self._slots_per_minute
        step, within = divmod(slot, self._grid.group)
        return step, within // self._slots_per_minute
