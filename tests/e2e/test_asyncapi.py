"""The description of the socket in docs/asyncapi.json: current, and true of real frames."""

import json
import signal

from jsonschema import Draft202012Validator

from broadcast_service.asyncapi import EVENTS, asyncapi
from tests.clients import Dashboard, Producer
from tests.stack import ROOT, Stack


def test_the_document_is_what_the_message_types_say() -> None:
    """`python -m broadcast_service.asyncapi > docs/asyncapi.json` was run after the last change."""
    assert json.loads((ROOT / "docs/asyncapi.json").read_text()) == asyncapi()


def test_every_event_a_dashboard_hears_fits_its_schema(stack: Stack) -> None:
    """All ten kinds of event are provoked on a real service and checked."""
    ingest, broadcast = stack.ingest(TELEMETRY_TTL_SECONDS="2"), stack.broadcast(TELEMETRY_TTL_SECONDS="2")
    token = stack.token("dashboard", rooms=("described",), ttl_seconds=50)  # under a minute: warned of at once
    with Dashboard(broadcast.url, token) as dashboard, Producer(ingest.url, stack.token("ingest")) as producer:
        producer.post("described", 1)
        for message in ({"type": "ping"}, {"type": "auth", "token": token}, {"type": "nonsense"}):
            dashboard.send(**message)
        dashboard.wait_for(lambda d: d.of("TELEMETRY_EXPIRED") and d.of("ERROR") and d.of("PONG"), what="the events")
        broadcast.signal(signal.SIGTERM)
        dashboard.wait_for_close()
    broadcast.wait(12)
    assert {event["event_type"] for event in dashboard.events} == {kind.__struct_config__.tag for kind in EVENTS}
    schemas = {kind.__struct_config__.tag: kind.__name__ for kind in EVENTS}
    for event in dashboard.events:
        Draft202012Validator({"$ref": f"#/components/schemas/{schemas[event['event_type']]}", **asyncapi()}).validate(event)
