"""The worker service: background jobs, which one instance at a time runs under a lease."""
