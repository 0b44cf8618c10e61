"""Scopes: narrowing never widens, and equal scopes are one."""

import time
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.auth.scope import Scope, ScopeError, is_room

Parts = tuple[list[str], list[str] | None]

rooms = st.text("ab-", min_size=1, max_size=4)
patterns = st.lists(rooms | st.text("ab-", max_size=3).map(lambda text: text + "*"), max_size=4)
platforms = st.none() | st.lists(st.sampled_from(["p", "q", "r"]), max_size=3)


@given(st.tuples(patterns, platforms), st.tuples(patterns, platforms), rooms, st.sampled_from(["p", "q", "r"]))
def test_narrowing_never_widens(has: Parts, wants: Parts, room: str, platform: str) -> None:
    """The wide scope allows everything that the narrowed one allows."""
    scope = Scope.of(*has)
    try:
        narrowed = scope.narrow(*wants)
    except ScopeError:
        assume(False)
    assert scope.allows(room, platform) or not narrowed.allows(room, platform)


@given(patterns, platforms)
def test_a_scope_narrowed_by_nothing_is_itself(has: list[str], on: list[str] | None) -> None:
    """And its patterns make it again."""
    scope = Scope.of(has, on)
    assert scope.narrow(None, None) == scope == Scope.of(scope.patterns(), on)
    assert hash(scope) == hash(Scope.of(reversed(has), on))


@given(patterns, rooms)
def test_a_scope_means_what_its_patterns_say(has: list[str], room: str) -> None:
    """An exact id matches itself, a prefix every id that starts with it."""
    means = any(room.startswith(pattern[:-1]) if pattern.endswith("*") else room == pattern for pattern in has)
    assert Scope.of(has).allows(room, "p") == means


def seconds_of(work: Callable[[], object]) -> float:
    """The CPU time of some work, at best of a few."""

    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(7))


def test_many_prefixes_cost_little_more_than_one() -> None:
    """Neither where rooms are looked up, nor where five hundred are narrowed to five hundred."""
    names = [f"room-{number:04}" for number in range(2000)]
    many = Scope.of([f"room-{number:03}*" for number in range(500)])
    few = Scope.of(["room-0*"])
    assert [many.allows(name, "p") for name in names] == [name < "room-5" for name in names]
    assert seconds_of(lambda: [many.allows(name, "p") for name in names]) < 6 * seconds_of(
        lambda: [few.allows(name, "p") for name in names]
    )
    exact = [f"room-{number:03}x" for number in range(500)]
    assert seconds_of(lambda: many.narrow(exact, None)) < 6 * seconds_of(lambda: few.narrow([f"room-0{name}" for name in exact], None))


@pytest.mark.parametrize("pattern", ["", "a*b", "**", " a", "a ", "a\n", "a\n*", "{a}", "a:b", "a" * 65, "a" * 65 + "*", "\u0430"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    """A pattern that could reach outside its meaning is none."""
    with pytest.raises(ScopeError):
        Scope.of([pattern])


@given(st.text(), st.text())
def test_only_rooms_are_rooms(room: str, platform: str) -> None:
    """A name that may become part of a key has no character of a key's syntax."""
    assert not is_room(room, platform) or not set(room + platform) & set(":{}*\r\n\0")
