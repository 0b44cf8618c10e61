"""Signing screens in: single-use links, session cookies, pairing by six letters. Real services, real Redis protocol."""

import itertools
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.support.clients import Producer
from tests.support.token_commands import run_tokens
from tools.processes import Service
from tools.stack import Stack
from tools.waiting import wait_until

LATEST = "/api/tracking/telemetry"


class Browser:
    """A browser as the service sees it: it sends its cookie and, with what changes something, its origin."""

    def __init__(self, service: Service, *, origin: str | None = None) -> None:
        self.service = service
        self.origin = origin or service.url
        self.cookie = ""

    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.service.url + path, timeout=60, headers={**self.headers(), **headers})

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {**self.headers(), "Origin": self.origin, **headers}
        answer = httpx.post(self.service.url + path, timeout=60, json={} if body is None else body, headers=sent)
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    def delete(self, path: str) -> httpx.Response:
        return httpx.delete(self.service.url + path, timeout=60, headers={**self.headers(), "Origin": self.origin})

    def socket(self, origin: str | None = None) -> ClientConnection:
        address = self.service.url.replace("http", "ws") + "/ws/dashboard"
        pulse = [Subprotocol("pulse.v1")]
        return connect(
            address, subprotocols=pulse, origin=Origin(origin or self.origin), additional_headers=self.headers(), ping_interval=None
        )


def close_code(socket: ClientConnection) -> int | None:
    """The code with which the server closes a socket, within ten seconds of its last event."""
    try:
        while True:
            socket.recv(10)
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else int(closed.rcvd.code)


@pytest.fixture
def browser(broadcast: Service) -> Browser:
    """A browser that is not signed in."""
    return Browser(broadcast)


def link_code(stack: Stack, rooms: str = "*", keep: str = "1d") -> str:
    """The code of a link that an operator prints."""
    options = ("--url", "http://wall", "--subject", "owner", "--rooms", rooms, "--keep", keep)
    done = run_tokens("link", *options, environment=stack.environment(), check=True)
    address, _, code = done.stdout.strip().partition("#code=")
    assert address == "http://wall/"
    assert code not in done.stderr
    return code


def signed_in(stack: Stack, service: Service, rooms: str = "*") -> Browser:
    """A browser that an operator's link signed in."""
    browser = Browser(service)
    assert browser.post("/api/signin/code", {"code": link_code(stack, rooms)}).status_code == 200
    return browser


def test_a_link_signs_one_browser_in_once(stack: Stack, browser: Browser) -> None:
    code = link_code(stack)
    assert browser.get(LATEST).status_code == 401
    answer = browser.post("/api/signin/code", {"code": code})
    assert (answer.status_code, answer.json()["subject"]) == (200, "owner")
    assert browser.get(LATEST).status_code == 200
    again = Browser(browser.service).post("/api/signin/code", {"code": code})
    assert (again.status_code, "set-cookie" in again.headers) == (410, False)


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(stack: Stack, browser: Browser) -> None:
    answer = browser.post("/api/signin/code", {"code": link_code(stack, keep="1h")})
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name.startswith(f"__Host-pulse-{browser.service.port}=")
    assert attributes[:4] == ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]
    assert attributes[4] in ("Max-Age=3600", "Max-Age=3599", "Max-Age=3598")
    assert name.partition("=")[2] not in answer.text


def test_a_screen_that_is_not_kept_has_a_cookie_of_the_browser_session(stack: Stack, browser: Browser) -> None:
    answer = browser.post("/api/signin/code", {"code": link_code(stack), "keep": False})
    assert "Max-Age" not in answer.headers["set-cookie"]


def test_a_code_is_over_after_its_minute(stack: Stack, browser: Browser) -> None:
    """The stored code carries the time limit; here it is brought forward, since a test does not wait a minute."""
    code = link_code(stack)
    assert stack.redis is not None
    import redis  # noqa: PLC0415 - this test alone looks behind the services

    with redis.Redis.from_url(stack.redis_url) as client:
        keys = [key for key in client.scan_iter("screens:{screens}:code:*") if 0 < client.ttl(key) <= 60]
        assert keys
        assert all(code.encode() not in key for key in client.scan_iter("*"))
        for key in keys:
            client.pexpire(key, 1)
        wait_until(lambda: not client.exists(*keys), "the end of the code")
    assert browser.post("/api/signin/code", {"code": code}).status_code == 410


