"""The rates that the commit script holds producers to."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Readings per second for a room and for a token, 0 for no limit, and how many seconds' worth may come at once."""

    room_per_second: float
    token_per_second: float
    room_burst_seconds: float = 4.0
    token_burst_seconds: float = 2.0

    def arguments(self) -> list[int]:
        """Interval and tolerance in microseconds, for the room and for the token, as GCRA wants them."""
        return [
            *_gcra(self.room_per_second, self.room_burst_seconds),
            *_gcra(self.token_per_second, self.token_burst_seconds),
        ]


def _gcra(per_second: float, burst_seconds: float) -> tuple[int, int]:
    if per_second <= 0:
        return 0, 0
    interval = max(1, round(1_000_000 / per_second))
    return interval, max(0, round(burst_seconds * 1_000_000) - interval)
