"""The write side: takes readings over HTTP, validates them and commits them to Redis."""
