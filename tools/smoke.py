"""`make smoke URL=https://…`: five checks of a running stack, with the time each took and a plain verdict.

Plain Python without any package, so that it runs wherever Python 3.11 does, Windows included: `python tools/smoke.py https://…`.

The tokens come from SMOKE_INGEST_TOKEN and SMOKE_DASHBOARD_TOKEN, which must cover the room SMOKE_ROOM (smoke-check), or are signed here
with the first key of INGEST_TOKEN_KEYS and DASHBOARD_TOKEN_KEYS, or of TOKEN_KEYS (environment, else `.env`, else `.local/token-keys`).
INGEST_URL is for a stack without a front proxy.
The value that is posted is so old that it disappears by itself after a minute. SSL_CERT_FILE names a private authority's certificate.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import runpy
import secrets
import socket
import ssl
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 5.0
VISIBLE_SECONDS = 60
MAX_OFFSET_MS = 2000  # beyond it the server shifts what a producer with this clock posts
PLATFORM = "chaturbate"
TELEMETRY = "/api/tracking/telemetry"


class CheckFailed(Exception):
    """A check failed; the text has the expected and the actual result."""


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: dict[str, Any]


class Stack:
    """The stack under test: its addresses and tokens."""

    def __init__(self, url: str, ingest_url: str, room_id: str, ingest_token: str, dashboard_token: str) -> None:
        self.url = url.rstrip("/")
        self.ingest_url = ingest_url.rstrip("/")
        self.room_id = room_id
        self.ingest_token = ingest_token
        self.dashboard_token = dashboard_token
        self.ttl_seconds = 3600
        self.tokens_count = 0

    def get(self, path: str, token: str = "") -> Answer:
        """Asks the broadcast service, or the front proxy."""
        return _request("GET", self.url + path, token)

    def post(self, token: str) -> Answer:
        """Posts a reading with a balance of its own, so that it is recognised when it comes out again."""
        now = time.time()
        self.tokens_count = int(now * 1000) % 2**32
        reading = {
            "room_id": self.room_id,
            "platform": PLATFORM,
            "tokens_count": self.tokens_count,
            "timestamp": int(now) - max(0, self.ttl_seconds - VISIBLE_SECONDS),
            "sequence": int(now * 1000),
        }
        return _request("POST", self.ingest_url + TELEMETRY, token, reading, {"Pulse-Sent-At": str(int(time.time() * 1000))})


def _request(method: str, url: str, token: str, body: dict[str, Any] | None = None, more: dict[str, str] | None = None) -> Answer:
    headers = ({"Content-Type": "application/json"} if body else {}) | (more or {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return Answer(response.status, _json(response.read()))
    except urllib.error.HTTPError as error:
        return Answer(error.code, _json(error.read()))
    except OSError as error:
        raise CheckFailed(f"{method} {url}: {getattr(error, 'reason', error)}") from None


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class Dashboard:
    """A dashboard's socket: just enough of RFC 6455 to read `pulse.v1`."""

    def __init__(self, url: str, token: str = "") -> None:
        parts = urllib.parse.urlsplit(url)
        secure = parts.scheme == "https"
        address = (parts.hostname or "", parts.port or (443 if secure else 80))
        try:
            self._socket = socket.create_connection(address, TIMEOUT_SECONDS)
            if secure:
                self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=parts.hostname)
        except OSError as error:
            raise CheckFailed(f"socket of {url}: {error}") from None
        self._stream = self._socket.makefile("rb")
        self.status = self._upgrade(parts.netloc, f"pulse.v1, bearer.{token}" if token else "pulse.v1")

    def _upgrade(self, host: str, protocols: str) -> int:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = ["GET /ws/dashboard HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += [f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Protocol: {protocols}", "", ""]
        self._socket.sendall("\r\n".join(lines).encode())
        status = self._stream.readline().split()
        while self._stream.readline().strip():
            pass
        return int(status[1]) if len(status) > 1 else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """The events as they arrive; raises CheckFailed when none does in time."""
        try:
            while True:
                opcode, payload = self._frame()
                if opcode == 8:
                    raise CheckFailed(f"the socket was closed with {int.from_bytes(payload[:2], 'big')}")
                if opcode == 1:
                    yield from (json.loads(line) for line in payload.splitlines())
        except OSError as error:
            raise CheckFailed(f"the event did not arrive: {error}") from None

    def _frame(self) -> tuple[int, bytes]:
        opcode, size = self._read(2)
        if size == 126:
            (size,) = struct.unpack("!H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._read(8))
        return opcode & 15, self._read(size)

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise CheckFailed("the socket was cut")
        return data


def _expect(status: int, answer: Answer, what: str) -> None:
    if answer.status != status:
        raise CheckFailed(f"{what}: expected {status}, got {answer.status} {answer.body.get('detail', '')}".rstrip())


def services_are_healthy(stack: Stack) -> str:
    """Both services answer and are ready."""
    _expect(200, stack.get("/health"), "GET /health")
    if stack.get("/readyz").status != 404:  # a front proxy keeps it to the inside
        _expect(200, stack.get("/readyz"), "GET /readyz")
    if stack.ingest_url != stack.url:
        _expect(200, _request("GET", stack.ingest_url + "/readyz", ""), "GET /readyz of ingest")
    _expect(401, stack.post(""), "POST without a token")
    return "broadcast is ready, ingest answers"


def socket_refuses_and_accepts(stack: Stack) -> str:
    """A socket needs a valid token, and says hello to one that has it."""
    for token in ("", "a.b.c"):
        with Dashboard(stack.url, token) as stranger:
            if stranger.status != 401:
                raise CheckFailed(f"a socket {'with a bad' if token else 'without a'} token: expected 401, got {stranger.status}")
    with Dashboard(stack.url, stack.dashboard_token) as dashboard:
        if dashboard.status != 101:
            raise CheckFailed(f"a socket with a token: expected 101, got {dashboard.status}")
        hello = next(dashboard.events())
    stack.ttl_seconds = hello["ttl_seconds"]
    return f"401 without a token, HELLO with one ({hello['instance']})"


def telemetry_is_accepted(stack: Stack) -> str:
    """A posted reading is confirmed, and the server's clock agrees with that of this machine."""
    answer = stack.post(stack.ingest_token)
    _expect(200, answer, "POST with a token")
    if answer.body.get("result") != "accepted":
        raise CheckFailed(f"the reading was {answer.body.get('result')}, not accepted")
    offset_ms = answer.body.get("clock_offset_ms")
    if not isinstance(offset_ms, int) or abs(offset_ms) > MAX_OFFSET_MS:
        raise CheckFailed(f"clock_offset_ms is {offset_ms}: this machine's clock or the server's is wrong")
    return f"version {answer.body['version']}, clocks differ by {offset_ms} ms"


def value_is_readable(stack: Stack) -> str:
    """The reading that was just posted is stored."""
    answer = stack.get(f"{TELEMETRY}/{urllib.parse.quote(stack.room_id)}/{PLATFORM}", stack.dashboard_token)
    _expect(200, answer, "GET of the value")
    if answer.body.get("tokens_count") != stack.tokens_count:
        raise CheckFailed("another value is stored than the one that was posted")
    return f"{stack.room_id} on {PLATFORM}"


def value_arrives_on_a_socket(stack: Stack) -> str:
    """A value posted now arrives on a socket that was open before."""
    with Dashboard(stack.url, stack.dashboard_token) as dashboard:
        events = dashboard.events()
        while next(events)["event_type"] != "SYNC":
            pass
        _expect(200, stack.post(stack.ingest_token), "POST with a token")
        answered = time.perf_counter()
        for event in events:
            if event["event_type"] == "TELEMETRY_UPDATE" and event["data"]["tokens"] == stack.tokens_count:
                break
    return f"{max(0.0, time.perf_counter() - answered) * 1000:.0f} ms after the answer to the POST"


CHECKS: tuple[Callable[[Stack], str], ...] = (
    services_are_healthy,
    socket_refuses_and_accepts,
    telemetry_is_accepted,
    value_is_readable,
    value_arrives_on_a_socket,
)


def _token_keys(audience: str) -> str:
    """What signs for an audience: keys of its own, else those that serve both."""
    names = (f"{audience.upper()}_TOKEN_KEYS", "TOKEN_KEYS")
    if keys := next(filter(None, map(os.environ.get, names)), ""):
        return keys
    if (environment := ROOT / ".env").exists():
        found = dict(line.split("=", 1) for line in environment.read_text("utf-8").splitlines() if "=" in line and not line.startswith("#"))
        return next(filter(None, (found.get(name, "").strip().strip("'\"") for name in names)), "")
    return local.read_text("utf-8").strip() if (local := ROOT / ".local" / "token-keys").exists() else ""


def _sign(keys: str, audience: str, room_id: str) -> str:
    """A token for five minutes and one room; HS256 or EdDSA by hand, since this file needs no package."""
    kid, _, secret = keys.split(",", maxsplit=1)[0].strip().partition(":")
    algorithm = "EdDSA" if secret.startswith("ed25519:") else "HS256"
    now = int(time.time())
    times = {"iat": now, "exp": now + 300}
    claims = {"iss": "studio-pulse", "aud": audience, "sub": "smoke", "jti": secrets.token_hex(8), "rooms": [room_id], **times}
    signed = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT", "kid": kid}, claims))
    if algorithm == "EdDSA":
        seed = base64.urlsafe_b64decode(secret.removeprefix("ed25519:") + "=")
        return b".".join((signed, _base64(runpy.run_path(str(ROOT / "deploy" / "ed25519.py"))["sign"](seed, signed)))).decode()
    return b".".join((signed, _base64(hmac.digest(secret.encode(), signed, hashlib.sha256)))).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _stack(url: str) -> Stack:
    room_id = os.environ.get("SMOKE_ROOM", "smoke-check")
    given = {audience: os.environ.get(f"SMOKE_{audience.upper()}_TOKEN", "") for audience in ("ingest", "dashboard")}
    keys = {audience: _token_keys(audience) for audience in given}
    if not all(given[audience] or keys[audience] for audience in given):
        raise CheckFailed("set TOKEN_KEYS, or SMOKE_INGEST_TOKEN and SMOKE_DASHBOARD_TOKEN")
    tokens = {audience: token or _sign(keys[audience], audience, room_id) for audience, token in given.items()}
    return Stack(url, os.environ.get("INGEST_URL") or url, room_id, tokens["ingest"], tokens["dashboard"])


def main() -> int:
    """Runs the checks in order; returns 0 if all of them passed."""
    parser = argparse.ArgumentParser(description="Five checks of a running stack.")
    parser.add_argument("url", help="where the dashboards connect, such as https://pulse.example.com")
    try:
        stack = _stack(parser.parse_args().url)
    except CheckFailed as problem:
        print(f"smoke: {problem}", file=sys.stderr)
        return 2
    failed = sum(not _run(number, check, stack) for number, check in enumerate(CHECKS, 1))
    print(f"{stack.url} works." if not failed else f"{stack.url} does NOT work: {failed} of {len(CHECKS)} checks failed.")
    return 1 if failed else 0


def _run(number: int, check: Callable[[Stack], str], stack: Stack) -> bool:
    name = check.__name__.replace("_", " ")
    start = time.perf_counter()
    try:
        detail, passed = check(stack), True
    except CheckFailed as problem:
        detail, passed = str(problem), False
    milliseconds = (time.perf_counter() - start) * 1000
    print(f"{number}. {'ok  ' if passed else 'FAIL'} {name:<27} {milliseconds:7.1f} ms   {detail}")
    return passed


if __name__ == "__main__":
    raise SystemExit(main())
