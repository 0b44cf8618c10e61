"""Income of one account from its balances, by the rules of docs/income.md. Pure: no I/O, and the clock is an argument.

A rise is income at the moment of its later reading. A number is believed once it is confirmed: a fall, or a rise of more than
is plausible, is pending until the readings of the following `CONFIRM_MS` (or the next reading, if there is none in that time) agree
with it. Where they return to the balance before it, the odd readings are set aside. `dashboard/state/income.js` has the same rules; both
are checked against tests/income_cases.json.
"""

import enum
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

SMALL_RISE: Final = 250  # tokens; always plausible
LARGE_RISE: Final = 1000  # never plausible at once
SMALL_BALANCE: Final = 100  # a number with a digit in front of it may as well be a round tip
CONFIRM_MS: Final = 30_000
HIDDEN_MS: Final = 60_000  # a fall between readings that are further apart may hide income
SESSION_GAP_MS: Final = 15 * 60_000  # a rise across a longer gap was made between sessions


def plausible(balance: int) -> int:
    """By how many tokens a balance may rise between two readings without a confirmation: up to its own size, within bounds.

    A digit too many makes a number about ten times as large, so a rise that does not double a balance is none.
    """
    return max(SMALL_RISE, min(LARGE_RISE, balance))


class Balance(NamedTuple):
    """A balance of an account: when it was read, in milliseconds, and in which room.

    `climbed` is set where every reading since the one before, seen or not, rose by at most `SMALL_RISE`.
    """

    at_ms: int
    tokens: int
    room: str = ""
    climbed: bool = False


class Kind(enum.Enum):
    """What an entry is about. `INCOME` and `BETWEEN_SESSIONS` together are certain income."""

    INCOME = "income"
    BETWEEN_SESSIONS = "between_sessions"
    UNSETTLED = "unsettled"
    SET_ASIDE = "set_aside"
    FALL = "fall"


class Reason(enum.Enum):
    """Which rule decided."""

    RISE = "rise"  # income: plausible at once
    CONFIRMED_RISE = "confirmed_rise"  # income: a large rise that the following readings confirm
    CONFIRMED_FALL = "confirmed_fall"
    FIRST_BALANCE = "first_balance"  # set aside, unsettled: the first balance was a placeholder
    READ_AS_ZERO = "read_as_zero"  # set aside, as the next four are: the balance returned
    MISSING_DIGITS = "missing_digits"
    EXTRA_DIGIT = "extra_digit"
    RETURNED = "returned"
    CONTRADICTED = "contradicted"  # set aside, unsettled: the following readings are between the two balances
    LONG_GAP = "long_gap"  # unsettled: the balance returned, but no reading shows what happened meanwhile
    SMALL_FALL = "small_fall"  # unsettled: it returned, as it does after spending and a tip of at least the same size
    UNOBSERVED_FALL = "unobserved_fall"  # unsettled: the readings around a fall are far apart
    PENDING = "pending"  # unsettled: not confirmed yet


class Entry(NamedTuple):
    """One finding: its moment and room, how many tokens it concerns, and the balance before.

    `tokens` is the gain or the bound; of a reading that was set aside it is the number that was read, of a fall the lower balance.
    `others` are further readings that were set aside on the same occasion.
    """

    kind: Kind
    at_ms: int
    tokens: int
    room: str
    before: int
    reason: Reason = Reason.RISE
    others: "tuple[Balance, ...]" = ()


