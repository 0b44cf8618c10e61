"""The OpenAPI 3.1 description of the broadcast service, made from the message types."""

import functools
from typing import Any

from broadcast_service.earnings import Report
from broadcast_service.history import Point
from shared.messages import StoredReading, TelemetryEvent
from shared.schemas import BEARER, components, document, problem_responses, ref, response


def _parameter(where: str, name: str, description: str, kind: str = "string") -> dict[str, Any]:
    return {"in": where, "name": name, "required": where == "path", "description": description, "schema": {"type": kind}}


ROOM = [_parameter("path", "room_id", "The room's id"), _parameter("path", "platform", "The platform's name")]
NARROW = [
    _parameter("query", "rooms", "Comma separated ids or prefixes ending in *"),
    _parameter("query", "platforms", "Comma separated names"),
]
SPAN = [
    _parameter("query", "from", "Unix seconds; default: a day before `to`", "integer"),
    _parameter("query", "to", "Unix seconds; default: now", "integer"),
    _parameter("query", "step", "Seconds per point", "integer"),
    _parameter("query", "format", "json (default) or csv"),
]
BY = [_parameter("query", "by", "`feed` adds each feed's own steps")]


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(kind: Any) -> dict[str, Any]:
    return {"type": "array", "items": ref(kind)}


def _get(summary: str, operation: str, parameters: list[dict[str, Any]], schema: dict[str, Any], *refusals: int) -> dict[str, Any]:
    return {
        "get": {
            "summary": summary,
            "operationId": operation,
            "security": BEARER,
            "parameters": parameters,
            "responses": {"200": response(summary, schema), **problem_responses(400, 401, 403, 405, *refusals)},
        }
    }


@functools.cache
def openapi() -> dict[str, Any]:
    """The document served at `/openapi.json`."""
    integer, string = {"type": "integer"}, {"type": "string"}
    latest = _object(upstream={"enum": ["ok", "degraded"]}, version=integer, events=_list(TelemetryEvent))
    history = _object(**{"room_id": string, "platform": string, "from": integer, "to": integer, "step": integer, "points": _list(Point)})
    room = "/api/tracking/telemetry/{room_id}/{platform}"
    paths = {
        "/api/tracking/telemetry": _get("All latest values in scope", "latest", NARROW, latest),
        room: _get("The stored reading of a room", "latestOfRoom", ROOM, ref(StoredReading), 404, 503),
        room + "/history": _get("Points for charts", "historyOfRoom", ROOM + SPAN, history, 422, 503),
        "/api/tracking/analytics": _get("What the rooms in scope earned", "analytics", NARROW + SPAN + BY, ref(Report), 422, 503),
    }
    return document("Studio Pulse broadcast", paths, components(StoredReading, TelemetryEvent, Point, Report))
