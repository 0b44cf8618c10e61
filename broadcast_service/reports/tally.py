"""Adds up reports of income by step, feed, room, platform and account, and writes them as JSON. Pure; `files.py` writes CSV.

What counts as income is decided in `rules.py`. Every entry has one moment, so a span split anywhere has the same in its parts.
"""

import heapq
import itertools
import operator
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from broadcast_service.reports.findings import Findings, Odd, Sums, slots_on_air
from broadcast_service.reports.report import (
    MAX_ACCOUNT_ROOMS,
    AccountEarnings,
    AccountRoom,
    DamagedDay,
    Detail,
    FeedEarnings,
    PlatformEarnings,
    RoomEarnings,
)
from shared.contract.codec import encode
from shared.contract.feeds import Feed, Series
from shared.contract.history_record import DAY_SECONDS
from shared.contract.keys import day_of
from shared.income.rules import Kind
from shared.income.steps import Steps

ITEMS_PER_PART: Final = 100  # rows that are encoded in one stretch: about a millisecond
STEPS_PER_PART: Final = 6000  # numbers in a part


class Lines(NamedTuple):
    """A series in a file: income and recorded steps with a reading by step of the window, the rest by step of the report."""

    series: Series
    earned: "array[int]"
    read: "array[int]"
    odd: dict[int, Odd]


