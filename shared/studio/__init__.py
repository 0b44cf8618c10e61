"""The studio's own facts: time zone, currency, names, shifts and targets, read from `studio.toml`. All modules but `file` are pure."""
