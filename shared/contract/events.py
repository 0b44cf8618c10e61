"""What the broadcast service and its clients send each other, as frozen structs with the codec that reads or writes them."""

import operator
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from shared.contract.readings import METRIC_FIELDS, METRICS, StoredReading

MAX_PATTERNS: Final = 500  # rooms or platforms that one filter may name


if TYPE_CHECKING:

    class EventData(Struct):
        """The metrics of a `TELEMETRY_UPDATE`."""

        def __init__(self, platform: str, *values: object) -> None: ...

else:
    EventData = msgspec.defstruct(
        "EventData",
        [
            ("platform", str),
            *METRIC_FIELDS,
            ("timestamp", int),
            ("account", str | UnsetType, UNSET),
            ("interval_seconds", int | UnsetType, UNSET),
        ],
        frozen=True,
        module=__name__,
    )
    EventData.__doc__ = "The metrics of a `TELEMETRY_UPDATE`; null is unknown. Optional fields that the producer did not send are absent."


class Event(Struct, frozen=True, tag_field="event_type"):
    """Base of all events sent to dashboards. Each has a `timestamp`, the server's clock in Unix seconds."""


class TelemetryEvent(Event, frozen=True, tag="TELEMETRY_UPDATE", kw_only=True):
    """A room's latest numbers on one platform."""

    room_id: str
    data: EventData
    timestamp: int
    version: int


class ExpiredData(Struct, frozen=True):
    """The platform whose value expired."""

    platform: str


class ExpiredEvent(Event, frozen=True, tag="TELEMETRY_EXPIRED", kw_only=True):
    """The TTL of the value with this version has passed."""

    room_id: str
    data: ExpiredData
    timestamp: int
    version: int


class HelloEvent(Event, frozen=True, tag="HELLO", kw_only=True):
    """First event of a session: its terms and the effective scope (`platforms` null: all platforms)."""

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
    """The state of the subscription to Redis: `ok` or `degraded`."""

    status: str
    timestamp: int


class SyncEvent(Event, frozen=True, tag="SYNC", kw_only=True):
    """All changes up to `version` have been sent. With `snapshot`, rooms not sent since `HELLO` or `filter` no longer exist."""

    version: int
    snapshot: bool
    timestamp: int
    time_ms: int


class TokenExpiringEvent(Event, frozen=True, tag="TOKEN_EXPIRING", kw_only=True):
    """The token expires at `expires_at`. Renew it with `auth` before that."""

    expires_at: int
    timestamp: int


class TokenRenewedEvent(Event, frozen=True, tag="TOKEN_RENEWED", kw_only=True):
    """The reply to `auth`."""

    expires_at: int
    timestamp: int


class PongEvent(Event, frozen=True, tag="PONG", kw_only=True):
    """The reply to `ping`."""

    timestamp: int
    time_ms: int


class ErrorEvent(Event, frozen=True, tag="ERROR", kw_only=True):
    """A client message was refused. The session continues."""

    code: str
    detail: str
    timestamp: int


class ReconnectEvent(Event, frozen=True, tag="RECONNECT", kw_only=True):
    """The server is shutting down. Reconnect after `retry_after_ms`."""

    retry_after_ms: int
    timestamp: int


class AuthMessage(Struct, frozen=True, tag_field="type", tag="auth", forbid_unknown_fields=True):
    """Client to server: renew the session with a newer token."""

    token: Annotated[str, Meta(max_length=4000)]


Patterns = Annotated[list[Annotated[str, Meta(max_length=65)]], Meta(max_length=MAX_PATTERNS)]


class FilterMessage(Struct, frozen=True, tag_field="type", tag="filter", forbid_unknown_fields=True):
    """Client to server: narrow the scope of this session. null means everything that the token allows."""

    rooms: Patterns | None = None
    platforms: Patterns | None = None


class PingMessage(Struct, frozen=True, tag_field="type", tag="ping", forbid_unknown_fields=True):
    """Client to server: request a `PONG`."""


ClientMessage = AuthMessage | FilterMessage | PingMessage

_data_of: Final = operator.attrgetter("platform", *(metric.field for metric in METRICS), "timestamp", "account", "interval_seconds")
decode_client_message: Final = msgspec.json.Decoder(ClientMessage).decode


def telemetry_event(stored: StoredReading) -> TelemetryEvent:
    """The event that dashboards receive for a committed reading."""
    return TelemetryEvent(
        room_id=stored.room_id,
        data=EventData(*_data_of(stored)),
        timestamp=stored.committed_at // 1_000_000,
        version=stored.version,
    )


class _AccountData(Struct):
    account: str = ""


class _AccountEvent(Struct):
    data: _AccountData


_decode_account: Final = msgspec.json.Decoder(_AccountEvent).decode


def account_of_event(event: bytes) -> str:
    """The account in an encoded `TELEMETRY_UPDATE`, empty where there is none."""
    return _decode_account(event).data.account
