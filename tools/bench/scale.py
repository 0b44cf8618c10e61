"""Scenarios of a size that the other ones only model. They are not in the default run: `make bench BENCH=--scale`.

Each is bounded in connections, readings and time, and ends by itself.
"""

import contextlib
import math
import re
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import redis

from tools.bench.entrants import READING, STAMPED, TELEMETRY
from tools.bench.lab import Figures, Lab, Meter, Posts
from tools.bench.processes import SERVER_CORE, BenchError, KernelMemory, Load, memory_kb, pinned
from tools.processes import Service

CONNECTIONS: Final = 50_000
ROOMS: Final = 100_000
READINGS_PER_SECOND: Final = 20_000
BATCH: Final = 500
MINUTES: Final = 10
WATCHED_ROOMS: Final = 10
SPARE_DESCRIPTORS: Final = 500
MAX_BACK_SECONDS: Final = 600
REPORT_SECONDS: Final = 30
NAMES: Final = {
    "processes": "broadcast processes, all on one core",
    "connected": "connected clients",
    "connected_seconds": "seconds until all had their snapshot",
    "cpu_us": "CPU per handshake or reading, µs",
    "process_kb": "memory of the processes per connection, kB",
    "kernel_slab_kb": "kernel objects per connection, both ends, kB",
    "kernel_buffers_kb": "kernel buffers per connection, both ends, kB",
    "idle_core_percent": "core used while all are idle, %",
    "stop_seconds": "seconds until the last process had ended",
    "all_live_seconds": "seconds from the first lost connection until all had their snapshot again",
    "live_again": "clients that came back",
    "after_restart_cpu_us": "CPU per handshake after the restart, µs",
    "missed_of_5": "events missed, of five to every client",
    "to_all_p99_ms": "p99 from commit to client, all clients, ms",
    "per_second": "accepted readings per second",
    "not_posted": "readings due but not posted in time",
    "refused": "readings refused",
    "redis_cpu_us": "CPU of Redis per reading, µs",
    "first_redis_cpu_us": "CPU of Redis for a room's first reading of the day, µs",
    "received_us": "CPU of broadcast per reading, µs",
    "p50_ms": "POST of 500 readings, p50, ms",
    "p99_ms": "POST of 500 readings, p99, ms",
    "late_ms": "latest POST, ms behind its time",
    "lag_p50_ms": "from due to dashboard, p50, ms",
    "lag_p99_ms": "from due to dashboard, p99, ms",
    "lag_max_ms": "from due to dashboard, longest, ms",
    "redis_mb": "memory of Redis, MB",
    "redis_kb_per_room": "memory of Redis per room, kB",
    "append_only_file_mb": "append-only file, MB",
    "broadcast_mb": "memory of broadcast, MB",
    "ingest_mb": "memory of ingest, MB",
}
PROGRESS: Final = re.compile(
    r"at (?P<at>\S+) accepted (?P<accepted>\d+) p50_ms (?P<p50_ms>\S+) p99_ms (?P<p99_ms>\S+) late_ms (?P<late_ms>\S+)"
)


def shares(total: int, limit: int) -> list[int]:
    """As few and as equal parts of a total as fit below a limit each; raises BenchError if none fits."""
    if limit <= 0:
        raise BenchError("the limit of open files (ulimit -Hn) leaves no room for connections")
    count = math.ceil(total / limit)
    return [total // count + (number < total % count) for number in range(count)]


def scale_connections(lab: Lab) -> Figures:
    """50,000 idle connections, a token each, in processes that share one core; then all processes restart at once"""
    wanted = int(CONNECTIONS * lab.scale)
    limit = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_DESCRIPTORS, 19_500)
    crowds = shares(wanted, limit)
    _touch(lab, rooms=50)
    services = [lab.broadcast() for _ in crowds]
    empty, kernel = sum(memory_kb(service.pid) for service in services), KernelMemory.read()
    with contextlib.ExitStack() as stack:
        meters = [Meter(service.pid) for service in services]
        fans = [
            stack.enter_context(lab.dashboards(service, clients, "-c", 1000, "-R", 100, tokens=lab.tokens(clients)))
            for service, clients in zip(services, crowds, strict=True)
        ]
        arrived = [fan.wait_up() for fan in fans]
        figures: Figures = {
            "processes": len(services),
            "connected": sum(up for up, _ in arrived),
            "connected_seconds": max(seconds for _, seconds in arrived),
            "cpu_us": sum(meter.microseconds() for meter in meters) / wanted,
        }
        figures |= _memory(services, empty, kernel, wanted)
        idle = [Meter(service.pid) for service in services]
        time.sleep(lab.seconds)
        figures["idle_core_percent"] = sum(meter.load() for meter in idle)
        figures |= _restarted(services, fans)
        figures |= _every_client(lab, fans, wanted)
    return figures


