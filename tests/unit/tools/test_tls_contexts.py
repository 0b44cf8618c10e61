"""Clients of tests share TLS contexts only where they would have made equal ones."""

import pathlib
import ssl

import certifi
import pytest

from tests.support.tls_contexts import _context


def test_clients_that_trust_the_same_authorities_share_a_context() -> None:
    assert _context() is _context()
    assert _context(verify=False) is _context(verify=False)
    assert _context(verify=False).verify_mode is ssl.CERT_NONE
    assert _context().verify_mode is ssl.CERT_REQUIRED


def test_other_authorities_are_another_context(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file, the same file written anew, and no file from the environment."""
    usual, text = _context(), pathlib.Path(certifi.where()).read_text()
    file = tmp_path / "root.crt"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(FileNotFoundError):
        _context()
    end = "-----END CERTIFICATE-----\n"
    first, second, *_ = (certificate + end for certificate in text.split(end))
    file.write_text(first)
    one = _context()
    assert (one.cert_store_stats()["x509"], usual.cert_store_stats()["x509"] > 50) == (1, True)
    assert _context() is one
    file.write_text(first + second)
    assert _context().cert_store_stats()["x509"] == 2
    assert _context(trust_env=False) is not _context()


def test_a_client_keeps_the_context_that_it_brings() -> None:
    own = ssl.create_default_context()
    assert _context(verify=own) is own
