"""A real stack for the dashboard's tests, and readings that a test writes itself."""

import contextlib
import json
import pathlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.stack import Service, Stack


@dataclass
class Studio:
    """A running stack with one service of each kind, and the requests that tests make of it."""

    stack: Stack
    ingest: Service
    broadcast: Service

    def post(self, *readings: dict[str, Any]) -> list[str]:
        """Posts readings in one batch; returns what became of each."""
        token = self.stack.token("ingest", subject="producer")
        body = [{"timestamp": int(time.time()), "tokens_count": 0, "platform": "camsoda", **reading} for reading in readings]
        status, answer = request(f"{self.ingest.url}/api/tracking/telemetry/batch", token, body)
        assert status == 200, answer
        return [item["result"] for item in json.loads(answer)["results"]]

    def get(self, path: str, **scope: Any) -> tuple[int, Any]:
        """Reads from the broadcast service with a token of this scope."""
        status, answer = request(self.broadcast.url + path, self.stack.token("dashboard", **scope))
        return status, json.loads(answer) if answer[:1] in b"{[" else answer.decode()


def request(url: str, token: str, body: Any = None) -> tuple[int, bytes]:
    """One HTTP request with a bearer token."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(asked, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@contextlib.contextmanager
def running_studio(directory: pathlib.Path, **settings: str) -> Iterator[Studio]:
    """Starts a stack, optionally with other settings; ends it with the block."""
    unlimited = {"RATE_LIMIT_ROOM_PER_SECOND": "0", "RATE_LIMIT_TOKEN_PER_SECOND": "0"}
    with Stack(directory, **{**unlimited, **settings}) as stack:
        yield Studio(stack, stack.ingest(), stack.broadcast())
