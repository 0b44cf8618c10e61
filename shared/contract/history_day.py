"""A series' day as it is stored: which keys hold it, and which balances it gives."""

import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from shared.contract import keys
from shared.contract.feeds import Series
from shared.contract.history_record import (
    CHUNK_SLOTS,
    DAY_SECONDS,
    ENTRY,
    LAST_AT,
    LAYOUTS,
    MAX_RISE,
    OLD_RECORD_BYTES,
    RUN_BYTES,
    TRAIL_BYTES,
    Layout,
    chunks_of_day,
    full_records,
    numbers_of,
    unit_ms,
)

RETURN_MS: Final = 30_000  # within which a balance returns to where it was before a reading that was none


class Balance(NamedTuple):
    """A balance that is kept: when it was read, in milliseconds since midnight, and its value."""

    moment_ms: int
    tokens: int


class Part(NamedTuple):
    """What a day has in one layout: its chunks in order, and the trail."""

    layout: Layout
    chunks: Sequence[bytes | None]
    trail: bytes | None = None

    def records(self, slots: int) -> bytes:
        """The records of the whole day, one after another."""
        size = self.layout.chunk_bytes
        data = b"".join([(chunk or b"")[:size].ljust(size, b"\0") for chunk in self.chunks])
        return data[: slots * self.layout.record_bytes].ljust(slots * self.layout.record_bytes, b"\0")

    def trail_entries(self) -> Iterator[tuple[int, ...]]:
        """The runs of the trail: the number of the step, then the numbers of the run."""
        return ENTRY.iter_unpack(full_records(self.trail or b"", TRAIL_BYTES))

    def run(self, slot: int) -> tuple[int, ...] | None:
        """The run that a step's record holds, in the form of an entry of the trail."""
        chunk, within = divmod(slot, CHUNK_SLOTS)
        start = within * self.layout.record_bytes
        data = (self.chunks[chunk] or b"" if chunk < len(self.chunks) else b"")[start : start + RUN_BYTES]
        return ENTRY.unpack(slot.to_bytes(4, "big") + data) if len(data) == RUN_BYTES else None


class StoredDay(NamedTuple):
    """What is stored of a day of a series: a part for each layout, the newest first, and the array of layout 1."""

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
    """One series' balances of a day.

    `pairs` holds two numbers per recorded step, the first and the last balance + 1, 0 for unknown, in order of observation. `gains` is what
    some steps gained beyond the difference of the two.
    """

    pairs: "array[int]"
    gains: dict[int, int]


def day_balances(day: StoredDay, step_seconds: int) -> DayBalances:
    """The balances of a day."""
    slots = DAY_SECONDS // step_seconds
    pairs = array("I", bytes(8 * slots))
    held = [part for part in day.parts if any(part.chunks)]
    shared: set[int] = set()  # steps that two layouts hold
    for part in reversed(held):
        numbers, size = numbers_of(part.records(slots)), part.layout.record_bytes // 4
        first, last = numbers[0::size], numbers[LAST_AT // 4 :: size]
        if part is not held[-1]:
            shared.update(slot for slot, (new, before) in enumerate(zip(last, pairs[1::2], strict=True)) if new and before)
            first, last = _either(first, pairs[0::2]), _either(last, pairs[1::2])
        pairs[0::2], pairs[1::2] = first, last
    if day.old:
        last = numbers_of(day.old[: slots * OLD_RECORD_BYTES].ljust(slots * OLD_RECORD_BYTES, b"\0"))[::5]
        if held:  # the day of the change: the last reading of a step is all that layout 1 has of it
            pairs[1::2] = last = _either(pairs[1::2], last)
            pairs[0::2] = _either(pairs[0::2], last)
        else:
            pairs[0::2] = pairs[1::2] = last
    gains: dict[int, int] = {}
    for slot, readings in _broken(day.parts, shared, step_seconds).items():
        if 2 * slot < len(pairs):
            kept = set_aside(readings)
            pairs[2 * slot], pairs[2 * slot + 1] = kept[0].tokens + 1, kept[-1].tokens + 1
            rises = sum(max(0, after.tokens - before.tokens) for before, after in itertools.pairwise(kept))
            if extra := rises - max(0, kept[-1].tokens - kept[0].tokens):
                gains[slot] = extra
    return DayBalances(pairs, gains)


def _either(numbers: "array[int]", otherwise: "array[int]") -> "array[int]":
    """The numbers that are not 0, and the others where they are."""
    return array("I", [number or other for number, other in zip(numbers, otherwise, strict=True)])


def _broken(parts: Sequence[Part], shared: Iterable[int], step_seconds: int) -> dict[int, list[Balance]]:
    """The balances of every step that has more than one run, in order."""
    found: dict[int, list[Balance]] = {slot: [] for slot in shared}
    for part in parts:
        for entry in part.trail_entries():
            found.setdefault(entry[0], []).extend(_ends(entry, step_seconds))
    for slot, balances in found.items():
        for part in parts:
            if run := part.run(slot):
                balances.extend(_ends(run, step_seconds))
        balances.sort(key=lambda balance: balance.moment_ms)
    return {slot: balances for slot, balances in found.items() if balances}


def _ends(run: Sequence[int], step_seconds: int) -> Iterator[Balance]:
    """The balances at the ends of a run: the number of its step, then its numbers."""
    slot, first, first_moment, _, last, last_moment = run[:6]
    start, unit = slot * step_seconds * 1000, unit_ms(step_seconds)
    if first:
        yield Balance(start + first_moment * unit, first - 1)
    if last and (last, last_moment) != (first, first_moment):
        yield Balance(start + last_moment * unit, last - 1)


def kept_balances(day: StoredDay, step_seconds: int) -> list[Balance]:
    """Every balance that is kept of a day in the layouts that keep runs, in order of observation: both ends of every run."""
    found: list[Balance] = []
    for part in day.parts:
        for slot in range(len(part.chunks) * CHUNK_SLOTS):
            if run := part.run(slot):
                found += _ends(run, step_seconds)
        for entry in part.trail_entries():
            found += _ends(entry, step_seconds)
    return sorted(found, key=lambda balance: balance.moment_ms)


def set_aside(readings: Iterable[Balance]) -> list[Balance]:
    """The readings without those that their neighbours contradict.

    After a fall, or a rise beyond `MAX_RISE`, a balance that is back within half a minute at or a little above where it was shows that what
    lay between was no balance: a placeholder, a slipped digit, a number read half-drawn.
    """
    kept: list[Balance] = []
    for reading in readings:
        end = len(kept)
        for at in range(len(kept) - 2, -1, -1):
            before, odd = kept[at], kept[at + 1]
            if reading.moment_ms - odd.moment_ms > RETURN_MS:
                break
            leapt = odd.tokens < before.tokens or odd.tokens > before.tokens + MAX_RISE
            if leapt and before.tokens <= reading.tokens <= before.tokens + MAX_RISE:
                end = at + 1  # the longest such stretch: a placeholder may be shown in several forms
        del kept[end:]
        kept.append(reading)
    return kept
