"""What crosses the process boundary: readings, events, keys, the history record, problems."""
