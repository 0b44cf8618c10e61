"""Requests that arrive whole are answered as in the ordinary way: a service with shortcuts and one without receive the same bytes.

Each has a database of its own, so that both see the same history of readings.
"""

import asyncio
import contextlib
import functools
import itertools
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import uvicorn
from redis.asyncio import Redis
from uvicorn.lifespan.on import LifespanOn
from uvicorn.server import ServerState

from ingest_service import whole_posts
from ingest_service.app import create_service
from ingest_service.budget import TokenBudget
from ingest_service.settings import IngestSettings
from shared.auth.audit import Audit
from shared.settings import load
from shared.store.redis import RedisUrl, Store
from shared.tokens import issue
from shared.tokens.keys import SecretKeys
from shared.web.address_budget import CHUNK, REQUEST, AddressBudget
from shared.web.whole_requests import Shortcut, WholeRequest, WholeRequestProtocol

pytestmark = pytest.mark.anyio

KEYS: Final = "test:" + "k" * 40
NOW: Final = int(time.time())
ONE: Final = b"POST /api/tracking/telemetry HTTP/1.1"
BATCH: Final = b"POST /api/tracking/telemetry/batch HTTP/1.1"
LAST: Final = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
VARYING: Final = re.compile(rb'("version":|"processed_at":|"clock_offset_ms":|"retry_after_seconds":|retry-after: |;t=)-?\d+')
SETTINGS: Final = {
    "TOKEN_KEYS": KEYS,
    "ALLOWED_ORIGINS": "https://studio.example",
    "RATE_LIMIT_ROOM_PER_SECOND": "0.0002",  # the second reading of a room is refused, for 5,000 s to 4,000 s: answers are of one length
    "MAX_FEEDS_PER_ROOM": "1",
    "BODY_TIMEOUT_SECONDS": "60",
    "FORWARDED_ALLOW_IPS": "127.0.0.1",
}
rooms = itertools.count()


def token(**changed: Any) -> bytes:
    """A token for all rooms."""
    options = {"audience": "ingest", "subject": "desk", "rooms": ["*"], "platforms": None, "ttl_seconds": 3600, "now_seconds": NOW}
    return issue(SecretKeys.parse(KEYS), **(options | changed)).encode()


GOOD: Final = token()
NARROW: Final = token(rooms=["mine"], subject="narrow")
BEARER: Final = b"Authorization: Bearer " + GOOD
TYPE: Final = b"Content-Type: application/json"


def reading(**changed: Any) -> bytes:
    """A reading of a new room."""
    fields = {
        "room_id": f"room-{next(rooms)}",
        "platform": "camsoda",
        "timestamp": NOW,
        "tokens_count": 5,
        "sequence": NOW * 1000,
    } | changed
    return repr(fields).replace("'", '"').replace("None", "null").encode()


def post(body: bytes, *lines: bytes, start: bytes = ONE, length: bool = True) -> bytes:
    """A request with a good credential, if the lines do not say otherwise."""
    given = [line.partition(b":")[0].strip().lower() for line in lines]
    fields = [b"Host: 127.0.0.1", *(line for line in (BEARER, TYPE) if line.partition(b":")[0].lower() not in given), *lines]
    fields += [b"Content-Length: %d" % len(body)] if length else []
    return b"\r\n".join((start, *fields, b"", body))


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


