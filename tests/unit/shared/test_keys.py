"""Keys: every key of a shard lies in its slot, and no two rooms share one."""

from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from shared.contract import keys
from shared.contract.feeds import Series
from shared.contract.history_day import day_keys
from shared.contract.readings import PLATFORM_PATTERN, ROOM_PATTERN

rooms = st.from_regex(ROOM_PATTERN)
platforms = st.from_regex(PLATFORM_PATTERN)
shards = st.integers(1, 1024)


@given(rooms, platforms, shards)
def test_a_shards_keys_share_a_slot(room: str, platform: str, count: int) -> None:
    """The hash tag keeps them together for every room name."""
    shard = keys.shard_of(room, count)
    own = [keys.latest(shard, room, platform), keys.index(shard), keys.last_version(shard), keys.events_channel(shard)]
    own += [keys.rate_prefix(shard) + "room:1", keys.probe_channel(shard, "x"), keys.history_names(shard, room, 0)]
    own += [name for account in ("", "ana") for name in day_keys(shard, Series(room, platform, account), "2026-01-01", 60)]
    own += [keys.history_feeds(shard, "2026-01-01")]
    assert 0 <= shard < count
    assert {key_slot(key.encode()) for key in own} == {key_slot(str(shard).encode())}


@given(rooms, platforms, rooms, platforms)
def test_rooms_do_not_share_keys(room: str, platform: str, other: str, elsewhere: str) -> None:
    """Different pairs of room and platform have different keys."""
    assert ((room, platform) == (other, elsewhere)) == (keys.latest(0, room, platform) == keys.latest(0, other, elsewhere))


def test_a_shard_number_never_changes() -> None:
    """Rooms must not move between releases, so the numbers themselves are pinned."""
    assert [keys.shard_of(room, 16) for room in ("blue", "vip-1", "A b")] == [4, 14, 3]