def test_a_signed_in_screen_opens_the_socket_without_a_token(stack: Stack, ingest: Service, broadcast: Service) -> None:
    browser = signed_in(stack, broadcast, rooms="signin-*")
    with Producer(ingest.url, stack.token("ingest")) as producer:
        producer.deliver("signin-1", 5)
        producer.deliver("elsewhere-1", 5)
    with browser.socket() as socket:
        hello = json.loads(str(socket.recv(5)).splitlines()[0])
    assert (hello["event_type"], hello["rooms"]) == ("HELLO", ["signin-*"])
    rooms = {event["room_id"] for event in browser.get(LATEST).json()["events"]}
    assert "signin-1" in rooms
    assert "elsewhere-1" not in rooms


FOREIGN_ORIGINS = ["https://evil.example", "null", "http://127.0.0.1:1"]


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_another_origin_cannot_ride_on_the_cookie(stack: Stack, broadcast: Service, origin: str) -> None:
    """Not with a socket, not with a request that changes something."""
    browser = signed_in(stack, broadcast)
    with pytest.raises(InvalidStatus) as refused:
        browser.socket(origin=origin).close()
    assert refused.value.response.status_code in (401, 403)
    assert browser.post("/api/signin/out", Origin=origin).status_code == 403
    assert browser.get(LATEST).status_code == 200


def test_a_listed_origin_cannot_open_a_socket_with_the_cookie(stack: Stack, broadcast: Service) -> None:
    with pytest.raises(InvalidStatus) as refused:
        signed_in(stack, broadcast).socket(origin="https://studio.example").close()
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_that_another_sites_page_caused_does_not_use_the_cookie(stack: Stack, broadcast: Service, site: str) -> None:
    assert signed_in(stack, broadcast).get(LATEST, **{"Sec-Fetch-Site": site}).status_code == 401


def test_signing_out_ends_the_screen_and_clears_the_cookie(stack: Stack, broadcast: Service) -> None:
    browser = signed_in(stack, broadcast)
    cookie = browser.cookie
    answer = browser.post("/api/signin/out")
    assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (204, True)
    browser.cookie = cookie
    wait_until(lambda: browser.get(LATEST).status_code == 401, "the end of the screen")


def test_a_token_keeps_a_screen_signed_in_until_it_expires_or_is_revoked(stack: Stack, browser: Browser) -> None:
    token = stack.token("dashboard", rooms=("kept-*",), ttl_seconds=600)
    answer = browser.post("/api/signin/token", Authorization=f"Bearer {token}")
    assert (answer.status_code, 590 <= answer.json()["expires_at"] - time.time() <= 600) == (200, True)
    current = browser.get("/api/signin").json()
    assert (current["rooms"], current["manages"]) == (["kept-*"], True)
    with browser.socket() as socket:
        socket.recv(5)
        run_tokens("revoke", "-", given=token, environment=stack.environment(), check=True)
        assert close_code(socket) == 4401
    assert browser.get(LATEST).status_code == 401


def test_only_a_token_in_the_header_keeps_a_screen(browser: Browser) -> None:
    assert browser.post("/api/signin/token").status_code == 401
    assert browser.post("/api/signin/token", Authorization="Bearer a.b.c").status_code == 401


def test_a_screen_is_paired_by_six_letters(stack: Stack, broadcast: Service, browser: Browser) -> None:
    """The wall shows letters, the owner approves a part of her scope, and the wall is signed in, once only."""
    owner = signed_in(stack, broadcast)
    started = browser.post("/api/signin/pairings", **{"User-Agent": "Television/1.0"}).json()
    claim = {"letters": started["letters"], "claim": started["claim"]}
    assert browser.post("/api/signin/pairings/claim", claim).status_code == 202
    shown = owner.get(f"/api/signin/pairings/{started['letters'].lower()}").json()
    assert (shown["browser"], shown["address"], shown["rooms"]) == ("Television/1.0", "127.0.0.1", ["*"])
    decision = {"approve": True, "name": "Sala de espera", "rooms": ["tv-*"], "days": 1}
    assert owner.post(f"/api/signin/pairings/{started['letters']}", decision).status_code == 204
    answer = browser.post("/api/signin/pairings/claim", claim)
    assert answer.status_code == 200
    current = browser.get("/api/signin").json()
    assert (current["rooms"], current["name"], current["manages"]) == (["tv-*"], "Sala de espera", False)
    assert Browser(broadcast).post("/api/signin/pairings/claim", claim).status_code == 410
    assert owner.post(f"/api/signin/pairings/{started['letters']}", decision).status_code == 404


