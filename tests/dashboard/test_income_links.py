"""From every figure of income, in every view, to the page that shows the same figure with its reasons."""

import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Dashboard, Opener
from tests.support.studio import OnAir, Studio, running_studio
from tests.support.warm_services import KEEP_FILES

AHEAD = 12 - time.gmtime().tm_hour  # it is about noon in the studio, so that no test crosses a midnight
FILE = f"""timezone = "Etc/GMT{-AHEAD:+}"
[currency]
code = "USD"
per_token = 0.05
[[shift]]
name = "Day"
start = "00:00"
end = "24:00"
"""
# Amounts that nothing else on the page is, each also in sums of two and of all.
EARNED = {("link-a", "camsoda"): 877, ("link-a", "stripchat"): 613, ("link-b", "camsoda"): 739}
AMOUNTS = sorted({877, 613, 739, 877 + 613, 877 + 739, 877 + 613 + 739})
SUM = sum(EARNED.values())
VIEWS = {
    "live": "?group=platform",
    "filtered": "?q=link-a&group=prefix",
    "room": "?view=room&room=link-a&on=camsoda",
    "analytics": "?view=analytics&period=today",
    "by account": "?view=analytics&period=shift&by=account",
    "by platform": "?view=analytics&period=week&by=platform",
}
# Every visible text with one of the amounts, in tokens or in money, and every element marked as income, with the link that it is in.
# What a pointer shows for a moment is left out: charts have a link of their own beside it.
FIGURES = """(amounts) => {
    const words = amounts.flatMap((amount) => [
        amount.toLocaleString('en-US'), (amount * 0.05).toLocaleString('en-US', {minimumFractionDigits: 2, maximumFractionDigits: 2}),
    ]);
    const pattern = new RegExp(`(?<![\\\\d.,])(?:${words.map((one) => one.replace('.', '\\\\.')).join('|')})(?![\\\\d]|[.,]\\\\d)`);
    const found = [];
    const add = (element, text) => {
        if (!element.checkVisibility({visibilityProperty: true}) || element.closest('svg, [role=tooltip], option')) return;
        const href = element.closest('a[href]')?.getAttribute('href') ?? '';
        found.push({text: text.trim(), amount: pattern.exec(text)?.[0] ?? '', href});
    };
    const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) if (pattern.test(texts.currentNode.data)) add(texts.currentNode.parentElement, texts.currentNode.data);
    for (const element of document.querySelectorAll('[data-income]'))
        if (/[1-9]/.test(element.textContent)) add(element, element.textContent);
    return found;
}"""
OPEN = "(href) => { history.pushState(null, '', href); dispatchEvent(new PopStateEvent('popstate')); }"
ADD_LINK = "(href) => document.querySelector('#main').prepend(Object.assign(document.createElement('a'), {id: 'added', href, text: 'x'}))"


