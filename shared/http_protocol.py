"""uvicorn's HTTP/1.1 protocol with the rule of RFC 9110 section 7.8: an Upgrade that the server does not take is ignored.

httptools stops at any request that asks for an upgrade and leaves its body unread. Java's HttpClient asks for `h2c` by default, and
`curl --http2` does too. Where the server does not take the upgrade, the head is parsed a second time without its Upgrade field, followed by
whatever arrived after it, so that method, body and the requests behind it are handled as if nothing had been asked.
"""

from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

WEBSOCKET: Final = b"websocket"


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection. It takes an upgrade only where the configuration names a WebSocket protocol."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._asks_upgrade = False
        self._plain_head: bytes | None = None

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and once more with the plain head where an upgrade was asked for and is not taken."""
        self._unset_keepalive_if_required()
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                if not self._asks_upgrade:  # CONNECT: the router has refused it, and what follows is no HTTP
                    return
                if self._plain_head is None:
                    self.handle_websocket_upgrade()
                    return
                data = self._plain_head + data[stopped.args[0] :]
                self.parser = _new_parser(self)
            except httptools.HttpParserError:
                message = "Invalid HTTP request received."
                self.logger.warning(message)
                self.send_400_response(message)
                return
            else:
                return

    def on_headers_complete(self) -> None:
        """Decides about an upgrade before anything is done with the request."""
        self._asks_upgrade = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._asks_upgrade:
            self._plain_head = None if self._takes_upgrade() else self._head_without_upgrade()
        super().on_headers_complete()

    def _should_upgrade(self) -> bool:
        """Whether the request in hand waits for `data_received` to decide about it; uvicorn then starts nothing."""
        return self._asks_upgrade

    def _takes_upgrade(self) -> bool:
        """Whether this is a WebSocket handshake (RFC 6455 section 4.2.1) that no other request on the connection is in the way of."""
        return (
            self.ws_protocol_class is not None
            and self._is_free()
            and self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and WEBSOCKET in listed(self.headers, b"upgrade")
            and not any(name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0")) for name, value in self.headers)
        )

    def _is_free(self) -> bool:
        """Whether every earlier request of the connection has been answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b" ".join((self.parser.get_method(), self.url, b"HTTP/" + version))]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join((*lines, b"", b""))


def _new_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """A parser set up as uvicorn does it."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def listed(headers: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """The members of a list field in lower case. Several fields of one name are one list (RFC 9110 section 5.3)."""
    return [part.strip().lower() for key, value in headers if key == name for part in value.split(b",")]
