"""The studio's code: address, room and key in one line, so that one thing is pasted once at a desk.

`pulse1_` and base64url of a JSON object: `a` address, `r` room, `k` key; `n` the room's name as people write it, if its id differs;
`m` the secret of account marks. `extension/worker/studio-code.js` reads it, and `extension/worker/rooms.js` has the same rules for names.
"""

import base64
import hashlib
import hmac
import json
import re
import unicodedata
from typing import Final
from urllib.parse import urlsplit

PREFIX: Final = "pulse1_"
MAX_ROOM_LENGTH: Final = 64
HASH_LENGTH: Final = 8
LOOPBACK: Final = ("localhost", "127.0.0.1")

# Letters that are no base letter with a mark.
_PLAIN: Final = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
        "þ": "th",
        "Þ": "Th",
        "\u0131": "i",
    }
)
_NOT_IN_AN_ID: Final = re.compile(r"[^A-Za-z0-9_ .-]")


class StudioCodeError(ValueError):
    """A room or an address that no desk could use; the text names the fault."""


def room_id(name: str) -> str:
    """The plain id of a room: `Habitación 12` is `Habitacion 12`. Raises StudioCodeError for an empty name.

    Where letters have no plain form the id ends in a hash of the name, so that two rooms never become one.
    """
    text = " ".join(unicodedata.normalize("NFC", name).split())
    if not text or not text.isprintable():
        raise StudioCodeError("a room needs a name")
    decomposed = unicodedata.normalize("NFKD", text).translate(_PLAIN)
    plain = "".join(letter for letter in decomposed if not unicodedata.category(letter).startswith("M"))
    kept = _NOT_IN_AN_ID.sub("", plain)
    plain_id = re.sub(" +", " ", kept).strip()
    if kept == plain and 0 < len(plain_id) <= MAX_ROOM_LENGTH:
        return plain_id
    return f"{plain_id[: MAX_ROOM_LENGTH - HASH_LENGTH - 1].strip()}-{_fnv1a(text)}".removeprefix("-")


def _fnv1a(text: str) -> str:
    """FNV-1a, 32 bits, of the UTF-8 bytes."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{value:08x}"


def account_key(secret: bytes) -> str:
    """The secret of account marks: the same at all desks of a studio, and no way back to the studio's own secret."""
    return hmac.new(secret, b"studio-pulse account marks", hashlib.sha256).hexdigest()


def studio_code(*, address: str, name: str, token: str, mark_key: str) -> str:
    """The one line for a desk. Raises StudioCodeError for an address to which the extension would not send."""
    parts = urlsplit(address)
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if (parts.scheme != "https" and not is_local) or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise StudioCodeError("an address looks like https://pulse.example.com")
    room, shown = room_id(name), " ".join(unicodedata.normalize("NFC", name).split())
    content = {"a": address.rstrip("/"), "r": room, "k": token, "m": mark_key, **({"n": shown} if shown != room else {})}
    encoded = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return PREFIX + base64.urlsafe_b64encode(encoded).decode().rstrip("=")
