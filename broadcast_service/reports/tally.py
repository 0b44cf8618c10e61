"""Adds up reports of income by step, feed, room, platform and account, and writes them as JSON and as CSV. Pure.

What counts as income is decided in `shared.income`. Every entry has one moment, so a span split anywhere has the same in its parts.
"""

import datetime as dt
import itertools
import operator
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import UNSET, Struct

from broadcast_service.reports.report import AccountEarnings, Detail, FeedEarnings, PlatformEarnings, RoomEarnings, Steps
from shared.contract.codec import encode
from shared.contract.feeds import Feed, Series
from shared.income.rules import Entry, Kind

ITEMS_PER_PART: Final = 500
ZEROS_PER_PART: Final = 500
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class Findings:
    """The findings of one series: certain income by step of the window, the others by step of the report, and sums."""

    def __init__(self, window: range) -> None:
        self._first = window.start
        self.earned = [0] * len(window)
        self.unsettled = Counter[int]()
        self.set_aside = Counter[int]()
        self.between_sessions = 0
        self.on_air_seconds = 0
        self.was_read = False

    def add(self, step: int, entry: Entry) -> None:
        """Adds an entry in a step of the report."""
        if entry.kind is Kind.UNSETTLED:
            self.unsettled[step] += entry.tokens
        elif entry.kind is Kind.SET_ASIDE:
            self.set_aside[step] += 1
        elif entry.kind is not Kind.FALL:
            self.earned[step - self._first] += entry.tokens
            if entry.kind is Kind.BETWEEN_SESSIONS:
                self.between_sessions += entry.tokens


class Row(NamedTuple):
    """A feed of a report: its total, and its steps within the window, ready to be written."""

    feed: Feed
    earned: int
    json: bytes


class _Sums:
    """The figures of an account in a report that is being made."""

    def __init__(self) -> None:
        self.earned = 0
        self.steps: list[int] = []
        self.unsettled = self.set_aside = self.between_sessions = self.on_air_seconds = 0

    def add(self, found: Findings, *, with_steps: bool) -> None:
        """Adds what the account did in one room."""
        self.earned += sum(found.earned)
        if with_steps:
            self.steps = list(map(operator.add, self.steps, found.earned)) if self.steps else list(found.earned)
        self.unsettled += found.unsettled.total()
        self.set_aside += found.set_aside.total()
        self.between_sessions += found.between_sessions
        self.on_air_seconds += found.on_air_seconds


