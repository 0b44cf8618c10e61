"""An ingest service with scripted answers that records the requests it receives."""

import contextlib
import http.server
import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

WITHIN_SECONDS = 20.0


@dataclass
class Answer:
    """What to answer; `hold` is waited for before the headers or, if `headers_first`, between them and the body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    headers_first: bool = False
    hang_up: bool = False


@dataclass
class Request:
    """One POST as it arrived."""

    path: str
    headers: dict[str, str]
    readings: list[dict[str, Any]]
    answer: Answer


class ScriptedIngest:
    """Accepts all readings unless a test sets another answer."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.answer_tests = False  # whether "Test connection", too, gets the scripted answers
        self.answers: deque[Answer] = deque()
        self.otherwise = Answer()  # once `answers` is empty
        self._changed = threading.Condition()
        scripted = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Hands every request to the one who scripts."""

            def do_POST(self) -> None:
                """Answers a reading or a batch."""
                scripted._serve(self)

            def do_GET(self) -> None:
                """Answers any other request."""
                scripted._serve(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Tests read `requests`."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        readings = json.loads(handler.rfile.read(int(handler.headers.get("Content-Length", 0))) or b"[]")
        with self._changed:
            is_scripted = self.answer_tests or any(reading["timestamp"] for reading in readings)
            answer = self._next_answer() if is_scripted else Answer()
            self.requests.append(Request(handler.path, dict(handler.headers), readings, answer))
            self._changed.notify_all()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            _respond(handler, answer, readings)

    def _next_answer(self) -> Answer:
        return self.answers.popleft() if self.answers else self.otherwise

    def wait_for(self, condition: Callable[[list[Request]], Any]) -> list[Request]:
        """The requests so far, once they fulfil the condition; fails after a while."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.requests), WITHIN_SECONDS), f"got {self.requests}"
            return list(self.requests)

    @property
    def readings(self) -> Iterator[dict[str, Any]]:
        """All readings so far, tests of the connection left out."""
        return (reading for request in list(self.requests) for reading in request.readings if reading["timestamp"])

    @property
    def moments(self) -> list[int]:
        """The moments of all readings so far, in order of arrival."""
        return [reading["sequence"] for reading in self.readings]

    def stop(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def accepted(readings: list[dict[str, Any]]) -> dict[str, Any]:
    """What the real service answers to readings it takes, and to one that is decades old."""
    errors = [{"field": "timestamp", "detail": "lies more than 7 days back"}]
    problem = {"status": 422, "title": "Unprocessable Content", "errors": errors}
    return {
        "results": [
            {"index": index, "result": "accepted", "version": 1}
            if reading["timestamp"]
            else {"index": index, "result": "rejected", "problem": problem}
            for index, reading in enumerate(readings)
        ]
    }


def problem(status: int) -> dict[str, Any]:
    """A refusal as the real service words it."""
    return {"type": "about:blank", "title": http.HTTPStatus(status).phrase, "status": status, "detail": "no"}


def _respond(handler: http.server.BaseHTTPRequestHandler, answer: Answer, readings: list[dict[str, Any]]) -> None:
    if answer.hang_up:
        handler.connection.shutdown(socket.SHUT_RDWR)
        return
    if answer.hold and not answer.headers_first:
        answer.hold.wait(WITHIN_SECONDS)
    is_refusal = answer.status >= 400 and answer.body is None
    body = json.dumps(problem(answer.status) if is_refusal else answer.body or accepted(readings)).encode()
    kind = "application/problem+json" if is_refusal else "application/json"
    handler.send_response(answer.status)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **answer.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.flush()
    if answer.hold and answer.headers_first:
        answer.hold.wait(WITHIN_SECONDS)
    handler.wfile.write(body)
