"""One authenticated WebSocket after its handshake.

A session has no task: it is called when a message arrives, when its token is due, and when the socket fills or drains. The relay writes the
telemetry; the session writes the events of this client alone. No method waits.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from broadcast_service import metrics
from broadcast_service.http.budget import MESSAGE, SOCKET, Budget
from broadcast_service.relay.audiences import Client
from broadcast_service.relay.relay import Relay
from broadcast_service.websocket.frames import PULSE, Encoding, text_frame
from broadcast_service.websocket.protocol import Connection
from shared.auth.scope import Scope, ScopeError
from shared.contract.codec import UNREADABLE, encode
from shared.contract.events import (
    AuthMessage,
    ErrorEvent,
    Event,
    FilterMessage,
    HelloEvent,
    PongEvent,
    ReconnectEvent,
    TokenExpiringEvent,
    TokenRenewedEvent,
    decode_client_message,
)
from shared.contract.problems import CloseCode
from shared.tokens import Claims, TokenError

MESSAGES_PER_MINUTE: Final = 60
ERRORS_ALLOWED: Final = 3  # more refused messages within a minute close the session
EXPIRY_WARNING_SECONDS: Final = 60
MAX_PENDING_EVENTS: Final = 64  # that wait for a full socket: a minute's answers, and events of the token

log = structlog.get_logger()


class SessionTerms(msgspec.Struct, frozen=True):
    """The part of `HELLO` that is the same for all sessions of this process."""

    instance: str
    heartbeat_seconds: float
    stale_seconds: int
    ttl_seconds: int
    build: str = ""


class Session:
    """The server side of one dashboard's socket."""

    __slots__ = (
        "_budget",
        "_budget_since",
        "_connection",
        "_errors",
        "_filter",
        "_messages",
        "_on_end",
        "_pending",
        "_relay",
        "_renew",
        "_report",
        "_unsent",
        "blocked_since",
        "claims",
        "client",
        "due_at",
        "encoding",
        "reason",
    )

    def __init__(
        self,
        relay: Relay,
        claims: Claims,
        encoding: Encoding,
        *,
        budget: Budget,
        renew: Callable[[str], Claims],
        on_end: Callable[["Session"], None],
        report: Callable[..., None],
    ) -> None:
        self._relay = relay
        self.claims = claims
        self.encoding = encoding
        self._budget = budget
        self._renew = renew
        self._on_end = on_end
        self._report = report
        self._filter = FilterMessage()
        self._messages = self._errors = self._unsent = 0
        self._budget_since = 0.0
        self.due_at = math.inf
        self._pending: tuple[Event, ...] = ()
        self.blocked_since: float | None = None
        self.reason = "client gone"

    def start(self, connection: Connection, scope: Scope, filter_: FilterMessage, since: int | None, terms: SessionTerms) -> None:
        """Attaches the client to the relay and opens the connection with `HELLO`; the next flush sends the rest."""
        self._connection = connection
        self._filter = filter_
        if connection.deflates and self.encoding is Encoding.LINES:
            self.encoding = Encoding.DEFLATED
        self.client = Client(connection.write)
        resumed = self._relay.attach(self.client, scope, self.encoding, since)
        self._charge(SOCKET, None if resumed else scope)
        now, hello = time.time(), b""
        if self.encoding.is_pulse:
            hello = encode(
                HelloEvent(
                    timestamp=int(now),
                    protocol=PULSE,
                    instance=terms.instance,
                    heartbeat_seconds=terms.heartbeat_seconds,
                    stale_seconds=terms.stale_seconds,
                    ttl_seconds=terms.ttl_seconds,
                    token_expires_at=self.claims.expires_at,
                    rooms=scope.patterns(),
                    platforms=None if scope.platforms is None else sorted(scope.platforms),
                    build=terms.build,
                    resumed=resumed,
                    time_ms=int(now * 1000),
                )
            )
        connection.open(text_frame(hello) if hello else b"")
        self._schedule_expiry()

    def close(self, code: CloseCode, reason: str | None = None) -> None:
        """Closes with a code, after everything that was written; a client that does not read it is aborted soon after."""
        self.reason = reason or code.reason
        self._send_pending()
        self._connection.close(code, self.reason)
        self._detach()

    def drain(self, retry_after_ms: int) -> None:
        """Sends when the client should reconnect, then closes with 1012."""
        if self.client.audience is None:
            return  # it was closed before, and the connection still exists
        if self.encoding.is_pulse:
            self._pending += (ReconnectEvent(timestamp=int(time.time()), retry_after_ms=retry_after_ms),)
        self.close(CloseCode.RESTART)

    def abort(self) -> None:
        """Aborts the connection without a close frame."""
        self._connection.abort()

    def cut_if_stalled(self, now: float, stall_seconds: float) -> None:
        """Aborts a client whose socket has taken nothing for `stall_seconds`. A slow client stays connected: it receives fewer values."""
        if self.blocked_since is None:
            return
        unsent = self._connection.unsent_bytes()
        if unsent < self._unsent:
            self.blocked_since = now
        self._unsent = unsent
        if now - self.blocked_since > stall_seconds:
            self._abort_stalled()

    def _abort_stalled(self) -> None:
        """Aborts. A client that reads nothing cannot receive a close frame; logs and metrics have the reason."""
        self.reason = CloseCode.TOO_SLOW.reason
        self._connection.abort()

    # --- Receiver ---

    def on_text(self, data: bytes) -> None:
        """Handles a message of the client."""
        self._charge(MESSAGE)
        if not self._within_budget():
            return
        try:
            message = decode_client_message(data)
        except UNREADABLE:
            self._reject("bad_message", "the message is not one of auth, filter, ping")
            return
        if isinstance(message, AuthMessage):
            self._on_auth(message)
        elif isinstance(message, FilterMessage):
            self._on_filter(message)
        else:
            now = time.time()
            self._send(PongEvent(timestamp=int(now), time_ms=int(now * 1000)))

    def on_binary(self) -> None:
        """Closes: the protocol has no binary messages. A client without a subprotocol may send anything, and it is ignored."""
        if self.encoding.is_pulse:
            self.close(CloseCode.BINARY_FRAME)

    def on_crash(self) -> None:
        """Closes after an internal error, which has been logged."""
        self.close(CloseCode.SERVER_ERROR)

    def is_over_budget(self) -> bool:
        """Whether the token's subject has to wait: its messages are then left unread, and it goes on receiving."""
        return self._budget.is_over(self.claims.subject, time.monotonic())

    def on_flood(self) -> None:
        """Closes: too many frames, of any kind."""
        self.close(CloseCode.TOO_MANY)

    def on_pause(self) -> None:
        """The socket has not taken everything that was written: flushes skip this client until it has."""
        self.client.blocked = True
        self.blocked_since = asyncio.get_running_loop().time()
        self._unsent = self._connection.unsent_bytes()

    def on_resume(self) -> None:
        """The socket has taken everything."""
        self.blocked_since = None
        self._relay.writable(self.client)
        self._send_pending()

    def on_lost(self) -> None:
        """The connection is gone."""
        self._detach()
        self._on_end(self)

    # --- client messages ---

    def _on_auth(self, message: AuthMessage) -> None:
        try:
            claims = self._renew(message.token)
        except TokenError:
            self._reject("bad_token", "the token is not valid for this dashboard")
            return
        if claims.subject != self.claims.subject:
            self._reject("bad_token", "the token is for another subject")
            return
        before, self.claims = self.claims, claims
        self._schedule_expiry()
        self._send(TokenRenewedEvent(timestamp=int(time.time()), expires_at=claims.expires_at))
        if claims.scope != before.scope:
            self._narrow(self._filter)

    def _on_filter(self, message: FilterMessage) -> None:
        try:
            self._narrow(message)
        except ScopeError as error:
            self._reject("bad_filter", str(error))

    def _narrow(self, message: FilterMessage) -> None:
        """Moves to the part of the token's scope that a filter names. A filter that a renewed token no longer covers is dropped."""
        try:
            scope = self.claims.scope.narrow(message.rooms, message.platforms)
        except ScopeError:
            if message is not self._filter:
                raise
            message, scope = FilterMessage(), self.claims.scope
        self._filter = message
        self._relay.attach(self.client, scope, self.encoding)
        self._charge(0, scope)

    def _within_budget(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._budget_since > 60:
            self._budget_since, self._messages, self._errors = now, 0, 0
        self._messages += 1
        if not self.encoding.is_pulse or self._messages <= MESSAGES_PER_MINUTE:
            return self.encoding.is_pulse
        self.close(CloseCode.TOO_MANY)
        return False

    def _reject(self, code: str, detail: str) -> None:
        self._errors += 1
        if self._errors > ERRORS_ALLOWED:
            self.close(CloseCode.BAD_MESSAGE)
        else:
            self._send(ErrorEvent(timestamp=int(time.time()), code=code, detail=detail))

    def _charge(self, price: float, snapshot: Scope | None = None) -> None:
        """Charges the subject, also for a snapshot of a scope: by the latest values that are looked at for it."""
        self._budget.charge(self.claims.subject, price, time.monotonic())
        if snapshot is not None:
            values = len(self._relay) if snapshot.prefixes else len(snapshot.rooms)
            self._budget.charge_snapshot(self.claims.subject, snapshot, values, time.monotonic())

    # --- expiry and sending ---

    def _schedule_expiry(self) -> None:
        """Sets when to act on the token: ahead of its expiry for clients of `pulse.v1`, which are warned, else at its expiry."""
        ahead = EXPIRY_WARNING_SECONDS if self.encoding.is_pulse else 0
        self.due_at = self.claims.expires_at - ahead

    def on_due(self, now_seconds: float) -> None:
        """Warns of the token's expiry, or closes when it has expired."""
        if now_seconds >= self.claims.expires_at:
            self.close(CloseCode.TOKEN_ENDED, "token expired")
        else:
            self._send(TokenExpiringEvent(timestamp=int(now_seconds), expires_at=self.claims.expires_at))
            self.due_at = self.claims.expires_at

    def _send(self, event: Event) -> None:
        """Writes one event to this client, in order. Events wait while its socket is full; a client with too many of them is aborted."""
        if not self.client.blocked:
            self._connection.write(text_frame(encode(event)))
        elif len(self._pending) < MAX_PENDING_EVENTS:
            self._pending += (event,)
        else:
            self._abort_stalled()

    def _send_pending(self) -> None:
        """Writes the pending events."""
        pending, self._pending = self._pending, ()
        if pending:
            self._connection.write(b"".join(text_frame(encode(event)) for event in pending))

    def _detach(self) -> None:
        self.due_at = math.inf
        if self.client.audience is not None:
            self._relay.detach(self.client)
            metrics.closes.labels(self.reason).inc()
            self._report("session.ended", subject=self.claims.subject, reason=self.reason)
