"""What both services have around their own work: server, logs, traces, metrics, schemas."""
