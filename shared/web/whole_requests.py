"""Answers requests that arrive whole without an ASGI task, its queue and its messages.

A service names the paths that are its load. A POST of such a path whose last byte arrives in the same read as its first one is offered to
the service's shortcut. The shortcut either answers it, now or later, or declines it. Everything that is declined, and every other request,
takes uvicorn's ordinary way. Both ways share one parser, so they cannot disagree about where a request ends; and a shortcut refuses
nothing, so each refusal has one place.

A producer sends the same head again and again. The head of the last request of a connection, if it was whole, is kept: one that begins with
the same bytes and has the same length is what the parser made of the last one, with another body, and is not parsed again.
"""

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from shared.web.address_budget import CHARGED, CHUNK
from shared.web.http_protocol import ACCOUNT, HttpProtocol, OverBudgetError
from shared.web.response_fields import Fields

log = structlog.get_logger()


class KnownHead:
    """The head of a whole request, up to its body, and what the parser made of it. `read` is what the shortcut made of its fields."""

    __slots__ = ("data", "headers", "length", "read", "shortcut", "target")

    def __init__(self, data: bytes, length: int, request: "WholeRequest") -> None:
        """`length` is that of the whole request."""
        self.data = data
        self.length = length
        self.shortcut = request.shortcut
        self.target = request.target
        self.headers = request.headers
        self.read: Any = None


class WholeRequest:
    """A request of a shortcut's path. It has the attributes that uvicorn's protocol expects of a cycle."""

    __slots__ = (
        "_protocol",
        "account",
        "body",
        "disconnected",
        "head",
        "headers",
        "keep_alive",
        "response_complete",
        "shortcut",
        "target",
    )

    message_event: Final = asyncio.Event()  # uvicorn sets it when the connection is lost; nothing waits for it

    def __init__(
        self, protocol: "WholeRequestProtocol", shortcut: "Shortcut", target: bytes, headers: list[tuple[bytes, bytes]], account: str
    ) -> None:
        self._protocol = protocol
        self.shortcut = shortcut
        self.target = target
        self.headers = headers  # names in lower case, and values
        self.account = account  # the address that was charged for it
        self.body: bytes | bytearray = bytearray()
        self.head: KnownHead | None = None  # where the head is the last one of the connection
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False

    def offer(self) -> bool:
        """Offers the request to its shortcut; False if it is declined."""
        try:
            return self.shortcut(self)
        except Exception:
            log.exception("shortcut.crashed")
            return False

    def answer(self, fields: Fields, body: bytes) -> None:
        """Sends a 200 response."""
        self._protocol.answer(self, fields, body)

    def hand_over(self, app: ASGIApp) -> None:
        """Lets an ASGI application answer the request, in a task."""
        self._protocol.hand_over(self, app)


Shortcut = Callable[[WholeRequest], bool]


