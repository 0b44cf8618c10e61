"""The audit log of real services: refusals and revocations, without any credential."""

import functools
import json
import time
from typing import Any

import pytest
import redis

from shared.contract.keys import REVOKED_TOKENS
from tests.support.clients import PATH, Dashboard
from tests.support.posting import BATCH, JSON, ONE, authorization, body_of, post
from tests.support.raw_http import exchange, request
from tests.support.raw_websocket import upgrade
from tests.support.readings import make_body
from tests.support.token_commands import run_tokens
from tools.processes import Service
from tools.stack import Stack
from tools.waiting import wait_until


def audited(service: Service, event: str, **who: Any) -> list[dict[str, Any]]:
    """The audit lines of an event that name these."""
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if '"audit": true' in line]
    return [line for line in lines if line["event"] == event and who.items() <= line.items()]


@pytest.fixture(scope="module")
def quiet(stack: Stack) -> tuple[Service, Service]:
    """Services of their own, so that no other test has written to the audit log."""
    return stack.ingest(RATE_LIMIT_ROOM_PER_SECOND="0.001"), stack.broadcast()


def test_a_producer_that_is_refused_is_on_record(quiet: tuple[Service, Service], stack: Stack) -> None:
    """Without a good token by address, outside its scope and over its rate by subject and jti, alone or in a batch."""
    ingest, _ = quiet
    narrow = (*JSON, authorization(stack.token("ingest", subject="narrow", rooms=("audit",))))
    post(ingest, ONE, JSON, body_of(ONE))
    post(ingest, ONE, narrow, body_of(ONE, room_id="elsewhere"))
    post(ingest, BATCH, narrow, json.dumps([make_body(room_id="audit", tokens_count=n) for n in range(3)]).encode())
    assert audited(ingest, "token.refused", address="127.0.0.1")
    assert audited(ingest, "scope.refused", subject="narrow")[0]["jti"]
    assert audited(ingest, "rate.limited", subject="narrow")[0]["detail"] == "too many readings for this room"


def test_a_dashboard_that_is_refused_is_on_record(quiet: tuple[Service, Service], stack: Stack) -> None:
    """On the socket and on the reads."""
    _, broadcast = quiet
    narrow = (authorization(stack.token("dashboard", subject="nosy", rooms=("audit",))),)
    upgrade(broadcast, ())
    upgrade(broadcast, narrow, f"{PATH}?rooms=other")
    upgrade(broadcast, (*narrow, ("Origin", "https://evil.example")))
    exchange(broadcast.port, request("GET", f"{ONE}/other/camsoda", narrow))
    assert audited(broadcast, "token.refused", address="127.0.0.1")
    details = {line["detail"] for line in audited(broadcast, "scope.refused", subject="nosy")}
    assert details == {"a room is outside the token's scope", "the token does not cover this room on this platform"}
    assert audited(broadcast, "scope.refused", origin="https://evil.example")
    with Dashboard(broadcast.url, stack.token("dashboard", subject="renewer")) as client:
        client.send_raw(json.dumps({"type": "auth", "token": stack.token("ingest")}))
        client.next_of("ERROR")
    assert audited(broadcast, "token.refused", subject="renewer", detail="on an open socket")


def test_a_revocation_is_on_record_everywhere(quiet: tuple[Service, Service], stack: Stack) -> None:
    """Where it is ordered, in both services, and when the dead token is tried again: by jti, never by itself."""
    ingest, broadcast = quiet
    token = stack.token("dashboard", subject="leaver")
    with Dashboard(broadcast.url, token) as client:
        client.next_of("SYNC")
        done = run_tokens("revoke", "-", given=token, environment=stack.environment(), check=True)
        assert client.wait_for_close() == 4401
    [ordered] = [json.loads(line) for line in done.stderr.splitlines()]
    assert (ordered["event"], ordered["audit"], done.stdout) == ("token.revoked", True, "")
    for service in quiet:
        wait_until(functools.partial(audited, service, "token.revoked", jti=ordered["jti"]), "the record")
    upgrade(broadcast, (authorization(token),))
    assert audited(broadcast, "token.refused", subject="leaver", jti=ordered["jti"], reason="revoked")
    assert token not in done.stderr + ingest.log.read_text() + broadcast.log.read_text()


def test_a_flood_of_refusals_costs_no_disk(stack: Stack) -> None:
    """A thousand bad requests write a few lines, and the service logs the number when it stops."""
    service = stack.ingest()
    before = service.log.stat().st_size
    for _ in range(1000):
        post(service, ONE, JSON, b"")
    assert service.log.stat().st_size - before < 2000
    service.stop()
    assert audited(service, "audit.suppressed", suppressed="token.refused", count=999)


def test_a_token_that_connects_in_a_loop_costs_no_disk(stack: Stack) -> None:
    """A few lines, and the number, so that older lines stay in a log that rolls over."""
    service = stack.broadcast()
    before = service.log.stat().st_size
    token = stack.token("dashboard", subject="loop", rooms=("nothing",))
    for _ in range(300):
        with Dashboard(service.url, token):
            pass
    assert service.log.stat().st_size - before < 10_000
    service.stop()
    assert audited(service, "audit.suppressed", suppressed="session.started", subject="loop", count=280)


def test_every_one_of_many_revocations_is_on_record_in_both_services(quiet: tuple[Service, Service], stack: Stack) -> None:
    """Also thirty at once, as after a backup was restored."""
    ended = {f"many-{number}": int(time.time()) + 600 for number in range(30)}
    with redis.Redis.from_url(stack.redis_url) as server:
        server.zadd(REVOKED_TOKENS, ended)

    def recorded(service: Service) -> bool:
        lines = audited(service, "token.revoked")
        return {jti for line in lines for jti in [line.get("jti"), *line.get("jtis", [])]} >= ended.keys()

    for service in quiet:
        wait_until(functools.partial(recorded, service), "the record")
