"""Bodies that are no readings: 400 where they are not JSON, 422 naming the field where they are; alone and in a batch."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import Headers
from tests.support.readings import make_body
from tools.processes import Service
from tools.stack import Stack
from tools.waiting import wait_until

LEVELS = 100_000
DIGITS = b"9" * 5000
DAY = 86400
Body = Callable[[], bytes]


def raw(field: str, value: bytes) -> Body:
    """A good reading but for one field, whose value is these very bytes."""
    return lambda: body_of(ONE, **{field: "VALUE"}).replace(b'"VALUE"', value)


def field(**changed: object) -> Body:
    """A good reading with other values."""
    return lambda: body_of(ONE, **changed)


NOT_JSON: dict[str, Body] = {
    "empty": lambda: b"",
    "spaces": lambda: b"  \n ",
    "truncated": lambda: body_of(ONE)[:-1],
    "trailing bytes": lambda: body_of(ONE) + b"x",
    "two readings": lambda: body_of(ONE) * 2,
    "trailing comma": lambda: body_of(ONE)[:-1] + b",}",
    "single quotes": lambda: body_of(ONE).replace(b'"', b"'"),
    "comment": lambda: body_of(ONE) + b"//",
    "byte order mark": lambda: b"\xef\xbb\xbf" + body_of(ONE),
    "utf-16": lambda: body_of(ONE).decode().encode("utf-16"),
    "bad utf-8": raw("room_id", b'"\xff\xfe"'),
    "overlong utf-8": raw("room_id", b'"\xc0\xaf"'),
    "surrogate in utf-8": raw("room_id", b'"\xed\xa0\x80"'),
    "lone surrogate": raw("room_id", b'"\\ud800"'),
    "raw control character": raw("room_id", b'"a\nb"'),
    "unknown escape": raw("room_id", b'"\\x41"'),
    "deep arrays": lambda: b"[" * LEVELS + b"]" * LEVELS,
    "deep objects": lambda: b'{"a":' * LEVELS + b"1" + b"}" * LEVELS,
    "deep value": raw("room_id", b"[" * LEVELS + b"]" * LEVELS),
    "NaN": raw("tokens_count", b"NaN"),
    "Infinity": raw("tokens_count", b"-Infinity"),
    "leading zero": raw("tokens_count", b"01"),
    "plus sign": raw("tokens_count", b"+1"),
    "hexadecimal": raw("tokens_count", b"0x10"),
    "NUL bytes": lambda: b"\0" * 64,
}

NO_READING: dict[str, tuple[Body, str | None]] = {
    "null": (lambda: b"null", None),
    "number": (lambda: b"7", None),
    "text": (lambda: b'"reading"', None),
    "true": (lambda: b"true", None),
    "empty object": (lambda: b"{}", "room_id"),
    "array of values": (lambda: b'["input","camsoda",1,1]', None),
    "unknown field": (field(tokens=1), None),
    "unknown field that looks like an error": (raw("missing required field `evil`", b"1"), None),
    "unknown field in markup": (raw("<img src=x>", b"1"), None),
    **{
        f"{name} missing": ((lambda name=name: json.dumps({k: v for k, v in make_body().items() if k != name}).encode()), name)  # type: ignore[misc]
        for name in ("room_id", "platform", "timestamp", "tokens_count")
    },
    **{
        f"{name} {label}": (raw(name, value), name)
        for name in ("tokens_count", "tips_count", "viewers_count", "goal_tokens", "sequence", "timestamp")
        for label, value in {
            "text": b'"1"',
            "fraction": b"1.5",
            "true": b"true",
            "array": b"[1]",
            "object": b"{}",
            "negative": b"-1",
            "too big": b"4294967295" if name.endswith(("count", "tokens")) else b"9007199254740992",
            "64 bits": b"18446744073709551616",
            "5,000 digits": DIGITS,
            "1e400": b"1e400",
            "1e-1": b"1e-1",
        }.items()
    },
    **{f"interval {value!r}": (field(interval_seconds=value), "interval_seconds") for value in (0, 3601, 1.5, -1, "5", None, True)},
    **{f"account {value!r}"[:30]: (field(account=value), "account") for value in ("a b", "a:b", "a" * 65, "", 7, None, "a\n", "\u00e9")},
    **{f"{name} null": (raw(name, b"null"), name) for name in ("room_id", "platform", "tokens_count", "sequence", "timestamp")},
    **{
        f"room {label}": (field(room_id=value), "room_id")
        for label, value in {
            "empty": "",
            "long": "a" * 65,
            "line break": "room\n",
            "a dot": ".",  # a browser asks another path for these
            "two dots": "..",
            "dots alone": "." * 64,
            "NUL": "a\0b",
            "star": "*",
            "pattern": "vip-*",
            "braces": "{x}",
            "colon": "a:b",
            "CRLF": "a\r\nb",
            "slash": "a/b",
            "leading space": " a",
            "trailing space": "a ",
            "only space": " ",
            "Cyrillic": "\u0430lice",
            "fullwidth": "\uff41lice",
            "zero width": "a\u200bb",
            "right to left": "a\u202eb",
            "emoji": "\U0001f525",
            "markup": "<img onerror=1>",
            "number": 7,
            "list": ["a"],
        }.items()
    },
    **{
        f"platform {label}": (field(platform=value), "platform")
        for label, value in {"empty": "", "long": "a" * 33, "upper case": "Camsoda", "space": "a b", "dash": "-a", "break": "a\n"}.items()
    },
    "timestamp ahead": (lambda: body_of(ONE, timestamp=int(time.time()) + 400), "timestamp"),
    "timestamp in milliseconds": (lambda: body_of(ONE, timestamp=int(time.time()) * 1000), "timestamp"),
    "timestamp zero": (field(timestamp=0), "timestamp"),
    "timestamp before history": (lambda: body_of(ONE, timestamp=int(time.time()) - 367 * DAY), "timestamp"),
}


@pytest.fixture(scope="module")
def headers(stack: Stack) -> Headers:
    """All that a good request needs."""
    return (*JSON, authorization(stack.token("ingest")))


@pytest.fixture(scope="module")
def server(stack: Stack) -> Iterator[redis.Redis]:
    """The store, to see that nothing came of it."""
    with redis.Redis.from_url(stack.redis_url) as server:
        yield server


def last_version(server: redis.Redis) -> object:
    """What moves with every reading that is stored, and with nothing else: a broadcast service's probe takes a version, too."""
    return server.zrange("telemetry:{0}:index", -1, -1, withscores=True)


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_a_body_that_is_not_json_is_400(ingest: Service, headers: Headers, server: redis.Redis, body: Body) -> None:
    """Syntax comes before meaning, and nothing is stored."""
    before = last_version(server)
    answer = post(ingest, ONE, headers, body())
    assert (answer.status, answer.is_problem, last_version(server)) == (400, True, before)


