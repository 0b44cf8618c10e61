"""The demo that a studio without rooms can look at: rooms of the page alone, marked everywhere, ended by one click."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.support.browser import Opener
from tests.support.studio import Studio

NO_ROOM_YET: Any = {"rooms": ("*",), "platforms": ("no-platform",)}
RECORDS_WHAT_THE_DEMO_ASKS = """
window.askedInDemo = [];
const note = (url) => 'demo' in document.documentElement.dataset && askedInDemo.push(String(url));
const { fetch: ask, WebSocket: Socket } = window;
window.fetch = (...args) => { note(args[0]); return ask(...args); };
window.WebSocket = class extends Socket { constructor(url, protocols) { note(url); super(url, protocols); } };
"""


def test_a_studio_without_rooms_can_see_invented_ones_that_never_mix_with_its_own(studio: Studio, visit: Opener) -> None:
    """Marked in band, tab, pill and names; nothing is asked of the server meanwhile; one click ends it, and nothing of it stays."""
    dashboard = visit(studio)
    dashboard.run_first(RECORDS_WHAT_THE_DEMO_ASKS)
    page = dashboard.open(**NO_ROOM_YET).live().page
    expect(page.locator("#first-waiting")).to_be_visible()
    expect(page.locator("#demo")).to_be_hidden()

    page.get_by_role("button", name="See it with sample data").click()
    expect(page.locator(".card")).to_have_count(12)
    expect(page.locator("#demo-words")).to_contain_text("invented")
    expect(page.get_by_role("button", name="End the demo")).to_be_focused()
    expect(page.locator("#link-word")).to_have_text("Demo")
    expect(page).to_have_title("Demo · Studio Pulse")
    expect(page.locator('[data-kpi="hour"] .kpi-value')).to_have_text(re.compile(r"[1-9]"))
    expect(page.locator("#needs")).to_contain_text("Demo Laura")
    assert all(name.startswith("Demo ") for name in page.locator(".card .room").all_inner_texts())
    assert dashboard.violations() == []

    page.locator(".card .room a").first.click()
    expect(page.locator("#toast")).to_contain_text("rooms and the wall")
    expect(page.locator(".card")).to_have_count(12)
    page.keyboard.press("w")
    expect(page.locator(".wall-room").first).to_be_visible()
    expect(page.locator("#demo-words")).to_be_visible()
    assert [name for name in page.locator(".wall-room .wall-name").all_inner_texts() if "Demo" not in name] == []
    page.keyboard.press("Escape")
    assert page.evaluate("askedInDemo") == []
    assert page.evaluate("Object.keys(sessionStorage).filter((key) => key.includes('recent')).length") == 0

    page.get_by_role("button", name="End the demo").click()
    expect(page.locator("#first-waiting")).to_be_visible()
    expect(page.locator("#demo")).to_be_hidden()
    expect(page.locator(".card")).to_have_count(0)
    expect(page).to_have_title("Studio Pulse")
    dashboard.live()
    expect(page.locator("body")).not_to_contain_text("Demo ")


def test_back_to_a_page_of_the_studio_ends_the_demo(studio: Studio, visit: Opener) -> None:
    dashboard = visit(studio).open("?view=analytics", **NO_ROOM_YET).live()
    page = dashboard.page
    page.locator("#nav-live").click()
    page.get_by_role("button", name="See it with sample data").click()
    expect(page.locator(".card")).to_have_count(12)
    page.go_back()
    expect(page.locator("#analytics")).to_be_visible()
    expect(page.locator("#demo")).to_be_hidden()
    dashboard.live()
