"""Every Redis key, channel and shard number. No key literal stands anywhere else, but for what the commit script appends to its prefixes.

All keys of a shard carry the hash tag `{shard}`, so that a shard lives in one Redis Cluster slot and its script is atomic there.
Rooms and platforms reach this module validated: neither can hold a `:`, a brace or a line break.
"""

import datetime as dt
import functools
import zlib
from typing import Final

REVOKED_TOKENS: Final = "tokens:revoked"
SCREENS: Final = "screens:{screens}:list"  # a hash: screen id to its record
ENDED_SCREENS: Final = "screens:{screens}:ended"


def screen(lookup: str) -> str:
    """The key of a signed-in screen, by the SHA-256 of its secret."""
    return f"screens:{{screens}}:session:{lookup}"


def screen_code(lookup: str) -> str:
    """The key of a single-use sign-in code, by its SHA-256."""
    return f"screens:{{screens}}:code:{lookup}"


def pairing(letters: str) -> str:
    """The key of a pairing that waits for approval."""
    return f"screens:{{screens}}:pairing:{letters}"


def shard_of(room_id: str, shards: int) -> int:
    """The shard that owns a room: CRC-32 of its id, modulo the number of shards."""
    return zlib.crc32(room_id.encode()) % shards if shards > 1 else 0


def latest_prefix(shard: int) -> str:
    """What precedes `<room_id>:<platform>` in a latest-value key."""
    return f"telemetry:{{{shard}}}:"


def latest(shard: int, room_id: str, platform: str) -> str:
    """The key of a room's latest reading on one platform."""
    return f"{latest_prefix(shard)}{room_id}:{platform}"


def index(shard: int) -> str:
    """The sorted set of `<room_id>:<platform>` by version."""
    return f"telemetry:{{{shard}}}:index"


def last_version(shard: int) -> str:
    """The last version given in this shard."""
    return f"telemetry:{{{shard}}}:version"


def events_channel(shard: int) -> str:
    """The channel on which committed readings of a shard are published."""
    return f"telemetry:{{{shard}}}:events"


def probe_channel(shard: int, instance: str) -> str:
    """The channel on which one listener proves its own subscription."""
    return f"telemetry:{{{shard}}}:probe:{instance}"


def rate_prefix(shard: int) -> str:
    """What precedes `room:<window>` and `token:<window>` in the rate-limit hashes."""
    return f"rate:{{{shard}}}:"


def history_prefix(shard: int) -> str:
    """What precedes `<room_id>:<platform>:<day>:<step>` in a history key."""
    return f"history:{{{shard}}}:"


def history_chunks(shard: int, series: tuple[str, str, str], day: str, step_seconds: int, chunks: range) -> list[str]:
    """The keys of some chunks of a day's history; `series` is room, platform and account (empty: the nameless one)."""
    start = f"{history_prefix(shard)}2:{':'.join(series)}:{day}:{step_seconds}:"
    return [f"{start}{chunk}" for chunk in chunks]


def history_trail(shard: int, series: tuple[str, str, str], day: str, step_seconds: int) -> str:
    """The key of what a day's chunks do not hold of a series."""
    return f"{history_prefix(shard)}2:{':'.join(series)}:{day}:{step_seconds}:trail"


def history_names(shard: int, room_id: str, timestamp: int) -> str:
    """The set of `<platform>:<account>` that a room has history of on the UTC day of a Unix second."""
    return f"{history_prefix(shard)}names:{room_id}:{timestamp // 86400}"


def history(shard: int, room_id: str, platform: str, day: str, step_seconds: int) -> str:
    """The key of one day's array in layout 1, no longer written; `day` is `yyyy-mm-dd` in UTC."""
    return f"{history_prefix(shard)}{room_id}:{platform}:{day}:{step_seconds}"


def history_feeds(shard: int, day: str) -> str:
    """The set of `<room_id>:<platform>`, and of `<room_id>:<platform>:<account>`, that have history of a day."""
    return f"{history_prefix(shard)}feeds:{day}"


def day_of(timestamp: int) -> str:
    """The UTC day of a Unix second, as history keys spell it."""
    return _day(timestamp // 86400)


@functools.lru_cache(maxsize=16)  # nearly every reading is of today, and spelling a date costs as much as all else about its slot
def _day(number: int) -> str:
    return dt.datetime.fromtimestamp(number * 86400, dt.UTC).strftime("%Y-%m-%d")
