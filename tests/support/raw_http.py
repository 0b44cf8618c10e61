"""HTTP by hand, for what well-behaved clients refuse to send."""

import http.client
import json
import socket
import struct
from typing import Any, NamedTuple

TIMEOUT_SECONDS = 60.0

Headers = tuple[tuple[str, str], ...]


class Answer(NamedTuple):
    """A response, whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def is_problem(self) -> bool:
        """Whether this is an RFC 9457 problem that agrees with its own status."""
        return self.headers["Content-Type"] == "application/problem+json" and self.json()["status"] == self.status


def head(method: str, path: str, headers: Headers) -> bytes:
    """A request line and headers."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def request(method: str, path: str, headers: Headers, body: bytes = b"") -> bytes:
    """A whole request with its length."""
    return head(method, path, (*headers, ("Content-Length", str(len(body))))) + body


def connect(port: int) -> socket.socket:
    """A connection to a service of this machine."""
    return socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)


def read_answer(connection: socket.socket) -> Answer:
    """The response that arrives next."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, response.headers, response.read())


def exchange(port: int, *parts: bytes) -> Answer:
    """Sends bytes on a connection of their own and reads one response."""
    with connect(port) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may answer and close before it has read everything
        return read_answer(connection)


def hang_up(connection: socket.socket) -> None:
    """Ends a connection as a crashed client does: reset, without a goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
