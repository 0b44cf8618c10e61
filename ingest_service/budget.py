"""Limits the cost of one token to this process: a budget of items, refused ones included, checked before the body is read.

The rate of the commit script is the one that all instances share, but the script sees only valid readings. This budget counts every item,
so that invalid ones have a price too. Pure; the clock is an argument.
"""

from collections import OrderedDict
from typing import Final

from ingest_service.limits import gcra
from ingest_service.ratelimit_headers import exhausted
from shared.contract.problems import Problem

MAX_TOKENS: Final = 10_000  # the ones not seen for the longest are forgotten
BYTES_PER_ITEM: Final = 1024  # of a body that is refused as a whole: to find that out takes up to 85 ms of CPU for the longest
MAX_DEBT_SECONDS: Final = 1.0  # a batch that was too large keeps its token waiting no longer


class TokenBudget:
    """Items per second and token (GCRA); `per_second` 0 is no limit. A token may start a request while any of its budget is left."""

    def __init__(self, per_second: float, burst_seconds: float) -> None:
        interval_us, tolerance_us = gcra(per_second, burst_seconds)
        self._interval = interval_us / 1e6
        self._tolerance = tolerance_us / 1e6
        self._ready_at: OrderedDict[str, float] = OrderedDict()

    def check(self, token_id: str, now: float) -> None:
        """Raises a 429 Problem for a token whose budget is used up; `now` is a monotonic second."""
        wait = self._ready_at.get(token_id, now) - now - self._tolerance
        if wait > 0:
            seconds = -int(-wait // 1)
            raise Problem(429, "too many readings for this token", retry_after_seconds=seconds, headers=exhausted("token", seconds))

    def charge(self, token_id: str, items: int, now: float) -> None:
        """Charges a token for the items of a request, accepted or not."""
        if not self._interval:
            return
        ready_at = max(self._ready_at.get(token_id, now), now) + items * self._interval
        self._ready_at[token_id] = min(ready_at, now + self._tolerance + MAX_DEBT_SECONDS)
        self._ready_at.move_to_end(token_id)
        if len(self._ready_at) > MAX_TOKENS:
            self._ready_at.popitem(last=False)
