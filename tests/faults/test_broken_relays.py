"""The checker is no ornament: dashboards behind relays that break the promise fail a scene, and each for the right reason."""

import asyncio
import contextlib
import functools
import pathlib
from collections.abc import Callable
from typing import Final

import pytest

from tests.faults import tampering
from tests.faults.catalogue import record
from tests.faults.checker import FRESH_SECONDS
from tests.faults.scene import ROOMS, Scene, play
from tests.faults.tampering import Relay, Tamper

pytestmark = pytest.mark.faults

MINE: Final = frozenset(ROOMS[:5])
RELAYS: Final[dict[str, Callable[[], Tamper]]] = {
    "dropping": functools.partial(tampering.dropping, ROOMS[0]),
    "reordering": functools.partial(tampering.reordering, ROOMS[0]),
    "repeating": functools.partial(tampering.repeating, ROOMS[0]),
    "inventing": functools.partial(tampering.inventing, ROOMS[0]),
    "leaking": tampering.faithful,
    "silent": tampering.silent,
    "faithful": tampering.faithful,
}
REASONS: Final = {
    "dropping": "did not show",
    "reordering": "received version",
    "repeating": "received version",
    "inventing": "no producer posted",
    "leaking": "may not see",
    "silent": "did not show",
}
LOSING: Final = {"dropping", "reordering", "inventing"}  # those that may not show the last value either


def test_every_broken_relay_is_caught_and_a_faithful_one_is_not(tmp_path: pathlib.Path) -> None:
    """Real dashboards behind proxies that drop, reorder, repeat, invent, leak or keep silent fail a scene."""
    said: list[str] = []

    async def story(scene: Scene) -> None:
        async with contextlib.AsyncExitStack() as open_now:
            for name, make_tamper in RELAYS.items():
                relay = Relay(scene.broadcasts[0].url, make_tamper, scene.stack.token("dashboard") if name == "leaking" else "")
                await open_now.enter_async_context(relay.running())
                await scene.dashboard(name, urls=[relay.url], rooms=MINE)
            await asyncio.sleep(FRESH_SECONDS + 1)
            scene.link.drop()
            await asyncio.sleep(FRESH_SECONDS + 1)
            scene.link.restore()
            await scene.leave(scene.producer)
            await scene.until(lambda: {text.split()[0] for text in scene.checker.behind()} <= LOSING, "the others show the last values")
            assert scene.connections == {1}
            said.extend(scene.checker.violations())
            await scene.settled()

    with pytest.raises(AssertionError, match=r"all show the last values; behind: .*dropping"):
        play(tmp_path, story, cut="broadcast", dashboards=1)
    for name, reason in REASONS.items():
        assert any(text.startswith(f"{name} ") and reason in text for text in said), (name, said)
    assert {text.split()[0] for text in said} == REASONS.keys()
    record(32, "Relays that drop, reorder, repeat, invent, leak, keep silent", "each is caught; a faithful one is not", None)
