"""What reads cost, and that an honest wall never meets the end of its budget."""

import asyncio
import random
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcast_service.http.budget import (
    BURST_SECONDS,
    COUNTED,
    EARLIER,
    FEED,
    GAIN,
    MAX_SNAPSHOTS,
    MAX_SUBJECTS,
    MESSAGE,
    PART,
    POINT,
    READING,
    REQUEST,
    SHARED_SECONDS,
    SLOT,
    SNAPSHOT_EVENT,
    SOCKET,
    STEP,
    Budget,
)
from broadcast_service.http.budget import DAY as DAY_READ
from broadcast_service.reports.analytics import Analytics
from broadcast_service.reports.days import RedisDays
from broadcast_service.reports.report import Detail
from broadcast_service.reports.report_queue import SWEEP_SECONDS, Kept, Reports, kept_seconds
from broadcast_service.reports.wanted import Wanted
from broadcast_service.settings import BroadcastSettings
from shared.auth.scope import Scope
from shared.contract.problems import Problem
from shared.income.steps import Steps
from shared.store.redis import Store
from shared.web import jobs

SHARE = next(field.default for field in msgspec.structs.fields(BroadcastSettings) if field.name == "read_share")
HOUR, DAY, WEEK = 3600, 86400, 7 * 86400
ALL = Scope.of(["*"])
FEEDS = 1000
FALLS = 3  # of a room in a day: a cash-out, a reload that shows 0, a number read half-drawn
READINGS_OF_A_FALL = 6  # that are judged one by one: those of the steps around it


def test_a_subject_beyond_its_budget_waits_for_the_refill() -> None:
    """The 429 has the exact waiting time: the next read passes then and not before."""
    budget = Budget(SHARE)
    budget.charge("greedy", SHARE * 1000 * (BURST_SECONDS + 30), 1000.0)
    with pytest.raises(Problem) as refused:
        budget.admit("greedy", 1000.0)
    assert (refused.value.status, refused.value.retry_after_seconds) == (429, 31)
    with pytest.raises(Problem):
        budget.admit("greedy", 1029.0)
    budget.admit("greedy", 1031.0)


def test_each_subject_has_a_budget_of_its_own() -> None:
    budget = Budget(SHARE)
    budget.charge("greedy", 1e9, 0.0)
    budget.admit("modest", 0.0)


def test_a_share_of_zero_is_no_limit() -> None:
    """As with the other limits."""
    budget = Budget(0)
    budget.charge("greedy", 1e9, 0.0)
    budget.admit("greedy", 0.0)


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0.5, 20_000)), max_size=60))
def test_no_subject_exceeds_its_share_for_long(asked: list[tuple[float, float]]) -> None:
    """At any rate of reads, a subject spends at most the burst, the refill and one last read."""
    budget, now, spent = Budget(SHARE), 0.0, 0.0
    for pause, price in asked:
        now += pause
        try:
            budget.admit("greedy", now)
        except Problem:
            continue
        budget.charge("greedy", price, now)
        spent += price
    assert spent <= SHARE * 1000 * (BURST_SECONDS + now) + 20_000 + 1e-6


def test_the_memory_of_subjects_is_bounded() -> None:
    """A million subjects use no more memory than ten thousand."""
    budget = Budget(SHARE)
    for number in range(MAX_SUBJECTS + 500):
        budget.charge(f"subject {number}", 1.0, 0.0)
    assert len(budget._accounts) == MAX_SUBJECTS


def test_equal_snapshots_of_a_moment_are_charged_once() -> None:
    """One flush makes them once; another scope, another subject or a later moment is charged anew."""
    budget = Budget(SHARE)
    full, price = budget.left("wall", 0.0), 1000 * SNAPSHOT_EVENT
    for _ in range(100):
        budget.charge_snapshot("wall", ALL, 1000, 0.0)
    assert budget.left("wall", 0.0) == pytest.approx(full - price)
    budget.charge_snapshot("wall", Scope.of(["room-*"]), 1000, 0.0)
    assert budget.left("wall", 0.0) == pytest.approx(full - 2 * price)
    budget.charge_snapshot("other", ALL, 1000, 0.0)
    assert budget.left("other", 0.0) == pytest.approx(full - price)
    budget.charge_snapshot("wall", ALL, 1000, SHARED_SECONDS)
    assert budget.left("wall", SHARED_SECONDS) == pytest.approx(full - 3 * price + SHARE * 1000 * SHARED_SECONDS)


def test_the_memory_of_snapshots_is_bounded() -> None:
    """However many scopes are asked for."""
    budget = Budget(SHARE)
    for number in range(MAX_SNAPSHOTS + 500):
        budget.charge_snapshot("greedy", number, 1, 0.0)
    assert len(budget._snapshots) == MAX_SNAPSHOTS


def test_two_thousand_dashboards_of_one_subject_may_reconnect_at_once() -> None:
    """On a studio of a thousand rooms, sixteen in each iteration of the loop, as after a deployment; then each sends a message a minute."""
    budget = Budget(SHARE)
    for number in range(2000):
        now = number // 16 * 0.01
        budget.admit("wall", now)
        budget.charge("wall", SOCKET, now)
        budget.charge_snapshot("wall", ALL, FEEDS, now)
    for number in range(20_000):
        now = 10 + number * 60 / 2000
        assert not budget.is_over("wall", now)
        budget.charge("wall", MESSAGE, now)


