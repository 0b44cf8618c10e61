"""The OpenAPI 3.1 description of the broadcast service, generated from the message types."""

import functools
from typing import Any

from broadcast_service.reports.audience import Audience
from broadcast_service.reports.explanation import Explanation
from broadcast_service.reports.files import HEADS
from broadcast_service.reports.history import Point
from broadcast_service.reports.report import Report
from broadcast_service.reports.wanted import DETAILS, FORMATS, MAX_BACK, PERIODS
from broadcast_service.reports.workbook import MEDIA_TYPE
from broadcast_service.studio.view import StudioView
from shared.contract.events import TelemetryEvent
from shared.contract.readings import StoredReading
from shared.web.openapi import ALWAYS, BEARER, components, document, header, problem_responses, ref, response


def _parameter(where: str, name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"in": where, "name": name, "required": where == "path", "description": description, "schema": {"type": "string"} | schema}


SECONDS = {"type": "integer", "minimum": 0, "maximum": 99_999_999_999}
ROOM = [
    _parameter("path", "room_id", "The room's id", minLength=1, examples=["Room 12"]),
    _parameter("path", "platform", "The platform's name", minLength=1, examples=["chaturbate"]),
]
NARROW = [
    _parameter("query", "rooms", "Comma-separated room ids, or prefixes ending in *"),
    _parameter("query", "platforms", "Comma-separated platform names"),
]
SPAN = [
    _parameter("query", "from", "Start, Unix seconds. Default: 24 hours before `to`", **SECONDS),
    _parameter("query", "to", "End, Unix seconds. Default: now", **SECONDS),
    _parameter("query", "step", "Seconds per point", **SECONDS),
    _parameter("query", "format", "json (default) or csv", enum=["json", "csv"]),
]
EXPLAINED = [
    _parameter("query", "from", "Start, Unix seconds, at most 35 days before `to`. Default: an hour before `to`", **SECONDS),
    _parameter("query", "to", "End, Unix seconds. Default: now", **SECONDS),
]
HOUR = [
    _parameter("query", "from", "Start, Unix seconds, at most an hour before `to`. Default: an hour before `to`", **SECONDS),
    _parameter("query", "to", "End, Unix seconds. Default: now", **SECONDS),
]
REPORT = [
    _parameter("query", "from", "Start, Unix seconds or a date. Default: a day before `to`", examples=["1764000000", "2026-11-16"]),
    _parameter("query", "to", "End, Unix seconds, or the last date. Default: now", examples=["1764086400", "2026-11-30"]),
    _parameter(
        "query", "step", "Seconds per step, or `day`, `week` or `month` of the time zone. Default: an hour", examples=["3600", "day"]
    ),
    _parameter(
        "query", "tz", "IANA name of the time zone of calendar steps and periods. Default: the studio's", examples=["America/Bogota"]
    ),
    _parameter("query", "period", "A period of that zone, instead of `from` and `to`", enum=["shift", *PERIODS]),
    _parameter("query", "back", "So many periods earlier", type="integer", minimum=0, maximum=MAX_BACK),
    _parameter("query", "elapsed", "1 ends the period as long after its start as the current one has lasted", enum=["0", "1"]),
    _parameter("query", "shift", "The shift of `period=shift`. Default: the one that began last"),
    _parameter("query", "by", "Adds the steps of each feed, account, room or platform", enum=list(DETAILS)),
    _parameter(
        "query", "format", "json (default), csv, or for a spreadsheet csv-local (local times, semicolons) or xlsx", enum=list(FORMATS)
    ),
    _parameter("query", "lang", "The language of the headings of csv-local and xlsx", enum=list(HEADS)),
]


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
    """The WebSocket handshake. docs/asyncapi.json describes the messages that follow."""
    since = _parameter("query", "since", "The version to resume from. Without a valid version the session starts with a full snapshot")
    return {
        "get": {
            "summary": "Open a WebSocket for a dashboard",
            "operationId": "openDashboardSocket",
            "description": "A browser offers the token as a subprotocol: `pulse.v1, bearer.<token>`.",
            "security": [*BEARER, {}],
            "parameters": [*NARROW, since],
            "responses": {"101": {"description": "The WebSocket is open"}, **problem_responses(400, 401, 403, 405, 426, 429, 503)},
        }
    }


def _studio() -> dict[str, Any]:
    """The studio's facts, with the tag by which a client asks for them again."""
    match = _parameter("header", "If-None-Match", "The tag of an earlier response")
    described = _get("Get time zone, names, shifts and targets", "getStudio", [match], ref(StudioView), 429)
    tag = {"ETag": header("Differs when the response does")}
    responses = described["get"]["responses"]
    responses["200"]["headers"] |= tag
    responses["304"] = {"description": "The client has the current response", "headers": ALWAYS | tag}
    return described


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
    report = _get("Get the income of the rooms in scope", "getAnalytics", NARROW + REPORT, ref(Report), 422, 429, 503, text="text/csv")
    report["get"]["responses"]["200"]["content"][MEDIA_TYPE] = {"schema": {"type": "string", "format": "binary"}}
    paths = {
        "/ws/dashboard": _socket(),
        "/api/tracking/telemetry": _get("Get the latest values in scope", "getLatest", NARROW, latest, 429, 503),
        room: _get("Get the stored reading of a feed", "getStoredReading", ROOM, ref(StoredReading), 404, 429, 500, 503),
        room + "/history": _get("Get the history of a feed", "getHistory", ROOM + SPAN, history, 422, 429, 503, text="text/csv"),
        room + "/explain": _get("Explain the income of a feed", "getExplanation", ROOM + EXPLAINED, ref(Explanation), 422, 429, 503),
        "/api/tracking/audience": _get("Get the viewers of the rooms in scope", "getAudience", HOUR + NARROW, ref(Audience), 422, 429, 503),
        "/api/studio": _studio(),
        "/api/tracking/analytics": report,
    }
    structs = (StoredReading, TelemetryEvent, Point, Report, Audience, Explanation, StudioView)
    return document("Studio Pulse broadcast", paths, components(*structs))
