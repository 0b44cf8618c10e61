"""Faults that chance chooses, from a seed that repeats them: `make faults NEMESIS=30 SEED=…` plays so many rounds over all topologies."""

import asyncio
import contextlib
import functools
import os
import pathlib
import random
import statistics
from typing import Final

import pytest

from tests.faults import tampering
from tests.faults.catalogue import NOTES, record
from tests.faults.nemesis import FAULTS, draw
from tests.faults.random_rounds import MAX_ROUND_SECONDS, Rounds
from tests.faults.scene import ROOMS
from tests.faults.tampering import Relay
from tests.faults.worlds import SHARDS, world

pytestmark = pytest.mark.faults

QUICK: Final = {"single": 3, "shards": 3}  # what every run of the suite plays
SEED: Final = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
WANTED: Final = int(os.environ.get("NEMESIS") or 0)
TOPOLOGY: Final = os.environ.get("TOPOLOGY", "")
RECORD: Final = NOTES.with_name("nemesis.tsv")


def shares() -> dict[str, int]:
    """How many rounds each topology gets."""
    if TOPOLOGY:
        return {TOPOLOGY: WANTED or QUICK.get(TOPOLOGY, 3)}
    if not WANTED:
        return QUICK
    names = list(SHARDS)
    return {name: rounds for number, name in enumerate(names) if (rounds := (WANTED + len(names) - 1 - number) // len(names))}


def command(topology: str, rounds: int) -> str:
    """What plays the same rounds again."""
    return f"make faults NEMESIS={rounds} SEED={SEED} TOPOLOGY={topology}"


@pytest.mark.timeout(60 + int(MAX_ROUND_SECONDS) * max(shares().values()))
@pytest.mark.parametrize("topology", shares())
def test_random_faults_break_no_promise(tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str], topology: str) -> None:
    """The promise holds in every round, for one fault and for two at a time."""
    rounds = shares()[topology]
    with capfd.disabled():
        print(f"\n{rounds} random rounds, {topology}: {command(topology, rounds)}", flush=True)
    with world(topology, tmp_path) as here:
        played = Rounds(here, SEED)
        try:
            asyncio.run(played.play(draw(SEED, topology, rounds)))
        except BaseException as error:
            raise AssertionError(f"{played.current}: {error!r}. Repeat with: {command(topology, rounds)}") from error
        finally:
            record_rounds(topology, played)
    seconds = [took for _, took in played.healed]
    record(
        44,
        f"Random faults ({topology})",
        f"{rounds} rounds, seed {SEED}: no violation; healed after {statistics.median(seconds):.1f} s in the median",
        max(seconds),
    )


def record_rounds(topology: str, played: Rounds) -> None:
    """Adds every round that was healed to the record of all runs."""
    RECORD.parent.mkdir(exist_ok=True)
    with RECORD.open("a") as file:
        file.writelines(f"{SEED}\t{topology}\t{name}\t{seconds:.2f}\n" for name, seconds in played.healed)


LIES: Final = {
    "dropping": (tampering.dropping, "did not show"),
    "repeating": (tampering.repeating, "received version"),
    "inventing": (tampering.inventing, "no producer posted"),
}


def test_a_lie_is_caught_amid_random_faults(tmp_path: pathlib.Path) -> None:
    """Dashboards behind relays that break the promise, each in one way, fail the rounds, and each is named for its own reason."""
    with world("single", tmp_path) as here:
        relays = {name: Relay(here.broadcasts[0].url, functools.partial(make_tamper, ROOMS[0])) for name, (make_tamper, _) in LIES.items()}
        betrayed = Rounds(here, SEED, extra={name: relay.url for name, relay in relays.items()})

        async def story() -> None:
            async with contextlib.AsyncExitStack() as open_now:
                for relay in relays.values():
                    await open_now.enter_async_context(relay.running())
                await betrayed.play(draw(SEED, "single", 2))

        with pytest.raises(AssertionError):
            asyncio.run(story())
    said = betrayed.scene.checker.violations()
    for name, (_, reason) in LIES.items():
        assert any(text.startswith(f"{name} ") and reason in text for text in said), (name, said)
    assert {text.split()[0] for text in said} == LIES.keys()
    record(44, "Random faults, and relays that drop, repeat, invent", "each is caught, and no correct relay", None)


@pytest.mark.parametrize("topology", SHARDS)
def test_a_seed_draws_the_same_rounds_again(topology: str) -> None:
    """A longer run begins with the rounds of a shorter one, and other seeds draw others."""
    assert [str(number) for number in draw(7, topology, 30)[:10]] == [str(number) for number in draw(7, topology, 10)]
    assert [str(number) for number in draw(7, topology, 10)] != [str(number) for number in draw(8, topology, 10)]


def test_every_fault_is_drawn() -> None:
    """No line of the table is out of reach, and a round never breaks one thing twice."""
    rounds = [number for topology in SHARDS for number in draw(1, topology, 400)]
    assert {fault.name for number in rounds for fault in number.faults} == {fault.name for fault in FAULTS}
    assert all(len({fault.place for fault in number.faults}) == len(number.faults) for number in rounds)
