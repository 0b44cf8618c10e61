"""Explains the income of a room: every stored balance of a span, what the rules of `shared/income/entries.py` made of it, and why. Pure.

The sums are those of the entries that the rules give, and every entry belongs to one line, so an explanation adds up to what a report
of the same span reports.
"""

import heapq
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from shared.income.rules import CONFIRM_MS, Account, Balance, Entry, Kind, Reason

PAUSE_MS: Final = 5 * 60_000  # lines are not merged across a longer one
EACH_MS: Final = 2 * 3600_000  # up to this length of a span every stored reading is a line
MERGED_MS: Final = tuple(60_000 * minutes for minutes in (5, 15, 60, 240, 1440))
MAX_MERGED: Final = 100  # lines of plain rises, of an account that works without a pause
MAX_LINES: Final = 5000

BASELINE: Final = "baseline"
UNCHANGED: Final = "unchanged"
PENDING: Final = "pending"


class Doubt(Struct, frozen=True):
    """Tokens that may have been earned besides: the upper bound, and the rule."""

    reason: str
    tokens: int


class Line(Struct, omit_defaults=True):
    """A stored balance and how it was judged, or several that rise in a row.

    `at_ms` is the moment of the last one of them and `balance` its value; `from_ms` is the moment of the first. `since_ms` is the moment
    of the account's reading before them, in this room unless `moved` is set, and `before` the balance that was believed then; both are
    null for the first balance of the account. `earned` counts. `verdict` is one of

    - `income`, `between_sessions`, `unchanged`: believed, and its gain counts;
    - `baseline`: the first balance of the account, where counting begins;
    - `fall`: confirmed; counting goes on from the lower balance;
    - `set_aside`: the readings around it contradict it, and nothing is calculated from it;
    - `pending`: the next readings decide.

    `reason` names the rule where it is not a plain rise, and `unsettled` what may have been earned besides.
    """

    account: str | None
    from_ms: int
    at_ms: int
    since_ms: int | None
    before: int | None
    balance: int
    verdict: str
    earned: int
    reason: str = ""
    readings: int = 1
    moved: bool = False
    unsettled: list[Doubt] = []


class AccountSums(Struct):
    """The sums of an account in the room and span; `earned` includes `between_sessions`, and `set_aside` and `falls` are occasions."""

    account: str | None
    earned: int = 0
    between_sessions: int = 0
    unsettled: int = 0
    set_aside: int = 0
    falls: int = 0

    def add(self, entry: Entry) -> None:
        """Adds an entry."""
        match entry.kind:
            case Kind.INCOME:
                self.earned += entry.tokens
            case Kind.BETWEEN_SESSIONS:
                self.earned += entry.tokens
                self.between_sessions += entry.tokens
            case Kind.UNSETTLED:
                self.unsettled += entry.tokens
            case Kind.SET_ASIDE:
                self.set_aside += 1
            case Kind.FALL:  # counted by line: the first balance may be a fall that is taken back
                pass


