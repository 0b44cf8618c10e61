"""The session cookie, and which requests may use it. Pure.

The cookie is `HttpOnly` (no script reads it), `Secure`, `SameSite=Strict` (no other site's page sends it) and `__Host-` (no other host sets
it). Ports share cookies, so the port is part of the name: two stacks on one host keep apart. A socket or a request that changes something
must also come from a page of this very origin; see RFC 6265bis and the Fetch Metadata specification.
"""

from typing import Final

from starlette.datastructures import Headers

from shared.auth.origins import is_own

NAME: Final = "__Host-pulse"
MAX_SECRET_LENGTH: Final = 64


def cookie_name(host: str) -> str:
    """The cookie's name for a `Host` header."""
    _, colon, port = host.rpartition(":")
    return f"{NAME}-{port}" if colon and port.isdecimal() and len(port) <= 5 else NAME


def cookie_secret(headers: Headers) -> str | None:
    """The screen's secret that a request carries, if its cookie has the form of one."""
    name = cookie_name(headers.get("host", ""))
    for value in headers.getlist("cookie"):
        for part in value.split(";"):
            key, _, secret = part.strip().partition("=")
            if key == name and 0 < len(secret) <= MAX_SECRET_LENGTH and secret.isascii():
                return secret
    return None


def set_cookie(host: str, secret: str, max_age_seconds: int | None) -> str:
    """The `Set-Cookie` header that signs a screen in; without `max_age_seconds` the browser forgets it when it closes."""
    return _cookie(host, secret, max_age_seconds)


def clear_cookie(host: str) -> str:
    """The `Set-Cookie` header that signs a screen out."""
    return _cookie(host, "", 0)


def _cookie(host: str, value: str, max_age_seconds: int | None) -> str:
    lifetime = "" if max_age_seconds is None else f"; Max-Age={max_age_seconds}"
    return f"{cookie_name(host)}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{lifetime}"


def is_own_origin(headers: Headers) -> bool:
    """Whether the request names, once, the origin that it was sent to. Browsers send `Origin` with every socket, POST and DELETE."""
    origins, hosts = headers.getlist("origin"), headers.getlist("host")
    return len(origins) == len(hosts) == 1 and is_own(origins[0], hosts[0])


def is_same_site(headers: Headers) -> bool:
    """Whether a reading request may use the cookie: not one that a browser says another origin's page caused."""
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