class WholeRequestProtocol(HttpProtocol):
    """One HTTP connection. `shortcuts` are by the exact bytes of the request's target."""

    def __init__(self, *arguments: Any, shortcuts: Mapping[bytes, Shortcut], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shortcuts = shortcuts
        self._arriving: WholeRequest | None = None
        self._begun = 0  # requests in the bytes at hand
        self._whole: WholeRequest | None = None  # one that is complete in them
        self._known: KnownHead | None = None  # only while the parser awaits the beginning of a request
        self._idle_since: float | None = None  # None while a request arrives or is being answered
        self.cycle: Any  # also a `WholeRequest`
        self.scope: Any  # None until a request needs one

    def data_received(self, data: bytes) -> None:
        """Feeds the parser. A body that has not arrived completely is awaited, and bounded, in the ordinary way."""
        known = self._known
        if known is not None and len(data) == known.length and data.startswith(known.data) and self._may_be_known():
            self._receive_known(known, data)
            return
        self._forget_head()
        super().data_received(data)
        if self._arriving is not None:
            request, self._arriving = self._arriving, None
            self.hand_over(request, self.app, more_body=True)
        elif self._whole is not None:
            self._remember_head(self._whole, data)

    def _forget_head(self) -> None:
        self._begun, self._whole, self._known = 0, None, None

    def _remember_head(self, request: WholeRequest, data: bytes) -> None:
        """Keeps the head of a request if the bytes that were fed hold nothing else: its first empty line is then where its body begins."""
        begin = len(data) - len(request.body)
        if self._begun == 1 and data.find(b"\r\n\r\n") + 4 == begin and len(request.body) <= HIGH_WATER_LIMIT:
            self._known = KnownHead(data[:begin], len(data), request)
        self._whole = None

    def _may_be_known(self) -> bool:
        return self._hold_timer is None and not self._is_aborted and self._is_free()

    def _receive_known(self, known: KnownHead, data: bytes) -> None:
        """Charges for a request whose head was parsed before, and offers it."""
        self._unset_keepalive_if_required()
        self.headers = known.headers
        if self._account is not None and not self._budget.spend(self._account, CHUNK, self.loop.time()):
            self._hold()
            return
        try:
            account = self._charge_request()
        except OverBudgetError:
            self._hold()
            return
        self.cycle = request = WholeRequest(self, known.shortcut, known.target, known.headers, account)
        request.head, request.body = known, data[len(known.data) :]
        if not request.offer():
            self.hand_over(request, self.app)

    def on_message_begin(self) -> None:
        """Prepares for a request. Only an ASGI application needs a scope, which takes 1 µs to make."""
        self._begun += 1
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.scope = None

    def on_headers_complete(self) -> None:
        """Starts a request."""
        shortcut = self._shortcuts.get(self.url)
        if shortcut is None or not self._may_be_short():
            self.scope = self._scope_of(self.headers)
            super().on_headers_complete()
            return
        account = self._charge_request()
        self._in_body, self._asks_upgrade = True, False
        self.cycle = self._arriving = WholeRequest(self, shortcut, self.url, self.headers, account)

    def _scope_of(self, headers: list[tuple[bytes, bytes]]) -> Any:
        """A scope as uvicorn makes it, before it has method and path. Another request may be arriving meanwhile."""
        arriving = self.url, self.expect_100_continue, self.headers, self.scope
        super().on_message_begin()
        scope: Any = self.scope
        scope["headers"] = headers
        self.url, self.expect_100_continue, self.headers, self.scope = arriving
        return scope

    def _may_be_short(self) -> bool:
        return (
            self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
            and self._is_free()
        )

    def on_body(self, body: bytes) -> None:
        """A part of a body. No application waits for that of a request that may be whole."""
        request = self._arriving
        if request is None:
            super().on_body(body)
            return
        request.body += body
        if len(request.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """Offers a request that is whole."""
        request, self._arriving = self._arriving, None
        if request is None:
            super().on_message_complete()
            return
        self._in_body = False
        self._whole = request
        if not request.offer():
            self.hand_over(request, self.app)

    def on_response_complete(self) -> None:
        """Goes on to the next request. The timer that closes an idle connection is not set anew for each request, which costs 2 µs."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Closes the connection if it has been idle for the time allowed, else looks again when it may have been."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancels the timer, and forgets the head, which has a credential."""
        self._known = None
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

    def answer(self, request: WholeRequest, fields: Fields, body: bytes) -> None:
        """Sends a 200 response, which no address is charged for."""
        if request.disconnected:
            return
        if self.flow.write_paused:  # the client does not read its answers
            self.hand_over(request, functools.partial(_answer, fields, body))
            return
        request.response_complete = True
        end = b"\r\n" if request.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(fields.head(self.server_state.default_headers, len(body)) + end + body)
        if not request.keep_alive:
            self.transport.close()
        self._refund(request.account)
        self.on_response_complete()

    def hand_over(self, request: WholeRequest, app: ASGIApp, *, more_body: bool = False) -> None:
        """Continues with an ASGI application, as uvicorn does from the start."""
        path = request.target.decode("ascii")
        scope = self._scope_of(list(request.headers)) | {
            ACCOUNT: request.account,
            "method": "POST",
            "path": self.root_path + path,
            "raw_path": (self.root_path + path).encode(),
            "query_string": b"",
        }
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=request.keep_alive,
            on_response=functools.partial(self.on_answered, scope),
        )
        cycle.body, cycle.more_body, cycle.disconnected = bytearray(request.body), more_body, request.disconnected
        if cycle.body or not more_body or cycle.disconnected:
            cycle.message_event.set()
        if self.cycle is request:  # else another request waits behind this one
            self.cycle = cycle
        self._start_asgi_task(cycle, app)  # type: ignore[arg-type]


async def _answer(fields: Fields, body: bytes, scope: Scope, _receive: Receive, send: Send) -> None:
    """The ASGI application that sends a 200 response, as soon as the client reads."""
    scope[CHARGED] = True
    await send({"type": "http.response.start", "status": 200, "headers": fields.listed(len(body))})
    await send({"type": "http.response.body", "body": body})
