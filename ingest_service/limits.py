"""The rates and bounds that the commit script holds producers to."""

from typing import Final, NamedTuple

NO_BOUND: Final = 2**40


class Limits(NamedTuple):
    """Readings per second for a room and for a token, 0 for no limit, and how many seconds' worth may come at once.

    A feed is a room's platform and account: how many new ones a token may begin per second and at once, and how many a room, and a shard,
    may have on one UTC day; 0 for any number.
    """

    room_per_second: float
    token_per_second: float
    room_burst_seconds: float = 4.0
    token_burst_seconds: float = 2.0
    new_feeds_per_second: float = 0
    new_feeds_burst: int = 1
    feeds_per_room: int = 0
    feeds_per_day: int = 0

    def arguments(self) -> list[int]:
        """Interval and tolerance in microseconds, for room, token and a token's new feeds, as GCRA wants them; then the bounds of names."""
        return [
            *gcra(self.room_per_second, self.room_burst_seconds),
            *gcra(self.token_per_second, self.token_burst_seconds),
            *gcra(self.new_feeds_per_second, self.new_feeds_burst / (self.new_feeds_per_second or 1)),
            self.feeds_per_room or NO_BOUND,
            self.feeds_per_day or NO_BOUND,
        ]


def gcra(per_second: float, burst_seconds: float) -> tuple[int, int]:
    """Interval and tolerance in microseconds; zeros for no limit."""
    if per_second <= 0:
        return 0, 0
    interval = max(1, round(1_000_000 / per_second))
    return interval, max(0, round(burst_seconds * 1_000_000) - interval)
