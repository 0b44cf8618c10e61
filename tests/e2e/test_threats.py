"""The threats of SECURITY.md that no other test has: what an attacker tries, on real services, and what comes of it."""

import contextlib
import http.client
import json
import pathlib
import re
import sys
import time
from collections.abc import Iterator

import pytest

from tests.support import warm_services
from tests.support.clients import PATH, Dashboard
from tests.support.forgery import genuine
from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import Answer, Headers, connect, exchange, head, read_answer, request
from tests.support.raw_websocket import UPGRADE, carried, upgrade
from tests.support.token_commands import run_tokens
from tools.processes import Service
from tools.stack import Stack

CANARY = "canary-7c1f0e9b"


# --- secrets and logs ---


@pytest.fixture(scope="module", params=["json", "console"])
def talkative(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Service, Service]]:
    """Both services at their most talkative, in either format, with an incomplete key that a leak would show."""
    directory = tmp_path_factory.mktemp("talkative")
    with Stack(directory, token_keys=f"k:{CANARY}{'k' * 32}", LOG_LEVEL="debug", LOG_FORMAT=request.param) as stack:
        yield stack, stack.ingest(), stack.broadcast()


def everywhere(token: str) -> Iterator[tuple[Headers, str, bytes]]:
    """A request with the text in every place that a client controls: headers, path and body."""
    yield (), f"/?token={token}", b""
    yield (), f"{PATH}?access_token={token}", b""
    yield UPGRADE, f"{PATH}?access_token={token}", b""
    yield UPGRADE, f"{PATH}/{token}", b""
    yield (*UPGRADE, carried("pulse.v1", token)), PATH, b""
    yield (*UPGRADE, carried("pulse.v1", f"bearer.{token}")), PATH, b""
    yield (*UPGRADE, ("Origin", f"https://eyJ{token}"), authorization(token)), PATH, b""  # a name of plain words would be one to log
    yield (*JSON, authorization(token)), ONE, token.encode()
    yield (*JSON, authorization(token)), f"{BATCH}?token={token}", json.dumps([{token: token}]).encode()
    yield (("Cookie", f"token={token}"), ("User-Agent", token), ("Referer", f"https://x/?{token}"), ("X-Forwarded-For", token)), ONE, b"{"
    yield (authorization(token),), f"{ONE}/{token}/camsoda", b""
    yield (("Host", token), ("Transfer-Encoding", token)), "/", b""


def test_no_log_of_either_service_holds_a_secret(talkative: tuple[Stack, Service, Service]) -> None:
    """Tokens, good and damaged, in every wrong place, at the debug level: no log has a part of one, nor of the key, nor a crash."""
    stack, *services = talkative
    tokens = [stack.token("ingest"), stack.token("dashboard"), stack.token("dashboard", ttl_seconds=1), f"{CANARY}.{CANARY}.{CANARY}"]
    for service in services:
        for token in tokens:
            for headers, path, body in everywhere(token):
                for method in ("GET", "POST"):
                    answer = exchange(service.port, request(method, path, headers, body))
                    assert token.encode() not in answer.body
    for service in services:
        service.stop()  # the pending counts are written at the stop
    secrets = {CANARY} | {part for token in tokens for part in token.split(".")[1:]}
    logs = {service.module: service.log.read_text() for service in services}
    assert {(name, word) for name, log in logs.items() for word in (*secrets, "Traceback") if word in log} == set()


def test_a_flood_of_nonsense_costs_no_disk(ingest: Service, broadcast: Service) -> None:
    """The server has a warning for every request that it cannot read; it says it a few times a minute."""
    for service in (ingest, broadcast):
        before = service.log.stat().st_size
        for _ in range(400):
            with contextlib.suppress(OSError, http.client.HTTPException):
                exchange(service.port, b"\x16\x03\x01 nonsense\r\n\r\n")
            exchange(service.port, head("GET", "/nowhere", UPGRADE))
        assert service.log.stat().st_size - before < 30_000


