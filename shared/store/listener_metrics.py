"""What a listener counts. Labels are bounded: sources, kinds and error classes, never rooms."""

from prometheus_client import Counter, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

relayed = Counter("pulse_relayed_total", "Readings taken from Redis, live or by resynchronisation", ["way"])
malformed = Counter("pulse_malformed_total", "Messages from Redis that are no readings")
resyncs = Counter("pulse_resyncs_total", "Resynchronisations with the stored values", ["kind"])
subscriptions_lost = Counter("pulse_subscriptions_lost_total", "Subscriptions given up", ["error"])
commit_to_relay_seconds = Histogram("pulse_commit_to_relay_seconds", "From commit in Redis to this process", buckets=SECONDS)
