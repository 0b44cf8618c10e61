"""The OpenAPI documents: well-formed, and true of what the services answer."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import Answer, exchange, head, request
from tests.support.readings import make_body
from tools.processes import Service
from tools.stack import Stack

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def document(service: Service) -> dict[str, Any]:
    """What the service says of itself."""
    answer: dict[str, Any] = exchange(service.port, request("GET", "/openapi.json", ())).json()
    return answer


@pytest.fixture(params=["ingest", "broadcast"])
def described(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The document of either service."""
    return document(request.getfixturevalue(request.param))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(node: Any) -> Iterator[str]:
    """Every $ref below a node."""
    if isinstance(node, dict):
        yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def test_the_document_is_openapi(described: dict[str, Any]) -> None:
    """Version, title, and for each operation a name of its own, known methods and described responses."""
    found = list(operations(described))
    assert re.fullmatch(r"3\.1\.\d", described["openapi"])
    assert described["info"].keys() >= {"title", "version"}
    assert {method for _, method, _ in found} <= METHODS
    names = [operation["operationId"] for _, _, operation in found]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch("(get|post|open)[A-Z][A-Za-z]+", name)] == []
    for _, _, operation in found:
        assert all(re.fullmatch("[1-5][0-9]{2}", status) and answer["description"] for status, answer in operation["responses"].items())


def test_path_parameters_are_declared(described: dict[str, Any]) -> None:
    """The names in braces, all of them required, and no others."""
    for path, _, operation in operations(described):
        declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path" and p["required"]}
        assert declared == set(re.findall(r"{(\w+)}", path))


def test_every_schema_is_one_and_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    """JSON Schema 2020-12, with patterns that other languages read as well."""
    for schema in described["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert set(references(described)) <= {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert not re.search(r'"pattern": "[^"]*\\\\[AZ]', json.dumps(described))


def fits(described: dict[str, Any], path: str, method: str, answer: Answer) -> None:
    """Fails unless an answer is what the document says of its status."""
    responses = described["paths"][path][method]["responses"]
    media_type = answer.headers["Content-Type"]
    assert str(answer.status) in responses
    schema = responses[str(answer.status)]["content"][media_type]["schema"]
    jsonschema.validate(answer.json(), {**schema, "components": described["components"]}, jsonschema.Draft202012Validator)
    for name, header in responses[str(answer.status)]["headers"].items():
        value = answer.headers[name]
        assert value is not None or not header["required"], name
        number = header["schema"]["type"] == "integer"
        jsonschema.validate(value if value is None or not number else int(value), header["schema"] if value is not None else {})


def test_ingest_answers_as_described(ingest: Service, stack: Stack) -> None:
    """Taken, known, late, refused for each reason: every answer fits its schema."""
    described, headers = document(ingest), (*JSON, authorization(stack.token("ingest")))
    good = body_of(ONE, room_id="described")
    narrow = (*JSON, authorization(stack.token("ingest", rooms=("a",))))
    old = body_of(ONE, room_id="described", timestamp=int(time.time()) - 60)
    for sent, body in ((headers, good), (headers, good), (headers, old), (JSON, good), (narrow, good), (headers, b"{"), (headers, b"{}")):
        fits(described, ONE, "post", post(ingest, ONE, sent, body))
    fits(described, ONE, "post", post(ingest, ONE, headers[1:], good))
    mixed = json.dumps([make_body(room_id="described"), {}, 1]).encode()
    for body in (mixed, b"[]", b"["):
        fits(described, BATCH, "post", post(ingest, BATCH, headers, body))


def test_every_refusal_of_a_reading_is_described_and_seen(stack: Stack) -> None:
    """Each documented status but those of a broken store was answered by a real service, headers and all."""
    service = stack.ingest(BODY_TIMEOUT_SECONDS="0.3", RATE_LIMIT_ROOM_PER_SECOND="0.001")
    described, headers = document(service), (*JSON, authorization(stack.token("ingest", rooms=("refused",))))
    once, good = body_of(ONE, room_id="refused"), body_of(ONE, room_id="refused", tokens_count=2)
    answers = [
        *(post(service, ONE, headers, body) for body in (once, good, b"{", b"{}", body_of(ONE, room_id="other"), b" " * 2_000_000)),
        post(service, ONE, JSON, good),
        post(service, ONE, (*headers, headers[-1]), good),
        post(service, ONE, headers[1:], good),
        exchange(service.port, head("POST", ONE, (*headers, ("Content-Length", "100")))),
        exchange(service.port, request("GET", ONE, headers)),
    ]
    for answer in answers:
        fits(described, ONE, "post", answer)
    assert {str(answer.status) for answer in answers} | {"500", "503"} == described["paths"][ONE]["post"]["responses"].keys()


def test_what_the_schema_takes_is_taken(ingest: Service) -> None:
    """A reading fits the published schema; a stranger to it does not."""
    described = document(ingest)
    schema = {"$ref": "#/components/schemas/Reading", "components": described["components"]}
    jsonschema.validate(make_body(), schema, jsonschema.Draft202012Validator)
    for wrong in ({"room_id": "a*"}, {"tokens_count": -1}, {"platform": ""}, {"typo": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(make_body(**wrong), schema, jsonschema.Draft202012Validator)


def test_broadcast_answers_as_described(ingest: Service, broadcast: Service, stack: Stack) -> None:
    """Every read, with something and with nothing to show."""
    described, room = document(broadcast), ONE + "/{room_id}/{platform}"
    post(ingest, ONE, (*JSON, authorization(stack.token("ingest"))), body_of(ONE, room_id="seen"))
    headers = (authorization(stack.token("dashboard", rooms=("seen", "unseen"))),)
    paths = {
        ONE: ONE,
        ONE + "/seen/camsoda": room,
        ONE + "/unseen/camsoda": room,
        ONE + "/other/camsoda": room,
        ONE + "/seen/camsoda/history": room + "/history",
        ONE + "/seen/camsoda/history?step=7": room + "/history",
        ONE + "/seen/camsoda/explain": room + "/explain",
        ONE + "/unseen/camsoda/explain": room + "/explain",
        ONE + "/other/camsoda/explain": room + "/explain",
        ONE + "/seen/camsoda/explain?from=9&to=8": room + "/explain",
        "/api/tracking/audience": "/api/tracking/audience",
        "/api/tracking/audience?from=9&to=8": "/api/tracking/audience",
    }
    for path, template in paths.items():
        fits(described, template, "get", exchange(broadcast.port, request("GET", path, headers)))
        fits(described, template, "get", exchange(broadcast.port, request("GET", path, ())))
