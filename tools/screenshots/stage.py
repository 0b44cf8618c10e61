"""One page in a browser that is given a look, photographed and examined."""

import pathlib
from collections.abc import Sequence
from typing import Final

from playwright.sync_api import Browser, Page, ViewportSize, expect

from tools.processes import ROOT
from tools.screenshots.scenes import DIALOGS, Look

AXE: Final = ROOT / "node_modules" / "axe-core" / "axe.min.js"
READY_MS: Final = 60_000
SETTLE_MS: Final = 150
# Two frames after the page knows its new size: observers of sizes run in the first one, and their changes are drawn in the second.
DRAWN: Final = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"
CHOOSE_LANGUAGE: Final = """(language) => {
    const select = document.querySelector('#language');
    if (document.documentElement.lang === language) return;
    select.value = language;
    select.dispatchEvent(new Event('change', {bubbles: true}));
}"""
CHOOSE_DENSITY: Final = """(select, density) => {
    select.value = density;
    select.dispatchEvent(new Event('change', {bubbles: true}));
}"""
CHOOSE_THEME: Final = """(scheme) => {
    if (scheme === 'contrast') document.documentElement.dataset.theme = scheme;
    else delete document.documentElement.dataset.theme;
}"""
IS_DARK: Final = "matchMedia('(prefers-color-scheme: dark)').matches"
# In one task, after which the page is styled and drawn once. Returns whether the browser says that its reader prefers dark pages.
CHOOSE_LOOK: Final = f"([scheme, language]) => {{ ({CHOOSE_THEME})(scheme); ({CHOOSE_LANGUAGE})(language); return {IS_DARK}; }}"
# Axe spends a third of its time on the elements of rules that pass, unless violations alone are asked for.
# Rooms are built alike: of hundreds, the first 30 and the last 10 are examined. 500 rows of a table would take minutes.
# Most elements of the page are those of other views. Axe asks twenty questions about the styles of each to sort it into the grid of what
# can lie over what, and then leaves it out because it has no box: its walk through the page passes them by.
ALL_RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RUN_AXE: Final = """async (rules) => {
    const others = ':is(.card, .room-table tbody tr, .wall-room, .heat li):nth-child(n + 31):nth-last-child(n + 11)';
    if (document.querySelector(others)) { // a style sheet, even one that changes nothing, has the whole page styled and drawn anew
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(`${others} { display: none; }`);
        document.adoptedStyleSheets = [sheet];
    }
    const shown = (node) => node instanceof Element && getComputedStyle(node).display === 'none'
        ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT;
    document.createTreeWalker = (root, kinds, filter) => Document.prototype.createTreeWalker.call(document, root, kinds, filter ?? shown);
    const result = await axe.run({
      resultTypes: ['violations'],
      runOnly: rules,
    }).finally(() => {
        delete document.createTreeWalker;
        if (document.adoptedStyleSheets.length) document.adoptedStyleSheets = [];
    });
    return result.violations.map((found) => found.id + ': ' + found.nodes.map((node) => node.target).join(' | '));
}"""
READY: Final = {  # what shows that a view with rooms has been drawn
    "live": ".card",
    "table": ".room-table tbody tr, .card",
    "wall": ".wall-room",
    "room": "#room-body:not([hidden])",
    "analytics": "#analytics-body:not([hidden])",
    "why": "#why-body:not([hidden])",
    "sum": "#sum-body:not([hidden])",
}


def axe_findings(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """The violations of WCAG 2.2 A and AA, and of axe's best practices, on the page as it is; with `rules`, of these alone."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    return [str(finding) for finding in page.evaluate(RUN_AXE, list(rules or ALL_RULES))]


def show_as(page: Page, look: Look) -> None:
    """Gives the page a language, a theme and a size, and waits until it has drawn itself.

    Nothing is given twice: even the same preference or size has the browser style, lay out and draw all of it.
    """
    size: ViewportSize = {"width": look.width, "height": look.height}
    is_light = look.scheme == "light"
    if page.evaluate(CHOOSE_LOOK, [look.scheme, look.language]) == is_light:
        page.emulate_media(color_scheme="light" if is_light else "dark")
    if page.viewport_size != size:
        page.set_viewport_size(size)
    page.evaluate(DRAWN)


def open_view(page: Page, view: str, address: str, token: str, *, has_rooms: bool) -> None:
    """Opens a view at an address and waits until it has been drawn; without a token, the form."""
    page.goto(address + (f"#token={token}" if token else ""))
    if not token:
        expect(page.locator("#gate")).to_be_visible()
        if view == "pairing":
            page.locator("#gate-pair").click()
            expect(page.locator("#pairing-letters")).not_to_be_empty()
        return
    await_view(page, view, has_rooms=has_rooms)


def await_view(page: Page, view: str, *, has_rooms: bool) -> None:
    """Waits until a view with an access has been drawn, and opens the parts of it that its address does not name."""
    expect(page.locator("#link")).to_have_attribute("data-phase", "live", timeout=READY_MS)
    if view == "table":
        page.locator("#density").evaluate(CHOOSE_DENSITY, "table")  # on a phone it is behind a button
    if has_rooms and view in READY:
        expect(page.locator(READY[view]).first).to_be_visible(timeout=READY_MS)
    if has_rooms and view in ("live", "table", "wall"):
        expect(page.locator('[data-kpi="hour"] .kpi-value')).not_to_have_text("—", timeout=READY_MS)
    if not has_rooms and view == "first":
        expect(page.locator("#empty")).to_be_visible(timeout=READY_MS)
    if view in DIALOGS:
        page.locator(DIALOGS[view]).click()
    page.wait_for_load_state("networkidle")


class Stage:
    """One page in a browser context of its own."""

    def __init__(self, browser: Browser, url: str, look: Look, *, locale: str = "es-CO") -> None:
        self.url = url
        size: ViewportSize = {"width": look.width, "height": look.height}
        self._context = browser.new_context(locale=locale, reduced_motion="reduce", viewport=size)
        self.page = self._context.new_page()
        self._dialog = ""  # the selector of what opens the dialog of this view
        self._language = ""

    def open(self, view: str, query: str, token: str, *, has_rooms: bool) -> None:
        """Opens a view below the page's address."""
        open_view(self.page, view, f"{self.url}/{query}", token, has_rooms=has_rooms)
        self._dialog, self._language = DIALOGS.get(view, ""), str(self.page.evaluate("document.documentElement.lang"))

    def take(self, look: Look, path: pathlib.Path | None, *, full: bool = False) -> None:
        """Shows the page with this look, and writes a picture of it if a path is given."""
        is_translated, self._language = look.language != self._language, look.language
        if self._dialog and is_translated:  # as a person does, who cannot reach the choice of a language below a dialog
            self.page.keyboard.press("Escape")
        show_as(self.page, look)
        if self._dialog and is_translated:
            self.page.locator(self._dialog).click()
        self.page.wait_for_timeout(SETTLE_MS)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=path, full_page=full)

    def close(self) -> None:
        """Closes the page."""
        self._context.close()
