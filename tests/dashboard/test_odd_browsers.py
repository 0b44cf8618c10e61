"""Browsers that lack something, block something, or change the page: it works, or names the missing part in one line."""

import re
import time
import urllib.parse
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.support.browser import Dashboard, Opener
from tests.support.studio import OnAir, Studio
from tests.support.tabs import Tabs

THROW = "{ throw new DOMException('no', 'QuotaExceededError') }"
STORAGES = {
    "localStorage is null": "Object.defineProperty(window, 'localStorage', {value: null})",
    "localStorage is undefined": "Object.defineProperty(window, 'localStorage', {value: undefined})",
    "sessionStorage is null": "Object.defineProperty(window, 'sessionStorage', {value: null})",
    "sessionStorage is undefined": "Object.defineProperty(window, 'sessionStorage', {value: undefined})",
    "reading both throws": "for (const n of ['localStorage', 'sessionStorage']) Object.defineProperty(window, n, {get() " + THROW + "})",
    "getItem throws": "Storage.prototype.getItem = () => " + THROW,
    "setItem throws": "Storage.prototype.setItem = () => " + THROW,
    "removeItem throws": "Storage.prototype.removeItem = () => " + THROW,
}
LANGUAGES = [
    "['en-US@posix']",
    "['de-DE', 'en-US@posix']",
    "['en-']",
    "['en-GB-oed']",
    "['en_US.UTF-8']",
    "['C']",
    "['']",
    "[]",
    "undefined",
]
# What browsers of the last years lack and the page does not need. Those of a group are unrelated, so that none replaces another.
UNNEEDED = {
    "signals that time out": (
        "delete AbortSignal.timeout",
        "delete window.structuredClone",
        "delete URLSearchParams.prototype.size",
        "delete Navigator.prototype.wakeLock",
    ),
    "signals of several": (
        "delete AbortSignal.any",
        "delete Object.hasOwn",
        "delete Object.groupBy",
        "for (const n of ['toSorted', 'toReversed', 'toSpliced', 'with', 'findLast', 'findLastIndex']) delete Array.prototype[n]",
        "delete Element.prototype.requestFullscreen",
    ),
}
# What the page needs.
NEEDED = (
    "delete Array.prototype.at",
    "delete Array.prototype.flatMap",
    "delete Element.prototype.replaceChildren",
    "delete Object.fromEntries",
    "delete window.ResizeObserver",
    "delete window.IntersectionObserver",
    "delete window.WebSocket",
    "delete Intl.PluralRules",
    "delete Element.prototype.animate",
    "delete HTMLDialogElement.prototype.showModal",
)


@pytest.fixture(scope="module")
def room(shared_studio: Studio) -> Iterator[str]:
    """The name of a room that earned 500 tokens within the last minutes and reports as long as the module's tests run."""
    own = shared_studio.for_one_test()
    own.post({"room_id": "odd", "timestamp": int(time.time()) - 130, "tokens_count": 599_500})
    with OnAir(own, {"room_id": "odd", "tokens_count": 600_000}):
        yield "odd"


@pytest.fixture
def studio(shared_studio: Studio, room: str) -> Studio:
    """The shared stack, of which a token sees this room."""
    return shared_studio.for_one_test([room])


@pytest.fixture
def odd(tabs: Tabs, studio: Studio) -> Iterator[Dashboard]:
    """A page that may complain."""
    dashboard = Dashboard(tabs, studio)
    yield dashboard
    dashboard.leave()


@pytest.fixture
def recorded(tabs: Tabs, studio: Studio) -> Iterator[Dashboard]:
    """A page that may complain, with its requests."""
    dashboard = Dashboard(tabs, studio, records_requests=True)
    yield dashboard
    dashboard.leave()


