"""The scenarios, one small function each: the processes, the load and the figures.

The server under test has core 0 to itself. Everything else shares core 1: Redis, the load generators and, where fan-out is measured, the
publisher. CPU is the server process' own time, kernel part included, over the number of deliveries.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Final

from tools.bench.costs import costs
from tools.bench.end_to_end import post_to_socket_ms
from tools.bench.history import history
from tools.bench.lab import Figures, Lab, Meter
from tools.bench.posting import ingest_batch, ingest_batch_of_one, ingest_budget, ingest_groups, ingest_single, obvious_ingest
from tools.bench.processes import Load, memory_kb
from tools.bench.scale import scale_connections, scale_rooms
from tools.bench.scaling import broadcasts, ingests, listening, listening_sharded
from tools.bench.year import archive
from tools.processes import Service

CLIENTS: Final = 500
UNPACED: Final = {"FLUSH_MAX_PAUSE_MS": "0"}
STORED: Final = '{"version":'  # what each reading in a published message starts with
SETTLE_SECONDS: Final = 0.7  # for the last commits to arrive


def _floor(lab: Lab, rate: float, events_per_write: int) -> Figures:
    with lab.floor(rate, events_per_write) as (port, pid), lab.fan(port, CLIENTS) as fan:
        fan.wait_up()
        meter = Meter(pid)
        time.sleep(lab.seconds)
        used, load = meter.microseconds(), meter.load()
        seen = fan.finish()
    per_second = seen["events"] / seen["seconds"]
    return {"cpu_us": used / (per_second * lab.seconds), "p99_ms": seen["p99_ms"], "core_percent": load}


def floor_single(lab: Lab) -> Figures:
    """Floor: C, one send() per event, 500 clients x 100 events/s"""
    return _floor(lab, 100, 1)


def floor_joined(lab: Lab) -> Figures:
    """Floor: C, 50 events per send(), 500 clients x 1,000 events/s"""
    return _floor(lab, 20, 50)


def _delivered(lab: Lab, service: Service, fan: Load, rate: float, clients: int, *, rooms: int = 1000) -> Figures:
    """Publishes at a rate while the clients of `fan` read; the cost and delay of their events, and the number that they missed."""
    fan.wait_up()
    meter = Meter(service.pid)
    with lab.publisher(rate, rooms=rooms) as publisher:
        published = publisher.wait(lab.seconds + 20)["published"]
    time.sleep(SETTLE_SECONDS)
    used = meter.microseconds()
    seen = fan.finish()
    return {
        "cpu_us": used / max(seen["events"], 1),
        "p50_ms": seen["p50_ms"],
        "p99_ms": seen["p99_ms"],
        "missed": published * clients - seen["events"],
        "events_per_frame": seen["events"] / max(seen["frames"], 1),
        "bytes_per_event": seen["bytes"] / max(seen["events"], 1),
        "core_percent": used / lab.seconds / 1e4,
    }


def fanout_unpaced(lab: Lab) -> Figures:
    """Fan-out, pacing off, 500 clients x 100 events/s"""
    service = lab.broadcast(**UNPACED)
    with lab.dashboards(service, CLIENTS) as fan:
        return _delivered(lab, service, fan, 100, CLIENTS)


def fanout_100(lab: Lab) -> Figures:
    """Fan-out, 500 clients x 100 events/s"""
    service = lab.broadcast()
    with lab.dashboards(service, CLIENTS) as fan:
        return _delivered(lab, service, fan, 100, CLIENTS)


def fanout_1000(lab: Lab) -> Figures:
    """Fan-out, 500 clients x 1,000 events/s"""
    service = lab.broadcast()
    with lab.dashboards(service, CLIENTS) as fan:
        return _delivered(lab, service, fan, 1000, CLIENTS)


def fanout_deflated(lab: Lab) -> Figures:
    """Fan-out with shared compression, 500 clients x 1,000 events/s"""
    service = lab.broadcast(WEBSOCKET_COMPRESSION="true")
    with (
        lab.dashboards(service, CLIENTS - 1, "-H", "Sec-WebSocket-Extensions: permessage-deflate") as fan,
        lab.inflating(service) as reader,
    ):
        fan.wait_up()
        reader.wait_up()
        meter = Meter(service.pid)
        with lab.publisher(1000) as publisher:
            published = publisher.wait(lab.seconds + 20)["published"]
        time.sleep(SETTLE_SECONDS)
        used = meter.microseconds()
        seen, crowd = reader.finish(), fan.finish()
    return {
        "cpu_us": used / (published * CLIENTS),
        "p50_ms": seen["p50_ms"],
        "p99_ms": seen["p99_ms"],
        "missed": published - seen["events"],
        "bytes_per_event": crowd["bytes"] / (published * (CLIENTS - 1)),
        "core_percent": used / lab.seconds / 1e4,
    }


def obvious_fanout(lab: Lab) -> Figures:
    """Obvious: queue and task per client, 500 clients x 100 events/s"""
    service = lab.obvious()
    with lab.fan(service.port, CLIENTS) as fan:
        return _delivered(lab, service, fan, 100, CLIENTS)


def idle(lab: Lab) -> Figures:
    """Idle: 1 client, 1 event/s"""
    service = lab.broadcast()
    with lab.dashboards(service, 1) as fan:
        return _delivered(lab, service, fan, 1, 1)


def floor_idle(lab: Lab) -> Figures:
    """Floor: a bare subscriber receives a commit, 1 event/s"""
    with lab.subscriber() as subscriber:
        return _received(lab, subscriber)


def floor_relay_idle(lab: Lab) -> Figures:
    """Floor: a bare relay in C sends a commit to 1 client with one send(), 1 event/s"""
    with lab.bare_relay() as port, lab.fan(port, 1, "-e", STORED) as fan:
        return _received(lab, fan)


def _received(lab: Lab, receiver: Load) -> Figures:
    """The delays at one receiver of one event a second."""
    receiver.wait_up()
    with lab.publisher(1) as publisher:
        published = publisher.wait(lab.seconds + 20)["published"]
    time.sleep(SETTLE_SECONDS)
    seen = receiver.finish()
    return {"p50_ms": seen["p50_ms"], "p99_ms": seen["p99_ms"], "missed": published - seen["events"]}


def _with_deaf(lab: Lab, percent: float) -> tuple[float, float]:
    """The others' p99 while some never read, and how much the server grew, in MB."""
    service = lab.broadcast()
    with lab.dashboards(service, CLIENTS, "-z", percent) as fan:
        before = memory_kb(service.pid)
        figures = _delivered(lab, service, fan, 1000, CLIENTS - int(CLIENTS * percent / 100))
        grown = (memory_kb(service.pid) - before) / 1024
    service.stop()
    return figures["p99_ms"], grown


