"""The read side: listens to Redis and relays readings to authenticated dashboards."""
