"""What a read costs, and how much of it one subject may have. Pure: the clock is an argument.

A price is in milliseconds of CPU on the machine of docs/security-costs.md, counted from what a read touches, so that it is the same on
every machine. It is charged when the work is done. A subject may start a read while it owes nothing: a large report is let in, and what
follows waits until it is paid.
"""

from typing import Final

from shared.contract.problems import Problem

BURST_SECONDS: Final = 60  # of the refill: with a tenth of a core, five different reports of a week of a thousand rooms at once
MAX_SUBJECTS: Final = 10_000

REQUEST: Final = 0.5  # any read
EVENT: Final = 0.002  # a latest value
POINT: Final = 0.001  # a stored record that is unpacked for a chart
FEED: Final = 0.1  # a feed in a report
STEP: Final = 0.0001  # a step of a feed in a report
LINES_PRICE: Final = 1.0  # a slice of lines of a CSV file
SLOT: Final = 0.0001  # a stored record that is summed up


class Budget:
    """The account of every subject that has spent recently. `share` is the part of a core that one may use for long, 0 for no limit."""

    def __init__(self, share: float) -> None:
        self._refill_per_second = share * 1000
        self._burst = self._refill_per_second * BURST_SECONDS
        self._accounts: dict[str, tuple[float, float]] = {}  # what is left, and at which second of the clock

    def left(self, subject: str, now: float) -> float:
        """What a subject may spend, below zero while it owes."""
        left, at = self._accounts.get(subject, (self._burst, now))
        return min(self._burst, left + max(0.0, now - at) * self._refill_per_second)

    def admit(self, subject: str, now: float) -> None:
        """Raises a 429 Problem with the seconds until the debt is paid."""
        left = self.left(subject, now)
        if left <= 0 < self._refill_per_second:
            raise Problem(429, "too many reads for this subject", retry_after_seconds=int(-left / self._refill_per_second) + 1)

    def charge(self, subject: str, price: float, now: float) -> None:
        """Takes the price of what was done. The accounts that were not used for longest are forgotten first, full ones among them."""
        left = self.left(subject, now) - price
        self._accounts.pop(subject, None)
        self._accounts[subject] = left, now
        if len(self._accounts) > MAX_SUBJECTS:
            del self._accounts[next(iter(self._accounts))]
