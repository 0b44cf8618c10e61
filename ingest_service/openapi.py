"""The OpenAPI 3.1 description of the ingest service, generated from the message types."""

import functools
from typing import Any

from ingest_service.validation import SENT_AT
from shared.contract.readings import MAX_BATCH_ITEMS, BatchAnswer, IngestAnswer, Reading
from shared.web.openapi import BEARER, OF_STATUS, components, document, header, problem_responses, ref, response

POLICY = {"RateLimit-Policy": header("Each limit's burst in readings, and the seconds in which it refills", required=False)}
REMAINING = {
    "RateLimit": header("The exhausted limit, and the seconds until it allows another reading", pattern='^"(room|token)";r=0;t=[0-9]+$')
}
RETRY = OF_STATUS[503]
SENT = {
    "name": SENT_AT,
    "in": "header",
    "required": False,
    "description": "The producer's clock when it sends, in Unix milliseconds. Readings are corrected by a difference above 2 s",
    "schema": {"type": "integer", "minimum": 0},
}


@functools.cache
def openapi() -> dict[str, Any]:
    """The document served at `/openapi.json`."""
    refusals = problem_responses(400, 401, 403, 405, 408, 413, 415, 422, 500, 503, headers=POLICY)
    refusals |= problem_responses(429, headers=POLICY | REMAINING)
    one = {
        "summary": "Post one reading",
        "operationId": "postTelemetry",
        "parameters": [SENT],
        "security": BEARER,
        "requestBody": {"required": True, "content": {"application/json": {"schema": ref(Reading)}}},
        "responses": {
            "200": response("Stored and published, a duplicate, or late and added to history only", ref(IngestAnswer), POLICY),
            **refusals,
        },
    }
    items = {"type": "array", "minItems": 1, "maxItems": MAX_BATCH_ITEMS, "items": {"anyOf": [ref(Reading), {}]}}
    batch = {
        "summary": "Post up to 1,000 readings",
        "description": "Each item is validated separately. An invalid item is rejected and the others are processed.",
        "operationId": "postTelemetryBatch",
        "parameters": [SENT],
        "security": BEARER,
        "requestBody": {"required": True, "content": {"application/json": {"schema": items}}},
        "responses": {
            "200": response("The outcome of each item", ref(BatchAnswer), POLICY),
            **refusals,
            "503": response("Redis confirmed no item. The response has the outcome of each item", ref(BatchAnswer), POLICY | RETRY),
        },
    }
    paths = {"/api/tracking/telemetry": {"post": one}, "/api/tracking/telemetry/batch": {"post": batch}}
    return document("Studio Pulse ingest", paths, components(Reading, IngestAnswer, BatchAnswer))