CHUNKED: Final = b"Transfer-Encoding: chunked"
SHORT: Final[dict[str, bytes]] = {  # what the shortcuts answer
    "plain": post(reading()),
    "batch of one": post(b"[" + reading() + b"]", start=BATCH),
    "batch of three": post(b"[" + b",".join((reading(), reading(), reading())) + b"]", start=BATCH),
    "names in capitals": post(reading(), BEARER.replace(b"Authorization", b"AUTHORIZATION"), b"CONTENT-TYPE: application/json"),
    "media type with charset": post(reading(), b"Content-Type: application/json; charset=UTF-8"),
    "scheme in lower case": post(reading(), b"Authorization: bearer " + GOOD),
    "white space around values": post(reading(), b"Authorization:   Bearer   " + GOOD + b"  ", b"Content-Type:\t application/json  "),
    "chunks": post(chunked(*(bytes((byte,)) for byte in reading())), CHUNKED, length=False),
    "a chunk with an extension": post(b"%x;x=y\r\n%s\r\n0\r\n\r\n" % (len(one := reading()), one), CHUNKED, length=False),
    "a trailer": post(chunked(reading(), end=b"0\r\nX-Trailer: 1\r\n\r\n"), CHUNKED, length=False),
    "sent earlier by its clock": post(reading(timestamp=NOW - 60, sequence=0), b"Pulse-Sent-At: %d" % ((NOW - 60) * 1000)),
    "content encoding identity": post(reading(), b"Content-Encoding: identity"),
    "content encoding identity twice": post(reading(), b"Content-Encoding: identity", b"Content-Encoding: IDENTITY"),
    "two other fields of one name": post(reading(), b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-For: 192.0.2.8"),
    "a clock, and two other fields of one name": post(reading(), b"Pulse-Sent-At: %d" % (NOW * 1000), b"X-Odd: 1", b"X-Odd: 2"),
    "the last of two media types": post(reading(), b"Content-Type: text/plain", TYPE),
    "scheme in capitals": post(reading(), b"Authorization: BEARER " + GOOD),
    "a tab behind the scheme's space": post(reading(), b"Authorization: Bearer \t" + GOOD),
    "as many as a shortcut takes": post(b"[" + b",".join(reading() for _ in range(100)) + b"]", start=BATCH),
    "a batch with its clock": post(
        b"[" + reading(timestamp=NOW - 60, sequence=0) + b"]", b"Pulse-Sent-At: %d" % ((NOW - 60) * 1000), start=BATCH
    ),
    "a batch that came before": post(one := b"[" + reading() + b"," + reading() + b"]", start=BATCH) + post(one, start=BATCH),
    "one that is older than the stored one": post(reading(room_id="late")) + post(reading(room_id="late", timestamp=NOW - 100, sequence=1)),
    "a batch with one that is older": post(b"[" + reading(room_id="late-too") + b"]", start=BATCH)
    + post(b"[" + reading() + b"," + reading(room_id="late-too", timestamp=NOW - 100, sequence=1) + b"]", start=BATCH),
    "two spaces": post(reading(), start=ONE.replace(b" /", b"  /")),
    "an upgrade": post(reading(), b"Connection: Upgrade", b"Upgrade: h2c"),
    "an upgrade without Connection": post(reading(), b"Upgrade: h2c"),
    "connection keep-alive": post(reading(), b"Connection: keep-alive"),
    "a forwarded address": post(reading(), b"X-Forwarded-For: 192.0.2.7"),
    "room limited": post(one := reading(room_id="limited"))
    + post(one.replace(b'5, "sequence"', b'6, "sequence"').replace(b"000}", b"001}")),
    "batch with a limited room": post(
        b"[" + reading(room_id="twice") + b"," + reading(room_id="twice", sequence=NOW * 1000 + 1) + b"]", start=BATCH
    ),
    "a second feed": post(reading(room_id="feeds")) + post(reading(room_id="feeds", platform="other")),
    "the same twice": post(one := reading()) + post(one),
    "three in one": post(reading()) + post(reading()) + post(b"[" + reading() + b"]", start=BATCH),
    "one that is refused between two": post(reading()) + post(b"{") + post(reading()),
}
ORDINARY: Final[dict[str, bytes]] = {
    "no credential": post(reading(), b"Authorization:"),
    "basic": post(reading(), b"Authorization: Basic dTpw"),
    "two credentials": post(reading(), BEARER, BEARER),
    "forged": post(reading(), BEARER[:-8] + b"AAAAAAAA"),
    "not ascii": post(reading(), "Authorization: Bearer tökén".encode()),
    "expired": post(reading(), b"Authorization: Bearer " + token(ttl_seconds=5, now_seconds=NOW - 100)),
    "for dashboards": post(reading(), b"Authorization: Bearer " + token(audience="dashboard")),
    "another room": post(reading(), b"Authorization: Bearer " + NARROW),
    "text": post(reading(), b"Content-Type: text/plain"),
    "no media type": post(reading(), b"Content-Type:"),
    "two media types": post(reading(), TYPE, b"Content-Type: text/plain"),
    "gzip": post(reading(), b"Content-Encoding: gzip"),
    "gzip, then identity": post(reading(), b"Content-Encoding: gzip", b"Content-Encoding: identity"),
    "identity, then gzip": post(reading(), b"Content-Encoding: identity", b"Content-Encoding: gzip"),
    "an empty content encoding": post(reading(), b"Content-Encoding:"),
    "two credentials, of which one is empty": post(reading(), BEARER, b"Authorization:"),
    "a scheme without a space": post(reading(), b"Authorization: Bearer" + GOOD),
    "a token and more": post(reading(), BEARER + b" more"),
    "a long credential": post(reading(), BEARER + b"x" * 5000),
    "more than a shortcut takes": post(b"[" + b",".join(reading() for _ in range(101)) + b"]", start=BATCH),
    "few, but long": post(b"[" + reading() + b" " * 30_000 + b"]", start=BATCH),
    "a bad clock": post(reading(), b"Pulse-Sent-At: yesterday"),
    "two clocks": post(reading(), b"Pulse-Sent-At: 1", b"Pulse-Sent-At: 2"),
    "no JSON": post(b"{"),
    "no body": post(b""),
    "an empty batch": post(b"[]", start=BATCH),
    "a batch with a bad item": post(b"[" + reading() + b"," + reading(tokens_count=-1) + b"]", start=BATCH),
    "a batch with an item too early": post(b"[" + reading() + b"," + reading(timestamp=NOW + 10_000) + b"]", start=BATCH),
    "an unknown field": post(reading(canary=1)),
    "whole floats": post(reading(tokens_count=5.0)),
    "all unknown": post(reading(tokens_count=None)),
    "too early": post(reading(timestamp=NOW + 10_000)),
    "too old": post(reading(timestamp=1)),
    "an origin that may": post(reading(), b"Origin: https://studio.example"),
    "an origin that may not": post(reading(), b"Origin: https://evil.example"),
    "a query": post(reading(), start=ONE.replace(b"telemetry", b"telemetry?x=1")),
    "an empty query": post(reading(), start=ONE.replace(b"telemetry", b"telemetry?")),
    "a fragment": post(reading(), start=ONE.replace(b"telemetry", b"telemetry#x")),
    "a slash behind": post(reading(), start=ONE.replace(b"telemetry", b"telemetry/")),
    "two slashes": post(reading(), start=ONE.replace(b"/api", b"//api")),
    "dots": post(reading(), start=ONE.replace(b"/api", b"/x/../api")),
    "a percent-encoded letter": post(reading(), start=ONE.replace(b"telemetry", b"%74elemetry")),
    "a percent-encoded control": post(reading(), start=ONE.replace(b"telemetry", b"telemetry%0a")),
    "capitals": post(reading(), start=ONE.replace(b"telemetry", b"Telemetry")),
    "an absolute target": post(reading(), start=ONE.replace(b"/api", b"http://127.0.0.1/api")),
    "a target that is no path": post(reading(), start=b"POST * HTTP/1.1"),
    "GET": post(b"", start=ONE.replace(b"POST", b"GET")),
    "PUT": post(reading(), start=ONE.replace(b"POST", b"PUT")),
    "OPTIONS": post(b"", b"Origin: https://studio.example", b"Access-Control-Request-Method: POST", start=ONE.replace(b"POST", b"OPTIONS")),
    "HEAD": post(b"", start=ONE.replace(b"POST", b"HEAD")),
    "a method in lower case": post(reading(), start=ONE.replace(b"POST", b"post")),
    "an unknown method": post(reading(), start=ONE.replace(b"POST", b"POSTS")),
    "HTTP/1.0": post(reading(), start=ONE.replace(b"1.1", b"1.0")),
    "HTTP/1.0 that stays": post(reading(), b"Connection: keep-alive", start=ONE.replace(b"1.1", b"1.0")),
    "HTTP/0.9": post(reading(), start=ONE.replace(b"1.1", b"0.9")),
    "HTTP/2.0": post(reading(), start=ONE.replace(b"1.1", b"2.0")),
    "no version": post(reading(), start=ONE.removesuffix(b" HTTP/1.1")),
    "close": post(reading(), b"Connection: close"),
    "expects": post(reading(), b"Expect: 100-continue"),
    "expects in capitals": post(reading(), b"Expect: 100-CONTINUE"),
    "two equal lengths": post(one := reading(), b"Content-Length: %d" % len(one)),
    "two lengths": post(reading(), b"Content-Length: 3"),
    "a list of lengths": post(one := reading(), b"Content-Length: %d, %d" % (len(one), len(one)), length=False),
    "a length with a sign": post(one := reading(), b"Content-Length: +%d" % len(one), length=False),
    "a negative length": post(reading(), b"Content-Length: -1", length=False),
    "a hexadecimal length": post(reading(), b"Content-Length: 0x10", length=False),
    "an enormous length": post(reading(), b"Content-Length: 99999999999999999999999", length=False),
    "a length and chunks": post(chunked(reading()), CHUNKED),
    "chunks and a length": post(chunked(reading()), b"Content-Length: 5", CHUNKED, length=False),
    "chunks that are not the last encoding": post(chunked(reading()), b"Transfer-Encoding: chunked, identity", length=False),
    "an unknown encoding": post(reading(), b"Transfer-Encoding: xchunked", length=False),
    "a vertical tab in the encoding": post(chunked(reading()), b"Transfer-Encoding: \x0bchunked", length=False),
    "a bad chunk": post(b"zz\r\nhello\r\n0\r\n\r\n", CHUNKED, length=False),
    "a chunk without its end": post(b"5\r\nhelloX0\r\n\r\n", CHUNKED, length=False),
    "a space before the colon": post(reading(), b"X-Odd : 1"),
    "a folded line": post(reading(), b"X-Odd: 1\r\n folded"),
    "a bare line feed": post(reading()).replace(b"\r\n", b"\n", 2),
    "a bare carriage return": post(reading(), b"X-Odd: 1\rX-Other: 2"),
    "a zero byte": post(reading(), b"X-Odd: \x00"),
    "a name of nothing": post(reading(), b": 1"),
    "no length": post(reading(), length=False),
}
UNFINISHED: Final[dict[str, bytes]] = {
    "half a body": post(reading()).removesuffix(b"0}"),
    "a chunk that does not end": post(chunked(reading(), end=b""), CHUNKED, length=False),
}


@dataclass
class Running:
    """A service in this process; `short` has for each request that was offered to a shortcut whether it was taken."""

    port: int
    state: ServerState
    short: list[bool] = field(default_factory=list)


@contextlib.asynccontextmanager
async def running(url: str, *, shortcuts: bool, **changed: str) -> AsyncIterator[Running]:
    """The service on a port of its own."""
    settings = load(IngestSettings, SETTINGS | {"REDIS_URL": url} | changed)
    service = create_service(settings, Store(RedisUrl.parse(url)), lambda: pytest.fail("a job crashed"), None)
    config = uvicorn.Config(service.app, lifespan="on", ws="none", proxy_headers=False, log_config=None, access_log=False)
    config.load()
    lifespan, state = LifespanOn(config), ServerState()
    state.default_headers = [(b"date", b"today")]
    run = Running(0, state)

    def counted(shortcut: Shortcut, request: WholeRequest) -> bool:
        run.short.append(shortcut(request))
        return run.short[-1]

    factory = functools.partial(
        WholeRequestProtocol,
        config=config,
        server_state=state,
        app_state={},
        budget=AddressBudget(1, ["127.0.0.1"]),
        shortcuts={path: functools.partial(counted, shortcut) for path, shortcut in service.shortcuts.items()} if shortcuts else {},
    )
    await lifespan.startup()
    assert not lifespan.should_exit
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    run.port = server.sockets[0].getsockname()[1]
    try:
        yield run
    finally:
        server.close()
        await lifespan.shutdown()


async def answers(port: int, parts: Sequence[bytes]) -> bytes:
    """What a service sends until it closes the connection, without what differs from call to call."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for part in parts:
            writer.write(part)
            for _ in range(4):
                await asyncio.sleep(0)
        async with asyncio.timeout(60):
            while data := await reader.read(65536):
                received += data
    writer.close()
    return VARYING.sub(rb"\1N", received)


def segments(raw: bytes) -> dict[str, list[bytes]]:
    """A request and one behind it, cut in several ways."""
    head, middle = raw.find(b"\r\n\r\n") + 4, len(raw) - 20
    return {
        "whole": [raw + LAST],
        "the next apart": [raw, LAST],
        "the body apart": [raw[:head], raw[head:], LAST],
        "cut in the body": [raw[:middle], raw[middle:] + LAST],
        "cut in the head": [raw[:30], raw[30:70], raw[70:], LAST],
    }


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services' clock stands still: by a producer's clock, what one of them receives later would be another second's reading."""
    monkeypatch.setattr(time, "time", lambda: float(NOW))


@pytest.fixture
def effects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The charges of addresses, without the price of segments, and of tokens, and the entries of the audit log."""
    found: list[Any] = []
    address, spent, of_token = AddressBudget.charge, AddressBudget.spend, TokenBudget.charge

    def charge_address(budget: AddressBudget, account: str, price: float, now: float) -> None:
        if price != CHUNK:
            found.append(("address", account, round(price / REQUEST)))
        address(budget, account, price, now)

    def spend(budget: AddressBudget, account: str, price: float, now: float) -> bool:
        if price != CHUNK:
            found.append(("address", account, round(price / REQUEST)))
        return spent(budget, account, price, now)

    def charge_token(budget: TokenBudget, token_id: str, items: int, now: float) -> None:
        found.append(("token", token_id, items))
        of_token(budget, token_id, items, now)

    def record(_audit: Audit, event: str, **fields: Any) -> None:
        found.append((event, str(fields)))

    monkeypatch.setattr(AddressBudget, "charge", charge_address)
    monkeypatch.setattr(AddressBudget, "spend", spend)
    monkeypatch.setattr(TokenBudget, "charge", charge_token)
    monkeypatch.setattr(Audit, "record", record)
    return found


async def observed(service: Running, parts: Sequence[bytes], effects: list[Any]) -> tuple[bytes, list[Any]]:
    """The answers, and the effects."""
    effects.clear()
    received = await answers(service.port, parts)
    return received, sorted(effects, key=str)


async def until_ready(port: int) -> None:
    """Waits until a service has read the list of revoked tokens."""
    async with asyncio.timeout(60):
        while b" 200 " not in await answers(port, [LAST.replace(b"livez", b"readyz")]):
            await asyncio.sleep(0.01)


async def both(url: str, story: Callable[[Running, Running], Any], **changed: str) -> None:
    """Runs a story with a service that has shortcuts and one that has none; both know the token, and neither has had a reading."""
    async with Redis.from_url(url) as server:
        await server.flushall()
    async with (
        running(f"{url}/1", shortcuts=True, **changed) as quick,
        running(f"{url}/2", shortcuts=False, **changed) as plain,
    ):
        first = post(reading())
        for service in (quick, plain):
            await until_ready(service.port)
        narrow = post(reading(), b"Authorization: Bearer " + NARROW)
        for raw in (first + LAST, narrow + LAST):
            assert await answers(quick.port, [raw]) == await answers(plain.port, [raw])
        quick.short.clear()
        quick.state.total_requests = plain.state.total_requests = 0
        await story(quick, plain)


async def test_the_same_bytes_are_answered_alike_however_they_are_cut(embedded_url: str, effects: list[Any]) -> None:
    """In status, header, body, connection, charges and audit."""

    async def story(quick: Running, plain: Running) -> None:
        for name, raw in {**SHORT, **ORDINARY}.items():
            for cut, parts in segments(raw).items():
                expected = await observed(plain, parts, effects)
                got = await observed(quick, parts, effects)
                assert (name, cut, *got) == (name, cut, *expected)
        assert quick.state.total_requests == plain.state.total_requests

    await both(embedded_url, story)


async def test_what_never_ends_is_answered_alike(embedded_url: str, effects: list[Any]) -> None:
    """When the time for a body is over."""

    async def story(quick: Running, plain: Running) -> None:
        for name, raw in UNFINISHED.items():
            expected = await observed(plain, [raw], effects)
            assert (name, *await observed(quick, [raw], effects)) == (name, *expected)
        assert quick.state.total_requests == plain.state.total_requests

    await both(embedded_url, story, BODY_TIMEOUT_SECONDS="0.2")


async def test_the_shortcuts_answer_what_is_good_and_decline_what_is_not(embedded_url: str) -> None:
    """Where a request arrives in one segment."""

    async def story(quick: Running, _plain: Running) -> None:
        for name, raw in SHORT.items():
            await answers(quick.port, [raw, LAST])
            assert (name, quick.short[:1]) == (name, [True])
            quick.short.clear()
        for name, raw in ORDINARY.items():
            await answers(quick.port, [raw, LAST])
            assert (name, True in quick.short) == (name, False)
            quick.short.clear()

    await both(embedded_url, story)


async def test_origins_are_ignored_where_none_is_listed(embedded_url: str, effects: list[Any]) -> None:
    """An extension with the host permission sends its own origin and needs no CORS."""

    async def story(quick: Running, plain: Running) -> None:
        """Sends one reading and a batch with the origin of an extension."""
        for start in (ONE, BATCH):
            body = reading() if start is ONE else b"[" + reading() + b"]"
            raw = post(body, b"Origin: chrome-extension://abcdefghijklmnopabcdefghijklmnop", start=start)
            for cut, parts in segments(raw).items():
                expected = await observed(plain, parts, effects)
                assert (cut, *await observed(quick, parts, effects)) == (cut, *expected)
            assert quick.short[0]

    await both(embedded_url, story, ALLOWED_ORIGINS="")


async def test_an_answer_that_cannot_be_made_is_an_internal_error(embedded_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client is answered, and so are the others of the same commit."""

    def crash(*_: Any) -> bytes:
        raise ZeroDivisionError

    async def story(quick: Running, _plain: Running) -> None:
        with monkeypatch.context() as context:
            context.setattr(whole_posts, "answer_of_one", crash)
            raw = [post(reading()), post(b"[" + reading() + b"]", start=BATCH), post(reading())]
            found = await asyncio.gather(*(answers(quick.port, [one + LAST]) for one in raw))
        assert [one.split(b" ", 2)[1] for one in found] == [b"500", b"200", b"500"]
        assert (await answers(quick.port, [post(reading()) + LAST])).startswith(b"HTTP/1.1 200 ")

    await both(embedded_url, story)