def test_letters_without_the_secret_sign_no_browser_in(stack: Stack, broadcast: Service, browser: Browser) -> None:
    """Who reads the letters off the wall cannot take its place."""
    owner = signed_in(stack, broadcast)
    started = browser.post("/api/signin/pairings").json()
    owner.post(f"/api/signin/pairings/{started['letters']}", {"approve": True})
    thief = Browser(broadcast).post("/api/signin/pairings/claim", {"letters": started["letters"], "claim": "x" * 43})
    assert (thief.status_code, "set-cookie" in thief.headers) == (410, False)
    claim = {"letters": started["letters"], "claim": started["claim"]}
    assert browser.post("/api/signin/pairings/claim", claim).status_code == 200


def test_a_refused_screen_learns_so(stack: Stack, broadcast: Service, browser: Browser) -> None:
    owner = signed_in(stack, broadcast)
    started = browser.post("/api/signin/pairings").json()
    assert owner.post(f"/api/signin/pairings/{started['letters']}", {"approve": False}).status_code == 204
    claim = {"letters": started["letters"], "claim": started["claim"]}
    assert browser.post("/api/signin/pairings/claim", claim).status_code == 403


def paired(owner: Browser, **decision: Any) -> tuple[Browser, httpx.Response]:
    """A new screen and the answer to its approval."""
    screen = Browser(owner.service)
    started = screen.post("/api/signin/pairings").json()
    answer = owner.post(f"/api/signin/pairings/{started['letters']}", {"approve": True, **decision})
    screen.post("/api/signin/pairings/claim", {"letters": started["letters"], "claim": started["claim"]})
    return screen, answer


def test_no_screen_grants_more_than_its_own_scope(stack: Stack, broadcast: Service) -> None:
    """Neither rooms nor time; and a wall cannot sign in others at all."""
    owner = signed_in(stack, broadcast, rooms="mine-*")
    for rooms in (["*"], ["theirs-1"], ["m*"]):
        assert paired(owner, rooms=rooms)[1].status_code == 403
    wall, answer = paired(owner, days=366)
    assert answer.status_code == 204
    assert wall.get("/api/signin").json()["expires_at"] <= owner.get("/api/signin").json()["expires_at"]
    assert paired(wall)[1].status_code == 403
    assert wall.get("/api/signin/screens").status_code == 403


def test_signed_in_screens_are_listed_within_the_own_scope_and_can_be_ended(stack: Stack, broadcast: Service) -> None:
    owner, other = signed_in(stack, broadcast, rooms="list-*"), signed_in(stack, broadcast, rooms="secret-1")
    wall, _ = paired(owner, name="Pasillo")
    listed = owner.get("/api/signin/screens").json()["screens"]
    assert {screen["name"] for screen in listed} == {"", "Pasillo"}
    assert [screen["this"] for screen in listed].count(True) == 1
    assert not any("lookup" in screen for screen in listed)
    hidden = other.get("/api/signin").json()["screen_id"]
    assert owner.delete(f"/api/signin/screens/{hidden}").status_code == 404
    ended = next(screen["screen_id"] for screen in listed if screen["name"] == "Pasillo")
    with wall.socket() as socket:
        socket.recv(5)
        assert owner.delete(f"/api/signin/screens/{ended}").status_code == 204
        assert close_code(socket) == 4401
    assert wall.get(LATEST).status_code == 401
    assert other.get(LATEST).status_code == 200


def test_what_an_ended_screen_approved_ends_with_it(stack: Stack, broadcast: Service) -> None:
    owner = signed_in(stack, broadcast)
    wall, _ = paired(owner)
    assert wall.get(LATEST).status_code == 200
    owner.post("/api/signin/out")
    wait_until(lambda: wall.get(LATEST).status_code == 401, "the end of the wall")


