"""Encodes WebSocket frames (RFC 6455 section 5.2), unmasked as a server sends them, compressed or not (RFC 7692 section 7.2.1)."""

import enum
import struct
import zlib
from collections.abc import Iterable
from typing import Final

PING: Final = b"\x89\x00"
PULSE: Final = "pulse.v1"
DEFLATE_LEVEL: Final = 1  # events are numbers between repeated names: higher levels cost more and save little
MIN_DEFLATE_BYTES: Final = 512  # below that a compressor costs more than the bytes it saves
_TEXT: Final = 0x81
_DEFLATED_TEXT: Final = 0xC1


class Encoding(enum.Enum):
    """How events are framed: as lines of `pulse.v1`, compressed or not, or one event per frame for clients without a subprotocol."""

    LINES = "lines"
    DEFLATED = "deflated"
    SINGLE = "single"

    @property
    def is_pulse(self) -> bool:
        """Whether the client also receives the other events of `pulse.v1`."""
        return self is not Encoding.SINGLE


def text_frame(payload: bytes) -> bytes:
    """One unfragmented text frame."""
    return _frame(_TEXT, payload)


def deflated_frame(payload: bytes) -> bytes:
    """The same, compressed without reference to earlier frames, so that all clients of an audience can read it."""
    compressor = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return _frame(_DEFLATED_TEXT, deflated[:-4])  # RFC 7692 omits the empty block at the end


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; the reason is short."""
    payload = struct.pack("!H", code) + reason.encode()
    return bytes((0x88, len(payload))) + payload


def join(events: Iterable[bytes], encoding: Encoding) -> bytes:
    """Events as the bytes of one write; empty if there are none."""
    if encoding is Encoding.SINGLE:
        return b"".join(map(text_frame, events))
    lines = b"\n".join(events)
    if encoding is Encoding.DEFLATED and len(lines) >= MIN_DEFLATE_BYTES:
        return deflated_frame(lines)
    return text_frame(lines) if lines else b""
