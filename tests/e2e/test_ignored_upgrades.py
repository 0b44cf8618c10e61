"""An Upgrade that a service does not take is ignored (RFC 9110 section 7.8), and list fields are read as lists (section 5.3)."""

import itertools
import json
import pathlib
import re
import subprocess
from collections.abc import Iterable

import pytest

from tests.support import needs
from tests.support.clients import PATH
from tests.support.posting import JSON, ONE, authorization, body_of
from tests.support.raw_http import Answer, Headers, connect, exchange, head, read_answer, request
from tests.support.raw_websocket import UPGRADE, carried
from tools.processes import Service
from tools.stack import Stack

ROOMS = itertools.count()
H2C: Headers = (("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"))
ASKED: dict[str, Headers] = {
    "h2c": H2C,
    "websocket": UPGRADE,
    "tls": (("Connection", "Upgrade"), ("Upgrade", "TLS/1.2")),
    "several": (("Connection", "keep-alive, upgrade"), ("Upgrade", "h2c, websocket, other/1")),
    "split over fields": (("Connection", "keep-alive"), ("Connection", "Upgrade"), ("Upgrade", "h2c"), ("Upgrade", "TLS/1.2")),
    "empty": (("Connection", "Upgrade"), ("Upgrade", "")),
    "without Connection": (("Upgrade", "h2c"),),
    "with Expect": (*H2C, ("Expect", "100-continue")),
}


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def segments(whole: bytes, cuts: str, head_bytes: int) -> Iterable[bytes]:
    """A request in one piece, with the body apart, or byte by byte."""
    if cuts == "whole":
        return [whole]
    if cuts == "body apart":
        return [whole[:head_bytes], whole[head_bytes:]]
    if cuts == "cut within the body":
        return [whole[: head_bytes + 9], whole[head_bytes + 9 :]]
    return [whole[n : n + 1] for n in range(len(whole))]


def twice(port: int, parts: Iterable[bytes], second: bytes) -> list[Answer]:
    """A request in segments, and another one on the same connection."""
    with connect(port) as connection:
        connection.setsockopt(6, 1, 1)  # TCP_NODELAY: each segment leaves by itself
        for part in parts:
            connection.sendall(part)
        answers = [read_answer(connection)]
        if answers[0].status == 100:
            answers = [read_answer(connection)]
        connection.sendall(second)
        return [*answers, read_answer(connection)]


def read_many(port: int, sent: bytes, count: int) -> bytes:
    """Sends bytes at once and reads so many whole JSON answers."""
    raw = b""
    with connect(port) as connection:
        connection.sendall(sent)
        while raw.count(b"HTTP/1.1 ") < count or not raw.endswith(b"}"):
            raw += connection.recv(65536) or pytest.fail(f"the connection was closed after {raw!r}")
    return raw


@pytest.mark.parametrize("cuts", ["whole", "body apart", "cut within the body", "each byte"])
@pytest.mark.parametrize("length", ["content-length", "chunked"])
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
def test_a_post_that_asks_for_an_upgrade_is_stored(ingest: Service, stack: Stack, asked: Headers, length: str, cuts: str) -> None:
    """However its body arrives, and the connection goes on with the next request."""
    room = f"upgrade-{next(ROOMS)}"
    headers = (*JSON, authorization(stack.token("ingest")), *asked)
    body = body_of(ONE, room_id=room, tokens_count=1)
    sizes = ("Content-Length", str(len(body))) if length == "content-length" else ("Transfer-Encoding", "chunked")
    first = head("POST", ONE, (*headers, sizes))
    sent = body if length == "content-length" else chunked(body, 40)
    plain = body_of(ONE, room_id=room, tokens_count=2)
    second = head("POST", ONE, (*JSON, authorization(stack.token("ingest")), ("Content-Length", str(len(plain))))) + plain
    answers = twice(ingest.port, segments(first + sent, cuts, len(first)), second)
    assert [(answer.status, answer.json()["result"]) for answer in answers] == [(200, "accepted")] * 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/livez", ONE, PATH, "/nowhere"])
def test_any_request_is_answered_as_if_it_had_not_asked(ingest: Service, broadcast: Service, method: str, path: str) -> None:
    """Method, path and body decide, on both services, and never the Upgrade."""
    for service in (ingest, broadcast):
        for body in (b"", b"some body"):
            sizes = (("Content-Length", str(len(body))),)

            def asked(more: Headers, body: bytes = body, sizes: Headers = sizes, service: Service = service) -> tuple[int, str]:
                with connect(service.port) as connection:
                    connection.sendall(head(method, path, (*sizes, *more)) + body)
                    raw = b""
                    while b"\r\n\r\n" not in raw:
                        raw += connection.recv(65536)
                return int(raw.split()[1]), raw.partition(b"\r\n\r\n")[0].lower().count(b"connection: close") * "closed"

            assert asked(H2C) == asked(())


