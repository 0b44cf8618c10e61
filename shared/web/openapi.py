"""Building blocks of the OpenAPI documents. Every schema is generated from the message types."""

import http
import importlib.metadata
import pathlib
import tomllib
from typing import Any, Final

import msgspec

from shared.contract.problems import MEDIA_TYPE

BEARER: Final[list[dict[str, list[str]]]] = [{"bearer": []}]
REF: Final = "#/components/schemas/{name}"

PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457 problem",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "retry_after_seconds": {"type": "integer"},
        "code": {
            "type": "string",
            "description": "Identifies the error if a program may need to distinguish it from others with the same status",
        },
        "setting": {"type": "string", "description": "The server setting that controls it"},
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": {"type": "string"}, "detail": {"type": "string"}}},
        },
    },
}


def version() -> str:
    """The product's version, as stated in `pyproject.toml`."""
    path = pathlib.Path(__file__).resolve().parents[2] / "pyproject.toml"
    if path.exists():
        return str(tomllib.loads(path.read_text())["project"]["version"])
    return importlib.metadata.version("studio-pulse")


def ref(kind: Any) -> dict[str, str]:
    """A reference to a message type's schema."""
    return {"$ref": REF.format(name=kind.__name__)}


def components(*kinds: Any) -> dict[str, Any]:
    """The schemas of some message types and of all types that they reference."""
    # JSON Schema uses ECMA-262 patterns, which lack Python's \A and \Z; in ECMA-262, $ matches only at the end.
    _, schemas = msgspec.json.schema_components(kinds, ref_template=REF)
    text = msgspec.json.encode(schemas).replace(rb'"pattern":"\\A', b'"pattern":"^').replace(rb'\\Z"', b'$"')
    return {**msgspec.json.decode(text), "Problem": PROBLEM}


def response(description: str, schema: dict[str, Any], headers: dict[str, Any] | None = None, *, text: str = "") -> dict[str, Any]:
    """A JSON response; `text` names a further media type, whose format the description explains."""
    content = {"application/json": {"schema": schema}} | ({text: {"schema": {"type": "string"}}} if text else {})
    return {"description": description, "content": content, "headers": ALWAYS | (headers or {})}


def header(description: str, *, required: bool = True, **schema: Any) -> dict[str, Any]:
    """A response header, a string unless `schema` overrides the type."""
    return {"description": description, "required": required, "schema": {"type": "string"} | schema}


ALWAYS: Final = {
    "Cache-Control": header("The response must not be stored", const="no-store"),
    "X-Content-Type-Options": header("The media type must not be guessed", const="nosniff"),
}
OF_STATUS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": header("Bearer token", const='Bearer realm="studio-pulse"')},
    405: {"Allow": header("The allowed methods")},
    426: {"Upgrade": header("The protocol to upgrade to", const="websocket")},
    429: {"Retry-After": header("Seconds until the request may be repeated", type="integer", minimum=0)},
    503: {"Retry-After": header("Seconds until the request may be repeated", type="integer", minimum=0)},
}


def problem_responses(*statuses: int, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """The error responses of an operation, each with `headers` in addition to its own."""
    content = {MEDIA_TYPE: {"schema": {"$ref": REF.format(name="Problem")}}}
    return {
        str(status): {
            "description": http.HTTPStatus(status).phrase,
            "content": content,
            "headers": ALWAYS | OF_STATUS.get(status, {}) | (headers or {}),
        }
        for status in statuses
    }


def common_paths() -> dict[str, Any]:
    """The paths that `shared.web.server.common_routes` serves. None of them requires a token."""
    status = {"type": "object", "required": ["status"], "properties": {"status": {"enum": ["ok", "ready"]}}}
    alive = response("The process responds", status)
    answers = {
        "/health": ("Check that the process responds (alias of /livez)", "getHealth", {"200": alive}),
        "/livez": ("Check that the process responds", "getLiveness", {"200": alive}),
        "/readyz": (
            "Check that the service can handle requests",
            "getReadiness",
            {"200": response("The service is ready", status), **problem_responses(503)},
        ),
        "/openapi.json": ("Get this document", "getOpenApi", {"200": response("An OpenAPI 3.1 document", {"type": "object"})}),
    }
    return {
        path: {"get": {"summary": summary, "operationId": operation, "security": [], "responses": responses | problem_responses(400, 405)}}
        for path, (summary, operation, responses) in answers.items()
    }


def document(title: str, paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A complete OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version(), "license": {"name": "MIT", "identifier": "MIT"}},
        "paths": paths | common_paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
