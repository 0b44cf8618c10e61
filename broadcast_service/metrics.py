"""What the broadcast service counts. Labels are bounded: reasons, statuses and error classes, never rooms or users."""

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

clients = Gauge("pulse_clients", "Connected dashboards")
rooms = Gauge("pulse_rooms", "Rooms and platforms held, live or lately expired")
history_feeds = Gauge("pulse_history_feeds", "Rooms on a platform that have history, as last read for a report")
handshakes = Counter("pulse_handshakes_total", "Upgrade requests by HTTP status", ["status"])
closes = Counter("pulse_closes_total", "Sockets that ended, by reason", ["reason"])
relayed = Counter("pulse_relayed_total", "Readings taken from Redis, live or by resynchronisation", ["way"])
malformed = Counter("pulse_malformed_total", "Messages from Redis that are no readings")
expired = Counter("pulse_expired_total", "Values that outlived their TTL")
resyncs = Counter("pulse_resyncs_total", "Resynchronisations with the stored values", ["kind"])
subscriptions_lost = Counter("pulse_subscriptions_lost_total", "Subscriptions given up", ["error"])
upstream_ok = Gauge("pulse_upstream_ok", "1 while every shard's subscription is proven")
commit_to_relay_seconds = Histogram("pulse_commit_to_relay_seconds", "From commit in Redis to this process", buckets=SECONDS)
relay_to_socket_seconds = Histogram(
    "pulse_relay_to_socket_seconds", "From the first change that waited to the end of the flush that told it", buckets=SECONDS
)
flush_seconds = Histogram("pulse_flush_seconds", "Time spent in a flush", buckets=SECONDS)
