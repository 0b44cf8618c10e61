"""A store that is away, full or slow: 503 in time, a retry that is safe, and nothing half-done."""

import os
import pathlib
import signal
from collections.abc import Callable, Iterator

import pytest
import redis

from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import Answer
from tests.support.speed import Stopwatch
from tools.processes import Service, free_port
from tools.redis_server import RedisServer
from tools.stack import Stack
from tools.waiting import wait_until

PATHS = pytest.mark.parametrize("path", [ONE, BATCH], ids=["one", "batch"])


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that these tests may break."""
    with Stack(tmp_path_factory.mktemp("own")) as stack:
        yield stack


@pytest.fixture(scope="module")
def service(own: Stack) -> Service:
    """The ingest service on it."""
    return own.ingest()


@pytest.fixture
def send(own: Stack, service: Service) -> Callable[[str, bytes], Answer]:
    """Posts with a good token."""
    headers = (*JSON, authorization(own.token("ingest")))
    return lambda path, body: post(service, path, headers, body)


def until_stored(send: Callable[[str, bytes], Answer], body: bytes) -> str:
    """Repeats a post, as a producer does, until it is stored; returns the result."""

    def result() -> str | None:
        answer = send(ONE, body)
        if answer.status != 503:
            return str(answer.json()["result"])
        assert answer.headers["Retry-After"] == "1"
        return None

    return wait_until(result, "the end of the refusals", poll_seconds=0)


@PATHS
def test_a_full_store_is_503(own: Stack, send: Callable[[str, bytes], Answer], path: str) -> None:
    """Out of memory the script is refused before it has done anything; with memory again the same reading is new."""
    body = body_of(ONE, room_id="full-" + path[-5:])
    with redis.Redis.from_url(own.redis_url) as server:
        server.config_set("maxmemory", 1)
        answer = send(path, body if path == ONE else b"[" + body + b"]")
        server.config_set("maxmemory", 0)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert until_stored(send, body) == "accepted"


@PATHS
def test_a_frozen_store_is_503_within_its_second(own: Stack, send: Callable[[str, bytes], Answer], path: str) -> None:
    """A server that stops mid-sentence costs one second; afterwards the reading is there once, however often it was sent."""
    assert own.redis is not None
    body = body_of(ONE, room_id="frozen-" + path[-5:])
    os.kill(own.redis.pid, signal.SIGSTOP)
    try:
        watch = Stopwatch(*(service.pid for service in own.services))
        answer = send(path, body if path == ONE else b"[" + body + b"]")
        assert (answer.status, watch.seconds < 1.5) == (503, True)
    finally:
        os.kill(own.redis.pid, signal.SIGCONT)
    assert until_stored(send, body) in ("accepted", "duplicate")
    assert until_stored(send, body) == "duplicate"


@PATHS
def test_an_absent_store_is_503(own: Stack, send: Callable[[str, bytes], Answer], path: str) -> None:
    """Without a server every item is 503 and so is the answer; the server's return is enough to heal."""
    assert own.redis is not None
    body = body_of(ONE, room_id="absent-" + path[-5:])
    own.redis.kill()
    answer = send(path, body if path == ONE else b"[" + body + b"]")
    own.redis.start()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert path == ONE or answer.json()["results"][0]["problem"]["status"] == 503
    assert until_stored(send, body) == "accepted"


def test_a_damaged_value_is_500_for_its_room_alone(own: Stack, send: Callable[[str, bytes], Answer]) -> None:
    """A list in the place of a reading breaks one feed, not the batch."""
    with redis.Redis.from_url(own.redis_url) as server:
        server.rpush("telemetry:{0}:damaged:camsoda", "x")
    good, bad = body_of(ONE, room_id="sound"), body_of(ONE, room_id="damaged")
    results = send(BATCH, b"[" + bad + b"," + good + b"]").json()["results"]
    answer = send(ONE, bad)
    assert [item["result"] for item in results] == ["rejected", "accepted"]
    assert (answer.status, answer.is_problem, results[0]["problem"]["status"]) == (500, True, 500)


def test_outages_leave_no_traceback(own: Stack, service: Service, send: Callable[[str, bytes], Answer]) -> None:
    """An absent store is an expected state: the log names it and shows no stack."""
    assert own.redis is not None
    body = body_of(ONE, room_id="logged")
    own.redis.kill()
    assert send(ONE, body).status == 503
    own.redis.start()
    assert until_stored(send, body) == "accepted"
    log = service.log.read_text()
    assert "commit.failed" in log
    assert "Traceback" not in log


def test_a_service_may_start_before_its_store(tmp_path: pathlib.Path) -> None:
    """Without a store it answers 503, and works once the store is there."""
    server = RedisServer(tmp_path)
    with Stack(tmp_path / "services", redis_url=server.url) as stack:
        port = free_port()
        service = Service("ingest_service", stack.environment(INGEST_PORT=str(port)), host="127.0.0.1", port=port, log=tmp_path / "log")
        stack.services.append(service)
        service.start(until="/livez")
        headers = (*JSON, authorization(stack.token("ingest")))
        assert post(service, ONE, headers, body_of(ONE)).status == 503
        server.start()
        try:
            assert until_stored(lambda path, body: post(service, path, headers, body), body_of(ONE)) == "accepted"
        finally:
            server.stop()
