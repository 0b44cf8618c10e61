"""Every Redis key, channel and shard number. The commit script appends to prefixes from here; no key is spelled elsewhere.

All keys of a shard carry the hash tag `{shard}`, so that a shard lives in one Redis Cluster slot and its script is atomic there.
Rooms, platforms and accounts reach this module validated: none can hold a `:`, a brace or a line break.
"""

import datetime as dt
import functools
import zlib
from typing import Final

from shared.contract.feeds import Feed, Series

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


def lease(name: str) -> str:
    """The key whose value names the holder of a lease."""
    return f"worker:{{{name}}}:holder"


def lease_token(name: str) -> str:
    """The last fencing token of a lease; it never expires."""
    return f"worker:{{{name}}}:token"


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
    """The channel on which one listener confirms its own subscription."""
    return f"telemetry:{{{shard}}}:probe:{instance}"


def rate_prefix(shard: int) -> str:
    """What precedes `room:<window>` and `token:<window>` in the rate-limit hashes."""
    return f"rate:{{{shard}}}:"


def _history_prefix(shard: int) -> str:
    return f"history:{{{shard}}}:"


def history_chunk_prefix(shard: int, layout: int) -> str:
    """What precedes `<room_id>:<platform>:<account>:<day>:<step>:<chunk>` in the key of a chunk."""
    return f"{_history_prefix(shard)}{layout}:"


def history_day_prefix(shard: int, layout: int, series: Series, day: str, step_seconds: int) -> str:
    """What precedes the number of a chunk, or `trail`, in the keys of a series' day; `day` is `yyyy-mm-dd` in UTC."""
    return f"{history_chunk_prefix(shard, layout)}{':'.join(series)}:{day}:{step_seconds}:"


def history_trail(day_prefix: str) -> str:
    """The key of the runs that a day's chunks do not hold."""
    return f"{day_prefix}trail"


def history_array(shard: int, feed: Feed, day: str, step_seconds: int) -> str:
    """The key of one day's array in layout 1, no longer written."""
    return f"{_history_prefix(shard)}{feed.member()}:{day}:{step_seconds}"


def history_names_prefix(shard: int) -> str:
    """What precedes `<room_id>:<day number>` in the key of `history_names`."""
    return f"{_history_prefix(shard)}names:"


def history_names(shard: int, room_id: str, timestamp: int) -> str:
    """The set of `<platform>:<account>` that a room has history of on the UTC day of a Unix second."""
    return f"{history_names_prefix(shard)}{room_id}:{timestamp // 86400}"


def history_feeds_prefix(shard: int) -> str:
    """What precedes the day in the key of `history_feeds`."""
    return f"{_history_prefix(shard)}feeds:"


def history_feeds(shard: int, day: str) -> str:
    """The set of the series that have history of a day, by their members."""
    return f"{history_feeds_prefix(shard)}{day}"


def day_of(timestamp: int) -> str:
    """The UTC day of a Unix second, as history keys spell it."""
    return _day(timestamp // 86400)


@functools.lru_cache(maxsize=16)  # nearly every reading is of today, and formatting a date costs as much as the rest of its slot
def _day(number: int) -> str:
    return dt.datetime.fromtimestamp(number * 86400, dt.UTC).strftime("%Y-%m-%d")
