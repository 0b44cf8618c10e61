"""Validates a WebSocket upgrade request (RFC 6455 section 4.2.1) and makes the response that accepts it. Pure.

uvicorn's HTTP parser has parsed the request before, so nothing is parsed a second time. Authorization is decided elsewhere.
"""

import base64
import binascii
import hashlib
import http
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.headers import parse_extension

from shared.contract.problems import Problem

MAX_LINE_BYTES: Final = 8192
MAX_HEADERS: Final = 128
# Without context takeover a compressed payload decodes to the same for all clients, so it is made once per audience.
DEFLATE: Final = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PROTOCOLS = re.compile(rb"\A\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\s*,\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*\s*\Z")

Headers = Sequence[tuple[bytes, bytes]]


class Upgrade(NamedTuple):
    """A valid upgrade request: the key of the response, and the subprotocols and the compression that the client offers."""

    accept: bytes
    subprotocols: list[str]
    extension: PerMessageDeflate | None
    extension_header: bytes

    @property
    def deflates(self) -> bool:
        """Whether the client can read payloads that are compressed once for an audience, which needs the largest window."""
        return self.extension is not None and self.extension.local_max_window_bits == zlib.MAX_WBITS

    def response(self, subprotocol: str | None) -> bytes:
        """The 101 response that accepts it."""
        lines = [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ", self.accept]
        if subprotocol is not None:
            lines += [b"\r\nSec-WebSocket-Protocol: ", subprotocol.encode()]
        if self.extension is not None:
            lines += [b"\r\nSec-WebSocket-Extensions: ", self.extension_header]
        lines.append(b"\r\n\r\n")
        return b"".join(lines)


def read_upgrade(method: str, url: bytes, headers: Headers, *, compression: bool) -> Upgrade:
    """Validates the upgrade request; raises a Problem."""
    if method != "GET":
        raise Problem(405, "a WebSocket is opened with GET", headers={"Allow": "GET"})
    if len(url) > MAX_LINE_BYTES:
        raise Problem(414, f"the URL is longer than {MAX_LINE_BYTES} bytes")
    if len(headers) > MAX_HEADERS or any(len(name) + len(value) > MAX_LINE_BYTES for name, value in headers):
        raise Problem(431, f"more than {MAX_HEADERS} headers, or one longer than {MAX_LINE_BYTES} bytes")
    if _single(headers, b"sec-websocket-version") != b"13":
        raise Problem(400, "Sec-WebSocket-Version should be 13", headers={"Sec-WebSocket-Version": "13"})
    extension, extension_header = _compression(headers) if compression else (None, b"")
    return Upgrade(_accept(_single(headers, b"sec-websocket-key")), _subprotocols(headers), extension, extension_header)


def _single(headers: Headers, name: bytes) -> bytes:
    values = [value for key, value in headers if key == name]
    return values[0].strip() if len(values) == 1 else b""


def _accept(key: bytes) -> bytes:
    try:
        nonce = base64.b64decode(key, validate=True)
    except binascii.Error:
        nonce = b""
    if len(nonce) != 16:
        raise Problem(400, "Sec-WebSocket-Key should be 16 bytes in base64")
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def _subprotocols(headers: Headers) -> list[str]:
    values = [value for name, value in headers if name == b"sec-websocket-protocol"]
    if not all(map(_PROTOCOLS.match, values)):
        raise Problem(400, "Sec-WebSocket-Protocol should be a list of names")
    return [part.strip() for value in values for part in value.decode("ascii").split(",")]


def _compression(headers: Headers) -> tuple[PerMessageDeflate | None, bytes]:
    """The first acceptable offer of permessage-deflate, and the header that accepts it."""
    for value in (value for name, value in headers if name == b"sec-websocket-extensions"):
        try:
            offers = parse_extension(value.decode("latin-1"))
        except InvalidHeader:
            raise Problem(400, "Sec-WebSocket-Extensions should be a list of extensions") from None
        for name, parameters in offers:
            if name != DEFLATE.name:
                continue
            try:
                agreed, extension = DEFLATE.process_request_params(parameters, [])
            except NegotiationError:
                continue
            words = [name, *(key if setting is None else f"{key}={setting}" for key, setting in agreed)]
            return extension, "; ".join(words).encode()
    return None, b""


def closing_head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of an HTTP response with `Connection: close`."""
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode(), *(b": ".join(header) for header in headers)]
    return b"\r\n".join((*lines, b"connection: close", b"", b""))
