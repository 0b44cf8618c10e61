"""How simulated rooms behave. Pure: a seeded generator and the time go in, readings come out.

A room is on air for an hour or two, then off for a while. Its audience grows and shrinks slowly, an admirer now and then starts a burst of
tips, a goal that is reached is followed by a larger one, and rarely the balance is cashed out. Three accounts work a room in turn, eight
hours each, with a balance of their own; the producers of some rooms send no account, as older ones do not.
"""

import random
from dataclasses import dataclass, field

from msgspec import UNSET

from shared.contract.readings import Reading

PLATFORMS = ("chaturbate", "stripchat", "camsoda")
NAMES = (
    "amber aurora bella blue coral dahlia echo ember fern flora gala hazel indigo iris ivy jade juno kaia lark luna "
    "maple mira nova olive onyx opal pearl petra quinn rio rosa ruby sable sage sierra sky sol stella tess vega viola willow wren zoe"
).split()


SHIFT_SECONDS = 8 * 3600
SHIFTS = 3


@dataclass
class Room:
    """One simulated room on one platform."""

    room_id: str
    platform: str
    popularity: float
    tokens: int
    on_air: bool
    until: float
    viewers: float = 0.0
    tips: int = 0
    goal: int = 1000
    burst_left: int = 0
    rng: random.Random = field(default_factory=random.Random, repr=False)
    accounts: tuple[str, ...] = ()  # one for each shift; empty: the producer sends none
    balances: list[int] = field(default_factory=list)  # of the accounts that are not at work now
    shift: int = 0

    def step(self, now_seconds: float) -> Reading | None:
        """Simulates five seconds; the reading of the room's page, or None while it is off air."""
        return self.reading(now_seconds) if self.advance(now_seconds) else None

    def advance(self, now_seconds: float, times: int = 1) -> bool:
        """Simulates five seconds, or the tips of so many times five; whether the room is on air then."""
        if now_seconds >= self.until:
            self._change_air(now_seconds)
        if not self.on_air:
            return False
        self._change_shift(int(now_seconds // SHIFT_SECONDS) % SHIFTS)
        self._drift()
        for _ in range(times):
            self._tip()
        return True

    def reading(self, now_seconds: float) -> Reading:
        """What the room's page says."""
        milliseconds = int(now_seconds * 1000)
        return Reading(
            room_id=self.room_id,
            platform=self.platform,
            timestamp=milliseconds // 1000,
            tokens_count=self.tokens,
            sequence=milliseconds,
            tips_count=self.tips,
            viewers_count=int(self.viewers),
            goal_tokens=self.goal if self.platform != "camsoda" else None,
            account=self.accounts[self.shift] if self.accounts else UNSET,
        )

    def cash_out(self) -> None:
        """Pays all balances out, so that a day does not depend on the day before."""
        self.tokens, self.goal = self.rng.randint(0, 400), 5000
        self.balances = [0] * len(self.balances)

    def _change_shift(self, shift: int) -> None:
        """Lets the account of a shift go on with its own balance."""
        if self.accounts and shift != self.shift:
            self.balances[self.shift], self.tokens = self.tokens, self.balances[shift]
            self.shift = shift

    def _change_air(self, now_seconds: float) -> None:
        self.on_air = not self.on_air
        minutes = self.rng.uniform(25, 120) if self.on_air else self.rng.uniform(4, 20)
        self.until = now_seconds + minutes * 60
        self.viewers = self.popularity * 0.2
        self.tips = 0

    def _drift(self) -> None:
        pull = (self.popularity - self.viewers) * 0.01
        self.viewers = max(0.0, self.viewers + pull + self.rng.gauss(0, 0.02 * self.popularity + 0.5))

    def _tip(self) -> None:
        if self.burst_left == 0 and self.rng.random() < 0.006 + self.popularity / 60_000:
            self.burst_left = self.rng.randint(1, 6)
        if self.burst_left:
            self.burst_left -= 1
            amount = self.rng.choice((1, 5, 10, 15, 25, 25, 50, 100, 250, 555))
            self.tokens += amount
            self.tips += 1
            if self.tokens >= self.goal:
                self.goal = -(-(self.tokens + self.rng.randint(300, 2500)) // 100) * 100
        elif self.rng.random() < 0.0005 and self.tokens > 5000:
            self.tokens -= 5000  # cashed out


def studio(rooms: int, seed: int, now_seconds: float) -> list[Room]:
    """So many rooms, most of them on air."""
    rng = random.Random(seed)
    made = []
    for number in range(rooms):
        name = NAMES[number % len(NAMES)] + ("" if number < len(NAMES) else f"-{number // len(NAMES) + 1}")
        popularity = 8 + 900 * rng.random() ** 4
        tokens = rng.randint(200, 9000)
        goal = -(-(tokens + rng.randint(200, 2000)) // 100) * 100
        on_air = rng.random() < 0.88
        until = now_seconds + rng.uniform(60, 5400 if on_air else 600)
        room = Room(name, PLATFORMS[number % 3], popularity, tokens, on_air, until, goal=goal, rng=random.Random(rng.random()))
        if number % 6 != 5:
            room.accounts = tuple(f"{rng.getrandbits(64):016x}" for _ in range(SHIFTS))
            room.balances = [rng.randint(200, 9000) for _ in range(SHIFTS)]
            room.shift = int(now_seconds // SHIFT_SECONDS) % SHIFTS
        room.viewers = popularity * rng.uniform(0.4, 1.1)
        room.tips = rng.randint(0, 60)
        made.append(room)
    return made
