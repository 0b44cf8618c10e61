"""Tests, the local stack they share with `make run`, and the simulated studio."""
