"""A broadcast service counts foreign data in Redis, keeps running, and still shows the true values."""

import time

import redis

from shared.contract import keys
from tests.support.clients import Dashboard, Producer, metric
from tests.support.posting import authorization
from tests.support.raw_http import exchange, request
from tools.stack import Stack
from tools.waiting import wait_until

DEEP = b'{"x":' + b"[" * 100_000
GOOD = (
    b'{"room_id":"x","platform":"p","timestamp":1,"tokens_count":1,"sequence":1,"tips_count":null,"viewers_count":null,"goal_tokens":null,'
)
POISON = [
    b"",
    b"\xff\xfe",
    b"nonsense",
    b"[]",
    DEEP,
    b'{"version":1e400}',
    GOOD + b'"version":1,"committed_at":%s}' % (b"9" * 400),
    GOOD + b'"version":%s,"committed_at":1}' % (b"9" * 20),
    GOOD + b'"version":-1,"committed_at":1}',
    GOOD.replace(b'"timestamp":1', b'"timestamp":1' + b"0" * 40) + b'"version":1,"committed_at":1}',
]


def test_nothing_that_is_published_or_stored_stops_the_relay(stack: Stack) -> None:
    """On the events channel, on the probes' channel, in the index, in the values and in the list of revoked tokens."""
    ingest, broadcast = stack.ingest(), stack.broadcast()
    with redis.Redis.from_url(stack.redis_url) as server, Dashboard(broadcast.url, stack.token("dashboard", rooms=("sound",))) as client:
        server.zadd(keys.index(0), {b"\xff\xfe": 1, "no-colon": 2, "endless:p": float("inf"), "poisoned:p": 3})
        server.set(keys.latest(0, "poisoned", "p"), DEEP, ex=60)
        server.zadd(keys.REVOKED_TOKENS, {b"\xff": 2**40, "endless": float("inf"), "a\nb": 2**40})
        for poison in POISON:
            server.publish(keys.events_channel(0), poison)
        for channel in server.pubsub_channels("telemetry:*:probe:*"):
            for poison in (b"", b"-1", b"x", b"1.5", "\u0661".encode(), b"1e9"):
                server.publish(channel, poison)
        wait_until(lambda: metric(broadcast.url, "pulse_readings_malformed_total") >= len(POISON), "the count")
        with Producer(ingest.url, stack.token("ingest")) as producer:
            producer.post("sound", 7)
            client.wait_for_tokens("sound", 7)
        server.sadd(keys.history_feeds(0, keys.day_of(int(time.time()))), b"\xff", "no-colon", ":", "")
        answer = exchange(broadcast.port, request("GET", "/api/tracking/analytics", (authorization(stack.token("dashboard")),)))
        assert answer.status == 200
        again = stack.broadcast()  # one that reads all of it at its start
        with Dashboard(again.url, stack.token("dashboard", rooms=("sound",))) as late:
            late.wait_for_tokens("sound", 7)
        server.zrem(keys.index(0), b"\xff\xfe", "no-colon", "endless:p", "poisoned:p")
        server.srem(keys.history_feeds(0, keys.day_of(int(time.time()))), b"\xff", "no-colon", ":", "")
        server.zrem(keys.REVOKED_TOKENS, b"\xff", "endless", "a\nb")
    for service in (ingest, broadcast, again):
        assert service.poll() is None
        assert "Traceback" not in service.log.read_text()
