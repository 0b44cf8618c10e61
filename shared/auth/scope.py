"""What a token lets its bearer touch: rooms by exact id or prefix, and optionally a list of platforms."""

import bisect
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from shared.contract.readings import PLATFORM_PATTERN, ROOM_PATTERN

_ROOM = re.compile(ROOM_PATTERN)
_PREFIX = re.compile(r"\A[A-Za-z0-9 ._-]{0,64}\*\Z")
_PLATFORM = re.compile(PLATFORM_PATTERN)


def is_room(room_id: str, platform: str) -> bool:
    """Whether these can name a room and a platform at all; only then may a key be built from them."""
    return _ROOM.match(room_id) is not None and _PLATFORM.match(platform) is not None


class ScopeError(ValueError):
    """A room pattern or platform name is malformed, or reaches outside the scope it should narrow."""


def _covers(prefixes: tuple[str, ...], name: str) -> bool:
    """Whether a name starts with one of these. They are sorted and none starts with another, so only the last one up to the name can."""
    at = bisect.bisect_right(prefixes, name)
    return at > 0 and name.startswith(prefixes[at - 1])


class Scope(Struct, frozen=True):
    """A set of rooms and platforms; hashable, so that equal scopes share an audience.

    `rooms` holds exact ids, `prefixes` the text before each `*`, sorted, none covering another; `platforms` None means every platform.
    """

    rooms: frozenset[str]
    prefixes: tuple[str, ...]
    platforms: frozenset[str] | None = None

    @classmethod
    def of(cls, rooms: Iterable[str], platforms: Iterable[str] | None = None) -> "Scope":
        """Builds a scope from patterns (`blue`, `vip-*`, `*`); raises ScopeError for a malformed one."""
        exact, prefixes = set(), set()
        for pattern in rooms:
            if _PREFIX.match(pattern):
                prefixes.add(pattern[:-1])
            elif _ROOM.match(pattern):
                exact.add(pattern)
            else:
                raise ScopeError("a room is an exact id or a prefix ending in *")
        names = None if platforms is None else frozenset(platforms)
        if names is not None and not all(_PLATFORM.match(name) for name in names):
            raise ScopeError("a platform is 1-32 of a-z 0-9 - _")
        widest: tuple[str, ...] = ()
        for prefix in sorted(prefixes):  # sorted, a prefix follows the wider ones that cover it
            if not (widest and prefix.startswith(widest[-1])):
                widest += (prefix,)
        return cls(frozenset(r for r in exact if not _covers(widest, r)), widest, names)

    @property
    def is_everything(self) -> bool:
        """Whether nothing lies outside."""
        return self.prefixes == ("",) and self.platforms is None

    def allows(self, room_id: str, platform: str) -> bool:
        """Whether this room on this platform lies inside."""
        return (self.platforms is None or platform in self.platforms) and (room_id in self.rooms or _covers(self.prefixes, room_id))

    def narrow(self, rooms: Sequence[str] | None, platforms: Sequence[str] | None) -> "Scope":
        """The part that was asked for (None: all of it); raises ScopeError if it is not wholly inside."""
        if rooms is None and platforms is None:
            return self
        asked = Scope.of(self.patterns() if rooms is None else rooms, self.platforms if platforms is None else platforms)
        covered = all(_covers(self.prefixes, p) for p in asked.prefixes) and all(
            r in self.rooms or _covers(self.prefixes, r) for r in asked.rooms
        )
        if not covered:
            raise ScopeError("a room is outside the token's scope")
        if self.platforms is not None and not (asked.platforms or frozenset()) <= self.platforms:
            raise ScopeError("a platform is outside the token's scope")
        return asked

    def patterns(self) -> list[str]:
        """The rooms as patterns again, sorted."""
        return sorted(self.rooms) + [prefix + "*" for prefix in self.prefixes]