def _touch(lab: Lab, *, rooms: int) -> None:
    with lab.publisher(1000, seconds=rooms / 1000, rooms=rooms) as publisher:
        publisher.wait(20)


def _memory(services: list[Service], empty: int, kernel: KernelMemory, clients: int) -> Figures:
    now = KernelMemory.read()
    return {
        "process_kb": (sum(memory_kb(service.pid) for service in services) - empty) / clients,
        "kernel_slab_kb": (now.slab - kernel.slab) / 1024 / clients,
        "kernel_buffers_kb": (now.tcp_buffers - kernel.tcp_buffers) / 1024 / clients,
    }


def _restarted(services: list[Service], fans: list[Load]) -> Figures:
    """Ends and starts all processes at the same time; how long it takes until every client has its snapshot again."""

    def restart(service: Service) -> float:
        begun = time.monotonic()
        service.stop()
        stopped = time.monotonic()
        with pinned(SERVER_CORE):
            service.launch()  # no answer is awaited: the clients are already there
        return stopped - begun

    with ThreadPoolExecutor(len(services)) as pool:
        stopping = max(pool.map(restart, services))
    back = [_back(fan) for fan in fans]
    return {
        "stop_seconds": stopping,
        "all_live_seconds": max(seconds for _, seconds in back),
        "live_again": sum(count for count, _ in back),
        "after_restart_cpu_us": sum(Meter.since_start(service.pid) for service in services) / max(sum(count for count, _ in back), 1),
    }


def _back(fan: Load) -> tuple[int, float]:
    """Clients and seconds from the first lost connection to the last snapshot; raises BenchError if they take too long."""
    word, *numbers = fan.line(MAX_BACK_SECONDS).split() or ["nothing"]
    if word != "back":
        raise BenchError(f"not all clients were live again within {MAX_BACK_SECONDS} s")
    return int(numbers[0]), float(numbers[1])


def _every_client(lab: Lab, fans: list[Load], clients: int) -> Figures:
    """Commits a reading a second: every client must receive each."""
    with lab.publisher(1, seconds=5, rooms=50) as publisher:
        published = publisher.wait(60)["published"]
    time.sleep(3)
    seen = [fan.finish() for fan in fans]
    return {
        "missed_of_5": published * clients - sum(fan["events"] for fan in seen),
        "to_all_p99_ms": max(fan["p99_ms"] for fan in seen),
    }


