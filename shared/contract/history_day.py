"""A series' day as it is stored: which keys hold it, and which balances it gives."""

import operator
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from shared.contract import keys
from shared.contract.feeds import Series
from shared.contract.history_record import (
    CHUNK_SLOTS,
    DAY_SECONDS,
    ENTRY,
    FIRST_MOMENT_AT,
    LAST_AT,
    LAST_MOMENT_AT,
    LAYOUTS,
    MAX_MOMENT,
    OLD_RECORD_BYTES,
    TRAIL_BYTES,
    Layout,
    chunks_of_day,
    full_records,
    numbers_of,
    unit_ms,
)

_LOWEST_BYTE: Final = 0 if sys.byteorder == "little" else 3


class Kept(NamedTuple):
    """A balance that is kept: when it was read, in milliseconds since midnight, and its value.

    `climbed` is set at the end of a run: for so many milliseconds, since its beginning, every reading rose by at most `MAX_RISE`.
    """

    at_ms: int
    tokens: int
    climbed: int = 0


Run = tuple[int, int, int, int]  # first balance + 1 and its moment, last balance + 1 and its moment


class Part(NamedTuple):
    """What a day has in one layout: its chunks in order, and the trail."""

    layout: Layout
    chunks: Sequence[bytes | None]
    trail: bytes | None = None

    def filled(self, slots: int) -> range:
        """From the first to the last step of the chunks that are stored."""
        stored = [number for number, chunk in enumerate(self.chunks) if chunk]
        return range(stored[0] * CHUNK_SLOTS, min(slots, (stored[-1] + 1) * CHUNK_SLOTS)) if stored else range(0)

    def records(self, slots: range) -> bytes:
        """The records of some steps, one after another; `slots` begin with a chunk."""
        size, length = self.layout.chunk_bytes, len(slots) * self.layout.record_bytes
        some = self.chunks[slots.start // CHUNK_SLOTS : -(-slots.stop // CHUNK_SLOTS)]
        data = b"".join([(chunk or b"")[:size].ljust(size, b"\0") for chunk in some])
        return data[:length].ljust(length, b"\0")

    def trail_entries(self) -> Iterator[tuple[int, ...]]:
        """The runs of the trail: the number of the step, then the numbers of the run."""
        return ENTRY.iter_unpack(full_records(self.trail or b"", TRAIL_BYTES))


class StoredDay(NamedTuple):
    """All stored data of a day of a series: a part for each layout, the newest first, and the array of layout 1."""

    parts: Sequence[Part]
    old: bytes | None = None


def day_keys(shard: int, series: Series, day: str, step_seconds: int) -> list[str]:
    """The keys of everything that is stored of a day of a series; `stored_day` takes their values."""
    names: list[str] = []
    for layout in LAYOUTS:
        prefix = keys.history_day_prefix(shard, layout.number, series, day, step_seconds)
        names += [f"{prefix}{chunk}" for chunk in range(chunks_of_day(step_seconds))]
        names.append(keys.history_trail(prefix))
    if not series.account:  # layout 1 knows no accounts
        names.append(keys.history_array(shard, series.feed, day, step_seconds))
    return names


def stored_day(values: Sequence[bytes | None], step_seconds: int) -> StoredDay:
    """What the values of `day_keys` are."""
    chunks = chunks_of_day(step_seconds)
    starts = range(0, len(LAYOUTS) * (chunks + 1), chunks + 1)
    parts = [Part(layout, values[at : at + chunks], values[at + chunks]) for layout, at in zip(LAYOUTS, starts, strict=True)]
    return StoredDay(parts, values[starts.stop] if len(values) > starts.stop else None)


class DayBalances(NamedTuple):
    """One series' balances of a day: the last run of each recorded step, and the runs before it.

    The arrays have an element for each step. Balances are stored + 1, 0 for unknown; moments are in the upper half of their numbers.
    """

    firsts: "array[int]"
    first_moments: "array[int]"
    lasts: "array[int]"
    last_moments: "array[int]"
    runs: dict[int, list[Run]]
    filled: range  # steps: outside of it there is no balance


def day_balances(day: StoredDay, step_seconds: int) -> DayBalances:
    """The balances of a day."""
    slots = DAY_SECONDS // step_seconds
    runs: dict[int, list[Run]] = {}
    for part in day.parts:
        for slot, first, first_moment, _, last, last_moment, _ in part.trail_entries():
            runs.setdefault(slot, []).append((first, first_moment, last, last_moment))
    held = [part for part in day.parts if any(part.chunks)]
    columns = _columns(held[0], slots) if held else [array("I", bytes(4 * slots)) for _ in range(4)]
    for part in held[1:]:
        _fill(columns, _columns(part, slots), runs)
    if day.old:
        numbers = numbers_of(day.old[: slots * OLD_RECORD_BYTES].ljust(slots * OLD_RECORD_BYTES, b"\0"))
        moments = array("I", [min(moment // unit_ms(step_seconds), MAX_MOMENT) << 16 for moment in numbers[4::5]])
        old = [numbers[0::5], moments, numbers[0::5], moments]
        if held:  # the day of the change: the last reading of a step is all that layout 1 has of it
            _fill(columns, old, {})
        else:
            columns = old
    ranges = [part.filled(slots) for part in held] + [range(slot, slot + 1) for slot in runs] + [range(slots)] * bool(day.old)
    filled = range(min(one.start for one in ranges), max(one.stop for one in ranges)) if ranges else range(0)
    firsts, first_moments, lasts, last_moments = columns
    return DayBalances(firsts, first_moments, lasts, last_moments, runs, filled)


def known_lanes(stored: "array[int]") -> bytes:
    """A byte for each stored number, from the first to the last: 0 where it is 0, which is unknown."""
    number = int.from_bytes(stored.tobytes(), sys.byteorder)
    number |= number >> 16
    number |= number >> 8  # now the lowest byte of each number is 0 only where the whole number is
    width = stored.itemsize
    return number.to_bytes(width * len(stored), sys.byteorder)[_LOWEST_BYTE::width]


def number_of_known(stored: "array[int]") -> int:
    """How many stored numbers are known. `array.count` makes an object of each, which takes ten times as long."""
    return len(stored) - known_lanes(stored).count(0)


def _columns(part: Part, slots: int) -> list["array[int]"]:
    """First balances, their moments, last balances and their moments."""
    filled = part.filled(slots)
    numbers, size = numbers_of(part.records(filled)), part.layout.record_bytes // 4
    before, after = array("I", bytes(4 * filled.start)), array("I", bytes(4 * (slots - filled.stop)))
    return [before + numbers[word::size] + after for word in (0, FIRST_MOMENT_AT // 4, LAST_AT // 4, LAST_MOMENT_AT // 4)]


def _fill(columns: list["array[int]"], older: list["array[int]"], runs: dict[int, list[Run]]) -> None:
    """Takes the steps that the columns have no balance of from older ones; where both have one, the older one becomes a run."""
    for slot, last in enumerate(older[2]):
        if last and not columns[2][slot]:
            for column, values in zip(columns, older, strict=True):
                column[slot] = values[slot]
        elif last:
            first, first_moment, _, last_moment = (values[slot] for values in older)
            runs.setdefault(slot, []).append((first, first_moment >> 16, last, last_moment >> 16))


def kept_balances(day: DayBalances, slots: Iterable[int], step_seconds: int) -> list[Kept]:
    """Every balance that is kept of some steps, in order of observation: both ends of every run."""
    found: list[Kept] = []
    unit, step_ms = unit_ms(step_seconds), 1000 * step_seconds
    firsts, first_moments, lasts, last_moments, runs, _ = day
    for slot in slots:
        start = slot * step_ms
        for run in runs.get(slot, ()):
            _add_ends(found, start, run, unit)
        _add_ends(found, start, (firsts[slot], first_moments[slot] >> 16, lasts[slot], last_moments[slot] >> 16), unit)
    found.sort(key=operator.itemgetter(0))  # stable: runs are in order of arrival
    return found


def _add_ends(found: list[Kept], start: int, run: Run, unit: int) -> None:
    """Adds the balances at the ends of a run of a step that begins at `start`."""
    first, first_moment, last, last_moment = run
    if first:
        found.append(Kept(start + first_moment * unit, first - 1))
    if last and (last, last_moment) != (first, first_moment):
        found.append(Kept(start + last_moment * unit, last - 1, max(1, (last_moment - first_moment) * unit)))