class Account:
    """The readings of one account in order of observation; `read` and `settle` return what became certain.

    `seen_before` is for a reader that joins late: the first balance that it sees is not the first one ever, so a rise beyond what is
    plausible that follows at once says nothing.
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
        if reading.climbed and previous is base and reading.tokens >= base.tokens:
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
        if reading.at_ms - odd.at_ms > CONFIRM_MS and len(self._pending) > 1:
            return self._confirm() + self.read(reading)
        if _returns(reading, odd, base):
            others, doubt = tuple(self._pending[1:]), _doubt(base, self._pending, reading)
            self._pending = []
            self._previous = None
            return [_set_aside(odd, base, _why_set_aside(odd, base), others), *doubt, *self.read(reading)]
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
        is_fall, denied = odd.tokens < base.tokens, _denied_by(base, odd, others)
        if denied is not None:
            self._previous = None
            found = [_set_aside(odd, base, _why_denied(odd, base), tuple(others[:denied])), *_bound_of_denied(base, odd, others)]
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
        """A cash-out or spending. Where nobody read the account for a while, up to the lower balance may have been earned after it."""
        self._base = self._previous = reading
        found = [Entry(Kind.FALL, reading.at_ms, reading.tokens, reading.room, base.tokens, Reason.CONFIRMED_FALL)]
        if reading.tokens and reading.at_ms - base.at_ms > HIDDEN_MS:
            found.append(Entry(Kind.UNSETTLED, reading.at_ms, reading.tokens, reading.room, base.tokens, Reason.UNOBSERVED_FALL))
        return found


def _has_digit_too_many(tokens: int, balance: int) -> bool:
    """Whether a number is a balance with a digit after it, but for what may have been earned meanwhile."""
    return abs(tokens // 10 - balance) <= balance // 10 + 5


def _without_a_digit(tokens: int) -> set[int]:
    """The numbers that are left where one digit is missing."""
    digits = str(tokens)
    return {int(digits[:at] + digits[at + 1 :] or 0) for at in range(len(digits))}


def _looks_misread(tokens: int, balance: int) -> bool:
    """Whether a page may have shown a number in place of a balance: 0, a part of it, or the balance without one of its digits."""
    return tokens <= balance // 8 or tokens in _without_a_digit(balance)


def _returns(reading: Balance, odd: Balance, base: Balance) -> bool:
    """Whether a reading shows that the balance never was where the odd reading put it."""
    if odd.tokens < base.tokens:
        return reading.tokens >= base.tokens
    gained = reading.tokens - base.tokens
    return 0 <= gained <= plausible(base.tokens) and gained <= odd.tokens - reading.tokens


def _rises(readings: Iterable[Balance]) -> int:
    """The sum of the rises: what was earned if every reading is true."""
    return sum(max(0, after.tokens - before.tokens) for before, after in pairwise(readings))


def _doubt(base: Balance, pending: Sequence[Balance], reading: Balance) -> list[Entry]:
    """What was earned beyond the rise from `base` to `reading` if the readings between them were true after all."""
    odd, gained = pending[0], reading.tokens - base.tokens
    is_fall, is_late = odd.tokens < base.tokens, reading.at_ms - odd.at_ms > HIDDEN_MS
    if not (is_late or (_is_fall_doubtful(base, odd, reading) if is_fall else _is_leap_doubtful(base, pending))):
        return []
    amount = odd.tokens if is_late and not is_fall else _rises([base, *pending, reading]) - gained
    reason = Reason.LONG_GAP if is_late else Reason.SMALL_FALL if is_fall else Reason.CONTRADICTED
    return [Entry(Kind.UNSETTLED, reading.at_ms, amount, reading.room, base.tokens, reason)] if amount else []


def _is_fall_doubtful(base: Balance, odd: Balance, reading: Balance) -> bool:
    gained, lost = reading.tokens - base.tokens, base.tokens - odd.tokens
    if not any(_looks_misread(odd.tokens, one.tokens) for one in (base, reading)):
        return True
    if not gained:
        return odd.tokens > 0 and lost <= SMALL_RISE
    is_hidden = odd.tokens > 0 and odd.at_ms - base.at_ms > HIDDEN_MS
    return lost <= LARGE_RISE or gained > plausible(base.tokens) or is_hidden


def _is_leap_doubtful(base: Balance, pending: Sequence[Balance]) -> bool:
    """Whether a large tip and a cash-out are as likely: a round tip on a small balance looks like a digit in front of it."""
    is_small = base.tokens < SMALL_BALANCE and not _has_digit_too_many(pending[0].tokens, base.tokens)
    return is_small or any(reading.tokens < base.tokens for reading in pending)


def _denied_by(base: Balance, odd: Balance, others: Sequence[Balance]) -> int | None:
    """The position of the first reading that shows an odd one to be wrong, None where there is none.

    A leap is denied by a lower balance that is not below the one before it: below it is a cash-out, and spending is small beside the leap.
    A fall to 0 that nobody saw happen is denied by any balance, since pages show 0 while they load.
    """
    if odd.tokens < base.tokens:
        if odd.tokens or odd.at_ms - base.at_ms <= HIDDEN_MS:
            return None
        return next((number for number, reading in enumerate(others) if reading.tokens), None)
    is_slip = _has_digit_too_many(odd.tokens, base.tokens)
    spent = 0 if is_slip else min(SMALL_RISE, (odd.tokens - base.tokens) // 10)
    lower = [number for number, reading in enumerate(others) if reading.tokens < odd.tokens - spent]
    if not lower or others[-1].tokens >= odd.tokens:
        return None
    return lower[0] if is_slip or any(others[number].tokens >= base.tokens for number in lower) else None


def _bound_of_denied(base: Balance, odd: Balance, others: Sequence[Balance]) -> list[Entry]:
    """What was earned beyond the rise to the last reading if an odd one that was denied is true. A digit too many is not."""
    if odd.tokens < base.tokens:
        return []  # the fall to the balance that denies it has its own bound
    last = max(base.tokens, others[-1].tokens)
    amount = _rises([base, odd, *others]) - (last - base.tokens)
    if _has_digit_too_many(odd.tokens, base.tokens) and amount > LARGE_RISE:
        return []
    return [Entry(Kind.UNSETTLED, odd.at_ms, amount, odd.room, base.tokens, Reason.CONTRADICTED)] if amount else []


def _set_aside(odd: Balance, base: Balance, reason: Reason, others: tuple[Balance, ...]) -> Entry:
    return Entry(Kind.SET_ASIDE, odd.at_ms, odd.tokens, odd.room, base.tokens, reason, others)


def _why_set_aside(odd: Balance, base: Balance) -> Reason:
    """What the odd reading looks like, once the balance has returned."""
    if odd.tokens == 0:
        return Reason.READ_AS_ZERO
    if odd.tokens > base.tokens:
        return Reason.EXTRA_DIGIT if _has_digit_too_many(odd.tokens, base.tokens) else Reason.RETURNED
    return Reason.MISSING_DIGITS if str(odd.tokens) in str(base.tokens) else Reason.RETURNED


def _why_denied(odd: Balance, base: Balance) -> Reason:
    """What the odd reading looks like that the following readings deny."""
    if odd.tokens < base.tokens:
        return Reason.READ_AS_ZERO
    return Reason.EXTRA_DIGIT if _has_digit_too_many(odd.tokens, base.tokens) else Reason.CONTRADICTED


def in_order(readings: Iterable[Balance]) -> list[Balance]:
    """Readings in order of observation, each once, however they arrived."""
    return sorted(set(readings))


def judge(readings: Iterable[Balance], now_ms: int) -> list[Entry]:
    """All that the readings of one account say by now; what is pending is unsettled."""
    account, found = Account(), list[Entry]()
    for reading in in_order(readings):
        found += account.read(reading)
    return [*found, *account.settle(now_ms), *account.provisional()]


class Sums(NamedTuple):
    """The entries of a span added up, in tokens; `set_aside` is a number of occasions."""

    income: int = 0
    between_sessions: int = 0
    unsettled: int = 0
    set_aside: int = 0

    @property
    def earned(self) -> int:
        """Certain income."""
        return self.income + self.between_sessions


def sums(entries: Iterable[Entry]) -> Sums:
    """Adds entries up."""
    totals = dict.fromkeys(Kind, 0)
    for entry in entries:
        totals[entry.kind] += 1 if entry.kind is Kind.SET_ASIDE else entry.tokens
    return Sums(totals[Kind.INCOME], totals[Kind.BETWEEN_SESSIONS], totals[Kind.UNSETTLED], totals[Kind.SET_ASIDE])
