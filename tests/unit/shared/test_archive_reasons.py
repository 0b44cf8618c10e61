"""What a lost PostgreSQL is called, by the words of its client."""

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from shared.archive.database import reason_of


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('connection to server at "127.0.0.1", port 1 failed: Connection refused', "nothing listens there"),
        ("connection failed: FATAL:  the database system is shutting down", "the server is shutting down"),
        ("connection failed: FATAL:  the database system is starting up", "the server is starting"),
        ("connection failed: server closed the connection unexpectedly", "the connection was lost"),
        ("terminating connection due to administrator command", "the connection was lost"),
        ("could not receive data from server: Connection reset by peer", "the connection was lost"),
        ("could not send data to server: Broken pipe", "the connection was lost"),
        ("SSL SYSCALL error: EOF detected", "the connection was lost"),
        ("connection timeout expired", "the server does not answer in time"),
        ("something else", "OperationalError"),
    ],
)
def test_each_way_to_lose_a_server_is_named(said: str, reason: str) -> None:
    """While it ends, starts, or is cut off, and whether it had been connected or not; words that are not known are not repeated."""
    error = OperationalError("SELECT secret", {}, psycopg.OperationalError(said))
    assert reason_of(error, is_sqlite=False).startswith(reason)
