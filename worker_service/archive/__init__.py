"""The job that copies history from Redis to the archive, and the archive's commands."""
