"""The archive on SQLite and PostgreSQL."""