@pytest.fixture(scope="module")
def earning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio with a currency and a shift, in whose rooms all income was earned within one minute."""
    directory: pathlib.Path = tmp_path_factory.mktemp("earning")
    file = directory / "studio.toml"
    file.write_text(FILE)
    with running_studio(directory / "stack", STUDIO_FILE=str(file), **{KEEP_FILES: "1"}) as studio:
        minute = int(time.time()) // 60 * 60 - 240
        on_air = [
            {"room_id": room, "platform": platform, "tokens_count": 5000 + earned, "account": f"of-{room}", "viewers_count": 7}
            for (room, platform), earned in EARNED.items()
        ]
        studio.post(
            *(
                {**reading, "timestamp": minute + second, "tokens_count": tokens}
                for reading in on_air
                for second, tokens in ((5, 5000), (10, reading["tokens_count"]), (15, reading["tokens_count"]))
            )
        )
        # one room stays on air: a report that is made meanwhile has the same income, and nothing else moves
        with OnAir(studio, on_air[2]):
            yield studio


def figures(page: Page) -> list[dict[str, Any]]:
    """The figures of income on the page, each once."""
    found: list[dict[str, Any]] = page.evaluate(FIGURES, AMOUNTS)
    return list({(each["text"], each["href"]): each for each in found}.values())


def shown(dashboard: Dashboard, view: str) -> None:
    """Opens a view and waits until its income has come."""
    page = dashboard.page
    page.evaluate(OPEN, VIEWS[view])
    figure = {"room": "#room-earned-total", "live": "[data-kpi=today] .kpi-value", "filtered": "[data-kpi=today] .kpi-value"}
    total = {"room": "877", "filtered": "1,490"}.get(view, f"{SUM:,}")
    expect(page.locator(figure.get(view, "#fact-total"))).to_have_text(total)
    if view.startswith("by "):
        expect(page.locator("#analytics-by input:checked")).to_have_value(view.removeprefix("by "))
        expect(page.locator("#analytics-rows .col-earned a").first).to_be_visible()


def unexplained(page: Page, found: list[dict[str, Any]], seen: set[tuple[str, str]]) -> list[str]:
    """The figures whose page does not show them. Each page is opened once for each figure that leads to it."""
    wrong: list[str] = []
    for each in found:
        amount, href = each["amount"], each["href"]
        if "." in amount or not amount or (amount, href) in seen:
            continue
        seen.add((amount, href))
        page.evaluate(OPEN, href)
        view = "#why" if "view=why" in href else "#sum"
        expect(page.locator(f"{view}-body")).to_be_visible()
        total = page.locator(f"{view}-earned")
        expect(total).not_to_have_text("")
        if total.inner_text() != amount:
            wrong.append(f"{each['text']}: {href} shows {total.inner_text()}")
        if view == "#sum":
            parts = [int(text.replace(",", "")) for text in page.locator("#sum-rows td:nth-child(3)").all_inner_texts()]
            links = page.locator("#sum-rows td:nth-child(3) a[href*='view=why']").count()
            if sum(parts) != int(amount.replace(",", "")) or links != len(parts):
                wrong.append(f"{each['text']}: {href} has the parts {parts} and {links} links")
    return wrong


def test_every_figure_of_income_in_every_view_is_a_link_to_a_page_with_the_same_figure(earning: Studio, visit: Opener) -> None:
    """A figure without a link fails, wherever it is new, and on a wall nothing is a link."""
    dashboard = visit(earning, timezone_id="Asia/Tokyo").open().live()
    page, seen = dashboard.page, set[tuple[str, str]]()
    wrong: list[str] = []
    for view, density in (*((view, "cards") for view in VIEWS), ("live", "compact"), ("live", "table")):
        if view == "live":
            page.evaluate(OPEN, VIEWS["live"])
            page.locator("#density").select_option(density)
        shown(dashboard, view)
        if density == "table":
            expect(page.locator(".room-table .cell-hour a").first).to_be_visible()
        found = figures(page)
        wrong += [f"{view} {density}: {each['text']} is no link" for each in found if not re.search("view=(why|sum)", each["href"])]
        assert {f"{amount:,}" for amount in AMOUNTS} & {each["amount"] for each in found}, view
        wrong += [f"{view} {density}: {each}" for each in unexplained(page, [each for each in found if each["href"]], seen)]
    assert wrong == []
    assert len(seen) >= 12

    page.goto(f"{earning.broadcast.url}/?wall=rooms,leaders,hours,log&each=600")
    dashboard.live()
    expect(page.locator("[data-kpi=today] .kpi-value")).to_have_text(f"{SUM:,}")
    for _ in range(4):
        expect(page.locator("#live a[href]:visible")).to_have_count(0)
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Leave wall mode").click()
    expect(page.locator("[data-kpi=today] .kpi-value a[href]")).to_be_visible()


def test_a_sum_and_a_report_are_opened_by_click_key_history_reload_and_copied_link(earning: Studio, visit: Opener) -> None:
    """The span, the filter and the period stay, in whichever way the page is reached."""
    dashboard = visit(earning, permissions=["clipboard-read", "clipboard-write"]).open("?q=link-a").live()
    page, total = dashboard.page, dashboard.page.locator("#sum-earned")
    today = page.get_by_role("link", name="Why? Tokens today 1,490")
    today.focus()
    page.keyboard.press("Enter")
    expect(total).to_have_text("1,490")
    expect(page.locator("#sum-rows th")).to_have_text(["link-a", "link-a"])
    expect(page.locator("#sum-total td").nth(1)).to_have_text("1,490")
    assert dashboard.violations() == []
    page.keyboard.press("c")
    expect(page.locator("#toast")).to_have_text("Link copied")
    copied = str(page.evaluate("navigator.clipboard.readText()"))
    page.get_by_role("link", name="Why? link-a 613").click()
    expect(page.locator("#why-earned")).to_have_text("613")
    page.go_back()
    expect(total).to_have_text("1,490")
    page.go_back()
    expect(today).to_be_visible()
    page.go_forward()
    expect(total).to_have_text("1,490")
    page.reload()
    expect(total).to_have_text("1,490")
    page.goto("about:blank")
    page.goto(copied)
    expect(total).to_have_text("1,490")
    assert "link-a,stripchat," in dashboard.exported("CSV for programs").path().read_text()
    assert "link-a;stripchat;" in dashboard.exported("CSV for spreadsheets").path().read_text()
    page.get_by_label("Language").select_option("es")
    expect(page.get_by_text("La suma es la cifra")).to_be_visible()


def test_a_report_keeps_its_period_and_filter_however_it_is_opened(earning: Studio, visit: Opener) -> None:
    """By a plain click too; and its chart and its best hours lead to the parts of a bar and of an hour by keyboard."""
    dashboard = visit(earning).open("?view=analytics").live()
    page, total = dashboard.page, dashboard.page.locator("#fact-total")
    month = page.get_by_role("radio", name="Month", exact=True)
    expect(total).to_have_text(f"{SUM:,}")
    page.evaluate(ADD_LINK, "?view=analytics&period=month&of=camsoda")
    page.locator("#added").click()
    expect(month).to_be_checked()
    expect(total).to_have_text("1,616")
    page.reload()
    expect(total).to_have_text("1,616")
    page.locator("#fact-total a").click()
    expect(page.locator("#sum-earned")).to_have_text("1,616")
    page.go_back()
    expect(month).to_be_checked()
    page.get_by_role("radio", name="Today", exact=True).check()
    expect(page.locator("#analytics-span")).to_contain_text(re.compile("Etc/GMT|Greenwich"))  # the studio's zone has noon about now
    hour = "#analytics-hours a[tabindex='0']"
    for reach, keys in (("#analytics-chart svg", ("ArrowRight", "ArrowLeft")), (hour, ("ArrowLeft", "ArrowRight"))):
        page.locator(reach).focus()
        for key in (*keys, "Enter"):
            page.keyboard.press(key)
        expect(page.locator("#sum-body")).to_be_visible()
        page.go_back()
        expect(total).to_have_text("1,616")
