"""What connections to the store over TLS share: a context is expensive to make."""

import os
import pathlib
import ssl

from redis.asyncio.connection import SSLConnection

from shared.store.connection import new_client, new_connection
from tests.support.certificates import self_signed


def context(certificate: pathlib.Path, options: str = "") -> ssl.SSLContext:
    """That of a new connection of a new client."""
    connection = new_connection(new_client(f"rediss://localhost:1/0?ssl_ca_certs={certificate}{options}", 1))
    assert isinstance(connection, SSLConnection)
    return connection.ssl_context.get()


def test_connections_with_equal_options_share_a_context(tmp_path: pathlib.Path) -> None:
    """Of one client and of several, as a cluster has one for each node."""
    certificate = self_signed(tmp_path, "localhost")
    client = new_client(f"rediss://localhost:1/0?ssl_ca_certs={certificate}", 2)
    first, second = (new_connection(client) for _ in range(2))
    assert isinstance(first, SSLConnection)
    assert isinstance(second, SSLConnection)
    assert first.ssl_context.get() is second.ssl_context.get() is context(certificate)


def test_other_options_are_another_context(tmp_path: pathlib.Path) -> None:
    certificate = self_signed(tmp_path, "localhost")
    trusting = context(certificate, "&ssl_check_hostname=no")
    assert (trusting.check_hostname, context(certificate).check_hostname) == (False, True)


def test_a_certificate_that_was_replaced_is_read_again(tmp_path: pathlib.Path) -> None:
    """A listener that connects again after its authority was changed trusts the new one."""
    before = context(self_signed(tmp_path, "localhost"))
    certificate = self_signed(tmp_path, "localhost")
    os.utime(certificate, ns=(0, 1))  # two files may be written within one tick of the clock
    assert context(certificate) is not before
