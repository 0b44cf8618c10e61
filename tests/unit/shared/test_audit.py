"""The audit log: who was refused, in a bounded volume."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from starlette.requests import HTTPConnection

from shared.auth.audit import ALL_LINES, CLAIMS, LINES, SESSION_LINES, SUBJECT_LINES, Audit, behind_proxies
from shared.auth.scope import Scope
from shared.contract.problems import Problem, unauthorized
from shared.tokens import Claims

CLAIMED = Claims("ada", "dashboard", "jti-1", 2**33, Scope.of(["a"]))


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The logged events."""
    with structlog.testing.capture_logs() as captured:
        yield captured


def connection(kind: str = "http", *, headers: list[Any] | None = None, claims: Claims | None = None) -> HTTPConnection:
    """A request from an address of the documentation."""
    return HTTPConnection({"type": kind, "client": ("192.0.2.7", 1), "headers": headers or [], CLAIMS: claims})


def test_a_line_is_written_once_in_an_interval(lines: list[Any]) -> None:
    """Repeated refusals of one caller are one line and a count."""
    audit = Audit()
    for _ in range(1000):
        audit.record_refusal(connection(), unauthorized())
    audit.report_counts()
    assert [line["event"] for line in lines] == ["token.refused", "audit.suppressed"]
    assert (lines[1]["suppressed"], lines[1]["count"]) == ("token.refused", 999)


def test_a_flood_from_many_addresses_is_bounded(lines: list[Any]) -> None:
    """A hundred thousand addresses write a few lines, and the count is exact."""
    audit = Audit()
    for number in range(100_000):
        audit.record("token.refused", address=f"192.0.2.{number}")
    audit.report_counts()
    assert len(lines) == LINES + 1
    assert LINES + lines[-1]["count"] == 100_000
    assert len(json.dumps(lines)) < 10_000


def test_strangers_cannot_hide_the_use_of_a_revoked_token(lines: list[Any]) -> None:
    """Their lines and those of known subjects have separate shares."""
    audit = Audit()
    for number in range(1000):
        audit.record("token.refused", subject=None, jti=None, address=f"192.0.2.{number}")
    audit.record("token.refused", reason="revoked", subject="ada", jti="stolen", address="198.51.100.7")
    assert lines[-1]["jti"] == "stolen"


def test_one_subject_cannot_hide_another_one(lines: list[Any]) -> None:
    """However many different lines it causes; the count names it."""
    audit = Audit()
    for number in range(1000):
        audit.record("scope.refused", detail=str(number), subject="loud", jti="a")
    audit.record("scope.refused", detail="the insider's", subject="quiet", jti="b")
    audit.report_counts()
    assert [line["subject"] for line in lines] == ["loud"] * SUBJECT_LINES + ["quiet", "loud"]
    assert lines[-1]["count"] == 1000 - SUBJECT_LINES


def test_a_network_of_ipv6_is_one_address(lines: list[Any]) -> None:
    """A customer with one address has 2^64 of them, and cannot use up the share with them."""
    audit = Audit()
    for number in range(1000):
        audit.record("token.refused", address=f"2001:db8::{number:x}")
    audit.record("token.refused", address="2001:db8:0:1::1")
    assert [line["address"] for line in lines] == ["2001:db8::0", "2001:db8:0:1::1"]


def test_all_subjects_together_are_bounded(lines: list[Any]) -> None:
    """A flood with a hundred thousand tokens costs a bounded number of lines, and the sum of the counts is exact."""
    audit = Audit()
    for number in range(100_000):
        audit.record("rate.limited", subject=f"subject {number}", jti=str(number))
    audit.report_counts()
    assert len(lines) < ALL_LINES + 30
    assert sum(line.get("count", 1) for line in lines) == 100_000