def test_no_input_writes_lines_into_a_log(stack: Stack, ingest: Service, broadcast: Service) -> None:
    """Line breaks and terminal commands in a reported address stay inside their line; every line is JSON of ours."""
    for service in (ingest, broadcast):
        for evil in ("\x1b[2J\x1b[31mroot", "1.2.3.4\u0085{}", '"},{"event":"forged"', "a" * 5000):
            exchange(service.port, request("GET", ONE, (("X-Forwarded-For", evil.encode().decode("latin-1")),)))
            post(service, ONE, (*JSON, ("X-Forwarded-For", evil.encode().decode("latin-1"))), b"{}")
        lines = service.log.read_text().splitlines()
        assert all("event" in json.loads(line) and len(line) < 1000 for line in lines)
        assert "\x1b" not in service.log.read_text()


def test_a_name_that_could_write_into_a_log_opens_nothing(ingest: Service, broadcast: Service, stack: Stack) -> None:
    """A signed subject or jti with line breaks or escapes is no token."""
    for name in ("eve\nadmin", "eve\r\nadmin", "eve\x1b[31m", "eve\u2028admin", "eve\u202enimda"):
        for changed in ({"sub": name}, {"jti": name}):
            assert post(ingest, ONE, (*JSON, authorization(genuine(stack.token_keys, "ingest", **changed))), body_of(ONE)).status == 401
            assert upgrade(broadcast, (authorization(genuine(stack.token_keys, "dashboard", **changed)),)).status == 401


@pytest.mark.parametrize("module", ["ingest_service", "broadcast_service"])
@pytest.mark.parametrize("keys", ["k:canary", "k:" + "canary" * 5, "k:", "canary", f"k:{'k' * 32},l:canary"])
def test_a_weak_key_stops_the_start(stack: Stack, module: str, keys: str) -> None:
    """With a message that says what a key should be and holds nothing of it."""
    done = warm_services.run([sys.executable, "-m", module], stack.environment(TOKEN_KEYS=keys))
    said = done.stderr.decode()
    assert (done.returncode, "TOKEN_KEYS should be" in said, "32 bytes" in said) == (2, True, True)
    assert not any(word in done.stdout.decode() + said for word in ("canary", "Traceback"))


# --- tokens ---


def test_a_token_of_the_other_service_opens_nothing(ingest: Service, broadcast: Service, stack: Stack) -> None:
    """A producer's key reads nothing, and a dashboard's writes nothing."""
    producer, viewer = authorization(stack.token("ingest")), authorization(stack.token("dashboard"))
    assert [post(ingest, path, (*JSON, viewer), body_of(path)).status for path in (ONE, BATCH)] == [401, 401]
    assert upgrade(broadcast, (producer,)).status == 401
    assert [exchange(broadcast.port, request("GET", path, (producer,))).status for path in (ONE, "/api/tracking/analytics")] == [401, 401]


@pytest.mark.parametrize(("ahead", "status"), [(5, 200), (55, 200), (70, 401), (-0.5, 200)])
def test_a_token_that_begins_within_a_minute_is_taken_by_both(
    ingest: Service, broadcast: Service, stack: Stack, ahead: float, status: int
) -> None:
    """An issuer's clock may be ahead; later it opens nothing yet."""
    tokens = {
        audience: genuine(stack.token_keys, audience, nbf=time.time() + ahead if ahead < 0 else int(time.time()) + ahead)
        for audience in ("ingest", "dashboard")
    }
    assert post(ingest, ONE, (*JSON, authorization(tokens["ingest"])), body_of(ONE, room_id="begins")).status == status
    assert exchange(broadcast.port, request("GET", ONE, (authorization(tokens["dashboard"]),))).status == status


