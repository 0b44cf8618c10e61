"""The scenarios of ingest: what an accepted reading costs, posted alone or in batches."""

import statistics
from collections.abc import Mapping
from typing import Any, Final

from tools.bench.lab import Figures, Lab, Meter
from tools.processes import Service

TURNS: Final = 5


def _posted(lab: Lab, service: Service, *, batch: int, connections: int) -> Figures:
    """Posts as fast as is answered; the cost per reading. The rooms have posted before: a day's array is made once a day."""
    lab.touch_rooms()
    meter, redis = Meter(service.pid), Meter(lab.redis_pid)
    with lab.poster(service.port, connections=connections, batch=batch) as poster:
        seen = poster.wait(lab.seconds + 20)
    used, redis_used = meter.microseconds(), redis.microseconds()
    return {
        "per_second": seen["accepted"] / seen["seconds"],
        "cpu_us": used / max(seen["accepted"], 1),
        "redis_cpu_us": redis_used / max(seen["accepted"], 1),
        "p50_ms": seen["p50_ms"],
        "p99_ms": seen["p99_ms"],
        "refused": seen["refused"],
        "core_percent": used / seen["seconds"] / 1e4,
    }


def ingest_single(lab: Lab) -> Figures:
    """Ingest: single POSTs on 64 connections"""
    return _posted(lab, lab.ingest(), batch=1, connections=64)


def _in_turn(lab: Lab, services: Mapping[str, Service], **options: Any) -> dict[str, list[float]]:
    """The cost of a single POST to each service, measured in turn; `options` are the poster's, by the name of the service."""
    lab.touch_rooms(per_second=1500)
    costs: dict[str, list[float]] = {name: [] for name in services}
    for _ in range(TURNS):
        for name, service in services.items():
            meter = Meter(service.pid)
            with lab.poster(service.port, **options.get(name, {})) as poster:
                seen = poster.wait(lab.seconds + 20)
            costs[name].append(meter.microseconds() / max(seen["accepted"], 1))
    return costs


def ingest_budget(lab: Lab) -> Figures:
    """Ingest: single POSTs with the budget of an address and without, in turn"""
    costs = _in_turn(lab, {"with_budget": lab.ingest(ADDRESS_SHARE=""), "without_budget": lab.ingest()})
    return {f"{name}_cpu_us": statistics.median(found) for name, found in costs.items()} | {
        f"{name}_least_cpu_us": min(found) for name, found in costs.items()
    }


def ingest_batch_of_one(lab: Lab) -> Figures:
    """Ingest: batches of one, which the extension sends, and single POSTs, in turn"""
    service = lab.ingest(RATE_LIMIT_ROOM_PER_SECOND="1000")
    costs = _in_turn(lab, {"batch_of_one": service, "single": service}, batch_of_one={"arrays": True})
    one, single = statistics.median(costs["batch_of_one"]), statistics.median(costs["single"])
    return {"cpu_us": one, "single_cpu_us": single, "ratio": one / single}


def ingest_batch(lab: Lab) -> Figures:
    """Ingest: batches of 500 on 4 connections"""
    return _posted(lab, lab.ingest(RATE_LIMIT_ROOM_PER_SECOND="1000"), batch=500, connections=4)


def ingest_groups(lab: Lab) -> Figures:
    """Ingest: batches of 30 on one connection, so that each commit has 30 readings"""
    return _posted(lab, lab.ingest(RATE_LIMIT_ROOM_PER_SECOND="1000"), batch=30, connections=1)


def obvious_ingest(lab: Lab) -> Figures:
    """Obvious: Starlette and one redis-py pipeline per POST, 64 connections"""
    return _posted(lab, lab.obvious(), batch=1, connections=64)
