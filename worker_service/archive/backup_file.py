"""The file that a backup of the archive is: the same for SQLite and PostgreSQL, so it also moves an archive from one to the other.

A gzip stream of frames, each a MessagePack value behind its length: a head, rows of the tables with the names of their columns, and an end
with the number of rows. A file that was cut off, altered or written by a newer version is refused as a whole.
"""

import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, BinaryIO, Final

import msgspec

KIND: Final = "studio-pulse archive"
FORMAT: Final = 1
MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")


class UnreadableBackup(Exception):
    """The file is not a whole backup that this version can read; the text says why."""


class Head(msgspec.Struct, array_like=True):
    """What a file begins with; `created_at` is in Unix seconds."""

    kind: str
    format: int
    revision: str
    created_at: int


class Rows(msgspec.Struct, array_like=True, tag="rows"):
    """Some rows of a table."""

    table: str
    columns: list[str]
    values: list[list[Any]]


class End(msgspec.Struct, array_like=True, tag="end"):
    """What a whole file ends with."""

    rows: int


_encode: Final = msgspec.msgpack.Encoder().encode
_head: Final = msgspec.msgpack.Decoder(Head)
_frame: Final = msgspec.msgpack.Decoder(Rows | End)


def write(file: IO[bytes], head: Head, frames: Iterable[Rows]) -> int:
    """Writes a whole file; returns the number of rows. Raises OSError."""
    count = 0
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0, filename="") as packed:  # most of it is compressed already
        _put(packed, head)
        for frame in frames:
            count += len(frame.values)
            _put(packed, frame)
        _put(packed, End(count))
    return count


def read(file: BinaryIO) -> Iterator[Head | Rows]:
    """The head and the rows. Raises UnreadableBackup, at the latest where the file ends too early."""
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as packed:
            head = _head.decode(_take(packed))
            _check(head)
            yield head
            count = 0
            while isinstance(frame := _frame.decode(_take(packed)), Rows):
                count += len(frame.values)
                yield frame
            if frame.rows != count or packed.read(1):
                raise UnreadableBackup("the file is damaged")
    except (EOFError, zlib.error, gzip.BadGzipFile, msgspec.MsgspecError, UnicodeDecodeError):
        raise UnreadableBackup("the file is no backup of the archive, or it is damaged or incomplete") from None


def _check(head: Head) -> None:
    if head.kind != KIND:
        raise UnreadableBackup("the file is no backup of the archive")
    if head.format > FORMAT:
        raise UnreadableBackup("a newer version wrote the file: install that version")


def _put(file: gzip.GzipFile, value: Head | Rows | End) -> None:
    data = _encode(value)
    file.write(_LENGTH.pack(len(data)) + data)


def _take(file: gzip.GzipFile) -> bytes:
    (length,) = _LENGTH.unpack(_exactly(file, _LENGTH.size))
    if length > MAX_FRAME_BYTES:
        raise UnreadableBackup("the file is damaged")
    return _exactly(file, length)


def _exactly(file: gzip.GzipFile, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    return data


def as_mappings(rows: Rows) -> Iterator[dict[str, Any]]:
    """Rows by the names of their columns; raises UnreadableBackup."""
    for values in rows.values:
        if len(values) != len(rows.columns):
            raise UnreadableBackup("the file is damaged")
        yield dict(zip(rows.columns, values, strict=True))


def in_batches(table: str, columns: Sequence[str], values: Iterable[Sequence[Any]], size: int) -> Iterator[Rows]:
    """Rows of a table, at most so many in each frame."""
    some: list[list[Any]] = []
    for row in values:
        some.append([*row])
        if len(some) == size:
            yield Rows(table, [*columns], some)
            some = []
    if some:
        yield Rows(table, [*columns], some)
