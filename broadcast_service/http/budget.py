"""The price of a read, and the budget of a subject. Pure: the clock is an argument.

A price is in milliseconds of CPU on the machine of docs/security-costs.md, calculated from the amount of data that a read touches, so it is
the same on every machine. It is charged after the work. A read is admitted while the subject's balance is positive, so one large report is
admitted, and the next reads wait until the balance is positive again.
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
    """The balances of the subjects that read recently. `share` is the part of a core that a subject may use permanently, 0 for no limit."""

    def __init__(self, share: float) -> None:
        self._refill_per_second = share * 1000
        self._burst = self._refill_per_second * BURST_SECONDS
        self._accounts: dict[str, tuple[float, float]] = {}  # the balance, and when it was calculated

    def left(self, subject: str, now: float) -> float:
        """The balance of a subject; negative after an expensive read."""
        left, at = self._accounts.get(subject, (self._burst, now))
        return min(self._burst, left + max(0.0, now - at) * self._refill_per_second)

    def admit(self, subject: str, now: float) -> None:
        """Raises a 429 Problem, with the seconds until the balance is positive, when it is not."""
        left = self.left(subject, now)
        if left <= 0 < self._refill_per_second:
            raise Problem(429, "too many reads for this subject", retry_after_seconds=int(-left / self._refill_per_second) + 1)

    def charge(self, subject: str, price: float, now: float) -> None:
        """Subtracts the price of a read. Beyond `MAX_SUBJECTS` the least recently used balances are dropped."""
        left = self.left(subject, now) - price
        self._accounts.pop(subject, None)
        self._accounts[subject] = left, now
        if len(self._accounts) > MAX_SUBJECTS:
            del self._accounts[next(iter(self._accounts))]
