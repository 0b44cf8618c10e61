"""Why a connection failed, in words that an operator can act on. Pure. Of an error's own text it uses only OpenSSL's verify message."""

import socket
import ssl
from collections.abc import Iterator

MAX_LINKS = 8  # of a chain of errors

_BY_NAME = {
    "AuthenticationError": "a password is missing or wrong",
    "AuthenticationWrongNumberOfArgsError": "a password is missing or wrong",
    "NoPermissionError": "the user may not run a command that is needed (ACL)",
    "NoOwner": "no node is known to own the key",
    "BusyLoadingError": "the server is loading its data",
    "ReadOnlyError": "the server is a replica",
}
_BY_CLASS = {socket.gaierror: "the host name cannot be resolved", ConnectionRefusedError: "nothing listens there"}


def reason_of(error: BaseException) -> str:
    """The reason of an error, without an address, user or password."""
    chain = list(_chain(error))
    if known := next(filter(None, map(_known, chain)), None):
        return known
    if any(isinstance(link, TimeoutError) or type(link).__name__ == "TimeoutError" for link in chain):
        return "no answer in time"
    if any(isinstance(link, OSError) for link in chain):
        return "the network failed"
    return "the connection was closed" if type(error).__name__ == "ConnectionError" else type(error).__name__


def _known(link: BaseException) -> str | None:
    """The reason of one error of the chain, None if it is not known."""
    if isinstance(link, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {_names_cut(link.verify_message)}"
    if isinstance(link, ssl.SSLError):
        return "TLS failed: is it TLS that is spoken there?"
    if "no such master with that name" in str(link).lower():
        return "the Sentinels know no such master"
    return next((reason for kind, reason in _BY_CLASS.items() if isinstance(link, kind)), _BY_NAME.get(type(link).__name__))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes."""
    current: BaseException | None = error
    for _ in range(MAX_LINKS):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _names_cut(message: str) -> str:
    """OpenSSL's message without the host name, the only part that is not a constant."""
    return message.split(", certificate is not valid for", maxsplit=1)[0]
