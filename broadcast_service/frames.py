"""Ready-made WebSocket frames (RFC 6455 section 5.2), unmasked as a server sends them."""

import enum
import struct
from collections.abc import Iterable
from typing import Final

PING: Final = b"\x89\x00"
_TEXT: Final = 0x81


class Encoding(enum.Enum):
    """How events are put into frames: the additions of `pulse.v1`, or one event a frame as clients always knew it."""

    LINES = "pulse.v1"
    SINGLE = "single"


def text_frame(payload: bytes) -> bytes:
    """One unfragmented text frame."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", _TEXT, 126, size) + payload
    return struct.pack("!BBQ", _TEXT, 127, size) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; the reason is short."""
    payload = struct.pack("!H", code) + reason.encode()
    return bytes((0x88, len(payload))) + payload


def join(events: Iterable[bytes], encoding: Encoding) -> bytes:
    """Events as the bytes of one write; empty if there are none."""
    if encoding is Encoding.SINGLE:
        return b"".join(map(text_frame, events))
    lines = b"\n".join(events)
    return text_frame(lines) if lines else b""