class Tally:
    """Adds up a report one feed at a time. It holds numbers of the window only, the steps that may hold something, and holds them packed.

    The window is a range of steps; outside of it nothing was earned. The feeds of a room come one after another.
    """

    def __init__(self, steps: Steps, window: range, detail: Detail, *, step_seconds: int = 60) -> None:
        self.steps = steps
        self.window = window
        self.detail = detail
        self.step_seconds = step_seconds
        self.lines: list[Lines] = []
        self.damaged: list[tuple[int, Series]] = []  # archived days, since the epoch, that cannot be read
        self._per_step = [0] * len(window)
        self._feeds: dict[Feed, Sums] = {}
        self._rooms: dict[str, Sums] = {}
        self._platforms: dict[str, Sums] = {}
        self._accounts: dict[tuple[str, str], Sums] = {}
        self._account_rooms: dict[tuple[str, str], dict[str, int]] = {}
        self._room: tuple[str, list[Findings]] = "", []
        self._held_bytes = 0

    def add(self, feed: Feed, found: Mapping[str, Findings]) -> None:
        """What the accounts of a feed did in the window."""
        if self._room[0] != feed.room_id:
            self._room = feed.room_id, []
        self._room[1].extend(found.values())
        sums = self._feeds.setdefault(feed, Sums())
        room, platform = self._rooms.setdefault(feed.room_id, Sums()), self._platforms.setdefault(feed.platform, Sums())
        for account, findings in found.items():
            series = Series(*feed, account)
            totals = findings.totals()
            own = self._accounts.setdefault((feed.platform, account), Sums())
            for one, detail in (
                (sums, Detail.FEEDS),
                (room, Detail.ROOMS),
                (platform, Detail.PLATFORMS),
                (own, Detail.ACCOUNTS),
            ):
                one.add(series, findings, totals, with_steps=self.detail is detail)
            own.on_air_seconds += self._seconds([findings])
            rooms = self._account_rooms.setdefault((feed.platform, account), {})
            rooms[feed.room_id] = totals.earned
            if any(findings.earned):
                self._per_step = list(map(operator.add, self._per_step, findings.earned))
            if self.detail.is_file:
                self._add_lines(series, findings)
        sums.on_air_seconds = self._seconds(found.values())
        platform.on_air_seconds += sums.on_air_seconds
        room.on_air_seconds = self._seconds(self._room[1])
        self._held_bytes += 300 + 8 * len(sums.steps) + 300 * len(found)

    def _seconds(self, found: Iterable[Findings]) -> int:
        return slots_on_air(found) * self.step_seconds

    def _add_lines(self, series: Series, found: Findings) -> None:
        lines = Lines(series, found.earned[:], found.read or array("I", bytes(4 * len(found.earned))), found.odd())
        self.lines.append(lines)
        self._held_bytes += 200 + 12 * len(found.earned) + 200 * len(lines.odd)

    def json(self, measured_minutes: list[int]) -> Iterator[bytes]:
        """A `Report` of all feeds that were added as JSON, in parts; the minutes come from a `Coverage` of the same feeds."""
        steps = self.steps
        step = encode(steps.unit or steps.step)
        yield b'{"from":%d,"to":%d,"step":%b,"total":%d,"earned":' % (steps.start, steps.end, step, sum(self._per_step))
        yield encode(self._padded(self._per_step))
        yield b',"measured_minutes":' + encode(measured_minutes)
        yield b',"rooms":'
        yield from self._listed(RoomEarnings, [((room,), one) for room, one in self._rooms.items()], Detail.ROOMS)
        yield b',"platforms":'
        yield from self._listed(PlatformEarnings, [((name,), one) for name, one in self._platforms.items()], Detail.PLATFORMS)
        yield b',"feeds":'
        yield from self._listed(FeedEarnings, list(self._feeds.items()), Detail.FEEDS)
        yield b',"accounts":'
        yield from self._listed_accounts()
        sums = self._accounts.values()
        yield b',"between_sessions":%d,"unsettled":%d,"set_aside":%d,"on_air_seconds":%d' % (
            sum(one.between_sessions for one in sums),
            sum(one.unsettled for one in sums),
            sum(one.set_aside for one in sums),
            sum(one.on_air_seconds for one in sums),
        )
        if self.damaged:
            yield b',"damaged":' + encode([_damaged_day(day, series) for day, series in self.damaged])
        if steps.starts:
            yield b',"starts":' + encode(steps.starts) + b',"timezone":' + encode(steps.zone)
        yield b"}"

    def _padded(self, numbers: Sequence[int]) -> list[int]:
        ahead, behind = self.window.start, self.steps.number - self.window.stop
        return [*itertools.repeat(0, ahead), *numbers, *itertools.repeat(0, behind)]

    def _listed(self, kind: type, rows: Sequence[tuple[tuple[str, ...], Sums]], detail: Detail) -> Iterator[bytes]:
        """A JSON list of rows, in parts; those that earned most come first."""

        def row(key: tuple[str, ...], one: Sums) -> Any:
            """The sums of a room, a platform or a feed as `kind`."""
            return kind(
                *key,
                one.earned,
                on_air_seconds=one.on_air_seconds,
                between_sessions=one.between_sessions,
                unsettled=one.unsettled,
                set_aside=one.set_aside,
                first_unsettled=one.first(Kind.UNSETTLED),
                first_set_aside=one.first(Kind.SET_ASIDE),
                steps=self._padded(one.steps) if self.detail is detail else None,
            )

        ranked = sorted(rows, key=lambda item: (-item[1].earned, item[0]))
        return self._in_parts((row(*item) for item in ranked), has_steps=self.detail is detail)

    def _listed_accounts(self) -> Iterator[bytes]:
        with_steps = self.detail is Detail.ACCOUNTS

        def row(platform: str, account: str, one: Sums) -> AccountEarnings:
            """The sums of an account."""
            rooms = self._account_rooms[platform, account]
            first = heapq.nsmallest(MAX_ACCOUNT_ROOMS, rooms.items(), key=lambda item: (-item[1], item[0]))
            return AccountEarnings(
                platform=platform,
                account=account or None,
                earned=one.earned,
                unsettled=one.unsettled,
                on_air_seconds=one.on_air_seconds,
                between_sessions=one.between_sessions,
                set_aside=one.set_aside,
                rooms=list(itertools.starmap(AccountRoom, first)),
                other_rooms=len(rooms) - len(first),
                steps=self._padded(one.steps) if with_steps else UNSET,
                first_unsettled=one.first(Kind.UNSETTLED),
                first_set_aside=one.first(Kind.SET_ASIDE),
            )

        ranked = sorted(self._accounts.items(), key=lambda item: (-item[1].earned, item[0]))
        return self._in_parts((row(*key, one) for key, one in ranked), has_steps=with_steps)

    def _in_parts(self, rows: Iterable[Any], *, has_steps: bool) -> Iterator[bytes]:
        size = max(1, min(ITEMS_PER_PART, STEPS_PER_PART // self.steps.number)) if has_steps else ITEMS_PER_PART
        separator, rest = b"[", iter(rows)
        while part := list(itertools.islice(rest, size)):
            yield separator + encode(part)[1:-1]
            separator = b","
        yield b"]" if separator == b"," else b"[]"

    def size(self) -> int:
        """About how many bytes this holds."""
        return self._held_bytes + 36 * len(self._per_step) + 200 * len(self.damaged)


def _damaged_day(day: int, series: Series) -> DamagedDay:
    return DamagedDay(day_of(day * DAY_SECONDS), series.room_id, series.platform, series.account or None)
