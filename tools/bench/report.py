"""The table: medians, the figures they are compared with, and their targets.

Absolute targets were set where the floor, one bare `send()`, cost 6.4 us. Where the floor is part of the run, a target that
only a machine's speed decides is judged twice: as it stands, and at the pace of the machine at hand, a slower one being given more time in
proportion. A delay that holds a deliberate pause is not.
"""

import statistics
from collections.abc import Mapping
from typing import Final, NamedTuple

from tools.bench.lab import Figures
from tools.bench.scenarios import SCENARIOS

Medians = Mapping[str, Mapping[str, float]]

UNITS: Final = {
    "cpu_us": "us CPU",
    "again_cpu_us": "us CPU, token known",
    "single_cpu_us": "us CPU, single",
    "redis_cpu_us": "us CPU of Redis",
    "cpu_us_per_published": "us CPU per published",
    "snapshot_cpu_us": "us CPU per snapshot",
    "per_second": "/s",
    "core_percent": "% of a core",
}


FLOOR_US: Final = 6.4  # where the targets were set


class Target(NamedTuple):
    """A bound on a figure, absolute or as a multiple of another figure of the same run; `by_pace` if a machine's speed alone decides it."""

    scenario: str
    figure: str
    bound: float
    at_least: bool = False
    of: tuple[str, str] | None = None
    by_pace: bool = False


TARGETS: Final = (
    Target("fanout-unpaced", "cpu_us", 1.25, of=("floor-single", "cpu_us")),
    Target("fanout-100", "cpu_us", 1.0, of=("floor-single", "cpu_us")),
    Target("fanout-100", "p50_ms", 10),
    Target("fanout-100", "p99_ms", 9),
    Target("fanout-1000", "cpu_us", 0.4, by_pace=True),
    Target("fanout-1000", "p99_ms", 60),
    Target("fanout-1000", "missed", 0),
    Target("idle", "p50_ms", 1, by_pace=True),
    Target("idle", "p50_ms", 1.4, of=("floor-idle", "p50_ms")),
    Target("idle", "p99_ms", 5, by_pace=True),
    Target("never-reading", "p99_at_20_percent", 1.2, of=("never-reading", "p99_ms")),
    Target("connections", "kb_at_8000", 12),
    Target("storm", "cpu_us", 38, of=("floor-single", "cpu_us")),
    Target("storm", "back_seconds", 5, by_pace=True),
    Target("storm", "longest_wait_ms", 50, by_pace=True),
    Target("ingest-single", "cpu_us", 8.5, of=("floor-single", "cpu_us")),
    Target("ingest-single", "per_second", 12_000, at_least=True, by_pace=True),
    Target("ingest-single", "per_second", 3, at_least=True, of=("obvious-ingest", "per_second")),
    Target("ingest-batch-of-one", "ratio", 1.1),
    Target("ingest-batch", "per_second", 120_000, at_least=True, by_pace=True),
    Target("ingest-batch", "redis_cpu_us", 25, by_pace=True),
    Target("ingest-groups", "redis_cpu_us", 35, by_pace=True),
    Target("end-to-end", "p99_ms", 4),
    Target("listening", "received_us", 12, by_pace=True),
)
# What a figure is a multiple of, where that says something.
BASELINES: Final = {
    "fanout-unpaced": (("floor-single", "cpu_us"), ("obvious-fanout", "cpu_us")),
    "fanout-100": (("floor-single", "cpu_us"), ("obvious-fanout", "cpu_us")),
    "fanout-deflated": (("fanout-1000", "cpu_us"),),
    "fanout-1000": (("floor-joined", "cpu_us"), ("obvious-fanout", "cpu_us")),
    "idle": (("floor-idle", "p50_ms"),),
    "storm": (("obvious-storm", "cpu_us"),),
    "ingest-single": (("obvious-ingest", "cpu_us"),),
    "ingest-batch": (("obvious-ingest", "cpu_us"),),
}


def medians(measured: Mapping[str, list[Figures]]) -> dict[str, dict[str, float]]:
    """The median over the rounds of every figure."""
    return {name: {figure: statistics.median(r[figure] for r in rounds) for figure in rounds[0]} for name, rounds in measured.items()}


def table(found: Medians) -> str:
    """Everything measured, as text: one block per scenario, one line per figure."""
    lines = []
    for scenario, figures in found.items():
        lines += ["", f"{SCENARIOS[scenario].__doc__}"]
        for figure, value in figures.items():
            lines.append(f"  {_name(figure):28}{_number(value):>12}   {_compared(found, scenario, figure)}".rstrip())
    return "\n".join(lines)


def _name(figure: str) -> str:
    return UNITS.get(figure, figure.replace("_", " "))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.2f}"


def _compared(found: Medians, scenario: str, figure: str) -> str:
    """Ratios against the baselines of the same run, then the targets and whether they are met."""
    notes = []
    for other, name in BASELINES.get(scenario, ()):
        if name == figure and other in found:
            notes.append(f"{found[scenario][figure] / found[other][name]:.2f} x {other}")
    for target in TARGETS:
        if (target.scenario, target.figure) == (scenario, figure):
            notes += _verdicts(found, target)
    return "   ".join(notes)


def _verdicts(found: Medians, target: Target) -> list[str]:
    value, sign = found[target.scenario][target.figure], ">=" if target.at_least else "<="

    def verdict(bound: float, where: str) -> str:
        met = value >= bound if target.at_least else value <= bound
        return f"{where} {sign} {_number(bound)}: {'met' if met else 'MISSED'}"

    if target.of is not None:
        other, figure = target.of
        return [verdict(target.bound * found[other][figure], "target")] if other in found else []
    if not target.by_pace or "floor-single" not in found:
        return [verdict(target.bound, "target")]
    pace = found["floor-single"]["cpu_us"] / FLOOR_US
    here = target.bound / pace if target.at_least else target.bound * pace
    return [verdict(target.bound, "target"), verdict(here, "at this pace")]
