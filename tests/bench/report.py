"""The table: medians, what they are compared with, and the targets they should meet."""

import statistics
from collections.abc import Mapping
from typing import Final, NamedTuple

from tests.bench.lab import Figures
from tests.bench.scenarios import SCENARIOS

Medians = Mapping[str, Mapping[str, float]]

UNITS: Final = {
    "cpu_us": "us CPU",
    "cpu_us_per_published": "us CPU per published",
    "snapshot_cpu_us": "us CPU per snapshot",
    "per_second": "/s",
    "core_percent": "% of a core",
}


class Target(NamedTuple):
    """A bound on a figure, absolute or as a multiple of another figure of the same run."""

    scenario: str
    figure: str
    bound: float
    at_least: bool = False
    of: tuple[str, str] | None = None


TARGETS: Final = (
    Target("fanout-unpaced", "cpu_us", 1.25, of=("floor-single", "cpu_us")),
    Target("fanout-100", "cpu_us", 1.0, of=("floor-single", "cpu_us")),
    Target("fanout-100", "p50_ms", 10),
    Target("fanout-100", "p99_ms", 25),
    Target("fanout-1000", "cpu_us", 0.4),
    Target("fanout-1000", "p99_ms", 60),
    Target("fanout-1000", "missed", 0),
    Target("idle", "p50_ms", 1),
    Target("idle", "p99_ms", 5),
    Target("never-reading", "p99_at_20_percent", 1.2, of=("never-reading", "p99_ms")),
    Target("connections", "kb_at_8000", 12),
    Target("storm", "cpu_us", 300),
    Target("storm", "back_seconds", 5),
    Target("storm", "longest_wait_ms", 50),
    Target("ingest-single", "per_second", 12_000, at_least=True),
    Target("ingest-single", "per_second", 3, at_least=True, of=("obvious-ingest", "per_second")),
    Target("ingest-batch", "per_second", 120_000, at_least=True),
)
# What a figure is a multiple of, where that says something.
BASELINES: Final = {
    "fanout-unpaced": (("floor-single", "cpu_us"), ("obvious-fanout", "cpu_us")),
    "fanout-100": (("floor-single", "cpu_us"), ("obvious-fanout", "cpu_us")),
    "fanout-deflated": (("fanout-1000", "cpu_us"),),
    "fanout-1000": (("floor-joined", "cpu_us"), ("obvious-fanout", "cpu_us")),
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
    if figure == "cpu_us":
        for other, name in BASELINES.get(scenario, ()):
            if other in found:
                notes.append(f"{found[scenario][figure] / found[other][name]:.2f} x {other}")
    notes += [_verdict(found, target) for target in TARGETS if (target.scenario, target.figure) == (scenario, figure)]
    return "   ".join(note for note in notes if note)


def _verdict(found: Medians, target: Target) -> str:
    base = 1.0
    if target.of is not None:
        if target.of[0] not in found:
            return ""
        base = found[target.of[0]][target.of[1]]
    value, bound = found[target.scenario][target.figure], target.bound * base
    met = value >= bound if target.at_least else value <= bound
    return f"target {'>=' if target.at_least else '<='} {_number(bound)}: {'met' if met else 'MISSED'}"
