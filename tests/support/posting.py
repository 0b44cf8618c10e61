"""Posts readings over HTTP by hand: any header, any body."""

import json
from typing import Any, Final

from tests.support.raw_http import Answer, Headers, exchange, request
from tests.support.readings import make_body
from tools.processes import Service

ONE: Final = "/api/tracking/telemetry"
BATCH: Final = ONE + "/batch"
JSON: Final[Headers] = (("Content-Type", "application/json"),)


def body_of(path: str, **changed: Any) -> bytes:
    """A body for either endpoint, valid but for the changes."""
    one = json.dumps(make_body(**changed))
    return (one if path == ONE else f"[{one}]").encode()


def authorization(token: str) -> tuple[str, str]:
    """The header that carries a token."""
    return ("Authorization", f"Bearer {token}")


def post(ingest: Service, path: str, headers: Headers, body: bytes) -> Answer:
    """Posts on a connection of its own."""
    return exchange(ingest.port, request("POST", path, headers, body))
