"""`make bench BENCH=--peers`: this project beside servers that others publish, with the same clients, posts and payload in the same run.

docs/benchmarks.md lists the work that each server does for its figure, and the work that it leaves out.
"""

import json
import os
import pathlib
import platform
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tools.bench.entrants import Entrant, Side
from tools.bench.lab import Figures, Lab, Meter
from tools.bench.processes import KernelMemory, memory_kb

LINE_WIDTH: Final = 118
CLIENTS: Final = 500
CROWD: Final = 5000
FAN_ROOMS: Final = 1000
SETTLE_SECONDS: Final = 0.7  # an event later than this after the last post counts as not delivered
POSTING_SLACK_SECONDS: Final = 30


class Meters:
    """The CPU time of several processes together since this was made."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._meters = [Meter(pid) for pid in pids]
        self._since = time.monotonic()

    def microseconds(self) -> float:
        """CPU time used since."""
        return sum(meter.microseconds() for meter in self._meters)

    def core_percent(self) -> float:
        """The part of one core that they used."""
        return self.microseconds() / (time.monotonic() - self._since) / 1e4


def _relayed(lab: Lab, side: Side, clients: int, rate: float) -> Figures:
    """Posts at a pace while the clients read; the parts of the posts that were accepted, and of these that were delivered in time."""
    with side.fan(lab, clients) as fan:
        fan.wait_up()
        meters, start = Meters(side.pids), time.monotonic()
        if side.posts is None:
            time.sleep(lab.seconds)
            late, elapsed = 0.0, time.monotonic() - start
            used, percent = meters.microseconds(), meters.core_percent()
            seen = fan.finish()
            used *= seen["seconds"] / elapsed  # the events were counted a little longer than the time of the server
            accepted, expected = 100.0, rate * seen["seconds"] * clients
        else:
            with side.poster(lab, rate=rate, seconds=lab.seconds, connections=64, rooms=FAN_ROOMS) as poster:
                posted = poster.wait(lab.seconds + POSTING_SLACK_SECONDS)
            late, percent = posted["late_ms"], meters.core_percent()
            time.sleep(SETTLE_SECONDS)
            used = meters.microseconds()
            seen = fan.finish()
            accepted = posted["accepted"] / max(posted["posts"] + posted["unsent"], 1) * 100
            expected = posted["accepted"] * clients
    return {
        "cpu_us": used / max(seen["events"], 1),
        "core_percent": percent,
        "p50_ms": seen["p50_ms"],
        "p99_ms": seen["p99_ms"],
        "accepted_percent": accepted,
        "delivered_percent": min(100.0, seen["events"] / max(expected, 1) * 100),
        "events_per_frame": seen["events"] / max(seen["frames"], 1),
        "bytes_per_event": seen["bytes"] / max(seen["events"], 1),
        "late_ms": late,
    }


def _fan_out(rate: float) -> Callable[[Lab, Entrant], Figures | None]:
    def measure(lab: Lab, entrant: Entrant) -> Figures | None:
        if entrant.relaying is None:
            return None
        with entrant.relaying(lab, rate) as side:
            return _relayed(lab, side, lab.crowd(CLIENTS), rate)

    return measure


def _latency(lab: Lab, entrant: Entrant) -> Figures | None:
    if entrant.relaying is None or entrant.name == "floor":
        return None
    with entrant.relaying(lab, 20) as side:
        figures = _relayed(lab, side, 1, 20)
    return {name: figures[name] for name in ("p50_ms", "p99_ms", "accepted_percent", "delivered_percent")}


def _idle(lab: Lab, entrant: Entrant) -> Figures | None:
    """Memory of connected clients to which nothing is sent. The kernel's part has both ends of each connection in it."""
    if entrant.relaying is None:
        return None
    clients = lab.crowd(CROWD)
    with entrant.relaying(lab, 0.001) as side:
        empty, kernel = sum(map(memory_kb, side.pids)), KernelMemory.read()
        with side.fan(lab, clients, "-c", 500) as fan:
            up, _ = fan.wait_up()
            time.sleep(SETTLE_SECONDS)
            used, after = sum(map(memory_kb, side.pids)), KernelMemory.read()
    return {
        "process_kb": (used - empty) / clients,
        "kernel_slab_kb": (after.slab - kernel.slab) / 1024 / clients,
        "kernel_buffers_kb": (after.tcp_buffers - kernel.tcp_buffers) / 1024 / clients,
        "empty_mb": empty / 1024,
        "missing": clients - up,
    }


def _handshake(lab: Lab, entrant: Entrant) -> Figures | None:
    """Clients with a token each connect; fifty rooms have posted, so there is a snapshot to send where a server has one."""
    if entrant.relaying is None:
        return None
    clients = lab.crowd(CROWD)
    with entrant.relaying(lab, 0.001) as side:
        if side.posts is not None:
            with side.poster(lab, rate=1000, seconds=0.05, connections=8, rooms=50) as poster:
                poster.wait(POSTING_SLACK_SECONDS)
        meters = Meters(side.pids)
        with side.fan(lab, clients, "-c", 1000) as fan:
            up, seconds = fan.wait_up()
            used = meters.microseconds()
            seen = fan.finish()
    return {"cpu_us": used / clients, "seconds": seconds, "missing": clients - up, "refused": seen["refused"]}