class Studio:
    """A process as the dashboards of one subject see it: a thousand feeds on air throughout, reports kept as they are in `Reports`."""

    def __init__(self) -> None:
        self.budget = Budget(SHARE)
        self.kept = Kept()

    def report(self, now: float, start: float, end: float, step: int, detail: Detail = Detail.NONE) -> None:
        """One report as the page asks for it; raises a 429 Problem."""
        self.read(now, 0)
        wanted = Wanted(ALL, Steps(int(start), int(end), step), detail)
        if self.kept.get(wanted, now) is None:
            days = end // DAY - start // DAY + 1
            gains = min(wanted.steps.number, (end - start) / 120)  # each room earns every other minute
            price = FEEDS * (FEED + DAY_READ * days + SLOT * 1440 * days + STEP * wanted.steps.number + GAIN * gains)
            price += FEEDS * (READING * FALLS * READINGS_OF_A_FALL * days + EARLIER * (start % DAY > 0))
            self.budget.charge("wall", price, now)
            self.kept.put(wanted, b"x" * 200_000, now + kept_seconds(wanted.steps, price / 1000, ended_seconds=now - end))

    def read(self, now: float, price: float) -> None:
        """A read that is no report."""
        self.budget.admit("wall", now)
        self.budget.charge("wall", REQUEST + price, now)

    def load_baseline(self, now: float) -> None:
        """`state/baseline.js`: today by the minute, and the last hour of each feed."""
        over = (now - 10) // 60 * 60
        self.report(now, now // DAY * DAY, over, 60)
        self.report(now, over - HOUR, over, 60, Detail.FEEDS)

    def load_last_week(self, now: float) -> None:
        """`state/last_week.js`: the same day and hour a week before, and the viewers of that hour, which are kept as its report is."""
        then = now - WEEK
        until = then // 1200 * 1200
        self.report(now, then // DAY * DAY, then // HOUR * HOUR + 2 * HOUR, 60)
        is_new = self.kept.get(Wanted(ALL, Steps(int(until - HOUR), int(until), HOUR), Detail.NONE), now) is None
        self.report(now, until - HOUR, until, HOUR)
        self.read(now, FEEDS * (COUNTED + PART + POINT * 60) if is_new else 0)

    def load_studio(self, now: float) -> None:
        """`views/analytics.js`: today, yesterday until now, and a week by the hour."""
        midnight, end = now // DAY * DAY, now // HOUR * HOUR + HOUR
        self.report(now, midnight, midnight + DAY, HOUR, Detail.PLATFORMS)
        self.report(now, midnight - DAY, now // 60 * 60 + 60 - DAY, HOUR, Detail.PLATFORMS)
        self.report(now, end - WEEK, end, HOUR)

    def load_room(self, now: float) -> None:
        """`views/room.js`: a day's points and a report of one room, which costs a thousandth of the rate counted here."""
        self.read(now, 2 * PART + POINT * 1440)
        self.read(now, FEED + SLOT * 2880 + STEP * 96)


@pytest.mark.parametrize("seed", range(4))
def test_a_busy_wall_never_exhausts_its_budget(seed: int) -> None:
    """Ten dashboards of one token on a thousand rooms, each reloaded three times in a row every few minutes, for three hours."""
    chance, studio = random.Random(seed), Studio()
    events = [(0.0, "reload", number) for number in range(10)]
    start = 1_764_000_000.0 + chance.random() * DAY
    while events:
        events.sort()
        at, kind, number = events.pop(0)
        now = start + at
        if at > 3 * HOUR:
            continue
        if kind in ("reload", "baseline"):
            studio.load_baseline(now)
            events.append((at + 300 * (0.8 + 0.4 * chance.random()), "baseline", number))
        if kind == "reload":
            for _ in range(3):  # someone who is impatient
                studio.load_baseline(now + 1)
                studio.load_last_week(now + 1)
                studio.load_studio(now + 1)
                studio.load_room(now + 1)
            events = [event for event in events if event[2] != number]
            events.append((at + 300 * (0.8 + 0.4 * chance.random()), "baseline", number))
            events.append((at + chance.uniform(60, 600), "reload", number))
            events.append((at + 60, "studio" if number < 5 else "room", number))
        if kind == "studio":
            studio.load_studio(now)
            events.append((at + 120, kind, number))
        if kind == "room":
            studio.load_room(now)
            events.append((at + 60, kind, number))


@pytest.mark.anyio
async def test_the_sweeping_job_reports_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service stops when one of its jobs stays silent."""
    monkeypatch.setattr(jobs, "MAX_SILENCE_SECONDS", 1.5 * SWEEP_SECONDS)
    watched = jobs.Jobs(lambda: None)
    async with watched.running({"reports": Reports(Analytics(RedisDays(cast("Store", None), 1, step_seconds=60, retention_days=1))).run()}):
        await asyncio.sleep(2 * SWEEP_SECONDS)
        assert watched.not_running() == []
