"""How end-to-end tests post readings."""

import json
import time
from typing import Any

from tests.e2e.raw import Answer, Headers, exchange, request
from tools.processes import Service

ONE = "/api/tracking/telemetry"
BATCH = ONE + "/batch"
JSON: Headers = (("Content-Type", "application/json"),)


def reading(**changed: Any) -> dict[str, Any]:
    """A good reading of this moment, with changes."""
    milliseconds = time.time_ns() // 1_000_000
    good = {"room_id": "input", "platform": "camsoda", "timestamp": milliseconds // 1000, "tokens_count": 1, "sequence": milliseconds}
    return good | changed


def body_of(path: str, **changed: Any) -> bytes:
    """A body for either endpoint, good but for the changes."""
    one = json.dumps(reading(**changed))
    return (one if path == ONE else f"[{one}]").encode()


def authorization(token: str) -> tuple[str, str]:
    """The header that carries a token."""
    return ("Authorization", f"Bearer {token}")


def post(ingest: Service, path: str, headers: Headers, body: bytes) -> Answer:
    """Posts on a connection of its own."""
    return exchange(ingest.port, request("POST", path, headers, body))
