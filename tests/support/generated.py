"""Generated studios of known truth: accounts that change rooms, tips, cash-outs, spending, numbers that a page shows wrongly, and outages.

Left out is what no reading can show (docs/income.md): two odd events within half a minute, a tip right after a cash-out that reaches the
balance before it, and a digit too many of a balance below 100.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.contract.readings import Reading
from tests.support.readings import PLATFORM

SESSION_SECONDS: Final = 1500
INTERVAL_SECONDS: Final = 5
QUIET: Final = 8  # readings without another odd event: longer than a confirmation takes
ROOMS: Final = ("blue", "green", "red")
ACCOUNTS: Final = ("ana", "eva", "mia", "zoe")
TIPS: Final = (1, 20, 100, 240, 400, 3000)
SMALL_TIP: Final = 240
CASH_OUT: Final = 10_000  # tokens, from which an account is cashed out
REST: Final = 60  # at most so much is left


class Seen(NamedTuple):
    """What a page shows: when, in Unix seconds, in which room, to which account."""

    second: int
    room: str
    account: str
    tokens: int


@dataclass
class Truth:
    """What an account earned since it was first read."""

    balance: int
    was_read: bool = False
    earned: int = 0
    seen: int = 0  # earned by the last reading: what comes after it is in no reading at all
    seen_balance: int = 0  # the last one that a page has shown
    ceiling: int = 0  # the balance before a cash-out that is in no reading yet; more income would hide it for good

    def earn(self, tokens: int) -> None:
        """A tip."""
        if not self.ceiling or self.balance + tokens < self.ceiling:
            self.balance += tokens
            self.earned += tokens if self.was_read else 0

    def cash_out(self, rest: int, *, unseen: bool = False) -> None:
        """Most of the balance is taken out. Income after the last reading before an unseen one leaves no trace."""
        if unseen:
            self.ceiling, self.earned = self.seen_balance, self.seen
        self.balance = rest

    def read(self, *, is_true: bool) -> None:
        """A page shows the balance, or something else."""
        self.was_read, self.seen = True, self.earned
        if is_true:
            self.ceiling, self.seen_balance = 0, self.balance


@dataclass
class Story:
    """What the pages of a studio show, in order, and its true income. In a calm studio every change is read."""

    seen: list[Seen]
    truth: dict[str, Truth]
    is_calm: bool

    @property
    def readings(self) -> list[Reading]:
        """What producers send of it, in order."""
        return [Reading(one.room, PLATFORM, one.second, one.tokens, 1000 * one.second, account=one.account) for one in self.seen]


def generate(seed: int, start: int, hours: float = 3) -> Story:
    """Some hours of three rooms that four accounts work in shifts of minutes, from a Unix second."""
    rng = random.Random(seed)
    is_calm = seed % 2 == 0
    truth = {account: Truth(rng.choice([0, 300, 7000, 20_000])) for account in ACCOUNTS}
    seen: list[Seen] = []
    for slot in range(int(hours * 3600) // SESSION_SECONDS):
        for room_number, room in enumerate(ROOMS):
            account = ACCOUNTS[(slot + room_number) % len(ACCOUNTS)]  # never in two rooms at once
            begin = start + slot * SESSION_SECONDS + room_number
            seconds = range(begin, begin + SESSION_SECONDS - 60, INTERVAL_SECONDS)
            seen += _Session(rng, room, account, truth[account], is_calm=is_calm).run(seconds)
    return Story(sorted(seen), truth, is_calm)


@dataclass
class _Session:
    """An account at a desk. There is at most one change between two readings, and no odd one at its end, so that all can be confirmed."""

    rng: random.Random
    room: str
    account: str
    truth: Truth
    is_calm: bool = field(kw_only=True)
    odd: int = 0  # so many readings are still wrong
    shown: int = 0  # the number in them
    silent: int = 0  # so many readings are still missing
    quiet_until: int = 0  # no odd event before this reading
    small_until: int = 0  # no large tip before this one

    def run(self, seconds: Sequence[int]) -> list[Seen]:
        """What the page shows at these moments."""
        self._begin()
        found: list[Seen] = []
        for number, second in enumerate(seconds):
            self._change(number, is_end=number > len(seconds) - 2 * QUIET)
            if self.silent or self.odd:
                self.quiet_until = number + QUIET
            if self.silent:
                self.silent -= 1
                continue
            found.append(Seen(second, self.room, self.account, self.shown if self.odd else self.truth.balance))
            self.truth.read(is_true=not self.odd)
            self.odd = max(0, self.odd - 1)
        return found

    def _begin(self) -> None:
        """Between sessions an account may be cashed out, and a page shows 0 while it loads."""
        self.quiet_until = self.small_until = QUIET
        if not self.is_calm and self.truth.was_read and not self.truth.ceiling and self.rng.random() < 0.2:
            if self.truth.balance > CASH_OUT:
                self.truth.cash_out(self.rng.randint(0, REST), unseen=True)
            self.odd, self.shown = self.rng.randint(0, 3), 0

    def _change(self, number: int, *, is_end: bool) -> None:
        """What happens before the next reading, if anything."""
        chance, truth = self.rng.random(), self.truth
        if chance < 0.03:
            tip = self.rng.choice(TIPS)
            if tip <= SMALL_TIP or (number >= self.small_until and not is_end):
                truth.earn(tip)
                if tip > SMALL_TIP and not self.silent:
                    self.quiet_until = max(self.quiet_until, number + QUIET)
        elif not (self.odd or self.silent or is_end or number < self.quiet_until):
            self._odd_event(number, chance)

    def _odd_event(self, number: int, chance: float) -> None:
        rng, truth = self.rng, self.truth
        if chance < 0.032 and truth.balance > CASH_OUT:
            truth.cash_out(rng.randint(0, REST))
            self.quiet_until = self.small_until = number + QUIET
        elif 0.032 <= chance < 0.04:
            self.odd, self.shown = rng.randint(1, 4), misread(rng, truth.balance)
        elif 0.04 <= chance < 0.042 and not self.is_calm:
            self.silent = rng.randint(20, 150)
            if truth.balance > CASH_OUT:
                truth.cash_out(rng.randint(0, REST), unseen=True)
        elif 0.042 <= chance < 0.044 and not self.is_calm and truth.balance > 1:
            truth.balance -= rng.randint(1, min(500, truth.balance - 1))
            self.quiet_until = number + QUIET


def misread(rng: random.Random, balance: int) -> int:
    """What a page may show in place of a balance: 0, or a number with a digit too many, a digit too few or only the first digits."""
    digits = str(balance)
    at = rng.randrange(len(digits))
    wrong = [
        "0",
        digits + str(rng.randint(0, 9)),
        digits[:at] + digits[at] + digits[at:],
        str(rng.randint(1, 9)) + digits,
        digits[:at] + digits[at + 1 :] or "0",
        digits[: rng.randint(1, len(digits))],
    ]
    return int(rng.choice(wrong[:1] if balance < 100 else wrong))
