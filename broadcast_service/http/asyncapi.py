"""The AsyncAPI 3.0 description of the socket, generated from the message types.

Regenerate it with `python -m broadcast_service.http.asyncapi > docs/asyncapi.json`.
"""

import typing
from typing import Any

import msgspec

from shared.contract.events import (
    ClientMessage,
    ErrorEvent,
    ExpiredEvent,
    HelloEvent,
    PongEvent,
    ReconnectEvent,
    SyncEvent,
    TelemetryEvent,
    TokenExpiringEvent,
    TokenRenewedEvent,
    UpstreamEvent,
)
from shared.web.openapi import components, ref, version

EVENTS: tuple[Any, ...] = (
    HelloEvent,
    UpstreamEvent,
    TelemetryEvent,
    ExpiredEvent,
    SyncEvent,
    TokenExpiringEvent,
    TokenRenewedEvent,
    PongEvent,
    ErrorEvent,
    ReconnectEvent,
)
MESSAGES: tuple[Any, ...] = typing.get_args(ClientMessage)


def _message(kind: Any) -> dict[str, Any]:
    return {"name": kind.__struct_config__.tag, "summary": kind.__doc__.splitlines()[0], "payload": ref(kind)}


def _operation(action: str, summary: str, kinds: tuple[Any, ...]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/dashboard/messages/{kind.__name__}"} for kind in kinds]
    return {"action": action, "summary": summary, "channel": {"$ref": "#/channels/dashboard"}, "messages": messages}


def asyncapi() -> dict[str, Any]:
    """The complete document from the server's point of view: it sends events and receives client messages."""
    schemas = components(*EVENTS, *MESSAGES)
    del schemas["Problem"]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Studio Pulse dashboards",
            "version": version(),
            "description": "With the subprotocol pulse.v1 a text frame holds one or more events, one per line. "
            "Without a subprotocol a frame holds one TELEMETRY_UPDATE.",
        },
        "channels": {
            "dashboard": {
                "address": "/ws/dashboard",
                "messages": {kind.__name__: _message(kind) for kind in (*EVENTS, *MESSAGES)},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "sendEvents": _operation("send", "Send events to a dashboard", EVENTS),
            "receiveMessages": _operation("receive", "Receive messages from a dashboard", MESSAGES),
        },
        "components": {"schemas": schemas},
    }


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(asyncapi()), indent=2).decode())
