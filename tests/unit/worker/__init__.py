"""Tests of the worker service that start no process."""
