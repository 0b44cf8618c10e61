"""Input and output of the rules of income: balances, entries, and the bounds of a plausible rise or fall."""

import enum
from collections.abc import Iterable
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

    `climbed` is set where every reading of the last so many milliseconds, kept or not, rose by at most `SMALL_RISE`.
    """

    at_ms: int
    tokens: int
    room: str = ""
    climbed: int = 0


class Kind(enum.Enum):
    """What an entry is about. `INCOME` and `BETWEEN_SESSIONS` together are certain income."""

    INCOME = "income"
    BETWEEN_SESSIONS = "between_sessions"
    UNSETTLED = "unsettled"
    SET_ASIDE = "set_aside"
    FALL = "fall"

    __hash__ = object.__hash__  # members are compared by identity; that of enum.Enum is written in Python and takes ten times as long


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