def test_a_revoked_token_opens_nothing_within_seconds(broadcast: Service, stack: Stack) -> None:
    """The open socket is closed with 4401, a new one and every read refused."""
    token = stack.token("dashboard")
    headers = (authorization(token),)
    with Dashboard(broadcast.url, token) as client:
        client.next_of("SYNC")
        started = time.monotonic()
        run_tokens("revoke", token, environment=stack.environment(), check=True)
        assert client.wait_for_close() == 4401
    assert time.monotonic() - started < 10
    paths = (ONE, f"{ONE}/a/camsoda", f"{ONE}/a/camsoda/history", "/api/tracking/analytics", "/api/tracking/analytics?format=csv")
    assert [exchange(broadcast.port, request("GET", path, headers)).status for path in paths] == [401] * len(paths)
    assert upgrade(broadcast, headers).status == 401


# --- scope ---


def test_another_room_is_nowhere_to_be_seen(ingest: Service, broadcast: Service, stack: Stack) -> None:
    """Not in the snapshot, the stream, a resumption, the reads, the history, the analytics or an export; asking for it is refused."""
    writer = (*JSON, authorization(stack.token("ingest")))
    narrow = stack.token("dashboard", rooms=("mine-1",), platforms=("camsoda",))
    reader = (authorization(narrow),)

    def write(count: int) -> None:
        for room, platform in (("theirs-1", "camsoda"), ("mine-1", "stripchat"), ("mine-1", "camsoda")):
            assert post(ingest, ONE, writer, body_of(ONE, room_id=room, platform=platform, tokens_count=count)).status == 200

    write(1)
    events = []
    for query in ("", "?since=1"):
        with Dashboard(broadcast.url, narrow, query) as client:
            events.append(client.next_of("SYNC"))
            write(2 + len(events))
            events.append(client.next_of("TELEMETRY_UPDATE"))
    plain = [ONE, "/api/tracking/analytics", "/api/tracking/analytics?by=feed", "/api/tracking/analytics?format=csv"]
    answers = [exchange(broadcast.port, request("GET", path, reader)) for path in plain]
    output = json.dumps(events) + "".join(answer.body.decode() for answer in answers)
    assert ([answer.status for answer in answers], "mine-1" in output) == ([200] * 4, True)
    assert not re.search("theirs|stripchat", output)
    asking = [f"{ONE}?rooms=theirs-1", f"{ONE}?platforms=stripchat", f"{ONE}/theirs-1/camsoda", f"{ONE}/mine-1/stripchat"]
    asking += [f"{ONE}/theirs-1/camsoda/history", f"{ONE}/mine-1/stripchat/history?format=csv"]
    asking += [
        f"/api/tracking/analytics?{query}" for query in ("rooms=theirs-1", "rooms=*", "rooms=mine-*", "platforms=stripchat&format=csv")
    ]
    refused = [exchange(broadcast.port, request("GET", path, reader)) for path in asking]
    assert [(answer.status, b"theirs" in answer.body) for answer in refused] == [(403, False)] * len(asking)


# --- floods ---


def test_a_narrow_token_cannot_infer_when_others_are_paid(ingest: Service, broadcast: Service, stack: Stack) -> None:
    """The versions that it receives, by reads and after a filter, are no other room's commit."""
    producer = (*JSON, authorization(stack.token("ingest")))
    viewer = (authorization(stack.token("dashboard", rooms=("onlooker",))),)
    versions, committed = set(), set()
    with Dashboard(broadcast.url, stack.token("dashboard", rooms=("onlooker",))) as client:
        client.next_of("SYNC")
        for tokens in range(12):
            committed.add(post(ingest, ONE, producer, body_of(ONE, room_id="watched", tokens_count=tokens)).json()["version"])
            versions.add(exchange(broadcast.port, request("GET", ONE, viewer)).json()["version"])
            client.send_raw('{"type":"filter"}')
            versions.add(client.next_of("SYNC")["version"])
    assert not versions & committed
    assert {version % 500_000 for version in versions} == {0}


