"""Keys, the command palette, the table, filters that change the totals, and the number in the tab."""

import re
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.support.browser import Opener
from tests.support.studio import OnAir, Studio


def test_every_key_and_the_palette_lead_somewhere(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Without a mouse: search, views, rooms one after another, the wall, and any of them by a few letters."""
    on_air(*({"room_id": name} for name in ("key-ana", "key-bea", "key-cleo")))
    dashboard = visit(studio).open(rooms=("key-*",)).live()
    page = dashboard.page
    expect(page.locator(".card")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator('.card[data-room="key-bea"] .room a')).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator('.card[data-room="key-ana"] .room a')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="key-ana")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="key-bea")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="Analytics", exact=True)).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("wj")
    expect(page.get_by_role("searchbox")).to_have_value("wj")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Commands")
    expect(palette.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    assert dashboard.violations() == []
    page.keyboard.type("cleo")
    expect(palette.get_by_role("option")).to_have_text([re.compile("key-cleo")])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="key-cleo")).to_be_visible()
    page.keyboard.press("w")
    expect(page.locator(".wall-room")).to_have_count(0)  # the search still lets nothing through
    expect(page.locator("html")).to_have_attribute("data-wall", "")
    page.keyboard.press("w")
    expect(page.get_by_role("searchbox")).to_be_visible()


def test_filters_change_the_totals_and_groups_have_sums(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Every total is of the rooms shown, and the page says so."""
    now = int(time.time())
    places = {"sum-a": ("camsoda", 100), "sum-b": ("camsoda", 250), "sum-c": ("stripchat", 400)}
    for ago, share in ((600, 0), (1, 1)):
        studio.post(
            *(
                {"room_id": room, "platform": platform, "timestamp": now - ago, "tokens_count": 5000 + tokens * share}
                for room, (platform, tokens) in places.items()
            )
        )
    on_air(
        *(
            {"room_id": room, "platform": platform, "tokens_count": 5000 + tokens, "viewers_count": 7}
            for room, (platform, tokens) in places.items()
        )
    )
    page = visit(studio).open("?group=platform", rooms=("sum-*",)).live().page
    value = '[data-kpi="{}"] .kpi-value'
    expect(page.locator(value.format("hour"))).to_have_text("750")
    expect(page.locator(".group-sum")).to_have_text(
        [re.compile("^350 tokens in the last hour, [0-9]+ min recorded$"), re.compile("^400 tokens in the last hour, [0-9]+ min recorded$")]
    )
    page.get_by_role("radio", name="camsoda").check()
    expect(page.locator(value.format("hour"))).to_have_text("350")
    expect(page.locator(value.format("live"))).to_have_text("2")
    expect(page.locator(value.format("viewers"))).to_have_text("14")
    expect(page.locator("#kpi-scope")).to_contain_text("Totals are of 2 of 3 rooms.")
    page.locator("#kpi-scope-clear").click()
    expect(page.locator(value.format("hour"))).to_have_text("750")


def test_the_table_sorts_by_its_heads_and_is_remembered(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Once more turns the order round; the focus stays on the head."""
    on_air(*({"room_id": f"tab-{n}", "viewers_count": n} for n in (1, 3, 2)))
    dashboard = visit(studio).open(rooms=("tab-*",)).live()
    page = dashboard.page
    page.locator("#density").select_option("table")
    rows = page.locator(".room-table tbody th a")
    expect(rows).to_have_text(["tab-1", "tab-2", "tab-3"])
    head = page.get_by_role("button", name="Viewers").last
    head.click()
    expect(rows).to_have_text(["tab-3", "tab-2", "tab-1"])
    page.keyboard.press("Enter")
    expect(rows).to_have_text(["tab-1", "tab-2", "tab-3"])
    expect(page.get_by_role("columnheader", name="Viewers")).to_have_attribute("aria-sort", "ascending")
    assert dashboard.violations() == []
    page.locator("#density").select_option("compact")
    expect(page.locator(".card")).to_have_count(3)
    assert dashboard.violations() == []
    page.reload()
    expect(page.locator("#density")).to_have_value("compact")


def test_the_tab_carries_how_many_rooms_need_somebody(studio: Studio, visit: Opener) -> None:
    """In its title and its icon, in every view."""
    studio.post({"room_id": "title-off", "timestamp": int(time.time()) - 120})
    page = visit(studio).open(rooms=("title-off",)).live().page
    expect(page).to_have_title("(1) Studio Pulse")
    expect(page.locator('link[rel="icon"]')).to_have_attribute("href", "icons/attention-1.svg")
    page.get_by_role("link", name="Analytics").click()
    expect(page).to_have_title("(1) Analytics · Studio Pulse")
