"""Pieces of OpenAPI documents, with every schema generated from the message types."""

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
        "code": {"type": "string", "description": "Names the refusal where a program may want to tell it from others of its status"},
        "setting": {"type": "string", "description": "The server's setting that decides about it"},
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": {"type": "string"}, "detail": {"type": "string"}}},
        },
    },
}


def version() -> str:
    """The product's version, as `pyproject.toml` has it."""
    path = pathlib.Path(__file__).resolve().parents[2] / "pyproject.toml"
    if path.exists():
        return str(tomllib.loads(path.read_text())["project"]["version"])
    return importlib.metadata.version("studio-pulse")


def ref(kind: Any) -> dict[str, str]:
    """A reference to a message type's schema."""
    return {"$ref": REF.format(name=kind.__name__)}


def components(*kinds: Any) -> dict[str, Any]:
    """The schemas of some message types and of all they refer to."""
    # Python's \A and \Z are unknown to ECMA-262, whose patterns JSON Schema has; its $ means the very end.
    _, schemas = msgspec.json.schema_components(kinds, ref_template=REF)
    text = msgspec.json.encode(schemas).replace(rb'"pattern":"\\A', b'"pattern":"^').replace(rb'\\Z"', b'$"')
    return {**msgspec.json.decode(text), "Problem": PROBLEM}


def response(description: str, schema: dict[str, Any], headers: dict[str, Any] | None = None, *, text: str = "") -> dict[str, Any]:
    """A JSON response; `text` names a further media type, whose form the description tells."""
    content = {"application/json": {"schema": schema}} | ({text: {"schema": {"type": "string"}}} if text else {})
    return {"description": description, "content": content, "headers": ALWAYS | (headers or {})}


def header(description: str, *, required: bool = True, **schema: Any) -> dict[str, Any]:
    """A response's header field, text unless `schema` says otherwise."""
    return {"description": description, "required": required, "schema": {"type": "string"} | schema}


ALWAYS: Final = {
    "Cache-Control": header("Nobody keeps a copy", const="no-store"),
    "X-Content-Type-Options": header("The type is the one that is named", const="nosniff"),
}
OF_STATUS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": header("What to bring", const='Bearer realm="studio-pulse"')},
    405: {"Allow": header("The methods that would do")},
    426: {"Upgrade": header("What to speak instead", const="websocket")},
    429: {"Retry-After": header("Seconds until it may be tried again", type="integer", minimum=0)},
    503: {"Retry-After": header("Seconds until it may be tried again", type="integer", minimum=0)},
}


def problem_responses(*statuses: int, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """The refusals that an operation may answer; `headers` stand on all of them."""
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
    """What `shared.web.server.common_routes` answers; nothing of it needs a token."""
    status = {"type": "object", "required": ["status"], "properties": {"status": {"enum": ["ok", "ready"]}}}
    alive = response("The process answers", status)
    answers = {
        "/health": ("Whether the process answers", "health", {"200": alive}),
        "/livez": ("Whether the process answers", "live", {"200": alive}),
        "/readyz": ("Whether it can do its work", "ready", {"200": response("It can", status), **problem_responses(503)}),
        "/openapi.json": ("This document", "openapi", {"200": response("OpenAPI 3.1", {"type": "object"})}),
    }
    return {
        path: {"get": {"summary": summary, "operationId": operation, "security": [], "responses": responses | problem_responses(400, 405)}}
        for path, (summary, operation, responses) in answers.items()
    }


def document(title: str, paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A whole OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version(), "license": {"name": "MIT", "identifier": "MIT"}},
        "paths": paths | common_paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
