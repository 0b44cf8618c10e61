"""Bad input to the ingest service, row by row: a clear answer, nothing stored, nothing in the log but what happened."""

import contextlib
import json
import select
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.support.forgery import corpus
from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import Headers, connect, exchange, hang_up, head, read_answer, request
from tests.support.readings import make_body
from tests.support.token_commands import run_tokens
from tools.processes import Service
from tools.stack import Stack
from tools.waiting import wait_until

PATHS = pytest.mark.parametrize("path", [ONE, BATCH], ids=["one", "batch"])


@pytest.fixture(scope="module")
def bearer(stack: Stack) -> tuple[str, str]:
    """The header of a good credential."""
    return authorization(stack.token("ingest", rooms=("input*", "mine")))


@pytest.fixture
def versions(stack: Stack) -> Any:
    """A look at the newest reading: while it stays, nothing was stored."""
    with redis.Redis.from_url(stack.redis_url) as server:
        yield lambda: server.zrange("telemetry:{0}:index", -1, -1, withscores=True)


# --- credentials ---

WITHOUT: dict[str, Headers] = {
    "none": (),
    "empty": (("Authorization", ""),),
    "basic": (("Authorization", "Basic dTpw"),),
    "scheme alone": (("Authorization", "Bearer"),),
    "spaces": (("Authorization", "Bearer    "),),
    "not ascii": (("Authorization", "Bearer tökén"),),
    "control characters": (("Authorization", "Bearer a\tb"),),
    "oversize": (("Authorization", "Bearer " + "a" * 6000),),
}


@PATHS
@pytest.mark.parametrize("headers", WITHOUT.values(), ids=WITHOUT.keys())
def test_no_credential_is_401(ingest: Service, path: str, headers: Headers) -> None:
    """A request without a usable credential gets 401 and learns how to bring one."""
    answer = post(ingest, path, JSON + headers, body_of(path))
    assert (answer.status, answer.is_problem) == (401, True)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@PATHS
def test_every_forged_token_gets_the_same_401(ingest: Service, stack: Stack, path: str) -> None:
    """Status and body are the same for every bad token, so that a forger learns nothing."""
    plain = post(ingest, path, JSON, body_of(path)).body
    forged = corpus(stack.token_keys, "ingest", {})
    answers = {name: post(ingest, path, (*JSON, authorization(token)), body_of(path)) for name, token in forged.items()}
    assert {name: (a.status, a.body) for name, a in answers.items()} == dict.fromkeys(forged, (401, plain))


@PATHS
def test_two_credentials_are_400(ingest: Service, bearer: tuple[str, str], path: str) -> None:
    """Two Authorization headers are refused rather than one of them chosen."""
    answer = post(ingest, path, (*JSON, bearer, bearer), body_of(path))
    assert (answer.status, answer.is_problem) == (400, True)


def test_a_revoked_token_is_401_within_seconds(ingest: Service, stack: Stack) -> None:
    """A token that was good a moment ago is refused once its id is on the list."""
    token = stack.token("ingest")
    headers = (*JSON, authorization(token))
    assert post(ingest, ONE, headers, body_of(ONE)).status == 200
    run_tokens("revoke", token, environment=stack.environment(), check=True)
    wait_until(lambda: post(ingest, ONE, headers, body_of(ONE)).status == 401, "the refusal", seconds=5)


def test_a_room_outside_the_scope_is_403(ingest: Service, bearer: tuple[str, str]) -> None:
    """A good token for other rooms is not good for this one."""
    answer = post(ingest, ONE, (*JSON, bearer), body_of(ONE, room_id="mine2"))
    assert (answer.status, answer.is_problem) == (403, True)


def test_a_room_outside_the_scope_leaves_its_batch_alone(ingest: Service, bearer: tuple[str, str]) -> None:
    """In a batch only the item outside the scope is rejected."""
    body = json.dumps([make_body(room_id="mine2"), make_body(room_id="mine")]).encode()
    bad, good = post(ingest, BATCH, (*JSON, bearer), body).json()["results"]
    assert (bad["result"], bad["problem"]["status"], good["result"]) == ("rejected", 403, "accepted")


# --- method, path, media type ---


@PATHS
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_another_method_is_405(ingest: Service, bearer: tuple[str, str], path: str, method: str) -> None:
    """Only POST is taken, and the answer says so."""
    answer = exchange(ingest.port, request(method, path, (bearer,)))
    assert answer.status == (405 if method != "BREW" else 400)  # the parser itself does not know BREW
    assert method == "BREW" or answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/api", ONE + "x", BATCH + "/x", "/api//tracking/telemetry", "/" + "a" * 5000])
