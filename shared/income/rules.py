"""Income of one account from its balances, by the rules of docs/income.md. Pure: no I/O, and the clock is an argument.

A rise is income at the moment of its later reading. A number is believed once it is confirmed: a fall, or a rise of more than
is plausible, is pending until the readings of the following `CONFIRM_MS` (or the next reading, if there is none in that time) agree
with it. Where they return to the balance before it, the odd readings are set aside. `dashboard/state/income.js` has the same rules; both
are checked against tests/income_cases.json.
"""

from collections.abc import Iterable, Sequence

from shared.income.entries import CONFIRM_MS, HIDDEN_MS, SESSION_GAP_MS, SMALL_RISE, Balance, Entry, Kind, Reason, Sums, plausible, sums
from shared.income.evidence import bound_of_denied, denied_by, doubt, returns, set_aside, why_denied, why_set_aside

__all__ = [
    "CONFIRM_MS",
    "SESSION_GAP_MS",
    "SMALL_RISE",
    "Account",
    "Balance",
    "Entry",
    "Kind",
    "Reason",
    "Sums",
    "in_order",
    "judge",
    "plausible",
    "sums",
]


class Account:
    """The readings of one account in order of observation; `read` and `settle` return what became certain.

    `seen_before` is for a reader that joins late: the first balance that it sees is not the first one ever, so an
    implausible rise immediately after it proves nothing.
    """

    def __init__(self, *, seen_before: bool = False) -> None:
        self._seen_before = seen_before
        self._base: Balance | None = None  # the last balance that is believed
        self._first: Balance | None = None
        self._previous: Balance | None = None
        self._pending: list[Balance] = []

    @property
    def base(self) -> Balance | None:
        """The last balance that is believed."""
        return self._base

    @property
    def is_settled(self) -> bool:
        """Whether no reading waits for confirmation."""
        return not self._pending

    @property
    def pending(self) -> Sequence[Balance]:
        """The readings that wait for confirmation."""
        return self._pending

    def believe(self, reading: Balance) -> None:
        """Goes on from a reading that the caller has judged."""
        self._base = self._previous = reading

    def read(self, reading: Balance) -> list[Entry]:
        """Takes the next reading."""
        previous, self._previous = self._previous, reading
        base = self._base
        if base is None:
            self._base = self._first = reading
            return []
        if self._pending:
            return self._judge(reading, base)
        if previous is base and _climbs_from(base, reading):
            return self._rise(reading, base)
        if base.tokens <= reading.tokens <= base.tokens + plausible(base.tokens):
            return self._rise(reading, base)
        if reading.tokens > base.tokens and self._first_is_doubtful(reading, base):
            self._base = reading
            return [
                Entry(Kind.SET_ASIDE, base.at_ms, base.tokens, base.room, reading.tokens, Reason.FIRST_BALANCE),
                Entry(Kind.UNSETTLED, reading.at_ms, reading.tokens - base.tokens, reading.room, base.tokens, Reason.FIRST_BALANCE),
            ]
        self._pending.append(reading)
        return []

    def settle(self, now_ms: int) -> list[Entry]:
        """Confirms pending rises that have waited long enough and were not contradicted."""
        found: list[Entry] = []
        while len(self._pending) > 1 and now_ms - self._pending[0].at_ms > CONFIRM_MS:
            found += self._confirm()
        return found

    def provisional(self) -> list[Entry]:
        """What the pending readings would add if they were confirmed: the bound of it, as unsettled."""
        found: list[Entry] = []
        copy = Account()
        copy._base, copy._previous, copy._pending = self._base, self._previous, list(self._pending)
        while copy._pending:
            found += copy._confirm()
        certain = (Kind.INCOME, Kind.BETWEEN_SESSIONS)
        bounds = (entry._replace(kind=Kind.UNSETTLED) if entry.kind in certain else entry for entry in found)
        return [entry._replace(reason=Reason.PENDING) for entry in bounds if entry.kind is Kind.UNSETTLED and entry.tokens]

    def _first_is_doubtful(self, reading: Balance, base: Balance) -> bool:
        """Whether the first balance, which a leap follows at once, was a placeholder."""
        first = self._first
        if first is None or not (base.tokens == 0 or self._seen_before):
            return False
        return base is first or reading.at_ms - first.at_ms <= CONFIRM_MS

    def _judge(self, reading: Balance, base: Balance) -> list[Entry]:
        """Takes a reading while an odd one is pending."""
        odd = self._pending[0]
        if _climbs_from(base, reading):
            others, self._pending = tuple(self._pending[1:]), []  # they arrived late, and the readings around them were not kept
            return [set_aside(odd, base, why_set_aside(odd, base), others), *self._rise(reading, base)]
        if reading.at_ms - odd.at_ms > CONFIRM_MS and len(self._pending) > 1:
            return self._confirm() + self.read(reading)
        if returns(reading, odd, base):
            others, doubted = tuple(self._pending[1:]), doubt(base, self._pending, reading)
            self._pending = []
            self._previous = None
            return [set_aside(odd, base, why_set_aside(odd, base), others), *doubted, *self.read(reading)]
        self._pending.append(reading)
        return self.settle(reading.at_ms)

    def _confirm(self) -> list[Entry]:
        """Takes the first pending reading for true, or sets it aside where the others deny it; then takes the others anew."""
        base = self._base
        odd, *others = self._pending
        self._pending = []
        self._previous = odd
        if base is None:
            return []
        is_fall, denied = odd.tokens < base.tokens, denied_by(base, odd, others)
        if denied is not None:
            self._previous = None
            found = [set_aside(odd, base, why_denied(odd, base), tuple(others[:denied])), *bound_of_denied(base, odd, others)]
            others = others[denied:]
            if is_fall:
                found += self._fall(others.pop(0), base)
        else:
            found = self._fall(odd, base) if is_fall else self._rise(odd, base, Reason.CONFIRMED_RISE)
        for reading in others:
            found += self.read(reading)
        return found

    def _rise(self, reading: Balance, base: Balance, reason: Reason = Reason.RISE) -> list[Entry]:
        self._base = reading
        gained = reading.tokens - base.tokens
        if not gained:
            return []
        kind = Kind.BETWEEN_SESSIONS if reading.at_ms - base.at_ms > SESSION_GAP_MS else Kind.INCOME
        return [Entry(kind, reading.at_ms, gained, reading.room, base.tokens, reason)]

    def _fall(self, reading: Balance, base: Balance) -> list[Entry]:
        """A cash-out or spending. After a pause without readings, up to the lower balance may have been earned since it."""
        self._base = self._previous = reading
        found = [Entry(Kind.FALL, reading.at_ms, reading.tokens, reading.room, base.tokens, Reason.CONFIRMED_FALL)]
        if reading.tokens and reading.at_ms - base.at_ms > HIDDEN_MS:
            found.append(Entry(Kind.UNSETTLED, reading.at_ms, reading.tokens, reading.room, base.tokens, Reason.UNOBSERVED_FALL))
        return found


def _climbs_from(base: Balance, reading: Balance) -> bool:
    """Whether every reading from one balance to another rose, in the order in which they arrived. Others between them arrived late."""
    began_ms = reading.at_ms - reading.climbed
    return reading.climbed > 0 and base.tokens <= reading.tokens and began_ms <= base.at_ms <= began_ms + 1


def in_order(readings: Iterable[Balance]) -> list[Balance]:
    """Readings in order of observation, each once, however they arrived."""
    return sorted(set(readings))


def judge(readings: Iterable[Balance], now_ms: int) -> list[Entry]:
    """All entries of the readings of one account by now; pending readings are unsettled."""
    account, found = Account(), list[Entry]()
    for reading in in_order(readings):
        found += account.read(reading)
    return [*found, *account.settle(now_ms), *account.provisional()]
