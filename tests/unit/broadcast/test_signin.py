"""The session cookie and the budget of sign-in requests, apart from any server."""

import asyncio
from typing import Any, cast

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request

from broadcast_service.signin.bodies import RequestBudget
from broadcast_service.signin.cookies import clear_cookie, cookie_name, cookie_secret, is_own_origin, is_same_site, set_cookie
from broadcast_service.signin.endpoints import SignIn
from shared.auth import screens as records
from shared.auth.scope import Scope
from shared.auth.screens import Screen
from shared.contract.problems import Problem
from shared.tokens import Claims
from shared.web.address_budget import EXTRA, LISTED_SCREEN, PAIRING, QR_CODE


def headers(**values: str) -> Headers:
    return Headers({name.replace("_", "-"): value for name, value in values.items()})


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("wall.example", "__Host-pulse"),
        ("127.0.0.1:8002", "__Host-pulse-8002"),
        ("[::1]:8002", "__Host-pulse-8002"),
        ("[::1]", "__Host-pulse"),
        ("", "__Host-pulse"),
        ("x:1;y=2", "__Host-pulse"),
        ("x:123456", "__Host-pulse"),
    ],
)
def test_two_stacks_on_one_host_keep_their_cookies_apart(host: str, name: str) -> None:
    assert cookie_name(host) == name


def test_a_cookie_that_was_set_is_found_again() -> None:
    sent = set_cookie("wall.example", "secret", 60).partition(";")[0]
    assert cookie_secret(headers(host="wall.example", cookie=f"a=b; {sent}; c=d")) == "secret"
    assert cookie_secret(headers(host="wall.example:444", cookie=sent)) is None
    cleared = clear_cookie("wall.example").partition(";")[0]
    assert cookie_secret(headers(host="wall.example", cookie=cleared)) is None


OWN = [
    ("https://wall.example", "wall.example"),
    ("https://Wall.Example", "wall.example"),
    ("https://wall.example", "WALL.example:443"),
    ("https://wall.example:443", "wall.example"),
    ("http://wall.example", "wall.example:80"),
    ("http://127.0.0.1:8002", "127.0.0.1:8002"),
    ("http://[::1]:8002", "[::1]:8002"),
]
FOREIGN = [
    ("null", "wall.example"),
    ("", "wall.example"),
    ("https://evil.example", "wall.example"),
    ("https://wall.example.evil", "wall.example"),
    ("https://wall.example:8443", "wall.example"),
    ("http://wall.example", "wall.example:443"),
    ("ftp://wall.example", "wall.example"),
    ("wall.example", "wall.example"),
    ("https://", ""),
]


@pytest.mark.parametrize(("origin", "host"), OWN)
def test_an_own_origin_is_recognized_in_every_spelling(origin: str, host: str) -> None:
    assert is_own_origin(headers(origin=origin, host=host))


@pytest.mark.parametrize(("origin", "host"), FOREIGN)
def test_another_origin_is_not_ours(origin: str, host: str) -> None:
    assert not is_own_origin(headers(origin=origin, host=host))


def test_two_origins_or_two_hosts_are_none() -> None:
    """Also where both are the same."""
    twice = Headers(raw=[(b"origin", b"https://a"), (b"origin", b"https://a"), (b"host", b"a")])
    hosts = Headers(raw=[(b"origin", b"https://a"), (b"host", b"a"), (b"host", b"a")])
    assert not is_own_origin(twice)
    assert not is_own_origin(hosts)


@pytest.mark.parametrize(
    ("site", "own"), [(None, True), ("none", True), ("same-origin", True), ("same-site", False), ("cross-site", False)]
)
def test_only_pages_of_this_origin_read_with_the_cookie(site: str | None, own: bool) -> None:  # noqa: FBT001
    assert is_same_site(headers() if site is None else headers(sec_fetch_site=site)) is own


def refused(budget: RequestBudget, address: str, now: float) -> bool:
    try:
        budget.take(address, now)
    except Problem:
        return True
    return False


def test_an_address_has_a_budget_that_refills_and_touches_no_other() -> None:
    budget = RequestBudget(per_minute=60)
    assert [refused(budget, "a", 0.0) for _ in range(62)] == [False] * 61 + [True]
    assert not refused(budget, "b", 0.0)
    assert [refused(budget, "a", 1.0), refused(budget, "a", 1.0)] == [False, True]


def test_trying_on_does_not_lengthen_the_wait() -> None:
    """A refused request costs nothing."""
    budget = RequestBudget(per_minute=60)
    for _ in range(500):
        refused(budget, "a", 0.0)
    assert not refused(budget, "a", 1.0)


def asked(path_params: dict[str, str]) -> Request:
    """A GET."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"wall.example")], "scheme": "https", "query_string": b""}
    return Request({**scope, "server": ("wall.example", 443), "path_params": path_params})


def endpoints() -> SignIn:
    """Endpoints whose every caller may see everything."""
    claims = Claims("owner", "dashboard", "jti", 2**40, Scope.of(["*"]), ())
    unused = cast("Any", None)
    return SignIn(store=unused, screens=unused, claims_of=lambda _request: claims, audit=unused)


def test_an_address_is_charged_for_a_qr_code_beside_its_request() -> None:
    """It takes ten times as long as other requests without a token."""
    request = asked({"letters": records.PAIRING_ALPHABET[: records.PAIRING_LETTERS]})
    assert asyncio.run(endpoints().qr_code(request)).media_type == "image/svg+xml"
    assert request.scope[EXTRA] == QR_CODE


def test_an_address_is_charged_for_a_pairing_that_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for letters that no screen shows: each look asks the store."""

    async def none(_store: object, _letters: str) -> None:
        return None

    monkeypatch.setattr(records, "find_pairing", none)
    request = asked({"letters": records.PAIRING_ALPHABET[: records.PAIRING_LETTERS]})
    with pytest.raises(Problem):
        asyncio.run(endpoints().show_pairing(request))
    assert request.scope[EXTRA] == PAIRING


def test_an_address_is_charged_for_each_screen_that_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand may be signed in."""

    async def two_thousand(_store: object, _now: int) -> list[Screen]:
        return [Screen("id", "lookup", "subject", "", ["*"], None, 0, 2**40, [])] * 2000

    monkeypatch.setattr(records, "all_screens", two_thousand)
    request = asked({})
    asyncio.run(endpoints().list_screens(request))
    assert request.scope[EXTRA] == pytest.approx(2000 * LISTED_SCREEN)
