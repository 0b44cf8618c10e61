"""The broadcast service's metrics. Labels are bounded: reasons, statuses and error classes, never rooms or users."""

from prometheus_client import Counter, Gauge, Histogram

from shared.store.listener_metrics import SECONDS

clients = Gauge("pulse_clients", "Connected dashboards")
feeds = Gauge("pulse_feeds", "Feeds (rooms on a platform) in memory, live or recently expired")
history_feeds = Gauge("pulse_history_feeds", "Feeds with stored history, as of the last report that listed them")
handshakes = Counter("pulse_websocket_handshakes_total", "WebSocket opening handshakes by HTTP status", ["status"])
closes = Counter("pulse_websocket_closes_total", "Closed WebSocket connections by reason", ["reason"])
readings_expired = Counter("pulse_readings_expired_total", "Readings removed because their TTL had passed")
upstream_ok = Gauge("pulse_upstream_ok", "1 while the subscription to every shard that is required is confirmed, otherwise 0")
shards_required = Gauge("pulse_shards_required", "Shards that this process subscribes to; the others are needed by no client")
relay_to_socket_seconds = Histogram(
    "pulse_relay_to_socket_seconds", "Time from the first pending change to the end of the flush that sent it", buckets=SECONDS
)
flush_duration_seconds = Histogram("pulse_flush_duration_seconds", "Duration of one flush", buckets=SECONDS)
damaged_days = Gauge("pulse_archive_damaged_days", "Archived days of accounts that reports could not read since the start")
studio_file_ok = Gauge("pulse_studio_file_ok", "1 while the studio file is in use as it is, 0 while a changed one is refused")
