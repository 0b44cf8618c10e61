"""How every message is encoded, and what decoding one may raise."""

from typing import Final

import msgspec

encode: Final = msgspec.json.Encoder().encode

# What decoding a message may raise, and nothing else. Depth is not the library's error.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
