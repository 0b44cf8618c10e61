"""One authenticated WebSocket's lifetime after the handshake.

A session has no task: it is called when a message arrives, when a timer fires, when the socket fills or empties. The hub is the one that
writes telemetry; the session writes what concerns this client alone. Nothing here waits.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from broadcast_service import metrics
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
ERRORS_ALLOWED: Final = 3  # one more refused message within the minute closes
EXPIRY_WARNING_SECONDS: Final = 60
MAX_PENDING_EVENTS: Final = 64  # what may wait for a full socket: a minute's answers, and news of the token

log = structlog.get_logger()


class SessionTerms(msgspec.Struct, frozen=True):
    """What every session of this process is told in `HELLO`."""

    instance: str
    heartbeat_seconds: float
    stale_seconds: int
    ttl_seconds: int
    build: str = ""


class Session:
    """The server's side of one dashboard's socket."""

    __slots__ = (
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
        renew: Callable[[str], Claims],
        on_end: Callable[["Session"], None],
        report: Callable[..., None],
    ) -> None:
        self._relay = relay
        self.claims = claims
        self.encoding = encoding
        self._renew = renew
        self._on_end = on_end
        self._report = report
        self._filter = FilterMessage()
        self._messages = self._errors = 0
        self._budget_since = 0.0
        self.due_at = math.inf
        self._unsent = 0
        self._pending: tuple[Event, ...] = ()
        self.blocked_since: float | None = None
        self.reason = "client gone"

    def start(self, connection: Connection, scope: Scope, filter_: FilterMessage, since: int | None, terms: SessionTerms) -> None:
        """Joins the hub and says hello; the next flush tells the rest."""
        self._connection = connection
        self._filter = filter_
        if connection.deflates and self.encoding is Encoding.LINES:
            self.encoding = Encoding.DEFLATED
        self.client = Client(connection.write)
        resumed = self._relay.attach(self.client, scope, self.encoding, since)
        if self.encoding.is_pulse:
            now = time.time()
            self._send(
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
        self._schedule_expiry()

    def close(self, code: CloseCode, reason: str | None = None) -> None:
        """Ends the session with a close code, behind whatever its socket has yet to take; one that takes nothing is cut soon after."""
        self.reason = reason or code.reason
        self._send_pending()
        self._connection.close(code, self.reason)
        self._detach()

    def drain(self, retry_after_ms: int) -> None:
        """Tells the client when to come back, then closes with 1012."""
        if self.client.audience is None:
            return  # it was closed before, and has not gone yet
        if self.encoding.is_pulse:
            self._pending += (ReconnectEvent(timestamp=int(time.time()), retry_after_ms=retry_after_ms),)
        self.close(CloseCode.RESTART)

    def abort(self) -> None:
        """Cuts the connection without a word."""
        self._connection.abort()

    def cut_if_stalled(self, now: float, stall_seconds: float) -> None:
        """Cuts a client that took nothing off its socket for so long. Taking little is enough to stay: conflation bears it."""
        if self.blocked_since is None:
            return
        unsent = self._connection.unsent_bytes()
        if unsent < self._unsent:
            self.blocked_since = now
        self._unsent = unsent
        if now - self.blocked_since > stall_seconds:
            self._cut()

    def _cut(self) -> None:
        """There is no way to deliver a close frame to a client that reads nothing; logs and metrics have the reason."""
        self.reason = CloseCode.TOO_SLOW.reason
        self._connection.abort()

    # --- Receiver ---

    def on_text(self, data: bytes) -> None:
        """A message of the client."""
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
        """Binary messages have no meaning here; nor has any other of a client that chose no subprotocol."""
        if self.encoding.is_pulse:
            self.close(CloseCode.BINARY_FRAME)

    def on_crash(self) -> None:
        """A bug of ours, which has been logged."""
        self.close(CloseCode.SERVER_ERROR)

    def on_flood(self) -> None:
        """More frames than anybody needs, of whatever kind."""
        self.close(CloseCode.TOO_MANY)

    def on_pause(self) -> None:
        """The socket did not take all that was written: the hub skips this client for now."""
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
        """Moves to the asked part of the token's scope. A filter that a renewed token no longer covers is dropped, not obeyed."""
        try:
            scope = self.claims.scope.narrow(message.rooms, message.platforms)
        except ScopeError:
            if message is not self._filter:
                raise
            message, scope = FilterMessage(), self.claims.scope
        self._filter = message
        self._relay.attach(self.client, scope, self.encoding)

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

    # --- the end ---

    def _schedule_expiry(self) -> None:
        """Notes when the token is to be spoken of next: ahead of its end where the client understands that, else at its end."""
        ahead = EXPIRY_WARNING_SECONDS if self.encoding.is_pulse else 0
        self.due_at = self.claims.expires_at - ahead

    def on_due(self, now_seconds: float) -> None:
        """The moment noted has come, by the clock that tokens are judged by."""
        if now_seconds >= self.claims.expires_at:
            self.close(CloseCode.TOKEN_ENDED, "token expired")
        else:
            self._send(TokenExpiringEvent(timestamp=int(now_seconds), expires_at=self.claims.expires_at))
            self.due_at = self.claims.expires_at

    def _send(self, event: Event) -> None:
        """Writes one event to this client, in order; while its socket is full they wait. One that asks on and reads nothing is cut."""
        if not self.client.blocked:
            self._connection.write(text_frame(encode(event)))
        elif len(self._pending) < MAX_PENDING_EVENTS:
            self._pending += (event,)
        else:
            self._cut()

    def _send_pending(self) -> None:
        """Writes what waits."""
        pending, self._pending = self._pending, ()
        if pending:
            self._connection.write(b"".join(text_frame(encode(event)) for event in pending))

    def _detach(self) -> None:
        self.due_at = math.inf
        if self.client.audience is not None:
            self._relay.detach(self.client)
            metrics.closes.labels(self.reason).inc()
            self._report("session.ended", subject=self.claims.subject, reason=self.reason)
