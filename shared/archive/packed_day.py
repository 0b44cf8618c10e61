"""How a series' day is stored in the archive, and how Redis' records of it are merged with those archived before. Pure.

A packed day holds the records as Redis had them, so a report has the same input from the archive as from Redis. The bytes of
the records are stored column by column, which halves their compressed size, and compressed with zlib behind a byte that has the format.
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from shared.contract.history_day import Part, StoredDay
from shared.contract.history_record import (
    CHUNK_SLOTS,
    DAY_SECONDS,
    ENTRY,
    LAYOUTS,
    NEWEST_AT,
    OLD_RECORD_BYTES,
    RUN_BYTES,
    TRAIL_BYTES,
    Layout,
    full_records,
)

FORMAT: Final = b"\x01"
LEVEL: Final = 6  # of zlib; 9 takes three times as long for 1 % less
_BY_NUMBER: Final = {layout.number: layout for layout in LAYOUTS}


class UnreadableDay(Exception):
    """A packed day is damaged, or a newer version of the software wrote it."""


class _PackedPart(msgspec.Struct, array_like=True):
    """A part of a day: its layout, the numbers of its chunks, their records column by column, and the trail."""

    layout: int
    chunks: list[int]
    columns: bytes
    trail: bytes


class _PackedDay(msgspec.Struct, array_like=True):
    """All parts of a day, and the array of layout 1 column by column."""

    parts: list[_PackedPart]
    old: bytes


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_PackedDay).decode


def pack(day: StoredDay) -> bytes:
    """The bytes that the archive stores of a day."""
    parts = [_pack_part(part) for part in day.parts if any(part.chunks) or part.trail]
    old = _columns(full_records(day.old or b"", OLD_RECORD_BYTES), OLD_RECORD_BYTES)
    return FORMAT + zlib.compress(_encode(_PackedDay(parts, old)), LEVEL)


def unpack(packed: bytes, step_seconds: int) -> StoredDay:
    """The day that was packed; raises UnreadableDay."""
    if packed[:1] != FORMAT:
        raise UnreadableDay("the day has a format that this version does not know; a newer version wrote it")
    try:
        day = _decode(zlib.decompress(packed[1:]))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise UnreadableDay("the day is damaged") from error
    chunks = -(-DAY_SECONDS // (CHUNK_SLOTS * step_seconds))
    parts = [_unpack_part(part, chunks) for part in day.parts]
    return StoredDay(parts, _records(day.old, OLD_RECORD_BYTES) or None)


def _pack_part(part: Part) -> _PackedPart:
    size = part.layout.chunk_bytes
    held = [(number, chunk[:size].ljust(size, b"\0")) for number, chunk in enumerate(part.chunks) if chunk]
    records = b"".join([chunk for _, chunk in held])
    trail = full_records(part.trail or b"", TRAIL_BYTES)
    return _PackedPart(part.layout.number, [number for number, _ in held], _columns(records, part.layout.record_bytes), trail)


def _unpack_part(part: _PackedPart, chunks: int) -> Part:
    layout = _BY_NUMBER.get(part.layout)
    if layout is None:
        raise UnreadableDay(f"the day has records of layout {part.layout}, which this version does not know; a newer version wrote it")
    records, size = _records(part.columns, layout.record_bytes), layout.chunk_bytes
    found: list[bytes | None] = [None] * chunks
    for place, number in enumerate(part.chunks):
        if not 0 <= number < chunks:
            raise UnreadableDay("the day is damaged")
        found[number] = records[place * size : (place + 1) * size]
    return Part(layout, found, part.trail or None)


def _columns(records: bytes, size: int) -> bytes:
    return b"".join([records[byte::size] for byte in range(size)])


def _records(columns: bytes, size: int) -> bytes:
    rows = len(columns) // size
    records = bytearray(rows * size)
    for byte in range(size):
        records[byte::size] = columns[byte * rows : (byte + 1) * rows]
    return bytes(records)


def merged(new: StoredDay, old: StoredDay, step_seconds: int) -> StoredDay:
    """The records that Redis has of a day, together with archived ones that Redis has lost since.

    Without a loss these are the records in Redis: a run that went on contains the archived run. Otherwise every balance of both is kept.
    """
    parts = []
    for layout in LAYOUTS:
        ours, theirs = _part(new, layout), _part(old, layout)
        if ours and theirs:
            parts.append(_merged_part(ours, theirs, DAY_SECONDS // step_seconds))
        elif ours or theirs:
            parts.extend(part for part in (ours, theirs) if part)
    return StoredDay(parts, _merged_old(new.old or b"", old.old or b"") or None)


def _part(day: StoredDay, layout: Layout) -> Part | None:
    return next((part for part in day.parts if part.layout.number == layout.number and (any(part.chunks) or part.trail)), None)


def _merged_part(new: Part, old: Part, slots: int) -> Part:
    layout, size = new.layout, new.layout.record_bytes
    ours, theirs = new.records(range(slots)), old.records(range(slots))
    if ours == theirs and (new.trail or b"") == (old.trail or b""):
        return new
    records = bytearray(ours)
    entries, known = list(new.trail_entries()), list(old.trail_entries())
    for slot in range(slots):
        at = slot * size
        mine, other = ours[at : at + size], theirs[at : at + size]
        if mine == other:
            continue
        if _newest(mine) < _newest(other):
            mine, other = other, mine
            records[at : at + size] = mine
        if _newest(other):
            known.append(_entry(slot, other))
    covering = _by_slot([*entries, *(_entry(slot, records[slot * size : (slot + 1) * size]) for slot in {entry[0] for entry in known})])
    for entry in known:
        if (entry[1] or entry[4]) and not any(_covers(one, entry) for one in covering.get(entry[0], ())):
            entries.append(entry)
            covering.setdefault(entry[0], []).append(entry)
    data = bytes(records).ljust(len(new.chunks) * layout.chunk_bytes, b"\0")
    chunks = [data[start : start + layout.chunk_bytes] for start in range(0, len(data), layout.chunk_bytes)]
    return Part(layout, [chunk if any(chunk) else None for chunk in chunks], b"".join(ENTRY.pack(*entry) for entry in entries) or None)


def _newest(record: bytes) -> int:
    """The newest moment of a record + 1, 0 for an empty one."""
    return int.from_bytes(record[NEWEST_AT : NEWEST_AT + 2], "big")


def _entry(slot: int, record: bytes | bytearray) -> tuple[int, ...]:
    """The run of a record as an entry of the trail. The newest moment is of the record, and an entry has none."""
    run = ENTRY.unpack(slot.to_bytes(4, "big") + record[:RUN_BYTES])
    return (*run[:-1], 0)


def _covers(one: Sequence[int], entry: Sequence[int]) -> bool:
    """Whether a run contains another one of the same step: its readings are among those that rose from its first to its last balance."""
    _, first, first_at, _, last, last_at, _ = entry
    _, low, since, _, high, until, _ = one
    return low <= first and last <= high and since <= first_at and last_at <= until


def _by_slot(entries: Iterable[Sequence[int]]) -> dict[int, list[Sequence[int]]]:
    found: dict[int, list[Sequence[int]]] = {}
    for entry in entries:
        found.setdefault(entry[0], []).append(entry)
    return found


def _merged_old(new: bytes, old: bytes) -> bytes:
    """Layout 1 has the last reading of a step alone: of two the later one, which has the larger last number."""
    if len(old) <= len(new) and (old == new or not any(old)):
        return new
    size, moment = OLD_RECORD_BYTES, OLD_RECORD_BYTES - 4
    new, old = (data.ljust(max(len(new), len(old)), b"\0") for data in (new, old))
    both = ((new[at : at + size], old[at : at + size]) for at in range(0, len(full_records(new, size)), size))
    return b"".join([max(pair, key=lambda record: (any(record[:4]), record[moment:])) for pair in both])
