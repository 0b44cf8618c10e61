"""What the ingest service counts. Labels are bounded: outcomes and error classes, never rooms or users."""

from prometheus_client import Counter, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

readings = Counter("pulse_readings_total", "Readings by what became of them", ["result"])
requests = Counter("pulse_ingest_responses_total", "Answers to ingest requests by status", ["status"])
commit_seconds = Histogram("pulse_commit_seconds", "One round trip of the commit script", buckets=SECONDS)
commit_failures = Counter("pulse_commit_failures_total", "Commits that Redis did not confirm", ["error"])
batch_updates = Histogram("pulse_commit_batch_readings", "Readings per round trip", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
observation_to_commit_seconds = Histogram(
    "pulse_observation_to_commit_seconds", "From the moment a page was read to its commit", buckets=SECONDS
)