def test_every_revocation_is_written(lines: list[Any]) -> None:
    """During a flood too, and each of a thousand at the same time."""
    audit = Audit()
    for number in range(1000):
        audit.record("token.revoked", jti=f"flood {number}")
    lines.clear()
    audit.record_revoked({f"jti-{number}" for number in range(1000)})
    audit.record_revoked({"one"})
    assert {jti for line in lines for jti in line.get("jtis", [])} == {f"jti-{number}" for number in range(1000)}
    assert (lines[-1]["jti"], len(lines)) == ("one", 51)


def test_sessions_have_a_share_for_each_subject(lines: list[Any]) -> None:
    """A client that connects in a loop is counted, and one that connects once is written."""
    audit = Audit()
    for _ in range(1000):
        audit.record_session("session.started", subject="loop", encoding="lines")
    audit.record_session("session.started", subject="wall", encoding="lines")
    audit.report_counts()
    assert [line["subject"] for line in lines] == ["loop"] * SESSION_LINES + ["wall", "loop"]
    assert (lines[-1]["suppressed"], lines[-1]["count"]) == ("session.started", 1000 - SESSION_LINES)


def test_one_flood_hides_no_other_event(lines: list[Any]) -> None:
    """Each event name has a share of its own, renewed in the next interval."""
    audit = Audit()
    for number in range(LINES + 1):
        audit.record("token.refused", address=str(number))
    audit.record("token.revoked", jti="a")
    audit.report_counts()
    audit.record("token.refused", address="0")
    assert [line["event"] for line in lines[LINES:]] == ["token.revoked", "audit.suppressed", "token.refused"]


@pytest.mark.parametrize(
    ("status", "kind", "event"),
    [
        (401, "http", "token.refused"),
        (403, "http", "scope.refused"),
        (429, "http", "rate.limited"),
        (503, "websocket", "session.refused"),
        (401, "websocket", "token.refused"),
        (422, "http", None),
        (404, "http", None),
    ],
)
def test_refusals_that_reveal_an_attack_are_logged(lines: list[Any], status: int, kind: str, event: str | None) -> None:
    """A typing error is not."""
    Audit().record_refusal(connection(kind), Problem(status, "no"))
    assert [line["event"] for line in lines] == ([event] if event else [])


def test_the_caller_is_named_as_far_as_known(lines: list[Any]) -> None:
    """Without claims the address, with them subject and jti; a valid token that is refused was revoked."""
    audit = Audit()
    audit.record_refusal(connection(), unauthorized())
    audit.record_refusal(connection(claims=CLAIMED), unauthorized())
    assert {key: lines[0].get(key) for key in ("subject", "address")} == {"subject": None, "address": "192.0.2.7"}
    assert {key: lines[1][key] for key in ("subject", "jti", "reason")} == {"subject": "ada", "jti": "jti-1", "reason": "revoked"}


@pytest.mark.anyio
@pytest.mark.parametrize(("trusted", "seen"), [("192.0.2.0/24", "198.51.100.1"), ("127.0.0.1", "192.0.2.7")])
async def test_only_a_trusted_proxy_names_the_caller(lines: list[Any], trusted: str, seen: str) -> None:
    """Any client may send the header, so it counts from listed proxies alone."""
    headers = [(b"x-forwarded-for", b"203.0.113.9, 198.51.100.1")]
    await behind_proxies(Audit(), [trusted])(connection(headers=headers).scope, unauthorized())
    assert lines[0]["address"] == seen


@pytest.mark.anyio
@pytest.mark.parametrize("reported", [b"canary", b"fe80::1%canary", b"1.2.3.4 canary", b"\xff", b"[canary]:1"])
async def test_an_invalid_address_is_not_repeated(lines: list[Any], reported: bytes) -> None:
    """A proxy forwards what its client wrote."""
    await behind_proxies(Audit(), ["*"])(connection(headers=[(b"x-forwarded-for", reported)]).scope, unauthorized())
    assert lines[0].get("address") in (None, "fe80::1")
    assert "canary" not in str(lines)
