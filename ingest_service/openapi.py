"""The OpenAPI 3.1 description of the ingest service, made from the message types."""

import functools
from typing import Any

from ingest_service.validation import SENT_AT
from shared.contract.readings import MAX_BATCH_ITEMS, BatchAnswer, IngestAnswer, Reading
from shared.web.openapi import BEARER, OF_STATUS, components, document, header, problem_responses, ref, response

POLICY = {"RateLimit-Policy": header("Readings that may come at once, and the seconds in which they come back", required=False)}
REMAINING = {"RateLimit": header("What is left, and in how many seconds there is more", pattern='^"(room|token)";r=0;t=[0-9]+$')}
RETRY = OF_STATUS[503]
SENT = {
    "name": SENT_AT,
    "in": "header",
    "required": False,
    "description": "The producer's clock at sending, Unix milliseconds; beyond 2 s of difference the readings are shifted by it",
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
        "responses": {"200": response("Stored and published, or known before, or kept in history", ref(IngestAnswer), POLICY), **refusals},
    }
    items = {"type": "array", "minItems": 1, "maxItems": MAX_BATCH_ITEMS, "items": {"anyOf": [ref(Reading), {}]}}
    batch = {
        "summary": "Post up to 1,000 readings",
        "description": "Items are readings; one that is not is rejected alone.",
        "operationId": "postTelemetryBatch",
        "parameters": [SENT],
        "security": BEARER,
        "requestBody": {"required": True, "content": {"application/json": {"schema": items}}},
        "responses": {
            "200": response("An outcome for each item", ref(BatchAnswer), POLICY),
            **refusals,
            "503": response("Redis confirmed none of them; the answer has an outcome for each item", ref(BatchAnswer), POLICY | RETRY),
        },
    }
    paths = {"/api/tracking/telemetry": {"post": one}, "/api/tracking/telemetry/batch": {"post": batch}}
    return document("Studio Pulse ingest", paths, components(Reading, IngestAnswer, BatchAnswer))