@pytest.mark.parametrize("name", STORAGES)
def test_a_token_link_opens_the_studio_whatever_storage_does(studio: Studio, visit: Opener, name: str) -> None:
    """And the language can still be chosen."""
    dashboard = visit(studio)
    dashboard.run_first(STORAGES[name])
    dashboard.open("?q=odd").live()
    assert "token" not in dashboard.page.url
    dashboard.page.locator("#language").select_option("es")
    expect(dashboard.page.locator("#rooms-title")).to_have_text("Salas")
    dashboard.page.get_by_label("Tema").click()


@pytest.mark.parametrize("languages", LANGUAGES)
def test_any_language_that_a_browser_names_draws_the_page(studio: Studio, visit: Opener, languages: str) -> None:
    """Where `Intl` refuses the tag, English words and numbers."""
    dashboard = visit(studio)
    dashboard.run_first(f"Object.defineProperty(navigator, 'languages', {{get: () => {languages}}})")
    dashboard.open("?q=odd").live()
    expect(dashboard.card("odd").locator(".tokens")).to_have_text("600,000")


@pytest.mark.parametrize("missing", UNNEEDED)
def test_without_features_that_it_does_not_need_the_page_works(odd: Dashboard, missing: str) -> None:
    """Never a zero that was not measured."""
    odd.run_first(";\n".join(UNNEEDED[missing]))
    odd.open("?q=odd").live()
    expect(odd.page.locator("#boot")).to_be_hidden()
    expect(odd.page.locator(".card .tokens")).to_have_text("600,000")
    expect(odd.page.locator("[data-kpi=today] .kpi-value")).not_to_have_text(re.compile("^[0—]$"))
    assert "token" not in odd.page.url


@pytest.mark.parametrize("missing", NEEDED)
def test_without_a_feature_that_it_needs_the_page_names_the_browser_needed(odd: Dashboard, missing: str) -> None:
    """Never an empty page."""
    odd.run_first(missing)
    odd.open("?q=odd")
    boot = odd.page.locator("#boot")
    expect(boot).to_be_visible()
    expect(boot).to_contain_text("Chrome o Edge 92")
    expect(boot).to_contain_text("Safari 15.4")
    expect(odd.page.locator(".kpi-value").first).to_be_hidden()
    assert "token" not in odd.page.url


def test_the_token_leaves_the_address_before_anything_can_fail(odd: Dashboard) -> None:
    """Even when app.js does not run at all."""
    odd.page.route("**/app.js", lambda route: route.fulfill(body="throw new Error('broken')", content_type="text/javascript"))
    odd.open()
    expect(odd.page.locator("#boot")).to_be_visible()
    assert odd.page.url == f"{odd.studio.broadcast.url}/"


def other_version(route: Route) -> None:
    """An app.js of another version than the page: it looks for what the page has not."""
    route.fulfill(body="throw new Error('the page has no #other');", content_type="text/javascript")


def other_views(route: Route) -> None:
    """A later.js of another version than app.js: it imports what that does not export."""
    route.fulfill(body="import { $views$other } from './app.js';", content_type="text/javascript")


def test_a_page_of_mixed_versions_reloads_once_and_is_right(odd: Dashboard) -> None:
    """An update in the middle of a load: the second load finds one version, and the token is still there."""
    odd.page.route("**/app.js", other_version, times=1)
    odd.open("?q=odd").live()
    expect(odd.card("odd")).to_be_visible()
    assert odd.page.url == f"{odd.studio.broadcast.url}/?q=odd"
    assert odd.page.evaluate("history.state") is None


def test_views_of_another_version_are_loaded_by_one_reload(odd: Dashboard) -> None:
    """An update while the page was open: the second load has one version, and shows the view that was chosen."""
    odd.page.route("**/later.js", other_views, times=1)
    odd.open().live()
    with odd.page.expect_event("load"):
        odd.page.locator("#nav-analytics").click()
    expect(odd.page.locator("#analytics-body")).to_be_visible()


