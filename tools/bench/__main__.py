"""`make bench`: runs the scenarios and prints their costs. `--quick` for a look, `--only NAME` for one, `--list` for their names."""

import argparse
import datetime as dt
import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import time

from tools.bench.chart import draw
from tools.bench.lab import Figures, Lab
from tools.bench.processes import BenchError, check_machine
from tools.bench.report import medians, table
from tools.bench.scenarios import NOT_QUICK, SCENARIOS
from tools.processes import ROOT, StackError

DIRECTORY = ROOT / ".local" / "bench"
RESULTS = ROOT / ".local" / "bench.json"
CHART = ROOT / "docs" / "images" / "bench.svg"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measures the services, on one core, against floor and baseline.")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one short round, smaller crowds, no scaling out; to steer by, not to quote",
    )
    parser.add_argument("--only", action="append", choices=SCENARIOS, metavar="SCENARIO", help="run this one; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="how often each scenario runs; medians are shown (default 3)")
    parser.add_argument("--seconds", type=float, default=6, help="how long each scenario measures (default 6)")
    parser.add_argument("--chart", action="store_true", help=f"write {CHART.relative_to(ROOT)}")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    return parser.parse_args()


def _measure(names: list[str], *, rounds: int, seconds: float, scale: float) -> dict[str, list[Figures]]:
    """Runs every scenario once per round, so that a noisy minute does not hit one scenario alone."""
    measured: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            print(f"[{number + 1}/{rounds}] {name:16} ", end="", file=sys.stderr, flush=True)
            start = time.monotonic()
            with Lab(DIRECTORY, seconds=seconds, scale=scale) as lab:
                figures = SCENARIOS[name](lab)
            measured[name].append(figures)
            shown = "  ".join(f"{figure} {value:,.2f}" for figure, value in figures.items())
            print(f"{time.monotonic() - start:5.1f} s  {shown}", file=sys.stderr, flush=True)
            _forget_stacks()
    return measured


def _forget_stacks() -> None:
    for stack in DIRECTORY.glob("stack-*"):
        shutil.rmtree(stack, ignore_errors=True)


def _save(measured: dict[str, list[Figures]], path: pathlib.Path) -> None:
    about = {"at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "python": platform.python_version(), "cores": os.cpu_count()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "medians": medians(measured), "rounds": measured}, indent=1))


def main() -> int:
    """Measures, saves, prints; returns the exit status."""
    arguments = _arguments()
    if arguments.list:
        print("\n".join(f"{name:16} {function.__doc__}" for name, function in SCENARIOS.items()))
        return 0
    quick = arguments.quick
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the processes that it started end with it
    try:
        check_machine()
        measured = _measure(
            arguments.only or [name for name in SCENARIOS if not (quick and name in NOT_QUICK)],
            rounds=1 if quick or arguments.only == ["costs"] else arguments.rounds,  # costs measures for minutes and writes a table itself
            seconds=1 if quick else arguments.seconds,
            scale=0.25 if quick else 1,
        )
    except (BenchError, StackError) as error:
        print(f"\nmake bench: {error}", file=sys.stderr)
        return 1
    _save(measured, RESULTS)
    print(table(medians(measured)))
    if arguments.chart:
        draw(medians(measured), CHART)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
