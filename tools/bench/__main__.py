"""`make bench`: runs the scenarios and prints their costs. `--quick` for a look, `--only NAME` for one, `--list` for their names.

`--peers` compares with other servers, `--scale` runs the scenarios of a large studio, `--url` loads a deployment of yours.
"""

import argparse
import asyncio
import datetime as dt
import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import time

from tools.bench import deployment, documents, peers, scale
from tools.bench.chart import draw
from tools.bench.entrants import entrants
from tools.bench.lab import Figures, Lab
from tools.bench.processes import BenchError, check_machine
from tools.bench.report import medians, table
from tools.bench.scenarios import NOT_QUICK, SCALE, SCENARIOS
from tools.processes import ROOT, StackError

DIRECTORY = ROOT / ".local" / "bench"
PEER_RESULTS = ROOT / ".local" / "peers.json"
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
    parser.add_argument("--peers", action="store_true", help="compare with nchan and Centrifugo, where they are installed")
    parser.add_argument(
        "--row", action="append", choices=peers.ROWS, metavar="ROW", help="with --peers: this comparison alone; may be repeated"
    )
    parser.add_argument("--write", action="store_true", help="with --peers or --scale: write the tables into docs/ as well")
    parser.add_argument("--scale", action="store_true", help="50,000 connections, then 100,000 rooms for ten minutes; once")
    yours = parser.add_argument_group("a deployment of yours", "Tokens: BENCH_DASHBOARD_TOKEN and BENCH_INGEST_TOKEN, or files in …_FILE.")
    yours.add_argument("--url", help="load this deployment instead, such as https://wall.example.com")
    yours.add_argument(
        "--mine", default="", metavar="HOST", help="its host again, which confirms that it is yours and that you may load it"
    )
    yours.add_argument("--clients", type=int, default=50, help=f"dashboards (default 50, at most {deployment.MAX_CLIENTS})")
    yours.add_argument("--posts", type=float, default=2, help=f"readings a second (default 2, at most {deployment.MAX_POSTS_PER_SECOND})")
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
    """Removes the directories of this run; another run of the same checkout keeps its own."""
    for stack in DIRECTORY.glob(f"stack-{os.getpid()}-*"):
        shutil.rmtree(stack, ignore_errors=True)


def _save(measured: dict[str, list[Figures]], path: pathlib.Path) -> None:
    about = {"at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "python": platform.python_version(), "cores": os.cpu_count()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "medians": medians(measured), "rounds": measured}, indent=1))


def _compare(arguments: argparse.Namespace) -> None:
    """Measures the peers that are installed, and says which are not."""
    found, missing = entrants()
    described = peers.about(found)
    for sentence in missing:
        print(sentence, file=sys.stderr, flush=True)
    rounds, seconds = (1, 1) if arguments.quick else (arguments.rounds, arguments.seconds)
    measured = peers.measure(
        DIRECTORY,
        found,
        arguments.row or list(peers.ROWS),
        rounds=rounds,
        seconds=seconds,
        scale=0.25 if arguments.quick else 1,
        keep=lambda known: peers.save(PEER_RESULTS, described, known),  # a run that fails late has not measured in vain
    )
    print("\n".join([f"{name}: {version}" for name, version in peers.versions(found).items()] + missing))
    tables = peers.markdown(peers.medians(measured))
    print(f"\n{tables}")
    if arguments.write:
        documents.write(ROOT / "docs" / "benchmarks.md", "figures", f"{peers.rig(described, rounds=rounds, seconds=seconds)}\n\n{tables}")


def _load_deployment(arguments: argparse.Namespace) -> None:
    """Loads a deployment of the caller's."""
    plan = deployment.plan(
        arguments.url,
        mine=arguments.mine,
        clients=arguments.clients,
        seconds=arguments.seconds,
        posts_per_second=arguments.posts,
        environment=os.environ,
    )
    print(deployment.show(asyncio.run(deployment.load(plan))))


def _run_scenarios(arguments: argparse.Namespace) -> None:
    """Measures, saves and prints the scenarios."""
    quick = arguments.quick
    names = list(SCALE) if arguments.scale else [name for name in SCENARIOS if name not in SCALE and not (quick and name in NOT_QUICK)]
    once = quick or arguments.scale or arguments.only == ["costs"]  # costs measures for minutes and writes a table itself
    measured = _measure(
        arguments.only or names,
        rounds=1 if once else arguments.rounds,
        seconds=1 if quick else arguments.seconds,
        scale=0.25 if quick else 1,
    )
    _save(measured, RESULTS)
    print(table(medians(measured)))
    if arguments.write:
        for name in set(SCALE) & set(measured):
            documents.write(ROOT / "docs" / "scaling.md", name, scale.markdown(medians(measured)[name]))
    if arguments.chart:
        draw(medians(measured), CHART)


def main() -> int:
    """Does what the arguments say; returns the exit status."""
    arguments = _arguments()
    if arguments.list:
        print("\n".join(f"{name:18} {function.__doc__}" for name, function in SCENARIOS.items()))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the processes that it started end with it
    try:
        if arguments.url:
            _load_deployment(arguments)
            return 0
        check_machine()
        (_compare if arguments.peers else _run_scenarios)(arguments)
    except (BenchError, StackError) as error:
        print(f"\nmake bench: {error}", file=sys.stderr)
        return 1
    finally:
        _forget_stacks()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
