"""The OpenAPI 3.1 description of the broadcast service, made from the message types."""

import functools
from typing import Any

from broadcast_service.reports.earnings import Report
from broadcast_service.reports.history import Point
from shared.contract.events import TelemetryEvent
from shared.contract.readings import StoredReading
from shared.web.openapi import BEARER, components, document, problem_responses, ref, response


def _parameter(where: str, name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"in": where, "name": name, "required": where == "path", "description": description, "schema": {"type": "string"} | schema}


SECONDS = {"type": "integer", "minimum": 0, "maximum": 99_999_999_999}
ROOM = [
    _parameter("path", "room_id", "The room's id", minLength=1, examples=["Room 12"]),
    _parameter("path", "platform", "The platform's name", minLength=1, examples=["chaturbate"]),
]
NARROW = [
    _parameter("query", "rooms", "Comma separated ids or prefixes ending in *"),
    _parameter("query", "platforms", "Comma separated names"),
]
SPAN = [
    _parameter("query", "from", "Unix seconds; default: a day before `to`", **SECONDS),
    _parameter("query", "to", "Unix seconds; default: now", **SECONDS),
    _parameter("query", "step", "Seconds per point", **SECONDS),
    _parameter("query", "format", "json (default) or csv", enum=["json", "csv"]),
]
BY = [_parameter("query", "by", "`feed` adds each feed's own steps", enum=["feed", ""])]


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(kind: Any) -> dict[str, Any]:
    return {"type": "array", "items": ref(kind)}


def _get(
    summary: str, operation: str, parameters: list[dict[str, Any]], schema: dict[str, Any], *refusals: int, text: str = ""
) -> dict[str, Any]:
    return {
        "get": {
            "summary": summary,
            "operationId": operation,
            "security": BEARER,
            "parameters": parameters,
            "responses": {"200": response(summary, schema, text=text), **problem_responses(400, 401, 403, 405, *refusals)},
        }
    }


def _socket() -> dict[str, Any]:
    """The upgrade; what is said afterwards is in docs/asyncapi.json."""
    since = _parameter("query", "since", "The version to resume from; anything else means everything")
    return {
        "get": {
            "summary": "Open a dashboard's socket",
            "operationId": "socket",
            "description": "A browser sends the token as a subprotocol: `pulse.v1, bearer.<token>`.",
            "security": [*BEARER, {}],
            "parameters": [*NARROW, since],
            "responses": {"101": {"description": "The socket is open"}, **problem_responses(400, 401, 403, 405, 426, 429, 503)},
        }
    }


@functools.cache
def openapi() -> dict[str, Any]:
    """The document served at `/openapi.json`."""
    integer, string = {"type": "integer"}, {"type": "string"}
    strings = {"type": "array", "items": string}
    integers = dict.fromkeys(("stale_seconds", "ttl_seconds", "token_expires_at", "time_ms"), integer)
    session = _object(**integers, rooms=strings, platforms={"anyOf": [strings, {"type": "null"}]}, build=string)
    latest = _object(upstream={"enum": ["ok", "degraded"]}, version=integer, session=session, events=_list(TelemetryEvent))
    history = _object(**{"room_id": string, "platform": string, "from": integer, "to": integer, "step": integer, "points": _list(Point)})
    room = "/api/tracking/telemetry/{room_id}/{platform}"
    paths = {
        "/ws/dashboard": _socket(),
        "/api/tracking/telemetry": _get("All latest values in scope", "latest", NARROW, latest, 429, 503),
        room: _get("The stored reading of a room", "latestOfRoom", ROOM, ref(StoredReading), 404, 429, 500, 503),
        room + "/history": _get("Points for charts", "historyOfRoom", ROOM + SPAN, history, 422, 429, 503, text="text/csv"),
        "/api/tracking/analytics": _get(
            "What the rooms in scope earned", "analytics", NARROW + SPAN + BY, ref(Report), 422, 429, 503, text="text/csv"
        ),
    }
    return document("Studio Pulse broadcast", paths, components(StoredReading, TelemetryEvent, Point, Report))