def _posts(lab: Lab, entrant: Entrant) -> Figures | None:
    if entrant.accepting is None:
        return None
    with entrant.accepting(lab) as side:
        meters, redis = Meters(side.pids), Meter(lab.redis_pid)
        with side.poster(lab, rate=0, seconds=lab.seconds, connections=64, rooms=lab.rooms) as poster:
            seen = poster.wait(lab.seconds + POSTING_SLACK_SECONDS)
        used, redis_used = meters.microseconds(), redis.microseconds()
    accepted = max(seen["accepted"], 1)
    return {
        "per_second": seen["accepted"] / seen["seconds"],
        "cpu_us": used / accepted,
        "redis_cpu_us": redis_used / accepted,
        "p50_ms": seen["p50_ms"],
        "p99_ms": seen["p99_ms"],
        "refused": seen["posts"] - seen["accepted"],
    }


class Row(NamedTuple):
    """One comparison; `measure` returns None for a server that does not take part."""

    title: str
    measure: Callable[[Lab, Entrant], Figures | None]


ROWS: Final = {
    "fan-out-100": Row("Fan-out: 500 clients, 100 events/s", _fan_out(100)),
    "fan-out-1000": Row("Fan-out: 500 clients, 1,000 events/s", _fan_out(1000)),
    "latency": Row("From post to client: 1 client, 20 posts/s", _latency),
    "idle": Row("Memory of idle connections: 5,000 clients", _idle),
    "handshakes": Row("Handshakes: 5,000 clients, a token each", _handshake),
    "posts": Row("Posts: 64 connections, one request in flight on each", _posts),
}
NAMES: Final = {
    "cpu_us": "CPU, µs",
    "core_percent": "of a core, %",
    "p50_ms": "p50, ms",
    "p99_ms": "p99, ms",
    "accepted_percent": "posts accepted, %",
    "delivered_percent": "delivered, %",
    "events_per_frame": "events per frame",
    "bytes_per_event": "bytes per event",
    "late_ms": "latest post, ms late",
    "process_kb": "process, kB",
    "kernel_slab_kb": "kernel objects, both ends, kB",
    "kernel_buffers_kb": "kernel buffers, both ends, kB",
    "empty_mb": "process without clients, MB",
    "per_second": "per second",
    "redis_cpu_us": "Redis, µs",
}
Measured = dict[str, dict[str, list[Figures]]]


def measure(
    directory: pathlib.Path,
    entrants: Sequence[Entrant],
    rows: Sequence[str],
    *,
    rounds: int,
    seconds: float,
    scale: float,
    keep: Callable[[Measured], None],
) -> Measured:
    """Every row with every server in each round, one server after the other. `keep` receives all figures so far after each of them."""
    measured: Measured = {row: {} for row in rows}
    for number in range(rounds):
        for row in rows:
            for entrant in entrants:
                with Lab(directory, seconds=seconds, scale=scale) as lab:
                    figures = ROWS[row].measure(lab, entrant)
                if figures is None:
                    continue
                measured[row].setdefault(entrant.name, []).append(figures)
                keep(measured)
                shown = "  ".join(f"{figure} {value:,.2f}" for figure, value in figures.items())
                print(f"[{number + 1}/{rounds}] {row:13} {entrant.name:20} {shown}", file=sys.stderr, flush=True)
    return measured


def medians(measured: Mapping[str, Mapping[str, Sequence[Figures]]]) -> dict[str, dict[str, Figures]]:
    """The median over the rounds of every figure of every server."""
    return {
        row: {name: {figure: statistics.median(one[figure] for one in rounds) for figure in rounds[0]} for name, rounds in servers.items()}
        for row, servers in measured.items()
    }


def markdown(found: Mapping[str, Mapping[str, Figures]]) -> str:
    """A table for each row, one line for each server."""
    parts = []
    for row, servers in found.items():
        if not servers:
            continue
        figures = list(next(iter(servers.values())))
        lines = [f"**{ROWS[row].title}**", "", f"| server | {' | '.join(NAMES.get(figure, figure) for figure in figures)} |"]
        lines.append("|---" * (len(figures) + 1) + "|")
        lines += [f"| {name} | {' | '.join(_number(one[figure]) for figure in figures)} |" for name, one in servers.items()]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _number(value: float) -> str:
    """Three digits that count; whole numbers as they are."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def versions(entrants: Sequence[Entrant]) -> dict[str, str]:
    """What each server is."""
    return {entrant.name: entrant.version for entrant in entrants}


def about(entrants: Sequence[Entrant]) -> dict[str, object]:
    """The servers and the machine."""
    return {
        "servers": versions(entrants),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": list(os.getloadavg()),
    }


def rig(described: Mapping[str, Any], *, rounds: int, seconds: float) -> str:
    """The servers and the machine: a paragraph for a document, in lines that are not too long for it."""
    servers = "; ".join(f"{name}: {version}" for name, version in described["servers"].items())
    machine = f"Linux {described['kernel']}, {described['cores']} cores, Python {described['python']}"
    measured = f"Medians of {rounds} rounds of {seconds:g} s. {machine}, load average {described['load'][0]:.1f} before the run."
    return textwrap.fill(f"{measured} {servers}.", LINE_WIDTH, break_long_words=False, break_on_hyphens=False)


def save(path: pathlib.Path, described: Mapping[str, object], measured: Measured) -> None:
    """Writes everything that was measured, every round of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": described, "medians": medians(measured), "rounds": measured}, indent=1))
