"""Decodes the values of feeds, as they are stored in Redis and published there."""

from collections.abc import Iterable

from shared.contract.codec import UNREADABLE
from shared.contract.readings import StoredReading, decode_stored
from shared.store import listener_metrics as metrics


def sound_readings(values: Iterable[bytes], max_version: int) -> list[StoredReading]:
    """The readings in these values, in their order. A damaged one, or one with a version above `max_version`, is counted and skipped."""
    readings: list[StoredReading] = []
    for value in values:
        try:
            reading = decode_stored(value)
        except UNREADABLE:
            metrics.readings_malformed.inc()
            continue
        if reading.version > max_version:
            metrics.readings_malformed.inc()
        else:
            readings.append(reading)
    return readings