def test_letters_are_shown_as_a_qr_code(browser: Browser) -> None:
    started = browser.post("/api/signin/pairings").json()
    image = browser.get(f"/api/signin/pairings/{started['letters']}/qr.svg")
    assert (image.status_code, image.headers["content-type"], "<svg" in image.text) == (200, "image/svg+xml", True)
    assert browser.get("/api/signin/pairings/abc/qr.svg").status_code == 404


BAD_BODIES = {
    "not JSON": (b"{", "application/json", 400),
    "not UTF-8": (b'{"code":"\xff"}', "application/json", 400),
    "no object": (b"[]", "application/json", 422),
    "no code": (b"{}", "application/json", 422),
    "an unknown field": (b'{"code":"a","admin":true}', "application/json", 422),
    "a long code": (b'{"code":"' + b"a" * 65 + b'"}', "application/json", 422),
    "deep nesting": (b'{"code":' + b"[" * 4000, "application/json", 422),
    "too large": (b" " * 5000, "application/json", 413),
    "a form, as another site could send it": (b"code=a", "application/x-www-form-urlencoded", 415),
    "plain text, as another site could send it": (b'{"code":"a"}', "text/plain", 415),
}


@pytest.mark.parametrize(("body", "media_type", "status"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_request_gets_a_clear_answer(broadcast: Service, body: bytes, media_type: str, status: int) -> None:
    answer = httpx.post(f"{broadcast.url}/api/signin/code", content=body, headers={"Content-Type": media_type, "Origin": broadcast.url})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.fixture
def quiet(stack: Stack) -> Iterator[Service]:
    """A service whose budgets no other test has touched."""
    service = stack.broadcast()
    yield service
    service.stop()


def test_one_address_may_not_try_without_end(quiet: Service) -> None:
    """A minute's worth of requests, and two more for each second that passes; other requests count as well."""
    browser, started = Browser(quiet), time.monotonic()
    tries = next(n for n in range(1000) if browser.post("/api/signin/code", {"code": "guess"}).status_code == 429)
    assert 120 <= tries <= 121 + 2 * (time.monotonic() - started)
    answers = (browser.post("/api/signin/pairings") for _ in range(1000))
    more, answer = next((number, answer) for number, answer in enumerate(answers) if answer.status_code == 429)
    assert tries + more <= 121 + 2 * (time.monotonic() - started)
    assert int(answer.headers["retry-after"]) >= 1


def test_a_known_screen_goes_on_while_redis_is_away_and_an_unknown_one_gets_503(tmp_path: pathlib.Path) -> None:
    with Stack(tmp_path) as stack:
        known, service = Browser(stack.broadcast()), stack.services[0]
        assert known.post("/api/signin/code", {"code": link_code(stack)}).status_code == 200
        assert known.get(LATEST).status_code == 200
        unknown = signed_in(stack, service)
        assert stack.redis is not None
        with stack.redis.frozen():
            wait_until(lambda: unknown.get(LATEST).status_code == 503, "a 503 for a screen never seen")
            assert known.get(LATEST).status_code == 200


def test_no_secret_is_in_the_log(stack: Stack, broadcast: Service, browser: Browser) -> None:
    code = link_code(stack)
    browser.post("/api/signin/code", {"code": code})
    screen, _ = paired(browser)
    secrets = [code, *(cookie.cookie.partition("=")[2] for cookie in (browser, screen))]
    log = broadcast.log.read_text()
    assert "screen.signed_in" in log or "audit.suppressed" in log
    assert not any(secret in log for secret in secrets)


def test_the_form_of_a_cookie_decides_nothing(broadcast: Service) -> None:
    """Any other cookie gets 401 and breaks nothing."""
    name = f"__Host-pulse-{broadcast.port}"
    values = ["", "x", "x" * 65, "a;b", '"quoted"', "ÿ", "a=b=c", "%00"]
    for value, repeat in itertools.product(values, (1, 2)):
        cookie = "; ".join([f"{name}={value}"] * repeat).encode("latin-1")
        assert httpx.get(f"{broadcast.url}{LATEST}", headers=[(b"Cookie", cookie)]).status_code == 401