class Tally:
    """Adds up a report one feed at a time. It holds numbers of the window only, the steps that may hold something, and holds them packed.

    The window is a range of steps; outside of it nothing was earned.
    """

    def __init__(self, steps: Steps, window: range, detail: Detail) -> None:
        self.steps = steps
        self.window = window
        self._detail = detail
        self._per_step = [0] * len(window)
        self._rooms = Counter[str]()
        self._platforms = Counter[str]()
        self._rows: list[Row] = []
        self._accounts: dict[tuple[str, str], _Sums] = {}
        self._lines: list[tuple[int, Series, array[int], dict[int, tuple[int, int]]]] = []
        self._held_bytes = 0

    def add(self, feed: Feed, found: Mapping[str, Findings]) -> None:
        """What the accounts of a feed did in the window."""
        totals = [0] * len(self.window)
        for account, findings in found.items():
            totals = list(map(operator.add, totals, findings.earned))
            sums = self._accounts.setdefault((feed.platform, account), _Sums())
            sums.add(findings, with_steps=self._detail is Detail.ACCOUNTS)
            if self._detail is Detail.CSV:
                self._add_lines(Series(*feed, account), findings)
        total = sum(totals)
        if total:
            self._per_step = list(map(operator.add, self._per_step, totals))
        self._rooms[feed.room_id] += total
        self._platforms[feed.platform] += total
        json = encode(totals)[1:-1] if self._detail is Detail.JSON else b""
        self._rows.append(Row(feed, total, json))
        self._held_bytes += 200 + len(json) + 100 * len(found)

    def _add_lines(self, series: Series, found: Findings) -> None:
        odd = {step: (found.unsettled[step], found.set_aside[step]) for step in (*found.unsettled, *found.set_aside)}
        self._lines.append((sum(found.earned), series, array("Q", found.earned), odd))
        self._held_bytes += 200 + 8 * len(found.earned) + 200 * len(odd)

    def json(self, measured_minutes: list[int]) -> Iterator[bytes]:
        """A `Report` of all feeds that were added as JSON, in parts; the minutes come from a `Coverage` of the same feeds."""
        ahead, behind = self.window.start, self.steps.number - self.window.stop
        start, end, step = self.steps
        earned = [*itertools.repeat(0, ahead), *self._per_step, *itertools.repeat(0, behind)]
        yield b'{"from":%d,"to":%d,"step":%d,"total":%d,"earned":' % (start, end, step, sum(self._per_step))
        yield encode(earned)
        yield b',"measured_minutes":' + encode(measured_minutes)
        yield b',"rooms":'
        yield from _listed([RoomEarnings(*item) for item in _ranked(self._rooms)])
        yield b',"platforms":'
        yield from _listed([PlatformEarnings(*item) for item in _ranked(self._platforms)])
        yield b',"feeds":['
        separator = b""
        for row in sorted(self._rows, key=lambda row: (-row.earned, row.feed)):
            found = encode(FeedEarnings(*row.feed, row.earned))
            if self._detail is Detail.JSON:
                found = found[:-1] + b',"steps":[' + b"0," * ahead + row.json + b",0" * behind + b"]}"
            yield separator + found
            separator = b","
        yield b'],"accounts":['
        yield from self._accounts_json()
        sums = self._accounts.values()
        yield b'],"between_sessions":%d,"unsettled":%d,"set_aside":%d,"on_air_seconds":%d}' % (
            sum(one.between_sessions for one in sums),
            sum(one.unsettled for one in sums),
            sum(one.set_aside for one in sums),
            sum(one.on_air_seconds for one in sums),
        )

    def _accounts_json(self) -> Iterator[bytes]:
        ranked = sorted(self._accounts.items(), key=lambda item: (-item[1].earned, item[0]))
        ahead, behind = [0] * self.window.start, [0] * (self.steps.number - self.window.stop)
        separator = b""
        for (platform, account), sums in ranked:
            steps = [*ahead, *sums.steps, *behind] if self._detail is Detail.ACCOUNTS else UNSET
            yield separator + encode(
                AccountEarnings(
                    platform=platform,
                    account=account or None,
                    earned=sums.earned,
                    unsettled=sums.unsettled,
                    on_air_seconds=sums.on_air_seconds,
                    between_sessions=sums.between_sessions,
                    set_aside=sums.set_aside,
                    steps=steps,
                )
            )
            separator = b","

    def csv(self) -> Iterator[str]:
        """One line per series and step with something to report. No field needs quoting: ids hold neither commas nor quotes."""
        yield "start,room_id,platform,earned,account,unsettled,set_aside\r\n"
        for _, series, earned, odd in sorted(self._lines, key=lambda item: (-item[0], item[1])):
            room, platform, account = map(_no_formula, series)
            for step, tokens in enumerate(earned, self.window.start):
                if tokens or step in odd:
                    start = dt.datetime.fromtimestamp(self.steps.start + step * self.steps.step, dt.UTC)
                    unsettled, set_aside = odd.get(step, (0, 0))
                    yield f"{start:%Y-%m-%dT%H:%M:%SZ},{room},{platform},{tokens},{account},{unsettled},{set_aside}\r\n"
                elif step % ZEROS_PER_PART == 0:
                    yield ""

    def size(self) -> int:
        """About how many bytes this holds."""
        return self._held_bytes + 36 * len(self._per_step)


def _listed(items: Sequence[Struct]) -> Iterator[bytes]:
    """A JSON list in parts."""
    yield b"["
    for first in range(0, len(items), ITEMS_PER_PART):
        yield (b"," if first else b"") + encode(items[first : first + ITEMS_PER_PART])[1:-1]
    yield b"]"


def _ranked(totals: Counter[str]) -> list[tuple[str, int]]:
    return sorted(totals.items(), key=lambda item: (-item[1], item[0]))


def _no_formula(name: str) -> str:
    """A name that starts as a formula does gets an apostrophe, which none can start with: spreadsheets then show it as it is."""
    return "'" + name if name.startswith(FORMULA_STARTS) else name
