"""Pieces of OpenAPI documents, with every schema generated from the message types."""

import http
import importlib.metadata
import pathlib
import tomllib
from typing import Any, Final

import msgspec

from shared.problems import MEDIA_TYPE

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
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": {"type": "string"}, "detail": {"type": "string"}}},
        },
    },
}


def version() -> str:
    """The product's version, as `pyproject.toml` has it."""
    path = pathlib.Path(__file__).resolve().parent.parent / "pyproject.toml"
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


def response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON response."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def problem_responses(*statuses: int) -> dict[str, Any]:
    """The refusals that an operation may answer."""
    content = {MEDIA_TYPE: {"schema": {"$ref": REF.format(name="Problem")}}}
    return {str(status): {"description": http.HTTPStatus(status).phrase, "content": content} for status in statuses}


def document(title: str, paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A whole OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version(), "license": {"name": "MIT", "identifier": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }
