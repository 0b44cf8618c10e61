"""What a batch of refused items costs, and how far its token gets with it."""

import contextlib
import itertools
import json
import statistics
from collections.abc import Callable, Iterator

import pytest

from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import connect, head, read_answer
from tests.support.readings import make_body
from tools.bench.processes import cpu_seconds
from tools.processes import Service
from tools.stack import Stack
from tools.waiting import wait_until

ROUNDS = 12
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def unlimited(stack: Stack) -> Iterator[Service]:
    """A service without rates, so that nothing but the work is measured."""
    service = stack.ingest(RATE_LIMIT_ROOM_PER_SECOND="0", RATE_LIMIT_TOKEN_PER_SECOND="0", RATE_LIMIT_NEW_FEEDS_PER_SECOND="0")
    yield service
    service.stop()


def good(rooms: int = 1000) -> list[dict[str, object]]:
    """Readings that are taken."""
    return [make_body(room_id=f"cost-{number}", tokens_count=next(NUMBERS)) for number in range(rooms)]


def relative_cost(service: Service, stack: Stack, refused: str, *, rooms: tuple[str, ...] = ("*",)) -> float:
    """The service's CPU time for a batch, as a multiple of that for an accepted one: the median of some tries.

    Both are posted in turn, so that each try is of a moment: a machine may be half as fast a second later.
    """
    accepted, tries = json.dumps(good()), []
    tokens = [stack.token("ingest"), stack.token("ingest", rooms=rooms)]
    for _ in range(ROUNDS):
        costs = []
        for token, items in zip(tokens, (accepted, refused), strict=True):
            before = cpu_seconds(service.pid)
            assert post(service, BATCH, (*JSON, authorization(token)), items.encode()).status == 200
            costs.append(cpu_seconds(service.pid) - before)
        tries.append(costs[1] / costs[0])
    return statistics.median(tries)


REFUSED = {
    "numbers": lambda: json.dumps([1] * 1000),
    "empty objects": lambda: json.dumps([{}] * 1000),
    "an unknown field": lambda: json.dumps([{"": 1}] * 1000),
    "a bad count": lambda: json.dumps([item | {"tokens_count": -1} for item in good()]),
    "a fraction": lambda: json.dumps([item | {"tokens_count": 1.5} for item in good()]),
    "long ago": lambda: json.dumps([item | {"timestamp": 5} for item in good()]),
    "no number": lambda: json.dumps([item | {"tokens_count": None} for item in good()]),
    "half of them good": lambda: json.dumps([item if number % 2 else 1 for number, item in enumerate(good())]),
    "numbers after good ones": lambda: json.dumps([*good(500), *[1] * 500]),
}


@pytest.mark.parametrize("items", REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_batch_costs_no_more_than_an_accepted_one(unlimited: Service, stack: Stack, items: Callable[[], str]) -> None:
    """For bad items of every kind."""
    assert relative_cost(unlimited, stack, items()) <= 1


def test_a_batch_of_other_rooms_costs_no_more_than_an_accepted_one(unlimited: Service, stack: Stack) -> None:
    """Nor does a token that may post for none of them."""
    assert relative_cost(unlimited, stack, json.dumps(good()), rooms=("mine",)) <= 1


def test_judging_stops_after_fifty_refused_items(ingest: Service, stack: Stack) -> None:
    """The rest is to be sent again, which a producer does by itself: 429 in the item, and what came before it is stored."""
    token = authorization(stack.token("ingest"))
    items = [*good(2), *[1] * 60, *good(2)]
    results = post(ingest, BATCH, (*JSON, token), json.dumps(items).encode()).json()["results"]
    assert [item["result"] for item in results] == ["accepted"] * 2 + ["rejected"] * 62
    assert [item["problem"]["status"] for item in results[2:]] == [422] * 50 + [429] * 12
    assert all(item["problem"]["retry_after_seconds"] == 1 for item in results[52:])
    left = [items[item["index"]] for item in results if item.get("problem", {}).get("status") == 429]
    again = post(ingest, BATCH, (*JSON, token), json.dumps(left).encode()).json()["results"]
    assert [item["result"] for item in again] == ["rejected"] * 10 + ["accepted"] * 2


@pytest.mark.parametrize("path", [ONE, BATCH])
@pytest.mark.parametrize("body", [b"{", b"1", b'{"room_id":1}', b"[1,2", b"[]"])
def test_refused_requests_use_up_a_tokens_budget(stack: Stack, path: str, body: bytes) -> None:
    """One request after another, then 429 before the body is looked at; another token goes on, and the first one after a while."""
    service = stack.ingest(RATE_LIMIT_TOKEN_PER_SECOND="10")
    try:
        token, other = (authorization(stack.token("ingest")) for _ in range(2))
        statuses = [post(service, path, (*JSON, token), body).status for _ in range(18)]
        assert set(statuses) <= {200, 400, 422}
        refused = wait_until(lambda: (answer := post(service, path, (*JSON, token), body)).status == 429 and answer, "a refusal")
        assert refused.is_problem
        assert refused.headers["RateLimit"].startswith('"token";r=0;t=')
        assert post(service, path, (*JSON, other), body_of(path, room_id="budget")).status == 200

        def status() -> int:
            return post(service, path, (*JSON, token), body_of(path, room_id="budget", tokens_count=next(NUMBERS))).status

        wait_until(lambda: status() != 429, "the end of the refusals", seconds=5)
    finally:
        service.stop()


def test_long_bodies_that_are_no_batch_use_up_a_tokens_budget(stack: Stack) -> None:
    """They cost the time that parsing them takes."""
    service = stack.ingest(RATE_LIMIT_TOKEN_PER_SECOND="100")
    try:
        headers = (*JSON, authorization(stack.token("ingest")))
        body = b"[" + b"1," * 450_000 + b"1]"
        assert post(service, BATCH, headers, body).status == 422
        assert post(service, BATCH, headers, body).status == 429
    finally:
        service.stop()


def test_bodies_that_are_on_their_way_together_share_a_budget(stack: Stack) -> None:
    """A request that was let in with budget left is asked again when its body is there."""
    service = stack.ingest(RATE_LIMIT_TOKEN_PER_SECOND="100")
    try:
        token = authorization(stack.token("ingest"))
        body = json.dumps([1] * 1000).encode()
        request_head = head("POST", BATCH, (*JSON, token, ("Content-Length", str(len(body)))))
        with contextlib.ExitStack() as stays:
            waiting = [stays.enter_context(connect(service.port)) for _ in range(5)]
            for connection in waiting:
                connection.sendall(request_head + body[:-1])
            for connection in waiting:
                connection.sendall(body[-1:])
            statuses = sorted(read_answer(connection).status for connection in waiting)
        assert statuses == [200, 429, 429, 429, 429]
    finally:
        service.stop()
