"""The listener's metrics. Labels are bounded: sources, kinds and error classes, never rooms."""

from prometheus_client import Counter, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

readings_received = Counter("pulse_readings_received_total", "Readings received from Redis, by source (live or stored)", ["source"])
readings_malformed = Counter("pulse_readings_malformed_total", "Messages and stored values in Redis that are not valid readings")
reconciliations = Counter("pulse_reconciliations_total", "Reconciliations with the stored readings, by kind (full or partial)", ["kind"])
subscriptions_lost = Counter("pulse_subscriptions_lost_total", "Lost Redis subscriptions by error class", ["error"])
commit_to_relay_seconds = Histogram(
    "pulse_commit_to_relay_seconds",
    "Time from the commit in Redis to receipt by this process, of the oldest commit of those that are read together",
    buckets=SECONDS,
)
