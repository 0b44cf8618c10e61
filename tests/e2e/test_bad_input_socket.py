"""Bad upgrade requests, row by row: every refusal is an HTTP status with a problem that repeats nothing."""

import contextlib
import json
import re
import signal
from typing import Any

import pytest

from tests.conftest import ORIGIN
from tests.support.clients import PATH, Dashboard
from tests.support.forgery import corpus
from tests.support.posting import authorization
from tests.support.raw_http import Answer, Headers, connect, exchange, hang_up, head, read_answer, request
from tests.support.raw_websocket import UPGRADE, carried, upgrade
from tools.processes import Service
from tools.stack import Stack

HEADER_TOKEN = re.compile(r"\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


@pytest.fixture(scope="module")
def token(stack: Stack) -> str:
    """A good token for a few rooms on one platform."""
    return stack.token("dashboard", rooms=("socket", "vip-*"), platforms=("camsoda",))


@pytest.fixture(scope="module")
def good(token: str) -> Headers:
    """What a browser sends."""
    return (carried("pulse.v1", f"bearer.{token}"),)


def refused(answer: Answer, status: int) -> bool:
    """Whether this is a refusal with a problem body of that status."""
    return answer.status == status and answer.is_problem


# --- not an upgrade ---


def test_a_plain_get_is_426(broadcast: Service, good: Headers) -> None:
    """A browser's address bar learns that this path speaks WebSocket."""
    answer = exchange(broadcast.port, request("GET", PATH, good))
    assert refused(answer, 426)
    assert answer.headers["Upgrade"] == "websocket"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_another_method_is_405(broadcast: Service, method: str) -> None:
    """Only GET is known here, with an upgrade or without."""
    plain = exchange(broadcast.port, request(method, PATH, ()))
    upgrading = exchange(broadcast.port, head(method, PATH, UPGRADE))
    assert (refused(plain, 405), refused(upgrading, 405)) == (True, True)
    assert "GET" in plain.headers["Allow"]
    assert "GET" in upgrading.headers["Allow"]


MALFORMED: dict[str, tuple[Headers, int]] = {
    "no key": ((UPGRADE[0], UPGRADE[1], UPGRADE[3]), 400),
    "key not base64": ((*UPGRADE[:2], ("Sec-WebSocket-Key", "<canary>"), UPGRADE[3]), 400),
    "key too short": ((*UPGRADE[:2], ("Sec-WebSocket-Key", "Y2FuYXJ5"), UPGRADE[3]), 400),
    "two keys": ((*UPGRADE, UPGRADE[2]), 400),
    "no version": (UPGRADE[:3], 400),
    "another version": ((*UPGRADE[:3], ("Sec-WebSocket-Version", "canary")), 400),
    "protocols malformed": ((*UPGRADE, ("Sec-WebSocket-Protocol", "canary,,;{")), 400),
    "header too long": ((*UPGRADE, ("X-Long", "canary" * 1600)), 431),
    "protocols too long": ((*UPGRADE, carried("pulse.v1", "bearer." + "a" * 9000)), 431),
    "too many headers": ((*UPGRADE, *[(f"X-Canary-{number}", "1") for number in range(200)]), 431),
}


@pytest.mark.parametrize(("headers", "status"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_upgrade_is_refused(broadcast: Service, headers: Headers, status: int) -> None:
    """What the library refuses is a problem too, and repeats nothing of the request."""
    answer = exchange(broadcast.port, head("GET", PATH, headers))
    assert refused(answer, status)
    assert b"anary" not in answer.body


def test_a_long_url_is_414(broadcast: Service, good: Headers) -> None:
    """A request line beyond 8 KiB is answered, not left hanging."""
    assert refused(upgrade(broadcast, good, PATH + "?rooms=" + "a" * 9000), 414)


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/dashboard/", "/ws/other", "/api/tracking/telemetry", "/health"])
def test_an_upgrade_elsewhere_is_refused(broadcast: Service, good: Headers, path: str) -> None:
    """There is one socket path."""
    assert refused(upgrade(broadcast, good, path), 403)


# --- origins ---

ORIGINS = {
    "evil": "https://evil.example",
    "null": "null",
    "empty": "",
    "suffix": ORIGIN + ".evil.example",
    "prefix": "https://evil-studio.example",
    "subdomain": "https://a.studio.example",
    "default port of the other scheme": "http://studio.example:443",
    "a listed one behind a user": "https://u@studio.example",
    "a query": ORIGIN + "?x",
    "a dot": "https://studio.example.",
    "no scheme": "studio.example",
    "other scheme": "http://studio.example",
    "other port": ORIGIN + ":8443",
    "path": ORIGIN + "/",
    "list": f"{ORIGIN} {ORIGIN}",
    "user": "https://studio.example@evil.example",
    "own host, other port": "http://127.0.0.1:1",
    "extension": "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
}


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS.keys())
def test_another_origin_is_403(broadcast: Service, good: Headers, origin: str) -> None:
    """A page of another origin may not connect, even with a good token."""
    assert refused(upgrade(broadcast, (*good, ("Origin", origin))), 403)


def test_two_origins_are_403(broadcast: Service, good: Headers) -> None:
    """Two Origin headers are refused, even if both are allowed."""
    assert refused(upgrade(broadcast, (*good, ("Origin", ORIGIN), ("Origin", ORIGIN))), 403)


def own(*, host: str, origin: str) -> bytes:
    """A handshake that was sent to a host by a page of an origin."""
    return head("GET", PATH, (*UPGRADE, ("Origin", origin))).replace(b"Host: 127.0.0.1", b"Host: " + host.encode())


SAME = [
    ("pulse.example.com:443", "https://pulse.example.com"),
    ("PULSE.example.com", "https://pulse.example.com"),
    ("[::1]:80", "http://[::1]"),
    ("x:80", "http://x"),
    ("x", "http://x:80"),
    ("x:8443", "https://x:8443"),
    ("[::1]:8002", "http://[0:0::1]:8002"),
    ("127.0.0.1:3000", "http://127.0.0.1:3000"),
]


@pytest.mark.parametrize(("host", "origin"), SAME)
def test_a_page_of_the_same_host_is_not_refused_for_its_spelling(broadcast: Service, host: str, origin: str) -> None:
    """In upper case, with a default port or without: the refusal is that of the missing token."""
    assert refused(exchange(broadcast.port, own(host=host, origin=origin)), 401)


OTHER = [
    ("pulse.example.com:443", "http://pulse.example.com"),
    ("pulse.example.com:80", "https://pulse.example.com"),
    ("pulse.example.com:443", "http://pulse.example.com:443x"),
    ("pulse.example.com", "https://pulse.example.com:8443"),
    ("pulse.example.com:8443", "https://pulse.example.com"),
    ("pulse.example.com", "https://evil.example"),
    ("x", "null"),
    ("x", "ftp://x"),
    ("", "http://"),
    ("[::1]", "http://[::2]"),
    ("[::1", "http://[::1"),
    ("x:99999", "http://x:99999"),
]


@pytest.mark.parametrize(("host", "origin"), OTHER)
def test_a_page_of_another_host_or_port_is_refused(broadcast: Service, host: str, origin: str) -> None:
    """A default port follows the origin's scheme, and an unreadable origin matches none."""
    assert refused(exchange(broadcast.port, own(host=host, origin=origin)), 403)


def test_a_refused_origin_is_named(stack: Stack) -> None:
    """The problem names the setting, and the log origin and host as well, of both a bounded number of safe characters."""
    broadcast = stack.broadcast()
    answer = exchange(
        broadcast.port, own(host="inner:8002", origin="https://wall.example.com/\x85\xe9[31m?token=eyJhbGciOi.x.y" + "a" * 900)
    )
    assert (answer.json()["code"], answer.json()["setting"]) == ("origin_refused", "ALLOWED_ORIGINS")
    assert "ALLOWED_ORIGINS" in answer.json()["detail"]
    assert b"wall" not in answer.body
    lines = [json.loads(line) for line in broadcast.log.read_text().splitlines() if "wall.example.com" in line]
    assert [(line["event"], line["host"], line["setting"]) for line in lines] == [("scope.refused", "inner:8002", "ALLOWED_ORIGINS")]
    assert len(lines[0]["origin"]) <= 128
    assert re.fullmatch(r"https://wall\.example\.com/[A-Za-z0-9.:/\[\]_-]*", lines[0]["origin"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_learns_what_its_socket_is_refused_for(broadcast: Service, stack: Stack, good: Headers, method: str) -> None:
    """By a plain request, which names the page's origin and shows its token."""

    def status(*headers: tuple[str, str], query: str = "") -> int:
        with connect(broadcast.port) as connection:
            connection.sendall(head(method, PATH + query, headers))
            return int(connection.recv(65536).split()[1])

    token = authorization(stack.token("dashboard", rooms=("mine",)))
    assert status(("Pulse-Origin", "https://wall.example.com"), token) == 403
    assert status(("Pulse-Origin", ORIGIN), token) == 426
    assert status(("Pulse-Origin", "HTTP://127.0.0.1:80"), token) == 426
    assert status(("Origin", ORIGIN), ("Pulse-Origin", "https://wall.example.com"), token) == 426
    assert status(("Origin", "https://wall.example.com"), ("Pulse-Origin", ORIGIN), token) == 403
    assert status(authorization("nonsense")) == 401
    assert status(token, query="?rooms=theirs") == 403
    assert exchange(broadcast.port, request("GET", PATH, ())).json()["code"] == "upgrade_required"


@pytest.mark.parametrize(
    "origin", [ORIGIN, ORIGIN.upper(), ORIGIN + ":443", "http://127.0.0.1"], ids=["listed", "case", "port", "own host"]
)
def test_an_allowed_origin_connects(broadcast: Service, good: Headers, origin: str) -> None:
    """The listed origins and the service's own may connect."""
    assert upgrade(broadcast, (*good, ("Origin", origin))).status == 101


# --- credentials ---


def test_no_token_is_401(broadcast: Service) -> None:
    """Without a token the handshake is refused, for every offer of subprotocols."""
    answers = [upgrade(broadcast, headers) for headers in ((), (carried("pulse.v1"),), (carried("pulse.v1", "bearer."),))]
    assert [refused(answer, 401) for answer in answers] == [True] * 3
    assert all(answer.headers["WWW-Authenticate"] for answer in answers)


def test_every_forged_token_gets_the_same_401(broadcast: Service, stack: Stack) -> None:
    """However the token is carried and whichever fault it has: one status and one body."""
    plain = upgrade(broadcast, ()).body
    forged = corpus(stack.token_keys, "dashboard", {})
    answers = {name: upgrade(broadcast, (authorization(forgery),)) for name, forgery in forged.items()}
    offered = {name: forgery for name, forgery in forged.items() if HEADER_TOKEN.match(forgery)}
    answers |= {f"{name}, offered": upgrade(broadcast, (carried("pulse.v1", f"bearer.{forgery}"),)) for name, forgery in offered.items()}
    assert {name: (a.status, a.body) for name, a in answers.items()} == dict.fromkeys(answers, (401, plain))


@pytest.mark.parametrize("name", ["token", "TOKEN", "access_token", "jwt", "authorization"])
def test_a_token_in_the_url_is_400(broadcast: Service, good: Headers, token: str, name: str) -> None:
    """URLs end up in logs, so a token there is refused, even beside a good one."""
    answers = [upgrade(broadcast, headers, f"{PATH}?{name}={token}") for headers in (good, ())]
    assert [refused(answer, 400) for answer in answers] == [True, True]


def test_two_tokens_are_400(broadcast: Service, good: Headers, token: str) -> None:
    """One credential, in one place."""
    header = authorization(token)
    twice = ((*good, header), (header, header), (carried("pulse.v1", f"bearer.{token}", f"bearer.{token}"),))
    assert [refused(upgrade(broadcast, headers), 400) for headers in twice] == [True] * 3


@pytest.mark.parametrize("protocols", [("pulse.v2",), ("PULSE.V1",), ("graphql-ws", "mqtt")])
def test_unknown_subprotocols_alone_are_400(broadcast: Service, token: str, protocols: tuple[str, ...]) -> None:
    """A client without a supported subprotocol is refused before it waits for events."""
    answers = [
        upgrade(broadcast, (authorization(token), carried(*protocols))),
        upgrade(broadcast, (carried(*protocols, f"bearer.{token}"),)),
    ]
    assert [refused(answer, 400) for answer in answers] == [True, True]


OUTSIDE = ["rooms=other", "rooms=socket,other", "rooms=vip", "rooms=*", "rooms=vi*", "rooms=a%0Ab", "rooms=%7Bx%7D", "platforms=stripchat"]


@pytest.mark.parametrize("query", OUTSIDE)
def test_a_room_outside_the_scope_is_403(broadcast: Service, good: Headers, query: str) -> None:
    """Narrowing may not widen."""
    assert refused(upgrade(broadcast, good, f"{PATH}?{query}"), 403)


# --- caps ---


def test_a_subject_beyond_its_cap_is_429(stack: Stack) -> None:
    """The next socket of a subject is refused; when one leaves there is room again."""
    service = stack.broadcast(MAX_CONNECTIONS_PER_SUBJECT="2")
    ada, bob = stack.token("dashboard", subject="ada"), stack.token("dashboard", subject="bob")
    with Dashboard(service.url, ada) as first, Dashboard(service.url, ada) as second, Dashboard(service.url, bob) as other:
        assert [d.next_event()["event_type"] for d in (first, second, other)] == ["HELLO"] * 3
        answer = upgrade(service, (authorization(ada),))
    assert refused(answer, 429)
    assert int(answer.headers["Retry-After"]) > 0
    with Dashboard(service.url, ada) as again:
        assert again.next_event()["event_type"] == "HELLO"


def test_a_full_process_is_503(stack: Stack, token: str) -> None:
    """Beyond the process' limit each client gets 503; clients that vanish during the handshake free their place."""
    service = stack.broadcast(MAX_CONNECTIONS="1")
    for _ in range(20):
        connection = connect(service.port)
        connection.sendall(head("GET", PATH, (*UPGRADE, authorization(token))))
        hang_up(connection)
    with open_when_there_is_room(service, token):
        answer = upgrade(service, (authorization(token),))
    assert refused(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0


@contextlib.contextmanager
def open_when_there_is_room(service: Service, token: str) -> Any:
    """An open socket, as soon as the ones that hung up have been noticed."""
    while True:
        with connect(service.port) as connection:
            connection.sendall(head("GET", PATH, (*UPGRADE, authorization(token))))
            if read_answer(connection).status == 101:
                yield connection
                return


def test_a_draining_server_is_503(stack: Stack, token: str) -> None:
    """Who knocked before the shutdown and asks during it is sent elsewhere."""
    service = stack.broadcast()
    with connect(service.port) as early, connect(service.port) as stuck:
        stuck.sendall(head("GET", PATH, (*UPGRADE, carried("pulse.v1", f"bearer.{token}"))))
        assert read_answer(stuck).status == 101
        early.sendall(b"GET " + PATH.encode())
        service.signal(signal.SIGTERM)
        received = b""
        while b"RECONNECT" not in received:  # this client does not answer the close frame, so the server is still waiting
            received += stuck.recv(4096) or pytest.fail("no goodbye")
        early.sendall(head("GET", PATH, (*UPGRADE, authorization(token))).removeprefix(b"GET " + PATH.encode()))
        answer = read_answer(early)
    assert refused(answer, 503)
    assert service.wait(10) in (0, -signal.SIGTERM)


def test_no_log_holds_a_token(stack: Stack, broadcast: Service, token: str) -> None:
    """After a token in every wrong place, neither a log nor an answer has it, and nothing crashed."""
    places: list[tuple[Headers, str]] = [
        ((), f"{PATH}?token={token}"),
        ((), f"{PATH}/{token}"),
        ((("Origin", f"https://{token}"), authorization(token)), PATH),
        ((carried("pulse.v1", token),), PATH),
        ((("Sec-WebSocket-Key", token),), PATH),
    ]
    answers = [upgrade(broadcast, headers, path) for headers, path in places]
    logs = {path.name: path.read_text(errors="replace") for path in stack.directory.rglob("*.log")}
    assert all(400 <= answer.status < 500 and token.encode() not in answer.body for answer in answers)
    assert {name for name, log in logs.items() if token in log or token.rpartition(".")[2] in log} == set()
    assert "Traceback" not in logs[broadcast.log.name]
