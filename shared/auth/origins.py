"""Web origins (RFC 6454) as browsers write them: scheme and host in lower case, no default port, nothing after it. Pure."""

import ipaddress
import re
from typing import Final

DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
SHOWN_CHARACTERS: Final = 128

_ORIGIN = re.compile(r"\A([A-Za-z][A-Za-z0-9+.-]*)://(.+)\Z", re.DOTALL)
_AUTHORITY = re.compile(r"\A(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?\Z")
_NUMERIC_LABEL = re.compile(r"\A(?:[0-9]+|0[xX][0-9A-Fa-f]*)\Z")  # a browser takes a host that ends so for an IPv4 address
_UNSHOWN = re.compile(r"[^A-Za-z0-9.:/\[\]_-]")


def normalised(origin: str) -> str | None:
    """An origin as a browser sends it, or None for text that no browser sends as an origin (`null` has no host to compare)."""
    match = _ORIGIN.match(origin)
    if match is None or match[1].lower() == "file":
        return None
    scheme = match[1].lower()
    host = normalised_host(match[2], scheme)
    return None if host is None else f"{scheme}://{host}"


def normalised_host(host: str, scheme: str) -> str | None:
    """`host[:port]` in lower case without the default port of a scheme, or None where it is no host."""
    match = _AUTHORITY.match(host)
    if match is None:
        return None
    name, port = match[1].lower(), match[2]
    try:
        if name.startswith("["):
            name = f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]"
        elif scheme in DEFAULT_PORTS and _NUMERIC_LABEL.match(name.removesuffix(".").rpartition(".")[2]):
            name = str(ipaddress.IPv4Address(name))
    except ValueError:
        return None
    if port is None or str(int(port)) == DEFAULT_PORTS.get(scheme):
        return name
    return f"{name}:{int(port)}" if int(port) < 65536 else None


def is_own(origin: str, host: str) -> bool:
    """Whether a page of this origin was served under this `Host`. A TLS proxy hides the scheme, so either one will do."""
    wanted = normalised(origin)
    scheme = (wanted or "").partition("://")[0]
    if scheme not in DEFAULT_PORTS:
        return False
    own = normalised_host(host, scheme)
    return own is not None and wanted == f"{scheme}://{own}"


def shown(text: str) -> str:
    """What a log may hold of a header that anybody may write: letters, digits and the marks of an origin, and not much of them."""
    return _UNSHOWN.sub("_", text[:SHOWN_CHARACTERS])
