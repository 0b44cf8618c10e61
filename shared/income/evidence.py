"""Whether readings contradict an odd one, its shape, and the income it may hide. Pure functions over a few readings of an account."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from shared.income.entries import HIDDEN_MS, LARGE_RISE, SMALL_BALANCE, SMALL_RISE, Balance, Entry, Kind, Reason, plausible


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


def returns(reading: Balance, odd: Balance, base: Balance) -> bool:
    """Whether a reading shows that the balance never was where the odd reading put it."""
    if odd.tokens < base.tokens:
        return reading.tokens >= base.tokens
    gained = reading.tokens - base.tokens
    return 0 <= gained <= plausible(base.tokens) and gained <= odd.tokens - reading.tokens


def _rises(readings: Iterable[Balance]) -> int:
    """The sum of the rises: the income if every reading is true."""
    return sum(max(0, after.tokens - before.tokens) for before, after in pairwise(readings))


def doubt(base: Balance, pending: Sequence[Balance], reading: Balance) -> list[Entry]:
    """The income beyond the rise from `base` to `reading` if the readings between them were true after all."""
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


def denied_by(base: Balance, odd: Balance, others: Sequence[Balance]) -> int | None:
    """The position of the first reading that shows an odd one to be wrong, None where there is none.

    A leap is denied by a lower balance that is not below the one before it: below it is a cash-out, and spending is small beside the leap.
    A fall to 0 during a pause without readings is denied by any balance, since pages show 0 while they load.
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


def bound_of_denied(base: Balance, odd: Balance, others: Sequence[Balance]) -> list[Entry]:
    """The income beyond the rise to the last reading if an odd one that was denied is true. One with a digit too many is not."""
    if odd.tokens < base.tokens:
        return []  # the fall to the balance that denies it has its own bound
    last = max(base.tokens, others[-1].tokens)
    amount = _rises([base, odd, *others]) - (last - base.tokens)
    if _has_digit_too_many(odd.tokens, base.tokens) and amount > LARGE_RISE:
        return []
    return [Entry(Kind.UNSETTLED, odd.at_ms, amount, odd.room, base.tokens, Reason.CONTRADICTED)] if amount else []


def set_aside(odd: Balance, base: Balance, reason: Reason, others: tuple[Balance, ...]) -> Entry:
    """The entry of an occasion on which readings were set aside: the odd one and others that followed."""
    return Entry(Kind.SET_ASIDE, odd.at_ms, odd.tokens, odd.room, base.tokens, reason, others)


def why_set_aside(odd: Balance, base: Balance) -> Reason:
    """What the odd reading looks like, once the balance has returned."""
    if odd.tokens == 0:
        return Reason.READ_AS_ZERO
    if odd.tokens > base.tokens:
        return Reason.EXTRA_DIGIT if _has_digit_too_many(odd.tokens, base.tokens) else Reason.RETURNED
    return Reason.MISSING_DIGITS if str(odd.tokens) in str(base.tokens) else Reason.RETURNED


def why_denied(odd: Balance, base: Balance) -> Reason:
    """What the odd reading looks like that the following readings deny."""
    if odd.tokens < base.tokens:
        return Reason.READ_AS_ZERO
    return Reason.EXTRA_DIGIT if _has_digit_too_many(odd.tokens, base.tokens) else Reason.CONTRADICTED
