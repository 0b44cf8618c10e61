"""What more processes cost and bring: the figures that docs/scaling.md reckons with.

All processes under test share core 0, so that the sum of their CPU time says what the same work costs when it is spread.
"""

import contextlib
import time
from typing import Final

from tools.bench.lab import Figures, Lab, Meter
from tools.bench.processes import memory_kb
from tools.processes import Service

CLIENTS: Final = 400


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
    """A process that relays 5,000 events/s of 10,000 rooms to one client of one room: the cost of receiving an event"""
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