def scale_rooms(lab: Lab) -> Figures:
    """100,000 rooms in one Redis, 20,000 readings/s in batches of 500 for ten minutes; a dashboard watches ten of the rooms"""
    rooms, rate, seconds = int(ROOMS * lab.scale), READINGS_PER_SECOND * lab.scale, MINUTES * lab.seconds * 10
    ingest, broadcast = lab.ingest(), lab.broadcast()
    posts = Posts(ingest.port, f"{TELEMETRY}/batch", READING, '"accepted"', (f"Authorization: Bearer {lab.token('ingest')}",))
    store = redis.Redis.from_url(lab.redis_url)
    first = _first_readings(lab, posts, rate=rate / 4, rooms=rooms)
    watched = tuple(f"room-{number:05d}" for number in range(WATCHED_ROOMS))
    with lab.dashboards(broadcast, 1, *STAMPED, tokens=[lab.token("dashboard", rooms=watched)]) as fan:
        fan.wait_up()
        pids = {"ingest": ingest.pid, "broadcast": broadcast.pid, "redis": lab.redis_pid}
        meters = {name: Meter(pid) for name, pid in pids.items()}
        pace = {"rate": rate / BATCH, "seconds": seconds, "interval": min(REPORT_SECONDS, seconds / 2)}
        # Redis and the child that rewrites its append-only file have a core of their own.
        with lab.paced(posts, **pace, connections=4, rooms=rooms, batch=BATCH, core=SERVER_CORE) as poster:
            _follow(poster, pids, store)
            posted = poster.wait(60)
        used = {name: meter.microseconds() for name, meter in meters.items()}
        loads = {f"{name}_core_percent": meter.load() for name, meter in meters.items()}
        time.sleep(2)
        seen = fan.finish()
    accepted = max(posted["accepted"], 1)
    memory, file = _store_size(store)
    return {
        "accepted": posted["accepted"],
        "per_second": posted["accepted"] / posted["seconds"],
        "not_posted": posted["unsent"] * BATCH,
        "refused": posted["posts"] * BATCH - posted["accepted"],
        "cpu_us": used["ingest"] / accepted,
        "redis_cpu_us": used["redis"] / accepted,
        "received_us": used["broadcast"] / accepted,
        "first_redis_cpu_us": first,
        **loads,
        "p50_ms": posted["p50_ms"],
        "p99_ms": posted["p99_ms"],
        "late_ms": posted["late_ms"],
        "lag_p50_ms": seen["p50_ms"],
        "lag_p99_ms": seen["p99_ms"],
        "lag_max_ms": seen["max_ms"],
        "watched_events": seen["events"],
        "redis_mb": memory / 1e6,
        "redis_kb_per_room": memory / 1e3 / rooms,
        "append_only_file_mb": file / 1e6,
        "broadcast_mb": memory_kb(broadcast.pid) / 1024,
        "ingest_mb": memory_kb(ingest.pid) / 1024,
    }


def _first_readings(lab: Lab, posts: Posts, *, rate: float, rooms: int) -> float:
    """Lets each room post once, which makes its record of the day; returns Redis' CPU for each of these readings, in microseconds."""
    meter = Meter(lab.redis_pid)
    with lab.paced(posts, rate=rate / BATCH, seconds=rooms / rate, connections=4, rooms=rooms, batch=BATCH) as poster:
        posted = poster.wait(60 + rooms / rate)
    return meter.microseconds() / max(int(posted["accepted"]), 1)


def markdown(figures: Figures) -> str:
    """A table of one scenario."""
    lines = [f"| {NAMES.get(name, name.replace('_', ' '))} | {_number(value)} |" for name, value in figures.items()]
    return "\n".join(["| figure | value |", "|---|---|", *lines])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _store_size(store: "redis.Redis") -> tuple[int, int]:
    """Bytes in memory and in the append-only file."""
    memory: dict[str, Any] = store.info("memory")
    persistence: dict[str, Any] = store.info("persistence")
    return int(memory["used_memory"]), int(persistence.get("aof_current_size", 0))


def _follow(poster: Load, pids: dict[str, int], store: "redis.Redis") -> None:
    """Prints a line about each interval, until the posts end."""
    meters = {name: Meter(pid) for name, pid in pids.items()}
    while found := PROGRESS.match(poster.line(2 * REPORT_SECONDS)):
        loads = "  ".join(f"{name} {meter.load():.0f} %" for name, meter in meters.items())
        size = _store_size(store)[0] / 1e6
        print(f"  {found[0]}  {loads}  redis {size:,.0f} MB", file=sys.stderr, flush=True)
        meters = {name: Meter(pid) for name, pid in pids.items()}