@pytest.mark.parametrize(("body", "name"), NO_READING.values(), ids=NO_READING.keys())
def test_a_body_that_is_no_reading_is_422(ingest: Service, headers: Headers, server: redis.Redis, body: Body, name: str | None) -> None:
    """The field at fault is named, nothing is stored and nothing of the body comes back."""
    before = last_version(server)
    answer = post(ingest, ONE, headers, body())
    assert (answer.status, answer.is_problem, last_version(server)) == (422, True, before)
    assert [error["field"] for error in answer.json().get("errors", [])] == ([name] if name else [])
    assert all(word not in answer.body for word in (b"evil", b"img", b"VALUE", b"999"))


WHOLE = {name: body for name, body in NOT_JSON.items() if name not in ("empty", "spaces", "two readings", "deep arrays")}


@pytest.mark.parametrize("body", WHOLE.values(), ids=WHOLE.keys())
def test_bad_syntax_in_one_item_harms_no_other(ingest: Service, headers: Headers, body: Body) -> None:
    """The whole batch is 400, or only the item is rejected with 400 where its end can still be found."""
    answer = post(ingest, BATCH, headers, b"[" + body() + b"," + body_of(ONE, room_id="neighbour-400") + b"]")
    if answer.status == 400:
        assert answer.is_problem
    else:
        bad, good = answer.json()["results"]
        assert (bad["problem"]["status"], good["result"]) == (400, "accepted")


@pytest.mark.parametrize(("body", "name"), NO_READING.values(), ids=NO_READING.keys())
def test_an_item_that_is_no_reading_is_rejected_alone(ingest: Service, headers: Headers, body: Body, name: str | None) -> None:
    """The other items of the batch are stored."""
    good = body_of(ONE, room_id=f"neighbour-{time.monotonic_ns()}")
    results = post(ingest, BATCH, headers, b"[" + body() + b"," + good + b"]").json()["results"]
    assert [(item["index"], item["result"]) for item in results] == [(0, "rejected"), (1, "accepted")]
    assert results[0]["problem"]["status"] == 422
    assert [error["field"] for error in results[0]["problem"].get("errors", [])] == ([name] if name else [])


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b"1", b'"[]"', b"[" + b"1," * 1000 + b"1]"], ids=lambda body: body[:5].decode())
def test_a_batch_that_is_none_is_422(ingest: Service, headers: Headers, body: bytes) -> None:
    """A batch is an array of 1 to 1,000 items."""
    answer = post(ingest, BATCH, headers, body)
    assert (answer.status, answer.is_problem) == (422, True)