def test_pipelined_requests_are_answered_in_order(ingest: Service, stack: Stack) -> None:
    """The second of three in one segment asks for an upgrade."""
    token = authorization(stack.token("ingest"))
    bodies = [body_of(ONE, room_id="pipelined", tokens_count=count) for count in (1, 2, 3)]
    asking: list[Headers] = [(), H2C, ()]
    whole = b"".join(request("POST", ONE, (*JSON, token, *more), body) for more, body in zip(asking, bodies, strict=True))
    raw = read_many(ingest.port, whole, 3)
    versions = [int(found) for found in re.findall(rb'"version":(\d+)', raw)]
    assert (len(versions), versions) == (3, sorted(versions))


def test_an_upgrade_in_http_1_0_is_ignored(ingest: Service, broadcast: Service, stack: Stack) -> None:
    """As the standard demands; a socket needs HTTP/1.1."""
    body = body_of(ONE, room_id="old-http", tokens_count=1)
    post = request("POST", ONE, (*JSON, authorization(stack.token("ingest")), *H2C), body).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    assert exchange(ingest.port, post).status == 200
    socket = head("GET", PATH, (*UPGRADE, authorization(stack.token("dashboard")))).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    assert exchange(broadcast.port, socket).status == 426


SPELLINGS: dict[str, Headers] = {
    "several Connection fields": (("Connection", "Upgrade"), ("Connection", "keep-alive"), ("Upgrade", "websocket")),
    "in the other order": (("Connection", "keep-alive"), ("Connection", "Upgrade"), ("Upgrade", "websocket")),
    "a list of protocols": (("Connection", "Upgrade"), ("Upgrade", "h2c, websocket")),
    "several Upgrade fields": (("Connection", "Upgrade"), ("Upgrade", "h2c"), ("Upgrade", "websocket")),
    "upper case": (("Connection", "UPGRADE"), ("Upgrade", "WebSocket")),
    "blanks": (("Connection", " keep-alive ,  Upgrade "), ("Upgrade", " h2c ,websocket ")),
    "no body": (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Content-Length", "0")),
}


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_handshake_is_taken_however_its_lists_are_spelt(broadcast: Service, stack: Stack, spelt: Headers) -> None:
    """Fields of one name are one list, and `websocket` stands somewhere in it."""
    token = stack.token("dashboard")
    assert exchange(broadcast.port, head("GET", PATH, (*spelt, *UPGRADE[2:], carried("pulse.v1", f"bearer.{token}")))).status == 101


NO_SOCKET: dict[str, Headers] = {
    "a body": (*UPGRADE, ("Content-Length", "4")),
    "a body in chunks": (*UPGRADE, ("Transfer-Encoding", "chunked")),
    "another protocol": (("Connection", "Upgrade"), ("Upgrade", "websocket2"), *UPGRADE[2:]),
    "no Connection": (("Upgrade", "websocket"), *UPGRADE[2:]),
}


@pytest.mark.parametrize("headers", NO_SOCKET.values(), ids=NO_SOCKET.keys())
def test_what_is_no_handshake_is_a_plain_get(broadcast: Service, stack: Stack, headers: Headers) -> None:
    """The answer is 426, and the connection stays usable."""
    first = head("GET", PATH, (*headers, authorization(stack.token("dashboard"))))
    body = b"body" if ("Content-Length", "4") in headers else b"0\r\n\r\n" if ("Transfer-Encoding", "chunked") in headers else b""
    answers = twice(broadcast.port, [first + body], request("GET", "/livez", ()))
    assert [answer.status for answer in answers] == [426, 200]


def test_a_handshake_behind_an_unanswered_request_waits_for_its_turn(broadcast: Service, stack: Stack) -> None:
    """Two requests in one segment: the first is answered first, and the second is not let past it."""
    token = authorization(stack.token("dashboard"))
    raw = read_many(broadcast.port, request("GET", ONE, (token,)) + head("GET", PATH, (*UPGRADE, token)), 2)
    assert re.findall(rb"HTTP/1.1 (\d+)", raw) == [b"200", b"426"]


JAVA = """
import java.net.URI;
import java.net.http.*;
class Post {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int turn = 0; turn < 3; turn++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0])).header("Content-Type", "application/json")
                .header("Authorization", "Bearer " + arguments[1]).POST(HttpRequest.BodyPublishers.ofString(arguments[2])).build();
            System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
        }
    }
}
"""


def test_javas_client_posts_with_its_default_settings(ingest: Service, stack: Stack, tmp_path: pathlib.Path) -> None:
    """It asks for HTTP/2 in clear text with its first request."""
    java = needs.java()
    source = tmp_path / "Post.java"
    source.write_text(JAVA)
    body = body_of(ONE, room_id="java").decode()
    command = [java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(source), ingest.url + ONE, stack.token("ingest"), body]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["200"] * 3, done.stderr


def test_curl_posts_while_it_asks_for_http_2(ingest: Service, stack: Stack) -> None:
    """Its option `--http2` asks as Java's client does."""
    body = body_of(ONE, room_id="curl").decode()
    headers = ["-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {stack.token('ingest')}"]
    command = [needs.curl(), "--http2", "--silent", "--max-time", "10", *headers, "--data", body, ingest.url + ONE]
    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["status"] == "success"
