"""What the broadcast service and its clients send each other, as frozen structs with the codec that reads or writes them."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from shared.contract.readings import StoredReading

MAX_PATTERNS: Final = 500  # rooms or platforms that one filter may name


class EventData(Struct, frozen=True):
    """The numbers of a `TELEMETRY_UPDATE`; null is unknown. What the producer did not send, `account` or `interval_seconds`, is absent."""

    platform: str
    tokens: int | None
    tips: int | None
    viewers: int | None
    goal: int | None
    timestamp: int
    account: str | UnsetType = UNSET
    interval_seconds: int | UnsetType = UNSET


class Event(Struct, frozen=True, tag_field="event_type"):
    """Anything the broadcast service tells a dashboard; each has a `timestamp`, the server's clock in Unix seconds."""


class TelemetryEvent(Event, frozen=True, tag="TELEMETRY_UPDATE", kw_only=True):
    """A room's latest numbers on one platform."""

    room_id: str
    data: EventData
    timestamp: int
    version: int


class ExpiredData(Struct, frozen=True):
    """Which platform's value a `TELEMETRY_EXPIRED` is about."""

    platform: str


class ExpiredEvent(Event, frozen=True, tag="TELEMETRY_EXPIRED", kw_only=True):
    """The value of this version outlived its TTL."""

    room_id: str
    data: ExpiredData
    timestamp: int
    version: int


class HelloEvent(Event, frozen=True, tag="HELLO", kw_only=True):
    """First event of a session: its terms and the scope in force (`platforms` None: all of them)."""

    protocol: str
    instance: str
    heartbeat_seconds: float
    stale_seconds: int
    ttl_seconds: int
    token_expires_at: int
    rooms: list[str]
    platforms: list[str] | None
    build: str
    resumed: bool
    timestamp: int
    time_ms: int


class UpstreamEvent(Event, frozen=True, tag="UPSTREAM", kw_only=True):
    """The state of the link to Redis: `ok` or `degraded`."""

    status: str
    timestamp: int


class SyncEvent(Event, frozen=True, tag="SYNC", kw_only=True):
    """Everything up to `version` has been told; with `snapshot`, rooms not told since `HELLO` or `filter` are gone."""

    version: int
    snapshot: bool
    timestamp: int
    time_ms: int


class TokenExpiringEvent(Event, frozen=True, tag="TOKEN_EXPIRING", kw_only=True):
    """Renew with `auth` before `expires_at`."""

    expires_at: int
    timestamp: int


class TokenRenewedEvent(Event, frozen=True, tag="TOKEN_RENEWED", kw_only=True):
    """The answer to `auth`."""

    expires_at: int
    timestamp: int


class PongEvent(Event, frozen=True, tag="PONG", kw_only=True):
    """The answer to `ping`."""

    timestamp: int
    time_ms: int


class ErrorEvent(Event, frozen=True, tag="ERROR", kw_only=True):
    """A client message was refused; the session goes on."""

    code: str
    detail: str
    timestamp: int


class ReconnectEvent(Event, frozen=True, tag="RECONNECT", kw_only=True):
    """The server drains: come back after `retry_after_ms`."""

    retry_after_ms: int
    timestamp: int


class AuthMessage(Struct, frozen=True, tag_field="type", tag="auth", forbid_unknown_fields=True):
    """Client to server: renew the session with a newer token."""

    token: Annotated[str, Meta(max_length=4000)]


Patterns = Annotated[list[Annotated[str, Meta(max_length=65)]], Meta(max_length=MAX_PATTERNS)]


class FilterMessage(Struct, frozen=True, tag_field="type", tag="filter", forbid_unknown_fields=True):
    """Client to server: narrow what this session sees; None means all that the token allows."""

    rooms: Patterns | None = None
    platforms: Patterns | None = None


class PingMessage(Struct, frozen=True, tag_field="type", tag="ping", forbid_unknown_fields=True):
    """Client to server: ask for a `PONG`."""


ClientMessage = AuthMessage | FilterMessage | PingMessage

decode_client_message: Final = msgspec.json.Decoder(ClientMessage).decode


def telemetry_event(stored: StoredReading) -> TelemetryEvent:
    """The event that tells dashboards about a committed reading."""
    return TelemetryEvent(
        room_id=stored.room_id,
        data=EventData(
            platform=stored.platform,
            tokens=stored.tokens_count,
            tips=stored.tips_count,
            viewers=stored.viewers_count,
            goal=stored.goal_tokens,
            timestamp=stored.timestamp,
            account=stored.account,
            interval_seconds=stored.interval_seconds,
        ),
        timestamp=stored.committed_at // 1_000_000,
        version=stored.version,
    )
