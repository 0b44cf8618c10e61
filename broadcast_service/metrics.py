"""What the broadcast service counts. Labels are bounded: reasons, statuses and error classes, never rooms or users."""

from prometheus_client import Counter, Gauge, Histogram

from shared.store.listener_metrics import SECONDS

clients = Gauge("pulse_clients", "Connected dashboards")
rooms = Gauge("pulse_rooms", "Rooms and platforms held, live or lately expired")
history_feeds = Gauge("pulse_history_feeds", "Rooms on a platform that have history, as last read for a report")
handshakes = Counter("pulse_handshakes_total", "Upgrade requests by HTTP status", ["status"])
closes = Counter("pulse_closes_total", "Sockets that ended, by reason", ["reason"])
expired = Counter("pulse_expired_total", "Values that outlived their TTL")
upstream_ok = Gauge("pulse_upstream_ok", "1 while every shard's subscription is proven")
relay_to_socket_seconds = Histogram(
    "pulse_relay_to_socket_seconds", "From the first change that waited to the end of the flush that told it", buckets=SECONDS
)
flush_seconds = Histogram("pulse_flush_seconds", "Time spent in a flush", buckets=SECONDS)
