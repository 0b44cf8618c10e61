"""Bad requests to the broadcast service's HTTP reads: a clear problem, and nothing of the inside."""

import pytest
import redis

from tests.support.forgery import corpus
from tests.support.posting import authorization
from tests.support.raw_http import Answer, Headers, exchange, request
from tests.support.speed import Stopwatch
from tools.processes import Service
from tools.stack import Stack

ALL = "/api/tracking/telemetry"
ROOM = ALL + "/reads/camsoda"
HISTORY = ROOM + "/history"
EXPLAIN = ROOM + "/explain"
READS = pytest.mark.parametrize("path", [ALL, ROOM, HISTORY, EXPLAIN], ids=["all", "room", "history", "explain"])


@pytest.fixture(scope="module")
def good(stack: Stack) -> Headers:
    """A good credential."""
    return (authorization(stack.token("dashboard", rooms=("reads*",))),)


def get(broadcast: Service, path: str, headers: Headers) -> Answer:
    """Reads on a connection of its own."""
    return exchange(broadcast.port, request("GET", path, headers))


def refused(answer: Answer, status: int) -> bool:
    """Whether this is a refusal with a problem body of that status."""
    return answer.status == status and answer.is_problem


@READS
def test_without_a_good_token_a_read_is_401(broadcast: Service, stack: Stack, path: str) -> None:
    """No token, and every forged one, get the same answer."""
    forged = corpus(stack.token_keys, "dashboard", {})
    answers = {get(broadcast, path, ()).body} | {get(broadcast, path, (authorization(token),)).body for token in forged.values()}
    assert len(answers) == 1
    assert refused(get(broadcast, path, ()), 401)


@READS
def test_a_token_in_the_url_or_twice_is_400(broadcast: Service, good: Headers, path: str) -> None:
    """The same rules as for the socket."""
    token = good[0][1].removeprefix("Bearer ")
    assert refused(get(broadcast, f"{path}?access_token={token}", ()), 400)
    assert refused(get(broadcast, path, good * 2), 400)


@READS
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_read_path_takes_get_only(broadcast: Service, good: Headers, path: str, method: str) -> None:
    """Anything else is 405 with the methods that would do."""
    answer = exchange(broadcast.port, request(method, path, good))
    assert refused(answer, 405)
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("room", ["other", "*", "reads*", "%7Breads%7D", "reads%3Aa", "%D0%B0", "reads" + "a" * 60, "%ff"])
def test_a_room_outside_the_scope_is_403(broadcast: Service, good: Headers, room: str) -> None:
    """A name that can be no room's is outside every scope, and no key is built from it."""
    assert refused(get(broadcast, f"{ALL}/{room}/camsoda", good), 403)
    assert refused(get(broadcast, f"{ALL}/{room}/camsoda/history", good), 403)
    assert refused(get(broadcast, f"{ALL}/{room}/camsoda/explain", good), 403)


def test_a_platform_that_is_none_is_403(broadcast: Service, good: Headers) -> None:
    """The same for platforms."""
    assert refused(get(broadcast, f"{ALL}/reads/CAM%2A", good), 403)


@pytest.mark.parametrize(
    "path", [f"{ALL}/reads%0A/camsoda", f"{ALL}/reads%00/camsoda", f"{ALL}/reads/camsoda%0A", "/%00", f"{ALL}/%C2%85/camsoda"]
)
def test_a_control_character_in_a_path_is_400(broadcast: Service, good: Headers, path: str) -> None:
    """Before anything is routed or any token is looked at."""
    assert refused(get(broadcast, path, good), 400)
    assert refused(get(broadcast, path, ()), 400)


@pytest.mark.parametrize(("query", "status"), [("to=" + "9" * 5000, 414), ("&".join(["a=1"] * 17), 400), ("a&" * 7000, 414)])
@pytest.mark.parametrize("path", [ALL, "/api/tracking/analytics", "/api/tracking/audience", "/ws/dashboard", "/", "/livez", "/nowhere"])
def test_a_long_query_is_refused_before_any_token_is_looked_at(broadcast: Service, path: str, query: str, status: int) -> None:
    """Everywhere, so that it costs nothing to parse."""
    assert refused(get(broadcast, f"{path}?{query}", ()), status)


def test_an_unknown_room_is_404(broadcast: Service, good: Headers) -> None:
    """A room in scope of which nothing is stored."""
    assert refused(get(broadcast, f"{ALL}/reads-never/camsoda", good), 404)


SPANS = {
    "from text": "from=yesterday",
    "from negative": "from=-1",
    "from fraction": "from=1.5",
    "from empty": "from=",
    "other digits": "from=%D9%A1",
    "from after to": "from=200&to=100",
    "equal": "from=100&to=100",
    "too wide": "from=0&to=99999999999",
    "beyond the calendar": "to=999999999999",
    "2,000 digits": "to=" + "9" * 2000,
    "step zero": "step=0",
    "step odd": "step=61",
    "step below": "step=1",
    "too many points": f"from=0&to={365 * 86400}&step=60",
}


@pytest.mark.parametrize("query", SPANS.values(), ids=SPANS.keys())
def test_a_senseless_span_is_422(broadcast: Service, good: Headers, query: str) -> None:
    """The parameter at fault is named."""
    answer = get(broadcast, f"{HISTORY}?{query}", good)
    assert refused(answer, 422)
    assert answer.json()["errors"][0]["field"] in query


@pytest.mark.parametrize("query", ["", "to=99999999999", "to=0", "from=0&to=1", "step=86400"])
def test_an_odd_span_is_empty(broadcast: Service, good: Headers, query: str) -> None:
    """The far future and the distant past are spans like any other."""
    assert get(broadcast, f"{HISTORY}?{query}", good).json()["points"] == []


def test_a_damaged_value_is_500_without_internals(stack: Stack, broadcast: Service, good: Headers) -> None:
    """A stored value that is no reading is called damaged, and none of it is shown."""
    with redis.Redis.from_url(stack.redis_url) as server:
        server.set("telemetry:{0}:reads-bug:camsoda", "canary-of-the-inside", ex=60)
    answer = get(broadcast, f"{ALL}/reads-bug/camsoda", good)
    assert refused(answer, 500)
    assert b"damaged" in answer.body
    assert all(word not in answer.body for word in (b"canary", b"Decode", b"Traceback", b".py"))


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/" + "a" * 5000, "/api", "/\\"])
def test_a_path_that_is_not_there_is_404(broadcast: Service, path: str) -> None:
    """Also where it tries to leave the page's directory."""
    assert refused(get(broadcast, path, ()), 404)


def test_a_flood_of_headers_is_refused_or_borne(broadcast: Service) -> None:
    """The parser's own limits end a request that never ends, and the service goes on."""
    headers = tuple((f"X-{number}", "a" * 100) for number in range(500))
    assert get(broadcast, "/livez", headers).status in (200, 400, 431)
    watch = Stopwatch(broadcast.pid)
    assert get(broadcast, "/livez", ()).status == 200
    assert watch.seconds < 2
