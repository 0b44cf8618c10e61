"""The ingest service's metrics. Labels are bounded: outcomes, statuses and error classes, never rooms or users."""

from prometheus_client import Counter, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

readings = Counter("pulse_ingest_readings_total", "Processed readings by result", ["result"])
responses = Counter("pulse_ingest_responses_total", "Responses to ingest requests by HTTP status", ["status"])
commit_duration_seconds = Histogram("pulse_commit_duration_seconds", "Duration of one round trip of the commit script", buckets=SECONDS)
commit_failures = Counter("pulse_commit_failures_total", "Commits that Redis did not confirm, by error class", ["error"])
commit_batch_readings = Histogram("pulse_commit_batch_readings", "Readings per round trip of the commit script", buckets=BATCH_SIZES)
observation_to_commit_seconds = Histogram(
    "pulse_observation_to_commit_seconds", "Time from the reading of a page to its commit, by the producer's clock", buckets=SECONDS
)
