"""The promise of docs/decisions.md as a judgement over a record: every POST's answer, and every event each dashboard saw.

Pure: times are arguments. The checker believes nothing that the services report about themselves. It compares their answers to
producers: an accepted reading is to be shown by every connected dashboard, or the dashboard is to know that it is behind.
"""

import bisect
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from shared.contract.readings import Reading

FRESH_SECONDS: Final = 5.0  # how long a dashboard may show an outdated value without saying so
FORGOTTEN: Final = -1  # what a dashboard shows of a feed that a later snapshot lacks

Key = tuple[str, str]


class BrokenPromise(AssertionError):
    """What no delay explains: a value that is older, invented, lost or not permitted. `make faults` never retries such a failure."""


def require(holds: object, what: str) -> None:
    """Raises BrokenPromise with this text unless something holds."""
    if not holds:
        raise BrokenPromise(what)


class Posted(NamedTuple):
    """A reading and what became of it: True stored, False not, None unknown."""

    tokens: int
    timestamp: int
    stored: bool | None
    at: float


class Shown(NamedTuple):
    """A value from the moment at which a dashboard showed it; `tokens` None once it has expired, FORGOTTEN where a snapshot lacks it."""

    at: float
    version: int
    tokens: int | None


@dataclass
class View:
    """What one dashboard showed and knew, in order of time."""

    name: str
    rooms: frozenset[str] | None = None
    shown: dict[Key, list[Shown]] = field(default_factory=lambda: defaultdict(list))
    excuses: list[tuple[float, bool]] = field(default_factory=lambda: [(0.0, True)])
    on_this_connection: dict[Key, int] = field(default_factory=dict)
    connected: bool = False
    opened_at: float = 0.0
    received: set[Key] = field(default_factory=set)

    def sees(self, key: Key) -> bool:
        """Whether this dashboard may see a room."""
        return self.rooms is None or key[0] in self.rooms

    def excused(self, start: float, end: float) -> bool:
        """Whether at some time in between it was disconnected, or had received notice that its values may be old."""
        before = [excused for at, excused in self.excuses if at <= start]
        return before[-1] or any(excused for at, excused in self.excuses if start < at <= end)

    def tokens(self, key: Key) -> int:
        """The value it shows now, -1 for none."""
        steps = self.shown.get(key)
        return -1 if not steps or steps[-1].tokens is None else steps[-1].tokens

    def shows_by(self, key: Key, tokens: int, end: float) -> bool:
        """Whether by then it has shown a value at least as new; balances in these tests only grow."""
        steps = self.shown.get(key, [])
        newest_first = range(bisect.bisect_right(steps, end, key=lambda step: step.at) - 1, -1, -1)
        return any((step := steps[number]).tokens is None or step.tokens >= tokens for number in newest_first)