@pytest.mark.parametrize("body", [b"", b"[", b"[]x", b"[1,]", b"[1 2]", b"\xef\xbb\xbf[1]", b"[NaN]", b"[" * LEVELS])
def test_a_batch_that_is_not_json_is_400(ingest: Service, headers: Headers, body: bytes) -> None:
    """Without syntax there are no items."""
    answer = post(ingest, BATCH, headers, body)
    assert (answer.status, answer.is_problem) == (400, True)


def test_the_widest_good_reading_is_taken(ingest: Service, headers: Headers) -> None:
    """Every bound of the contract is itself inside."""
    most = 2**32 - 2
    body = body_of(
        ONE,
        room_id="A.b_c-9 " + "x" * 56,
        platform="0" * 32,
        tokens_count=most,
        tips_count=0,
        viewers_count=None,
        goal_tokens=most,
        account="a" * 64,
        interval_seconds=3600,
    )
    assert post(ingest, ONE, headers, body).json()["result"] == "accepted"


def test_a_thousand_readings_are_taken(ingest: Service, headers: Headers) -> None:
    """The largest batch is a batch; one that the store did not confirm in time, as on a slow machine, is sent again."""
    items = [make_body(room_id=f"wide-{number}") for number in range(1000)]
    tries = []

    def confirmed() -> bool:
        """Whether every outcome is known."""
        tries.append(post(ingest, BATCH, headers, json.dumps(items).encode()).json()["results"])
        return all(item.get("problem", {}).get("status") != 503 for item in tries[-1])

    wait_until(confirmed, "a confirmed batch")
    found = [item["result"] for item in tries[-1]]
    assert len(found) == 1000
    assert set(found) <= ({"accepted"} if len(tries) == 1 else {"accepted", "duplicate"})


def test_a_room_beyond_its_rate_is_429(stack: Stack, headers: Headers) -> None:
    """The answer says when to come back; in a batch the items say it."""
    items = [make_body(room_id="rapid", sequence=number) for number in range(30)]
    ingest = stack.ingest(RATE_LIMIT_ROOM_PER_SECOND="0.1")
    try:
        results = post(ingest, BATCH, headers, json.dumps(items).encode()).json()["results"]
        answer = post(ingest, ONE, headers, body_of(ONE, room_id="rapid"))
    finally:
        ingest.stop()
    refused = [item["problem"] for item in results if item["result"] == "rejected"]
    assert {problem["status"] for problem in refused} == {429}
    assert all(problem["retry_after_seconds"] >= 1 for problem in refused)
    assert (answer.status, answer.is_problem, int(answer.headers["Retry-After"]) >= 1) == (429, True, True)


@pytest.mark.parametrize("item", [b"1", b"{}", b'{"":1}'])
def test_a_batch_of_nonsense_is_judged_up_to_a_bound(ingest: Service, stack: Stack, item: bytes) -> None:
    """The rest is answered with a 429 that says to send it again, and nothing of it is stored."""
    body = b"[" + b",".join([item] * 999 + [body_of(ONE, room_id="after-nonsense")]) + b"]"
    answer = post(ingest, BATCH, token_headers(stack, str(len(item))), body)
    statuses = [result["problem"]["status"] for result in answer.json()["results"]]
    assert (answer.status, statuses) == (200, [422] * 50 + [429] * 950)


def test_a_token_that_sends_nonsense_without_end_is_refused_before_its_body_is_judged(ingest: Service, stack: Stack) -> None:
    """Refused items use up a token's budget as accepted ones do; another token goes on."""
    body, mine = b"[" + b"1," * 999 + b"1]", token_headers(stack, "flood")
    statuses = [post(ingest, BATCH, mine, body).status for _ in range(9)]
    assert (statuses[0], statuses[-1]) == (200, 429)
    beside = post(ingest, BATCH, token_headers(stack, "beside"), b"[" + body_of(ONE, room_id="beside-the-flood") + b"]")
    assert beside.json()["results"][0]["result"] == "accepted"


def token_headers(stack: Stack, subject: str) -> Headers:
    """The headers of a producer with a token of its own."""
    return (*JSON, authorization(stack.token("ingest", subject=f"nonsense {subject}")))
