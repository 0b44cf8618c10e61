"""Redis: how a service connects, reads, and listens."""
