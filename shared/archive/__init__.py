"""The archive: history that outlives Redis, in SQLite or PostgreSQL. The worker service writes it; the broadcast service reads it."""
