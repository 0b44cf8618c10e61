"""What more processes cost and bring: the figures that docs/scaling.md reckons with.

All processes under test share core 0, so that the sum of their CPU time says what the same work costs when it is spread.
"""

import contextlib
import time
import urllib.request
from typing import Final

from broadcast_service.relay.relay import RELEASE_SECONDS
from tools.bench.lab import Figures, Lab, Meter
from tools.bench.processes import memory_kb
from tools.processes import Service
from tools.waiting import wait_until

CLIENTS: Final = 400
SHARDS: Final = 64


def _relayed(lab: Lab, services: list[Service], rate: float) -> Figures:
    """The crowd spread evenly over some processes; what each delivered event cost them together, and Redis."""
    share = CLIENTS // len(services)
    with contextlib.ExitStack() as crowds:
        fans = [crowds.enter_context(lab.dashboards(service, share)) for service in services]
        for fan in fans:
            fan.wait_up()
        meters, redis = [Meter(service.pid) for service in services], Meter(lab.redis_pid)
        with lab.publisher(rate) as publisher:
            published = publisher.wait(lab.seconds + 20)["published"]
        time.sleep(0.7)  # for the last commits to arrive
        used, redis_used = sum(meter.microseconds() for meter in meters), redis.microseconds()
        seen = [fan.finish() for fan in fans]
    events = sum(fan["events"] for fan in seen)
    return {
        "cpu_us": used / max(events, 1),
        "redis_us": redis_used / max(published, 1),
        "p99_ms": max(fan["p99_ms"] for fan in seen),
        "missed": published * share * len(services) - events,
    }


def broadcasts(lab: Lab) -> Figures:
    """One, two and four broadcast processes share 400 clients, 500 events/s"""
    figures: Figures = {}
    for count in lab.counts:
        services = [lab.broadcast() for _ in range(count)]
        figures |= {f"{name}_at_{count}": value for name, value in _relayed(lab, services, 500).items()}
        for service in services:
            service.stop()
    return figures


def ingests(lab: Lab) -> Figures:
    """One, two and four ingest processes take single POSTs on 64 connections together"""
    figures: Figures = {}
    lab.touch_rooms()
    for count in lab.counts:
        services = [lab.ingest() for _ in range(count)]
        meters, redis = [Meter(service.pid) for service in services], Meter(lab.redis_pid)
        with contextlib.ExitStack() as loads:
            posters = [loads.enter_context(lab.poster(service.port, connections=64 // count)) for service in services]
            seen = [poster.wait(lab.seconds + 20) for poster in posters]
        accepted = sum(one["accepted"] for one in seen)
        figures[f"cpu_us_at_{count}"] = sum(meter.microseconds() for meter in meters) / accepted
        figures[f"redis_us_at_{count}"] = redis.microseconds() / accepted
        figures[f"per_second_at_{count}"] = sum(one["accepted"] / one["seconds"] for one in seen)
        for service in services:
            service.stop()
    return figures


def listening(lab: Lab) -> Figures:
    """A process that receives 5,000 events/s of 10,000 rooms for one client of one room: the cost of receiving an event"""
    service = lab.broadcast()
    empty = memory_kb(service.pid)
    with lab.dashboards(service, 1, tokens=[lab.token("dashboard", rooms=("room-00000",))]) as fan:
        fan.wait_up()
        lab.touch_rooms()
        meter = Meter(service.pid)
        with lab.publisher(5000, rooms=10_000) as publisher:
            published = publisher.wait(lab.seconds + 20)["published"]
        used = meter.microseconds()
    return {"received_us": used / published, "kb_per_room": (memory_kb(service.pid) - empty) / min(published, 10_000)}


def listening_sharded(lab: Lab) -> Figures:
    """The same with 64 shards and 500 events/s: subscribed to all shards, and after it has released those without the room"""
    service = lab.broadcast(TELEMETRY_SHARDS=str(SHARDS))
    figures: Figures = {}
    with lab.dashboards(service, 1, tokens=[lab.token("dashboard", rooms=("room-00000",))]) as fan:
        fan.wait_up()
        with lab.publisher(500, seconds=4, rooms=2000, shards=SHARDS) as publisher:
            publisher.wait(60)
        for name in ("all", "needed"):
            if name == "needed":
                wait_until(lambda: _required(service) == 1, "the other shards are released", seconds=2 * RELEASE_SECONDS)
            idle = Meter(service.pid)
            time.sleep(lab.seconds)
            figures[f"idle_percent_{name}"] = idle.load()
            meter = Meter(service.pid)
            with lab.publisher(500, rooms=2000, shards=SHARDS) as publisher:
                published = publisher.wait(lab.seconds + 20)["published"]
            figures[f"received_us_{name}"] = meter.microseconds() / published
    return figures


def _required(service: Service) -> float:
    """The number of shards that a broadcast process subscribes to."""
    with urllib.request.urlopen(service.metrics_url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("pulse_shards_required "))
