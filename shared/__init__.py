"""Shared by both services: the contract between processes (readings, events, keys, problems), tokens, the store, and how a service runs."""