def test_a_page_that_stays_mixed_reloads_once_and_then_says_so(recorded: Dashboard) -> None:
    """Not for ever, and not with the token in its address."""
    recorded.page.route("**/app.js", other_version)
    recorded.open()
    expect(recorded.page.locator("#boot")).to_be_visible(timeout=15_000)
    documents = [url for url in recorded.urls if urllib.parse.urlsplit(url).path == "/app.js"]
    assert len(documents) == 2
    recorded.page.wait_for_timeout(2500)  # longer than the pause before a reload
    assert len([url for url in recorded.urls if urllib.parse.urlsplit(url).path == "/app.js"]) == 2
    assert recorded.page.url == f"{recorded.studio.broadcast.url}/"


# As browsers' translators do: every text becomes other text in elements of the translator's own, again whenever the page writes one.
# `fought` are the texts that the page wrote in the place of their own translation. A text that has changed is written as it must be.
TRANSLATOR = """() => {
  window.fought = [];
  const originals = new WeakMap(); // by translation
  const replaced = new WeakMap(); // the originals of those that the page has removed since it last wrote, by the element that they were in
  const skipped = (node) => node.parentElement?.closest('[translate=no], font, script, style');
  const translate = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) if (walker.currentNode.data.trim() && !skipped(walker.currentNode)) texts.push(walker.currentNode);
    for (const text of texts) {
      const font = document.createElement('font');
      font.textContent = `«${text.data}»`;
      originals.set(font, text.data);
      text.replaceWith(font);
    }
  };
  const watch = new MutationObserver((records) => {
    const written = new Set();
    for (const { target, removedNodes } of records) for (const node of removedNodes) {
      if (originals.has(node)) replaced.set(target, [...(replaced.get(target) ?? []), originals.get(node)]);
    }
    for (const { target, addedNodes } of records) for (const node of addedNodes) {
      if (!node.isConnected || node.nodeName === 'FONT') continue;
      if (node.nodeType === Node.TEXT_NODE && skipped(node)) continue;
      if (node.nodeType === Node.TEXT_NODE) {
        if (replaced.get(target)?.includes(node.data)) window.fought.push(node.data);
        written.add(target);
      }
      translate(node.nodeType === Node.TEXT_NODE ? node.parentNode : node);
    }
    for (const target of written) replaced.delete(target);
  });
  translate(document.body);
  watch.observe(document.body, {childList: true, subtree: true});
}"""
WRITE_AGAIN = "(word) => { word.textContent = word.textContent.replaceAll(/[«»]/g, ''); }"


def test_a_translator_is_not_fought_with(studio: Studio, visit: Opener) -> None:
    """A text that did not change is not written again over its translation, and room names are not translated."""
    studio.post({"room_id": "odd-rosa", "timestamp": int(time.time()) - 1830, "platform": "stripchat"})
    dashboard = visit(studio).open("?q=odd-rosa").live()
    page = dashboard.page
    expect(page.locator(".card .age")).to_contain_text("30 min ago")
    expect(page.locator("#leaders-hint")).to_contain_text("recorded")  # history has answered: the texts it changes are written anew
    page.wait_for_load_state("networkidle")  # and so has everything else that is asked for once
    page.evaluate(TRANSLATOR)
    expect(page.locator(".card .badge-word")).to_contain_text("«")
    page.wait_for_timeout(5000)  # five of the page's seconds
    assert page.evaluate("window.fought") == []
    badge = page.locator(".card .badge-word")
    badge.evaluate(WRITE_AGAIN)
    expect(badge).to_contain_text("«")
    assert "".join(page.evaluate("window.fought")) == (badge.text_content() or "").strip("«»")  # a page that does so is noticed
    expect(page.locator(".card .room")).to_have_text("odd-rosa")
    expect(page.locator(".card .platform")).to_have_text("stripchat")
    page.locator(".card .room a").click()
    expect(page.locator("#room-name")).to_have_text("odd-rosa")
    page.get_by_role("link", name="Analytics").click()
    expect(page.locator("#analytics-rows th").first).not_to_contain_text("«")