def never_reading(lab: Lab) -> Figures:
    """Some of 500 clients never read, 1,000 events/s"""
    (none, grown_none), (few, _), (many, grown_many) = (_with_deaf(lab, percent) for percent in (0, 1, 20))
    return {
        "p99_ms": none,
        "p99_at_1_percent": few,
        "p99_at_20_percent": many,
        "grown_mb": grown_none,
        "grown_mb_at_20_percent": grown_many,
    }


def connections(lab: Lab) -> Figures:
    """Memory of 8,000 and 10,000 idle connections"""
    service = lab.broadcast()
    empty = memory_kb(service.pid)
    first, second = lab.crowd(8000), lab.crowd(2000)
    with contextlib.ExitStack() as crowds:
        crowds.enter_context(lab.dashboards(service, first, tokens=lab.tokens(first))).wait_up()
        at_first = memory_kb(service.pid)
        crowds.enter_context(lab.dashboards(service, second, tokens=lab.tokens(second))).wait_up()
        at_all = memory_kb(service.pid)
    return {"kb_at_8000": (at_first - empty) / first, "kb_at_10000": (at_all - empty) / (first + second), "empty_mb": empty / 1024}


def storm(lab: Lab) -> Figures:
    """Reconnect storm: 8,000 clients, 50 rooms sent; each token is verified, and the second time remembered"""
    service = lab.broadcast()
    clients = lab.crowd(8000)
    tokens = lab.tokens(clients)
    with lab.publisher(1000, seconds=0.05, rooms=50) as publisher:
        publisher.wait(20)
    with lab.pinger(service) as pinger:
        pinger.wait_up()
        meter = Meter(service.pid)
        with lab.dashboards(service, clients, "-c", 4000, tokens=tokens) as fan:
            up, _ = fan.wait_up()
            handshake = meter.microseconds() / clients
        meter = Meter(service.pid)
        with lab.dashboards(service, clients, "-c", 4000, tokens=tokens) as fan:  # all of them come back at once
            back, seconds = fan.wait_up()
            again = meter.microseconds() / clients  # the end of the first connections is in it
        waits = pinger.finish()
    return {
        "cpu_us": handshake,
        "again_cpu_us": again,
        "back_seconds": seconds,
        "longest_wait_ms": waits["longest_ms"],
        "missing": 2 * clients - up - back,
    }


