"""The page names the cause of a refused socket and the setting to change; where HTTP works, it polls."""

import contextlib
import pathlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.support import proxies
from tests.support.browser import Dashboard
from tests.support.proxies import HOST, UPGRADE, Proxy
from tests.support.studio import OnAir, Studio, page_port, running_studio
from tests.support.tabs import Tabs
from tests.support.warm_services import KEEP_FILES

PLAIN = "location / { proxy_pass http://{to}; " + HOST + " }"


@contextlib.contextmanager
def page_at(tabs: Tabs, studio: Studio, url: str, query: str = "", **context: Any) -> Iterator[Dashboard]:
    """The page as a proxy serves it."""
    dashboard = Dashboard(tabs, studio, **context)
    dashboard.page.goto(f"{url}/{query}#token={studio.token()}")
    yield dashboard
    dashboard.leave()


@contextlib.contextmanager
def behind(studio: Studio, home: pathlib.Path, body: str, kind: str = "nginx", until: str = "/") -> Iterator[Proxy]:
    """A proxy of this kind in front of the page."""
    start = {"nginx": proxies.nginx, "caddy": proxies.caddy}[kind]
    with page_port() as port:
        proxy = start(home, studio, body, port=port, until=until)
        try:
            yield proxy
        finally:
            proxy.stop()


WORDS = {
    "blocked": {
        "en-US": "WebSockets through; a proxy must pass on Upgrade and Connection. Meanwhile the numbers are fetched every 5 seconds.",
        "es-CO": "los WebSockets; el proxy debe reenviar Upgrade y Connection. Mientras tanto, las cifras se actualizan cada 5 segundos.",
    },
    "origin": {
        "en-US": "does not accept connections from {url}. Setting to change: ALLOWED_ORIGINS",
        "es-CO": "no acepta conexiones desde {url}. Cambia el ajuste ALLOWED_ORIGINS",
    },
    "path": {
        "en-US": "The proxy does not pass /ws/dashboard on to the server.",
        "es-CO": "El proxy no reenvía /ws/dashboard al servidor.",
    },
}
SERVERS = {
    "blocked": PLAIN,
    "origin": "location / { proxy_pass http://{to}; " + UPGRADE + " proxy_set_header Host $host; }",
    "path": "location /ws/ { return 404; } " + PLAIN,
}


LINK_WORDS = {"en-US": "Every 5 sec", "es-CO": "Cada 5 s"}


@pytest.mark.parametrize("why", WORDS)
def test_what_refuses_the_socket_is_named_and_the_numbers_go_on(
    tabs: Tabs, studio: Studio, on_air: Callable[..., OnAir], tmp_path: pathlib.Path, why: str
) -> None:
    """Behind nginx: without Upgrade, with a rewritten Host, with another path for the socket; in both languages."""
    room = f"poll-{why}"
    rooms = on_air({"room_id": room, "tokens_count": 5}, {"room_id": f"{room}-other"})
    with (
        behind(studio, tmp_path, SERVERS[why]) as proxy,
        page_at(tabs, studio, proxy.url, f"?q={room}") as dashboard,
    ):
        page, card, tokens = dashboard.page, dashboard.card(room), 5
        for locale, words in WORDS[why].items():
            page.locator("#language").select_option(locale[:2])
            expect(page.locator("#detour-words")).to_contain_text(words.format(url=proxy.url), timeout=15_000)
            expect(card.locator(".tokens")).to_have_text(str(tokens))
            tokens += 1
            rooms.report({"room_id": room, "tokens_count": tokens})
            expect(card.locator(".tokens")).to_have_text(str(tokens))
            expect(card).to_have_attribute("data-status", "live")
            expect(page.locator("#link-word")).to_have_text(LINK_WORDS[locale])
            assert dashboard.violations() == []


def test_a_proxy_without_its_server_is_named(tabs: Tabs, studio: Studio, tmp_path: pathlib.Path) -> None:
    """The page was loaded before; then the proxy answers 502 for the socket and everything else."""
    with behind(studio, tmp_path, PLAIN) as proxy, page_at(tabs, studio, proxy.url) as dashboard:
        expect(dashboard.page.locator("#detour")).to_be_visible(timeout=15_000)
        dashboard.page.route("**/ws/dashboard", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
        dashboard.page.route("**/api/**", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
        expect(dashboard.page.locator("#notice-words")).to_contain_text("A proxy answers with an error (502)", timeout=40_000)
        expect(dashboard.page.locator('.card[data-status="live"]')).to_have_count(0)


def test_the_page_goes_back_to_the_socket_when_it_gets_through(tabs: Tabs, studio: Studio) -> None:
    """By itself, and the line that spoke of polling goes."""
    blocked = True

    def refuse(socket: WebSocketRoute) -> None:
        if blocked:
            socket.close(code=1001)
        else:
            socket.connect_to_server()

    dashboard = Dashboard(tabs, studio)
    dashboard.page.route_web_socket(re.compile("/ws/dashboard"), refuse)
    dashboard.open()
    expect(dashboard.page.locator("#detour")).to_be_visible(timeout=15_000)
    blocked = False
    expect(dashboard.page.locator("#detour")).to_be_hidden(timeout=30_000)
    dashboard.live()
    dashboard.leave()


@pytest.mark.parametrize(
    ("setting", "words"),
    [("MAX_CONNECTIONS", "MAX_CONNECTIONS."), ("MAX_CONNECTIONS_PER_ADDRESS", "MAX_CONNECTIONS_PER_ADDRESS.")],
)
def test_a_reached_cap_is_named(tabs: Tabs, tmp_path: pathlib.Path, setting: str, words: str) -> None:
    """And the page comes in as soon as there is room."""
    with running_studio(tmp_path, **{setting: "1", KEEP_FILES: "1"}) as studio:
        first, second = Dashboard(tabs, studio).open().live(), Dashboard(tabs, studio).open()
        expect(second.page.locator("#notice-words")).to_contain_text(f"Setting to change: {words}")
        again = second.page.get_by_role("button", name="Try now")
        expect(again).to_be_visible()
        first.leave()
        again.dispatch_event("click")  # the page also tries by itself, and the button goes
        second.live()
        second.leave()


PREFIXED = "location /pulse/ { proxy_pass http://{to}/; " + HOST + UPGRADE + " } location / { return 404; }"
PREFIXED_CADDY = "handle_path /pulse/* {\n reverse_proxy {to}\n}\nrespond 404"


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_below_a_path_everything_works(tabs: Tabs, studio: Studio, tmp_path: pathlib.Path, kind: str) -> None:
    """Page, socket, history, reports, links and reload, where a proxy takes the path off."""
    now = int(time.time())
    studio.post(*({"room_id": "prefixed", "timestamp": now - ago, "tokens_count": 1000 - ago} for ago in (300, 120, 0)))
    body = {"nginx": PREFIXED, "caddy": PREFIXED_CADDY}[kind]
    with (
        behind(studio, tmp_path, body, kind, until="/pulse/") as proxy,
        page_at(tabs, studio, f"{proxy.url}/pulse", "?q=prefixed", records_requests=True) as dashboard,
    ):
        page = dashboard.live().page
        assert page.url == f"{proxy.url}/pulse/?q=prefixed"
        page.locator(".card .room a").click()
        expect(page.locator("#room-earned-total")).to_have_text("300")
        page.get_by_role("link", name="Analytics").click()
        expect(page.locator("#analytics-rows th a").first).to_be_visible()
        page.reload()
        dashboard.live()
        assert {url for url in dashboard.urls if "/pulse/" not in url} == set()
        assert dashboard.complaints == []
