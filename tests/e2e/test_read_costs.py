"""What a hostile reader may cost the others, on real services."""

import json
import socket
import time
import urllib.parse
from collections.abc import Iterator

import pytest

from tests.support.clients import Dashboard
from tests.support.posting import BATCH, JSON, authorization, post
from tests.support.raw_http import Answer, connect, exchange, read_answer, request
from tests.support.raw_websocket import upgrade
from tests.support.readings import make_body
from tests.support.speed import Stopwatch
from tools.processes import Service
from tools.stack import Stack

ANALYTICS = "/api/tracking/analytics"
DAY = 86400


def asking(**parameters: object) -> str:
    """The path of a report."""
    return f"{ANALYTICS}?{urllib.parse.urlencode(parameters)}"


def get(broadcast: Service, stack: Stack, path: str, **who: object) -> Answer:
    """A read of its own."""
    return exchange(broadcast.port, request("GET", path, (authorization(stack.token("dashboard", **who)),)))  # type: ignore[arg-type]


def stopwatch(stack: Stack, broadcast: Service) -> Stopwatch:
    """Measures what an answer takes without other processes of the machine."""
    assert stack.redis is not None
    return Stopwatch(broadcast.pid, stack.redis.pid)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Service]]:
    """A stack with four hundred rooms that have a reading on each of seven days."""
    now = int(time.time())
    with Stack(tmp_path_factory.mktemp("filled")) as stack:
        ingest = stack.ingest()
        for day in range(7):
            for first in range(0, 400, 200):
                items = [make_body(room_id=f"cost-{n}", timestamp=now - day * DAY, sequence=0) for n in range(first, first + 200)]
                assert post(ingest, BATCH, (*JSON, authorization(stack.token("ingest"))), json.dumps(items).encode()).status == 200
        yield stack, stack.broadcast()


def test_reports_of_a_year_that_were_hung_up_on_hold_absent(filled: tuple[Stack, Service]) -> None:
    """Thirty GETs for everything in a year, each other than the others and none waited for: another desk's report is there in a second."""
    stack, broadcast = filled
    now = int(time.time())
    headers = (authorization(stack.token("dashboard", subject="hostile")),)
    for number in range(30):
        with connect(broadcast.port) as rude:
            rude.sendall(request("GET", asking(**{"from": now - 365 * DAY - 60 * number, "to": now, "step": DAY}), headers))
    watch = stopwatch(stack, broadcast)
    assert get(broadcast, stack, asking(**{"from": now - DAY, "to": now}), subject="desk", rooms=("cost-7",)).status == 200
    assert watch.seconds < 1


def test_reports_that_are_waited_for_block_no_other_subject(filled: tuple[Stack, Service]) -> None:
    """A subject with more than eight concurrent reads gets 429; another subject is answered meanwhile."""
    stack, broadcast = filled
    now = int(time.time())
    headers = (authorization(stack.token("dashboard", subject="greedy")),)
    waiting: list[socket.socket] = []
    for number in range(12):
        waiting.append(connect(broadcast.port))
        waiting[-1].sendall(request("GET", asking(**{"from": now - 365 * DAY - 60 * number, "to": now, "step": DAY}), headers))
    watch = stopwatch(stack, broadcast)
    assert get(broadcast, stack, asking(**{"from": now - DAY, "to": now}), subject="desk", rooms=("cost-8",)).status == 200
    assert watch.seconds < 1
    for one in waiting:
        one.close()


def test_a_subject_that_reads_too_much_is_429_with_the_time_to_wait(stack: Stack) -> None:
    """Every kind of read counts, refused ones too, and other subjects go on."""
    broadcast = stack.broadcast(READ_SHARE="0.0004")
    room = "/api/tracking/telemetry/absent/camsoda"
    paths = [room, room + "/history", room + "/explain", "/api/tracking/telemetry", "/api/tracking/audience", ANALYTICS]
    answers = [get(broadcast, stack, path, subject="greedy", rooms=("absent",)) for path in paths * 25]
    assert {answer.status for answer in answers[:40]} == {200, 404}
    for answer in (get(broadcast, stack, path, subject="greedy", rooms=("absent",)) for path in paths):
        assert (answer.status, answer.is_problem, int(answer.headers["Retry-After"]) > 0) == (429, True, True)
    assert get(broadcast, stack, ANALYTICS, subject="modest").status == 200
    assert '"event": "rate.limited"' in broadcast.log.read_text()


def test_a_page_that_is_reloaded_again_and_again_is_answered(filled: tuple[Stack, Service]) -> None:
    """What the page asks when it is opened, forty times in a row: not one 429."""
    stack, broadcast = filled
    now = int(time.time())
    for _ in range(40):
        for path in (
            asking(**{"from": now // DAY * DAY, "to": now // 60 * 60, "step": 60}),
            asking(**{"from": now // 60 * 60 - 3600, "to": now // 60 * 60, "step": 60, "by": "feed"}),
            asking(**{"from": now - DAY, "to": now, "step": 3600}),
            asking(**{"from": now - 7 * DAY, "to": now, "step": 3600}),
            f"/api/tracking/audience?from={now - 7 * DAY - 3600}&to={now - 7 * DAY}",
        ):
            assert get(broadcast, stack, path, subject="wall").status == 200


def test_a_subject_that_reads_too_much_waits_on_its_sockets_as_well(stack: Stack) -> None:
    """A new socket is 429 with the time to wait, a message on an open one is not answered yet, and other subjects go on."""
    broadcast, ping = stack.broadcast(READ_SHARE="0.00025"), '{"type":"ping"}'
    with (
        Dashboard(broadcast.url, stack.token("dashboard", subject="greedy")) as socket_of_greedy,
        Dashboard(broadcast.url, stack.token("dashboard", subject="modest")) as socket_of_modest,
    ):
        while get(broadcast, stack, ANALYTICS, subject="greedy").status != 429:
            pass
        refused = upgrade(broadcast, (authorization(stack.token("dashboard", subject="greedy")),))
        assert (refused.status, refused.is_problem, int(refused.headers["Retry-After"]) > 0) == (429, True, True)
        socket_of_greedy.connection.send(ping)
        socket_of_greedy.next_of("PONG")  # it had arrived before the subject was found to owe
        socket_of_greedy.connection.send(ping)
        with pytest.raises(TimeoutError):
            socket_of_greedy.next_of("PONG", 0.5)
        socket_of_modest.connection.send(ping)
        socket_of_modest.next_of("PONG")


def test_many_reads_at_the_same_time_of_one_subject_leave_the_store_to_others(filled: tuple[Stack, Service]) -> None:
    """Four hundred charts at once are answered one after the other, none with 503, and another subject's chart does not wait for them."""
    stack, broadcast = filled
    path = "/api/tracking/telemetry/cost-1/camsoda/history"
    headers = (authorization(stack.token("dashboard", subject="greedy-charts")),)
    waiting = [connect(broadcast.port) for _ in range(400)]
    for one in waiting:
        one.sendall(request("GET", path, headers))
    watch = stopwatch(stack, broadcast)
    assert get(broadcast, stack, path, subject="desk-chart").status == 200
    assert watch.seconds < 1
    assert {read_answer(one).status for one in waiting} == {200}
    for one in waiting:
        one.close()
