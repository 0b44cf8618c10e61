"""The description of the socket in docs/asyncapi.json: current, and true of real frames."""

import json
import signal
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from broadcast_service.http.asyncapi import EVENTS, MESSAGES, asyncapi
from tests.support.clients import Dashboard, Producer
from tools.processes import ROOT, Service
from tools.stack import Stack


def test_the_document_is_what_the_message_types_say() -> None:
    """`python -m broadcast_service.http.asyncapi > docs/asyncapi.json` was run after the last change."""
    assert json.loads((ROOT / "docs/asyncapi.json").read_text()) == asyncapi()
    assert {name: operation["action"] for name, operation in asyncapi()["operations"].items()} == {
        "sendEvents": "send",
        "receiveMessages": "receive",
    }


def test_every_event_a_dashboard_receives_fits_its_schema(stack: Stack) -> None:
    """All ten kinds of event are provoked on a real service and checked."""
    ingest, broadcast = stack.ingest(TELEMETRY_TTL_SECONDS="2"), stack.broadcast(TELEMETRY_TTL_SECONDS="2")
    token = stack.token("dashboard", rooms=("described",), ttl_seconds=50)  # under a minute: warned of at once
    with Dashboard(broadcast.url, token) as dashboard, Producer(ingest.url, stack.token("ingest")) as producer:
        producer.post("described", 1)
        for message in ({"type": "ping"}, {"type": "auth", "token": token}, {"type": "nonsense"}):
            dashboard.send(**message)
        dashboard.wait_for(lambda d: d.of("TELEMETRY_EXPIRED") and d.of("ERROR") and d.of("PONG"), "the events")
        broadcast.signal(signal.SIGTERM)
        dashboard.wait_for_close()
    broadcast.wait(12)
    assert {event["event_type"] for event in dashboard.events} == {kind.__struct_config__.tag for kind in EVENTS}
    schemas = {kind.__struct_config__.tag: kind.__name__ for kind in EVENTS}
    for event in dashboard.events:
        Draft202012Validator({"$ref": f"#/components/schemas/{schemas[event['event_type']]}", **asyncapi()}).validate(event)


TOKEN = "of this session"
SAID: dict[str, dict[str, Any]] = {
    "ping": {"type": "ping"},
    "ping, and more": {"type": "ping", "more": 1},
    "filter of nothing": {"type": "filter"},
    "filter of null": {"type": "filter", "rooms": None, "platforms": None},
    "filter": {"type": "filter", "rooms": ["said", "said-*"], "platforms": ["camsoda"]},
    "filter of text": {"type": "filter", "rooms": "said"},
    "filter of numbers": {"type": "filter", "platforms": [1]},
    "filter too long": {"type": "filter", "rooms": ["said"] * 501},
    "pattern too long": {"type": "filter", "rooms": ["s" * 66]},
    "filter, and more": {"type": "filter", "room": ["said"]},
    "auth": {"type": "auth", "token": TOKEN},
    "auth without a token": {"type": "auth"},
    "auth with a number": {"type": "auth", "token": 1},
    "auth, and more": {"type": "auth", "token": TOKEN, "more": 1},
    "no type": {},
    "another type": {"type": "subscribe"},
}
FITTING = {"ping", "filter of nothing", "filter of null", "filter", "auth"}


@pytest.mark.parametrize("name", SAID)
def test_the_service_takes_what_the_document_describes_and_nothing_else(broadcast: Service, stack: Stack, name: str) -> None:
    """Document and service agree on every message that a client may send, and on those that it may not."""
    token = stack.token("dashboard", rooms=("said", "said-*"))
    message = {key: token if value == TOKEN else value for key, value in SAID[name].items()}
    kinds = [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in MESSAGES]
    assert Draft202012Validator({"oneOf": kinds, **asyncapi()}).is_valid(message) is (name in FITTING)
    with Dashboard(broadcast.url, token) as dashboard:
        dashboard.send(**message)
        dashboard.send(type="ping")
        dashboard.wait_for(lambda d: d.of("PONG"), "the answer")
        assert [event["code"] for event in dashboard.of("ERROR")] == ([] if name in FITTING else ["bad_message"])