class Checker:
    """Keeps the record and judges it."""

    def __init__(self) -> None:
        self.posts: dict[Key, list[Posted]] = defaultdict(list)
        self._sent: dict[Key, set[tuple[int, int]]] = defaultdict(set)
        self.views: dict[str, View] = {}
        self.broken: list[str] = []
        self._lost_at = -1.0

    # --- the record ---

    def posting(self, update: Reading) -> None:
        """A POST is sent; its value may be shown before its answer is back."""
        self._sent[update.room_id, update.platform].add((update.tokens_count or 0, update.timestamp))

    def posted(self, update: Reading, *, stored: bool | None, at: float) -> None:
        """A POST was answered, or was not."""
        self.posts[update.room_id, update.platform].append(Posted(update.tokens_count or 0, update.timestamp, stored, at))

    def opened(self, name: str, at: float, rooms: frozenset[str] | None = None) -> None:
        """A dashboard's socket opened; until its first SYNC it claims nothing."""
        view = self.views.setdefault(name, View(name, rooms))
        view.connected = True
        view.opened_at = at
        view.on_this_connection.clear()
        view.received.clear()

    def closed(self, name: str, at: float) -> None:
        """A dashboard's socket is gone, and it knows."""
        view = self.views[name]
        view.connected = False
        view.excuses.append((at, True))

    def lost(self, at: float) -> None:
        """A fault that may lose accepted readings, such as an empty restart or a failover, was under way until now."""
        self._lost_at = at

    def saw(self, name: str, event: dict[str, Any], at: float) -> None:
        """An event arrived at a dashboard."""
        view, kind = self.views[name], event["event_type"]
        if kind == "UPSTREAM":
            view.excuses.append((at, event["status"] != "ok"))
        elif kind in ("TELEMETRY_UPDATE", "TELEMETRY_EXPIRED"):
            self._value(view, event, at)
        elif kind == "SYNC" and event["snapshot"]:
            for key, steps in view.shown.items():
                if key not in view.received and steps[-1].tokens not in (None, FORGOTTEN):
                    steps.append(Shown(at, 0, FORGOTTEN))

    def _value(self, view: View, event: dict[str, Any], at: float) -> None:
        key, version = (event["room_id"], event["data"]["platform"]), event["version"]
        if version < view.on_this_connection.get(key, 0):
            self.broken.append(f"{view.name} received version {version} of {key} after {view.on_this_connection[key]}")
        view.on_this_connection[key] = max(version, view.on_this_connection.get(key, 0))
        view.received.add(key)
        steps = view.shown[key]
        again = event["event_type"] == "TELEMETRY_UPDATE" and not (steps and steps[-1].tokens is None)  # what expired may come again
        if steps and version < steps[-1].version + again:
            return  # repeated after a resume, which the protocol allows
        tokens = event["data"].get("tokens")
        if not view.sees(key):
            self.broken.append(f"{view.name} received {key}, which it may not see")
        if tokens is not None:
            self._check_value(view, key, version, tokens, event["data"]["timestamp"])
        steps.append(Shown(at, version, tokens))

    def _check_value(self, view: View, key: Key, version: int, tokens: int, timestamp: int) -> None:
        before = next((step for step in reversed(view.shown[key]) if step.tokens != FORGOTTEN), None)
        if before is not None and before.tokens is not None and not before.at <= min(self._lost_at, view.opened_at):
            if tokens < before.tokens:
                self.broken.append(f"{view.name} went from {before.tokens} back to {tokens} for {key}")
            if tokens == before.tokens and version != before.version and before.at > self._lost_at:
                self.broken.append(f"{view.name} received {tokens} for {key} under versions {before.version} and {version}")
        if key in self._sent and (tokens, timestamp) not in self._sent[key]:
            self.broken.append(f"{view.name} received {tokens} for {key}, which no producer posted")

    # --- the judgement ---

    def last_stored(self, key: Key) -> int:
        """The last value acknowledged to a producer as stored, that no fault may have lost since, -1 for none."""
        return max((post.tokens for post in self.posts[key] if post.stored and post.at > self._lost_at), default=-1)

    def behind(self) -> list[str]:
        """What connected dashboards do not show yet although it was accepted."""
        return [
            f"{view.name} shows {view.tokens(key)} for {key}, accepted was {self.last_stored(key)}"
            for view in self.views.values()
            if view.connected
            for key in self.posts
            if view.sees(key) and view.tokens(key) < self.last_stored(key)
        ]

    def violations(self, *, now: float = math.inf) -> list[str]:
        """Where the promise was broken, independent of the present state; with `now`, readings whose time is not up are not judged yet."""
        return self.broken + [text for view in self.views.values() for text in self._stale(view, now)]

    def check(self, *, now: float = math.inf) -> None:
        """Raises BrokenPromise for what no delay explains, AssertionError for what may have been too late only."""
        require(not self.broken, f"{self.broken[:5]}")
        broken = self.violations(now=now)
        assert not broken, broken[:5]

    def _stale(self, view: View, now: float) -> Iterator[str]:
        """An accepted value that a dashboard, thinking itself up to date, did not show in time."""
        for key, posts in self.posts.items():
            for post in posts if view.sees(key) else ():
                end = post.at + FRESH_SECONDS
                if post.stored and end < now and not view.shows_by(key, post.tokens, end) and not view.excused(post.at, end):
                    yield f"{view.name} did not show {post.tokens} for {key} within {FRESH_SECONDS} s, and thought it was up to date"

    def delays(self, *, since: float, of: str = "") -> list[float]:
        """How long after its answer each accepted value, or a newer one, was shown by each dashboard whose name begins so; sorted."""
        views = [view for name, view in self.views.items() if name.startswith(of)]
        return sorted(delay for view in views for key in self.posts if view.sees(key) for delay in self._delays(view, key, since))

    def _delays(self, view: View, key: Key, since: float) -> Iterator[float]:
        posts, steps = self.posts[key], view.shown.get(key, [])
        before = max(0, bisect.bisect_left(steps, since, key=lambda step: step.at) - 1)
        steps = [step for step in steps[before:] if step.tokens not in (None, FORGOTTEN)]
        for post in posts[bisect.bisect_left(posts, since, key=lambda post: post.at) :]:
            first = bisect.bisect_left(steps, post.tokens, key=lambda step: step.tokens or 0)
            if post.stored and first < len(steps):
                yield max(0.0, steps[first].at - post.at)

    def was_notified(self, name: str, start: float, within_seconds: float) -> bool:
        """Whether a dashboard knew soon after a moment that its values may be old."""
        return self.views[name].excused(start, start + within_seconds)
