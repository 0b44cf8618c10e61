"""One TLS context for all clients of httpx that verify with the same certificates.

httpx loads the authorities of the system for every client, and thus for every `httpx.get`, also for plain HTTP: 20 to 40 ms of CPU each
time. A client that brings a context or a certificate of its own keeps it.
"""

import functools
import os
import pathlib
import ssl
from typing import Any, Final

from httpx import create_ssl_context
from httpx._transports import default as transports

_create: Final = create_ssl_context


@functools.lru_cache(maxsize=16)
def _shared(_certificates: tuple[object, ...], *, verify: bool, trust_env: bool) -> ssl.SSLContext:
    return _create(verify=verify, trust_env=trust_env)


def _context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:  # noqa: FBT001, FBT002 - httpx' signature
    if not isinstance(verify, bool) or cert is not None:
        return _create(verify=verify, cert=cert, trust_env=trust_env)
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    written = pathlib.Path(file).stat().st_mtime_ns if file else 0
    return _shared((file, written, directory), verify=verify, trust_env=trust_env)


def share() -> None:
    """From now on clients share contexts."""
    setattr(transports, "create_ssl_context", _context)  # noqa: B010 - the module does not export its imports