def test_a_wrong_path_is_404(ingest: Service, bearer: tuple[str, str], path: str) -> None:
    """A path that is not there is a 404 problem."""
    answer = post(ingest, path, (*JSON, bearer), body_of(ONE))
    assert (answer.status, answer.is_problem) == (404, True)


MEDIA: dict[str, Headers] = {
    "none": (),
    "text": (("Content-Type", "text/plain"),),
    "form": (("Content-Type", "application/x-www-form-urlencoded"),),
    "json-like": (("Content-Type", "application/jsonp"),),
    "latin-1": (("Content-Type", "application/json; charset=latin-1"),),
    "utf-16": (("Content-Type", "application/json; charset=utf-16"),),
    "gzip": (*JSON, ("Content-Encoding", "gzip")),
    "empty encoding": (*JSON, ("Content-Encoding", "br, identity")),
}


@PATHS
@pytest.mark.parametrize("media", MEDIA.values(), ids=MEDIA.keys())
def test_another_media_type_is_415(ingest: Service, bearer: tuple[str, str], path: str, media: Headers) -> None:
    """Only JSON in UTF-8, not compressed, is read at all."""
    answer = post(ingest, path, (*media, bearer), body_of(path))
    assert (answer.status, answer.is_problem) == (415, True)


@pytest.mark.parametrize("media", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'])
def test_every_spelling_of_json_is_taken(ingest: Service, bearer: tuple[str, str], media: str) -> None:
    """Case, spaces and quotes of a media type do not matter."""
    assert post(ingest, ONE, (("Content-Type", media), bearer), body_of(ONE, room_id="input-media")).status == 200


# --- the producer's clock ---

MINUTE_MS = 60_000
SENT: dict[str, Callable[[int], list[str]]] = {
    "no number": lambda _now: ["soon"],
    "empty": lambda _now: [""],
    "negative": lambda now: [f"-{now}"],
    "a fraction": lambda now: [f"{now}.5"],
    "an exponent": lambda _now: ["1.7e12"],
    "seconds": lambda now: [str(now // 1000)],
    "twice": lambda now: [str(now)] * 2,
    "a list": lambda now: [f"{now}, {now}"],
    "more than a day behind": lambda now: [str(now - 1441 * MINUTE_MS)],
    "more than a day ahead": lambda now: [str(now + 1441 * MINUTE_MS)],
    "endless": lambda _now: ["1" * 4000],
}


@PATHS
@pytest.mark.parametrize("sent", SENT.values(), ids=SENT.keys())
def test_a_bad_moment_of_sending_is_400(ingest: Service, bearer: tuple[str, str], path: str, sent: Any, versions: Any) -> None:
    """The header is named, and nothing is stored."""
    before = versions()
    fields = tuple(("Pulse-Sent-At", value) for value in sent(time.time_ns() // 1_000_000))
    answer = post(ingest, path, (*JSON, bearer, *fields), body_of(path))
    assert (answer.status, answer.is_problem, versions()) == (400, True, before)
    assert [error["field"] for error in answer.json()["errors"]] == ["Pulse-Sent-At"]


@PATHS
@pytest.mark.parametrize("behind_seconds", [0, 1, 90, -90, -400, 3605])
def test_a_producers_clock_is_corrected(ingest: Service, stack: Stack, bearer: tuple[str, str], path: str, behind_seconds: int) -> None:
    """Beyond two seconds a reading is stored at its moment by the server's clock, and the answer says by how much the clock differs."""
    room, now_ms = f"input-clock{behind_seconds}-{len(path)}", time.time_ns() // 1_000_000
    clock_ms = now_ms - 1000 * behind_seconds
    body = body_of(path, room_id=room, timestamp=clock_ms // 1000, sequence=clock_ms)
    answer = post(ingest, path, (*JSON, bearer, ("Pulse-Sent-At", str(clock_ms))), body).json()
    assert abs(answer["clock_offset_ms"] - 1000 * behind_seconds) < 900
    with redis.Redis.from_url(stack.redis_url) as server:
        stored = json.loads(server.get(f"telemetry:{{0}}:{room}:camsoda"))
    error_seconds = stored["timestamp"] - now_ms // 1000
    assert error_seconds == (-behind_seconds if abs(behind_seconds) <= 2 else 0) or abs(error_seconds) == 1 < abs(behind_seconds)
    assert stored["sequence"] // 1000 == stored["timestamp"]


@PATHS
def test_without_a_moment_of_sending_nothing_is_corrected(ingest: Service, bearer: tuple[str, str], path: str) -> None:
    """An old producer's reading is stored as it came, and the answer has no offset."""
    assert "clock_offset_ms" not in post(ingest, path, (*JSON, bearer), body_of(path)).json()


# --- size and time ---


@PATHS
def test_a_long_body_is_413(ingest: Service, bearer: tuple[str, str], path: str) -> None:
    """A body above the limit is refused by its size alone."""
    answer = post(ingest, path, (*JSON, bearer), b" " * (1024 * 1024) + body_of(path))
    assert (answer.status, answer.is_problem) == (413, True)


@PATHS
def test_a_long_chunked_body_is_413(ingest: Service, bearer: tuple[str, str], path: str) -> None:
    """A body that does not announce its length is counted as it comes."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = exchange(ingest.port, head("POST", path, (*JSON, bearer, ("Transfer-Encoding", "chunked"))), *[chunk] * 20)
    assert (answer.status, answer.is_problem) == (413, True)


@PATHS
@pytest.mark.parametrize("start", [b"", b'{"room_id":'], ids=["nothing", "half"])
def test_a_stalled_body_is_408(ingest: Service, bearer: tuple[str, str], path: str, start: bytes) -> None:
    """A body that stops coming is given up after the deadline, and the connection with it."""
    answer = exchange(ingest.port, head("POST", path, (*JSON, bearer, ("Content-Length", "100"))) + start)
    assert (answer.status, answer.is_problem, answer.headers["Connection"]) == (408, True, "close")


@PATHS
def test_a_trickling_body_is_408(ingest: Service, bearer: tuple[str, str], path: str) -> None:
    """The deadline is for the whole body: a byte now and then does not extend it."""
    with connect(ingest.port) as connection:
        connection.sendall(head("POST", path, (*JSON, bearer, ("Content-Length", "1000"))))
        connection.settimeout(0.1)
        for _ in range(60):
            connection.sendall(b" ")
            try:
                connection.recv(1, 2)  # MSG_PEEK
                break
            except TimeoutError:
                continue
        assert read_answer(connection).status == 408


def test_bodies_that_never_end_hold_a_bounded_part_of_the_memory(stack: Stack, bearer: tuple[str, str]) -> None:
    """One token gets 429 for bodies beyond 16 MB at a time, and other tokens are served meanwhile."""
    ingest = stack.ingest(BODY_TIMEOUT_SECONDS="60")
    started = head("POST", BATCH, (*JSON, bearer, ("Content-Length", "1000001"))) + b" " * 1_000_000
    try:
        with contextlib.ExitStack() as arriving:
            connections = [arriving.enter_context(connect(ingest.port)) for _ in range(18)]
            for connection in connections:
                with contextlib.suppress(OSError):  # it may be refused before it has sent all
                    connection.sendall(started)
            answered, _, _ = select.select(connections, [], [], 30)
            assert read_answer(answered[0]).status == 429
            other = authorization(stack.token("ingest", subject="other", rooms=("input*",)))
            assert post(ingest, ONE, (*JSON, other), json.dumps(make_body(room_id="input-amid-uploads")).encode()).status == 200
    finally:
        ingest.stop()


@PATHS
def test_a_client_that_leaves_mid_body_stores_nothing(ingest: Service, bearer: tuple[str, str], path: str, versions: Any) -> None:
    """Half a body is no reading, and a client's crash causes no traceback."""
    before = versions()
    for _ in range(5):
        connection = connect(ingest.port)
        whole = body_of(path)
        connection.sendall(head("POST", path, (*JSON, bearer, ("Content-Length", str(len(whole))))) + whole[:-1])
        hang_up(connection)
    assert exchange(ingest.port, request("GET", "/livez", ())).status == 200
    assert versions() == before


def test_the_log_holds_no_traceback_and_no_secret(ingest: Service, bearer: tuple[str, str]) -> None:
    """After all of this, and a token in every wrong place, the log has neither a crash nor a token."""
    token = bearer[1].removeprefix("Bearer ")
    places = (f"{ONE}?token={token}", f"/{token}")
    answers = [post(ingest, path, (*JSON, bearer, ("X-Token", token)), token.encode()) for path in places]
    log = ingest.log.read_text()
    assert all(token.encode() not in answer.body for answer in answers)
    assert [word for word in (token, token.rpartition(".")[2], "Traceback", "exception") if word in log] == []
