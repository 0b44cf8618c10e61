"""What an operator reads about a connection that failed."""

import socket
import ssl

import pytest
import redis

from shared.store.reasons import reason_of
from shared.store.redis import NoOwner


def caused(cause: Exception) -> Exception:
    """An error of the library as it wraps another one."""
    try:
        try:
            raise cause
        except type(cause) as error:
            raise redis.ConnectionError("Error connecting to secret-host:1. canary") from error
    except redis.ConnectionError as error:
        return error


def unverified() -> ssl.SSLCertVerificationError:
    """An error as the TLS library raises it."""
    error = ssl.SSLCertVerificationError(1, "canary")
    error.verify_message = "Hostname mismatch, certificate is not valid for 'secret-host'."
    return error


REASONS = {
    "the certificate is not accepted: Hostname mismatch": caused(unverified()),
    "TLS failed: is it TLS that is spoken there?": caused(ssl.SSLError(1, "canary")),
    "the host name cannot be resolved": caused(socket.gaierror(-2, "canary")),
    "nothing listens there": caused(ConnectionRefusedError(111, "canary")),
    "a password is missing or wrong": redis.AuthenticationError("NOAUTH canary"),
    "the user may not run a command that is needed (ACL)": redis.exceptions.NoPermissionError("canary"),
    "the Sentinels know no such master": redis.ResponseError("No such master with that name"),
    "no answer in time": caused(TimeoutError()),
    "no node is known to own the key": NoOwner("canary"),
    "the network failed": caused(OSError(113, "canary")),
    "the connection was closed": redis.ConnectionError("canary"),
    "ResponseError": redis.ResponseError("canary"),
}


@pytest.mark.parametrize(("reason", "error"), REASONS.items(), ids=REASONS.keys())
def test_a_reason_names_the_cause_and_repeats_nothing(reason: str, error: Exception) -> None:
    """The library's own class says no more than that a connection failed, and its text repeats addresses."""
    assert reason_of(error) == reason


def test_an_endless_chain_ends() -> None:
    """An error that names itself as its cause is followed a bounded number of times."""
    error = redis.ConnectionError("x")
    error.__cause__ = error
    assert reason_of(error) == "the connection was closed"
    assert reason_of(TimeoutError()) == "no answer in time"
