"""The prices of reads and sockets, and the budget of a subject. Pure: the clock is an argument.

A price is in milliseconds of CPU on the machine of docs/security-costs.md, calculated from the amount of data that a read touches, so it is
the same on every machine. Each part of the work is charged before it is done if its price is known by then, else right after it. A read is
admitted while the subject's balance is positive, a few at the same time, so the debt is bounded by the prices of those few.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from shared.contract.problems import Problem

BURST_SECONDS: Final = 210  # of the refill: with 0.07 of a core, three different reports of a week of a thousand rooms at once
MAX_SUBJECTS: Final = 10_000
MAX_SNAPSHOTS: Final = 10_000  # recent ones, by subject and scope
SHARED_SECONDS: Final = 0.025  # the longest pause of a flush, which makes equal snapshots once

REQUEST: Final = 1.0  # any read; the most expensive small one, of a room's stored value, takes 0.7
SCANNED: Final = 0.001  # a latest value that is compared with a scope
EVENT: Final = 0.002  # a latest value in an answer
PART: Final = 0.3  # a day, or a part of it, that is read for a chart
COUNTED: Final = 0.18  # a feed whose viewers are counted, beside its part of a chart
POINT: Final = 0.003  # a stored record that is unpacked for a chart
FEED: Final = 0.06  # a feed in a report
DAY: Final = 0.22  # a day of a feed that is read for it
STEP: Final = 0.0002  # a step of a feed in a report
GAIN: Final = 0.0005  # a step of a feed in which something was earned
ARCHIVED_DAY: Final = 1.0  # a day of a feed that is read from the archive
ARCHIVED_BLOCK: Final = 0.05  # 32 days of a feed that are read rolled up
ARCHIVED_STEP: Final = 0.00045  # a step of a feed in them
EARLIER: Final = 0.2  # a day of a feed that is looked at before a span that begins within it
READING: Final = 0.0105  # a reading that is judged by itself for a report, as those around a fall are
SHARED_DAY: Final = 0.03  # a day of a series in a room that has others on that day
CSV_DAY: Final = 0.04  # a day of a series in a file
CSV_STEP: Final = 0.001  # a step of it
ZONE: Final = 0.5  # a time zone that a request names
CALENDAR: Final = 0.02  # a date that is looked up in a calendar
LINES_PRICE: Final = 3.2  # a slice of lines of a CSV file
ROWS_PRICE: Final = 3.0  # a part of the rows of an XLSX file
SLOT: Final = 6e-05  # a stored record that is summed up
EXPLAINED: Final = 0.018  # a stored balance that is explained
SOCKET: Final = 0.8  # a socket that opens
MESSAGE: Final = 0.1  # a message on an open socket
SNAPSHOT_EVENT: Final = 0.0024  # a latest value that is looked at for a snapshot


class Budget:
    """The balances of the subjects that read recently. `share` is the part of a core that a subject may use permanently, 0 for no limit."""

    def __init__(self, share: float) -> None:
        self._refill_per_second = share * 1000
        self._burst = self._refill_per_second * BURST_SECONDS
        self._accounts: dict[str, tuple[float, float]] = {}  # the balance, and when it was calculated
        self._snapshots: OrderedDict[Hashable, float] = OrderedDict()  # when each was last charged

    def left(self, subject: str, now: float) -> float:
        """The balance of a subject; negative after an expensive read."""
        left, at = self._accounts.get(subject, (self._burst, now))
        return min(self._burst, left + max(0.0, now - at) * self._refill_per_second)

    def is_over(self, subject: str, now: float) -> bool:
        """Whether a subject has to wait."""
        return self._refill_per_second > 0 and self.left(subject, now) <= 0

    def admit(self, subject: str, now: float) -> None:
        """Raises a 429 Problem, with the seconds until the balance is positive, when it is not."""
        left = self.left(subject, now)
        if left <= 0 < self._refill_per_second:
            raise Problem(429, "too many reads for this subject", retry_after_seconds=int(-left / self._refill_per_second) + 1)

    def charge(self, subject: str, price: float, now: float) -> None:
        """Subtracts a price. Beyond `MAX_SUBJECTS` the least recently used balances are dropped."""
        left = self.left(subject, now) - price
        self._accounts.pop(subject, None)
        self._accounts[subject] = left, now
        if len(self._accounts) > MAX_SUBJECTS:
            del self._accounts[next(iter(self._accounts))]

    def charge_snapshot(self, subject: str, scope: Hashable, events: int, now: float) -> None:
        """Takes the price of looking at so many latest values for a snapshot of a scope.

        Snapshots of one subject and scope that begin in the same moment are charged once, since one flush makes them once: a studio whose
        dashboards all reconnect pays for few.
        """
        key = (subject, scope)
        if now - self._snapshots.get(key, -SHARED_SECONDS) < SHARED_SECONDS:
            return
        self._snapshots[key] = now
        self._snapshots.move_to_end(key)
        if len(self._snapshots) > MAX_SNAPSHOTS:
            self._snapshots.popitem(last=False)
        self.charge(subject, SNAPSHOT_EVENT * events, now)
