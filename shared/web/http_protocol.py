"""uvicorn's HTTP/1.1 protocol with the rule of RFC 9110 section 7.8: an Upgrade that the server does not take is ignored.

httptools stops at any request that asks for an upgrade and leaves its body unread. Java's HttpClient asks for `h2c` by default, and
`curl --http2` does too. Where the server does not take the upgrade, the head is parsed a second time without its Upgrade field, followed by
the bytes that arrived after it, so that method, body and the requests behind it are handled as if nothing had been asked.

What an address sends beyond its budget is not parsed: the connection is read no further, waits for a second, is given a ready-made 429
and closed. A few connections of an address wait so; further ones are aborted before anything is set up for them. Behind a trusted proxy the
head has to be parsed, since it has the address.

A connection begins with what uvicorn made for the first one, and with its addresses as the transport knows them: to look up uvicorn's
loggers, and to ask the kernel for the addresses again, would take a tenth of a handshake.
"""

import asyncio
import functools
import operator
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from shared.web.address_budget import (
    ANSWER,
    CHARGED,
    CHUNK,
    CONNECTION,
    EXTRA,
    HOLD_SECONDS,
    REQUEST,
    AddressBudget,
    account_of,
    refused,
)

WEBSOCKET: Final = b"websocket"
OWN: Final = ("parser", "pipeline")  # of what uvicorn gives a connection
ACCOUNT: Final = "studio_pulse.account"  # in a request's scope: the address that was charged for it


class _Beginning(NamedTuple):
    """The attributes that uvicorn gives a new connection of one server; a parser and a pipeline are each connection's own."""

    server: tuple[Any, ...]
    attributes: Mapping[str, Any]


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection. It takes an upgrade only where the configuration names a WebSocket protocol."""

    _beginning = _Beginning((), {})  # of the last server, the only one of a service's process

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        budget: AddressBudget | None = None,
    ) -> None:
        server = (config, server_state, app_state, asyncio.get_running_loop() if _loop is None else _loop)
        if not all(map(operator.is_, self._beginning.server or (None,), server)):
            super().__init__(*server)
            HttpProtocol._beginning = _Beginning(server, {key: value for key, value in vars(self).items() if key not in OWN})
        self.__dict__.update(self._beginning.attributes)
        self.parser = _new_parser(self)
        self.pipeline = deque()
        self._asks_upgrade = False
        self._plain_head: bytes | None = None
        self._budget = AddressBudget(0) if budget is None else budget
        self._account: str | None = None  # None for a connection of a trusted proxy, which sends requests of several addresses
        self._held_account = ""
        self._peer = ""
        self._in_body = False
        self._is_aborted = False
        self._hold_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Charges the peer for the connection, unless it is a proxy, which keeps its connections.

        An address over its budget that has enough connections waiting for a 429, or owes more than its whole burst, gets no further one: it
        is aborted before anything is set up for it. It is not charged, so that the debt, and the time until it is paid, stay bounded.
        """
        peer = address_of(transport.get_extra_info("peername"))
        account = account_of(peer[0]) if peer else ""
        if peer and not self._budget.trusts(peer[0]) and self._budget.aborts(account, self.loop.time()):
            refused.inc()
            self._is_aborted = True
            transport.abort()
            return
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = address_of(transport.get_extra_info("sockname"))
        self.client = peer
        self.scheme = "https" if self.config.is_ssl else "http"
        self._peer = peer[0] if peer else ""
        if not self._budget.trusts(self._peer):
            self._account = account_of(self._peer)
            self._budget.charge(self._account, CONNECTION, self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the wait for a 429."""
        if self._is_aborted:
            return
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._end_hold()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, and once more with the plain head where an upgrade was asked for and is not taken."""
        if self._hold_timer is not None or self._is_aborted:
            return
        self._unset_keepalive_if_required()
        if self._account is not None:
            now = self.loop.time()
            if self._in_body or not self._is_free():
                self._budget.charge(self._account, CHUNK, now)
            elif not self._budget.spend(self._account, CHUNK, now):
                self._hold()
                return
        self._feed(data)

    def _feed(self, data: bytes) -> None:
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
            except httptools.HttpParserError as error:
                if isinstance(error.__context__, OverBudgetError):
                    self._hold()
                    return
                self._budget.charge(self._account or account_of(self._peer), REQUEST, self.loop.time())
                message = "Invalid HTTP request received."
                self.logger.warning(message)
                self.send_400_response(message)
                return
            else:
                return

    def on_headers_complete(self) -> None:
        """Charges for the request, and decides about an upgrade before anything is done with it."""
        self.scope[ACCOUNT] = self._charge_request()  # type: ignore[typeddict-unknown-key]
        self._in_body = True
        self._asks_upgrade = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._asks_upgrade:
            self._plain_head = None if self._takes_upgrade() else self._head_without_upgrade()
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.on_response = functools.partial(self.on_answered, self.cycle.scope)

    def _charge_request(self) -> str:
        """Charges the request's address, and returns it; raises OverBudgetError."""
        account = self._account
        if account is None:
            account = self._budget.reported(self.headers, self._peer)
        if not self._budget.spend(account, REQUEST, self.loop.time()):
            raise OverBudgetError
        return account

    def on_message_complete(self) -> None:
        """What comes next is another request."""
        self._in_body = False
        super().on_message_complete()

    def on_answered(self, scope: Any) -> None:
        """Refunds what a token is charged for, charges for what costs extra, and goes on to the next request."""
        if CHARGED in scope:
            self._refund(scope.pop(ACCOUNT, ""))
        elif EXTRA in scope:
            self._budget.charge(scope.get(ACCOUNT, ""), scope.pop(EXTRA), self.loop.time())
        self.on_response_complete()

    def _refund(self, account: str) -> None:
        self._budget.charge(account, -REQUEST - (0 if self._account is None else CHUNK), self.loop.time())

    def _hold(self) -> None:
        """Reads no further; where nothing is being answered, answers 429 in a while, else lets the answer be the last one."""
        refused.inc()
        if not self._is_free():
            self.flow.pause_reading()
            self.cycle.keep_alive = False
            return
        account = self._budget.reported(self.headers, self._peer) if self._account is None else self._account
        if not self._budget.hold(account):
            self.transport.abort()
            return
        self._held_account = account
        self.flow.pause_reading()
        self._hold_timer = self.loop.call_later(HOLD_SECONDS, self._answer_held)

    def _answer_held(self) -> None:
        self._end_hold()
        if not self.transport.is_closing():
            self.transport.write(ANSWER)
            self.transport.close()

    def _end_hold(self) -> None:
        self._hold_timer = None
        self._budget.end_hold(self._held_account)

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


class OverBudgetError(Exception):
    """A request is not parsed any further, because its address has to wait."""


def address_of(name: Any) -> tuple[str, int] | None:
    """Host and port of one end of a connection; None for one that has none, such as that of a socket in the file system."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None


def _new_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """A parser set up as uvicorn does it."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def listed(headers: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """The members of a list field in lower case. Several fields of one name are one list (RFC 9110 section 5.3)."""
    return [part.strip().lower() for key, value in headers if key == name for part in value.split(b",")]