class Explanation(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """How the income of a room in a span was calculated. The lines are in order of time; the sums include omitted lines.

    `merged_seconds` is the length of the steps within which plain rises share a line, 0 where every stored reading has its own.
    """

    room_id: str
    platform: str
    start: int
    end: int
    merged_seconds: int
    earned: int
    between_sessions: int
    unsettled: int
    set_aside: int
    falls: int
    accounts: list[AccountSums]
    lines: list[Line]
    omitted: int


class Span(NamedTuple):
    """From `start_ms` up to, not including, `end_ms`."""

    start_ms: int
    end_ms: int

    @property
    def merged_ms(self) -> int:
        """The length of the steps within which plain rises are merged."""
        length = self.end_ms - self.start_ms
        if length <= EACH_MS:
            return 0
        return next((step for step in MERGED_MS if length <= MAX_MERGED * step), MERGED_MS[-1])


class _Seen:
    """A reading, and the findings about it so far."""

    __slots__ = ("before", "doubts", "earned", "reading", "reason", "since", "verdict")

    def __init__(self, reading: Balance, since: Balance | None) -> None:
        self.reading = reading
        self.since = since
        self.before = None if since is None else reading.tokens
        self.verdict = BASELINE if since is None else ""
        self.reason = ""
        self.earned = 0
        self.doubts: list[Doubt] = []

    def concerns(self, entry: Entry) -> bool:
        """Whether an entry is about this reading."""
        at_ms, tokens, room, _ = self.reading
        if (entry.at_ms, entry.room) != (at_ms, room):
            return False
        if entry.kind is Kind.UNSETTLED:
            return True
        if entry.reason is Reason.FIRST_BALANCE:
            return entry.tokens == tokens  # which is 0, so it was no income, and a fall to it is taken back
        read = entry.tokens if entry.kind in (Kind.SET_ASIDE, Kind.FALL) else entry.before + entry.tokens
        return not self.verdict and read == tokens


class AccountExplanation:
    """Judges the readings of one account, in order of observation, and keeps the lines of one room within a span."""

    def __init__(self, account: str, room: str, span: Span) -> None:
        self._rules = Account()
        self._room = room
        self._span = span
        self._merged_ms = span.merged_ms
        self._first_ms: int | None = None
        self._previous: Balance | None = None
        self._open: list[_Seen] = []  # later readings may still change the verdicts of these
        self.lines: list[Line] = []
        self.sums = AccountSums(account or None)

    @property
    def is_settled(self) -> bool:
        """Whether no reading waits for confirmation."""
        return self._rules.is_settled

    def read(self, readings: Iterable[Balance]) -> None:
        """Takes the next readings."""
        for reading in readings:
            self._open.append(_Seen(reading, self._previous))
            self._first_ms = reading.at_ms if self._first_ms is None else self._first_ms
            self._previous = reading
            for entry in self._rules.read(reading):
                self._take(entry)
        if self._rules.is_settled and len(self._open) > 1 and self._open[-1].reading.at_ms - (self._first_ms or 0) > CONFIRM_MS:
            self._close()

    def finish(self, now_ms: int) -> None:
        """Judges the remaining readings by the clock."""
        for entry in self._rules.settle(now_ms):
            self._take(entry)
        base, pending = self._rules.base, list(self._rules.pending)
        for seen in self._open:
            if seen.reading in pending and not seen.verdict:
                seen.verdict, seen.reason, seen.before = PENDING, PENDING, None if base is None else base.tokens
        for entry in self._rules.provisional():
            self._take(entry)
        self._close()

    def _take(self, entry: Entry) -> None:
        """Writes an entry beside its reading, and adds it up."""
        if entry.room == self._room and self._span.start_ms <= entry.at_ms < self._span.end_ms:
            self.sums.add(entry)
        seen = next(seen for seen in reversed(self._open) if seen.concerns(entry))
        if entry.kind is Kind.UNSETTLED:
            seen.doubts.append(Doubt(entry.reason.value, entry.tokens))
            if entry.reason is Reason.FIRST_BALANCE:
                seen.verdict, seen.before = BASELINE, entry.before
            return
        seen.verdict, seen.before = entry.kind.value, entry.before
        seen.reason = "" if entry.reason is Reason.RISE else entry.reason.value
        seen.earned = entry.tokens if entry.kind in (Kind.INCOME, Kind.BETWEEN_SESSIONS) else 0
        for other in entry.others:
            also = next(seen for seen in reversed(self._open) if seen.reading == other and not seen.verdict)
            also.verdict, also.reason, also.before = seen.verdict, seen.reason, entry.before

    def _close(self) -> None:
        """Makes lines of the readings that are judged."""
        for seen in self._open:
            at_ms, _, room, _ = seen.reading
            if room == self._room and self._span.start_ms <= at_ms < self._span.end_ms:
                self._add(seen)
        self._open.clear()

    def _add(self, seen: _Seen) -> None:
        at_ms, tokens, _, _ = seen.reading
        since = seen.since
        verdict = seen.verdict or UNCHANGED
        self.sums.falls += verdict == Kind.FALL.value
        line = Line(
            account=self.sums.account,
            from_ms=at_ms,
            at_ms=at_ms,
            since_ms=since.at_ms if since else None,
            before=seen.before,
            balance=tokens,
            verdict=verdict,
            earned=seen.earned,
            reason=seen.reason,
            moved=since is not None and since.room != self._room,
            unsettled=seen.doubts,
        )
        last = self.lines[-1] if self.lines else None
        if self._merged_ms and last is not None and self._continues(last, line):
            last.at_ms, last.balance = line.at_ms, line.balance
            last.earned += line.earned
            last.readings += 1
            last.verdict = Kind.INCOME.value if last.earned else UNCHANGED
        else:
            self.lines.append(line)

    def _continues(self, last: Line, line: Line) -> bool:
        """Whether a line of plain rises may be merged with the one before."""
        step = self._merged_ms
        return (
            all(_is_plain(one) for one in (last, line))
            and line.since_ms == last.at_ms
            and not line.moved
            and line.at_ms - last.at_ms <= PAUSE_MS
            and (line.at_ms - self._span.start_ms) // step == (last.from_ms - self._span.start_ms) // step
        )


def _is_plain(line: Line) -> bool:
    return line.verdict in (Kind.INCOME.value, UNCHANGED) and not line.reason and not line.unsettled


def in_time(accounts: Sequence[AccountExplanation]) -> Iterator[Line]:
    """The lines of all accounts in order of time."""
    return heapq.merge(*(one.lines for one in accounts), key=operator.attrgetter("from_ms"))


def explanation(room_id: str, platform: str, span: Span, accounts: Sequence[AccountExplanation]) -> Explanation:
    """Puts the accounts of a room together, those that earned most first; accounts without a reading in the span are left out."""
    present = sorted((one for one in accounts if one.lines), key=lambda one: (-one.sums.earned, one.sums.account or ""))
    lines = list(in_time(present))
    sums = [one.sums for one in present]
    return Explanation(
        room_id=room_id,
        platform=platform,
        start=span.start_ms // 1000,
        end=span.end_ms // 1000,
        merged_seconds=span.merged_ms // 1000,
        earned=sum(one.earned for one in sums),
        between_sessions=sum(one.between_sessions for one in sums),
        unsettled=sum(one.unsettled for one in sums),
        set_aside=sum(one.set_aside for one in sums),
        falls=sum(one.falls for one in sums),
        accounts=sums,
        lines=lines[:MAX_LINES],
        omitted=max(0, len(lines) - MAX_LINES),
    )
