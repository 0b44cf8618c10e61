"""A page that was open while the server was updated."""

import re

from playwright.sync_api import Route, expect

from tests.support.browser import Opener
from tests.support.studio import Studio, request

BUILD = re.compile(r'name="studio-pulse-build" content="(\w*)"')


def older(route: Route) -> None:
    """The page as a version before it was."""
    answer = route.fetch()
    route.fulfill(response=answer, body=BUILD.sub('name="studio-pulse-build" content="older"', answer.text()))


def loads(urls: list[str]) -> int:
    """How often the page's code was loaded."""
    return len([url for url in urls if url.endswith("/app.js")])


def test_the_page_and_the_server_name_the_same_build(studio: Studio, visit: Opener) -> None:
    """In the page, in HELLO and in the latest values; then nothing is offered."""
    page = visit(studio).open().live().page
    build = page.locator('meta[name="studio-pulse-build"]').get_attribute("content")
    assert build
    assert re.fullmatch("[0-9a-f]{16}", build)
    assert studio.get("/api/tracking/telemetry")[1]["session"]["build"] == build
    expect(page.locator("#update")).to_be_hidden()
    assert BUILD.findall(request(studio.broadcast.url, "")[1].decode()) == [build]


def test_an_open_page_offers_the_reload(studio: Studio, visit: Opener) -> None:
    """The page may be in use: nothing happens without a click, and after it the page is the new one and live."""
    dashboard = visit(studio, records_requests=True)
    dashboard.page.route(f"{studio.broadcast.url}/", older, times=1)
    dashboard.open().live()
    expect(dashboard.page.locator("#update")).to_contain_text("There is a new version of this page.")
    assert dashboard.violations() == []
    dashboard.page.get_by_role("button", name="Reload").click()
    expect(dashboard.page.locator("#update")).to_be_hidden(timeout=60_000)  # a busy server is asked again after ten seconds
    dashboard.live()
    assert loads(dashboard.urls) == 2


def test_an_open_wall_reloads_itself_once(studio: Studio, visit: Opener) -> None:
    """Also where the page that it then gets is still the older one: not for ever, and without a token in its address."""
    dashboard = visit(studio, records_requests=True)
    dashboard.page.clock.install()
    dashboard.page.route(f"{studio.broadcast.url}/?wall=1", older)
    dashboard.open("?wall=1").live()
    with dashboard.page.expect_event("load"):
        dashboard.page.clock.run_for(25_000)
    dashboard.live()
    expect(dashboard.page.locator("#update")).to_be_visible()
    dashboard.page.clock.run_for(60_000)
    dashboard.live()
    assert loads(dashboard.urls) == 2
    assert dashboard.page.url == f"{studio.broadcast.url}/?wall=1"