def obvious_storm(lab: Lab) -> Figures:
    """Obvious: 8,000 clients connect, each token verified, nothing sent"""
    service = lab.obvious()
    clients = lab.crowd(8000)
    empty, meter = memory_kb(service.pid), Meter(service.pid)
    with lab.fan(service.port, clients, "-c", 4000, tokens=lab.tokens(clients)) as fan:
        _, seconds = fan.wait_up()
        return {"cpu_us": meter.microseconds() / clients, "back_seconds": seconds, "kb": (memory_kb(service.pid) - empty) / clients}


def end_to_end(lab: Lab) -> Figures:
    """From POST to socket, 20 readings/s, both services on one core"""
    ingest, broadcast = lab.ingest(RATE_LIMIT_ROOM_PER_SECOND="1000"), lab.broadcast()
    samples = post_to_socket_ms(ingest.url, broadcast.url, lab.token("ingest"), lab.token("dashboard"), count=int(20 * lab.seconds))
    return {"p50_ms": samples[len(samples) // 2], "p99_ms": samples[int((len(samples) - 1) * 0.99)]}


def scopes(lab: Lab) -> Figures:
    """1,000 clients with 1,000 different lists of 10 rooms, 100 events/s"""
    service = lab.broadcast()
    clients = lab.crowd(1000)
    lists = [tuple(f"room-{(number + i) % clients:05d}" for i in range(10)) for number in range(clients)]
    with lab.dashboards(service, clients, tokens=[lab.token("dashboard", rooms=rooms) for rooms in lists]) as fan:
        figures = _delivered(lab, service, fan, 100, 10, rooms=clients)
    return {**figures, "cpu_us_per_published": figures["cpu_us"] * 10}


def large_state(lab: Lab) -> Figures:
    """10,000 rooms: 100 clients take the snapshot, then 1,000 events/s"""
    service = lab.broadcast()
    lab.touch_rooms()
    meter = Meter(service.pid)
    with lab.dashboards(service, 100) as fan:
        _, seconds = fan.wait_up()
        snapshot = meter.microseconds() / 100
        figures = _delivered(lab, service, fan, 1000, 100, rooms=10_000)
    return {**figures, "snapshot_cpu_us": snapshot, "snapshot_seconds": seconds, "memory_mb": memory_kb(service.pid) / 1024}


SCENARIOS: Final[dict[str, Callable[[Lab], Figures]]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        floor_single,
        floor_joined,
        fanout_unpaced,
        fanout_100,
        fanout_1000,
        fanout_deflated,
        obvious_fanout,
        floor_idle,
        floor_relay_idle,
        idle,
        never_reading,
        connections,
        storm,
        obvious_storm,
        ingest_single,
        ingest_budget,
        ingest_batch_of_one,
        ingest_batch,
        ingest_groups,
        obvious_ingest,
        end_to_end,
        scopes,
        large_state,
        history,
        archive,
        costs,
        broadcasts,
        ingests,
        listening,
        listening_sharded,
        scale_connections,
        scale_rooms,
    )
}
SCALE: Final = ("scale-connections", "scale-rooms")  # not in the default run
MODEL: Final = ("broadcasts", "ingests", "listening", "listening-sharded")  # what docs/scaling.md reckons with, beside the others
NOT_QUICK: Final = (*MODEL, "costs", "history", "archive")