def test_two_instances_share_one_rate(stack: Stack) -> None:
    """A burst through two processes is cut at the same edge; the refusal says how much there is and when some is again."""
    services = [stack.ingest(RATE_LIMIT_ROOM_PER_SECOND="0.5") for _ in range(2)]
    headers = (*JSON, authorization(stack.token("ingest")))
    answers = [post(services[turn % 2], ONE, headers, body_of(ONE, room_id="flooded", tokens_count=turn)) for turn in range(6)]
    assert sorted(answer.status for answer in answers[:4]) == [200, 200, 429, 429]  # 0.5 a second, four seconds' worth at once
    cut = answers[2]
    assert 1 <= int(cut.headers["Retry-After"]) <= 2
    assert cut.headers["RateLimit"] == f'"room";r=0;t={cut.headers["Retry-After"]}'
    assert cut.json()["retry_after_seconds"] == int(cut.headers["Retry-After"])
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"room";q=2;w=4, "token";q=4000;w=2'}


@pytest.mark.parametrize("path", [ONE, BATCH], ids=["one", "batch"])
def test_a_body_of_a_byte_a_second_is_given_up(stack: Stack, path: str) -> None:
    """However steadily it trickles, the deadline is the whole body's."""
    service = stack.ingest(BODY_TIMEOUT_SECONDS="2")
    with connect(service.port) as connection:
        started = time.monotonic()
        connection.sendall(head("POST", path, (*JSON, authorization(stack.token("ingest")), ("Content-Length", "1000"))))
        connection.settimeout(1)
        answered = b""
        while not answered and time.monotonic() - started < 10:
            connection.sendall(b" ")
            with contextlib.suppress(TimeoutError):
                answered = connection.recv(1, 2)  # MSG_PEEK
        connection.settimeout(5)
        assert read_answer(connection).status == 408
    assert time.monotonic() - started < 5


def resident_megabytes(service: Service) -> float:
    """What the process holds in memory."""
    text = pathlib.Path(f"/proc/{service.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024


def huge(port: int) -> Answer | None:
    """A request with a header of 5 MB; None where the server hung up."""
    try:
        return exchange(port, head("GET", ONE, (("X-Huge", "a" * 5_000_000),)))
    except (OSError, ValueError):
        return None


def test_a_header_of_five_megabytes_is_refused_or_borne(ingest: Service, broadcast: Service) -> None:
    """The front proxy refuses it; without one it is answered and discarded, and no other client is affected."""
    for service in (ingest, broadcast):
        before = resident_megabytes(service)
        for _ in range(3):
            answer = huge(service.port)
            assert answer is None or 400 <= answer.status < 500
            assert exchange(service.port, request("GET", "/livez", ())).status == 200
        assert resident_megabytes(service) - before < 40


def test_an_address_beyond_its_cap_is_429(stack: Stack) -> None:
    """The limit is per subject; a forwarded address from an untrusted client does not avoid it."""
    service = stack.broadcast(MAX_CONNECTIONS_PER_ADDRESS="2", FORWARDED_ALLOW_IPS="192.0.2.1")
    with (
        Dashboard(service.url, stack.token("dashboard", subject="ada")) as one,
        Dashboard(service.url, stack.token("dashboard", subject="bob")) as two,
    ):
        assert [client.next_event()["event_type"] for client in (one, two)] == ["HELLO"] * 2
        answer = upgrade(service, (authorization(stack.token("dashboard", subject="eve")), ("X-Forwarded-For", "198.51.100.1")))
    assert (answer.status, answer.is_problem, int(answer.headers["Retry-After"]) > 0) == (429, True, True)


def test_behind_a_trusted_proxy_each_visitor_has_a_cap(stack: Stack) -> None:
    """The proxy's word counts, so that one visitor does not use up what all of them have together."""
    service = stack.broadcast(MAX_CONNECTIONS_PER_ADDRESS="1", FORWARDED_ALLOW_IPS="127.0.0.0/8")
    header = authorization(stack.token("dashboard"))
    with connect(service.port) as first:
        first.sendall(head("GET", PATH, (*UPGRADE, header, ("X-Forwarded-For", "198.51.100.1"))))
        assert read_answer(first).status == 101
        statuses = [upgrade(service, (header, ("X-Forwarded-For", f"198.51.100.{visitor}"))).status for visitor in (1, 2)]
    assert statuses == [429, 101]
