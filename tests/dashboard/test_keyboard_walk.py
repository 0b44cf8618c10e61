"""Every view without a mouse: Tab reaches everything that can be operated, shows where it is, and leaves again."""

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.browser import Dashboard, Opener
from tests.support.studio import OnAir, Studio

MAX_STOPS = 160
MAX_WALKS = 3
NO_ROOM_YET: Any = {"rooms": ("*",), "platforms": ("no-platform",)}
OPERABLE = "a[href], button, input, select, textarea, summary, [tabindex]"

# Gives each element that Tab should reach a number. Of a group of radio buttons it is one, and of a list with a roving tab stop too.
MARK = """(selector) => {
    const scope = document.querySelector('dialog[open]') ?? document;
    const groups = new Set();
    let count = 0;
    for (const element of document.querySelectorAll('[data-stop]')) delete element.dataset.stop;
    for (const element of scope.querySelectorAll(selector)) {
        if (element.tabIndex < 0 || element.disabled || !element.checkVisibility({visibilityProperty: true})) continue;
        if (element.closest('[inert]') || element.id === 'main') continue;
        if (element.type === 'radio') {
            if (groups.has(element.name)) continue;
            groups.add(element.name);
            for (const one of scope.querySelectorAll(`input[name="${element.name}"]`)) one.dataset.stop = count;
        } else element.dataset.stop = count;
        count++;
    }
    return count;
}"""

# Where the focus is, and whether it can be seen there: a ring on the element, or on the label that is drawn in its place.
AT = """() => {
    const at = document.activeElement;
    if (!at || at === document.body || at === document.documentElement) return null;
    const name = at.id || at.getAttribute('href') || at.className || at.name || at.tagName;
    const rings = ({outlineStyle, outlineWidth}, zoom) => outlineStyle !== 'none' && Math.round(parseFloat(outlineWidth) * zoom) >= 2;
    const shows = (element) =>
        Boolean(element) && [null, '::after'].some((part) => rings(getComputedStyle(element, part), element.currentCSSZoom ?? 1));
    const box = at.getBoundingClientRect();
    const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    const shown = [at, at.closest('label'), at.matches('.chip input') && at.nextElementSibling].some(shows);
    return {stop: at.dataset.stop ?? null, name, shown, inView};
}"""


class Walk:
    """Presses Tab through a page until it comes round."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def round(self) -> tuple[set[int], list[str]]:
        """Which of the marked elements Tab reached, and the names of those that did not show the focus."""
        reached: set[int] = set()
        unseen: list[str] = []
        for _ in range(MAX_STOPS):  # from wherever the focus is, once around through the browser's own controls
            self.page.keyboard.press("Tab")
            at: dict[str, Any] | None = self.page.evaluate(AT)
            if at is None or at["stop"] is None:
                continue
            if int(at["stop"]) in reached:
                break
            reached.add(int(at["stop"]))
            if not at["shown"] or not at["inView"]:
                unseen.append(at["name"])
        return reached, unseen

    def check(self, view: str) -> None:
        """Everything that can be operated is reached and shows it; walked again where something has left the view meanwhile."""
        for _ in range(MAX_WALKS):
            count = self.page.evaluate(MARK, OPERABLE)
            reached, unseen = self.round()
            missed = self.page.evaluate(
                "(stops) => stops.map((stop) => document.querySelector(`[data-stop='${stop}']`)?.outerHTML.slice(0, 120))",
                sorted(set(range(count)) - reached),
            )
            if None not in missed:
                break
        assert (view, missed, unseen) == (view, [], [])
        assert count >= 1


def escape_closes(page: Page, opener: str, dialog: str) -> None:
    """A dialog opens with Enter on its button, holds the focus, and gives it back to the button at Escape."""
    page.locator(opener).focus()
    page.keyboard.press("Enter")
    expect(page.locator(dialog)).to_be_visible()
    Walk(page).check(dialog)
    assert page.evaluate(
        "(dialog) => document.querySelector(dialog).contains(document.activeElement) || !document.hasFocus()"
        " || document.activeElement === document.body",
        dialog,
    )
    page.keyboard.press("Escape")
    expect(page.locator(dialog)).to_be_hidden()
    expect(page.locator(opener)).to_be_focused()


def walked(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> Dashboard:
    """A page on three rooms, of which one has a past and one is off air and needs attention."""
    now = int(time.time())
    studio.post(
        *({"room_id": "walk-ana", "timestamp": now - ago, "tokens_count": 9000 - ago, "viewers_count": 5} for ago in range(1800, 0, -60)),
        {"room_id": "walk-off", "timestamp": now - 200},
    )
    on_air({"room_id": "walk-ana", "tokens_count": 9100}, {"room_id": "walk-bea", "platform": "stripchat", "tokens_count": 10})
    return visit(studio, permissions=["clipboard-read", "clipboard-write"])


def walk_rooms(dashboard: Dashboard) -> None:
    """The live view in its forms, with the dialogs that it opens."""
    page, walk = dashboard.page, Walk(dashboard.page)
    expect(page.locator("#needs a, #needs button").first).to_be_visible()
    walk.check("live")
    for opener, dialog in (("#explain", "#legend"), ("#palette-open", "#palette"), ("#screens-open", "#screens")):
        escape_closes(page, opener, dialog)
    page.locator("#density").select_option("table")
    expect(page.locator(".room-table tbody tr")).to_have_count(3)
    walk.check("table")
    page.locator("#density").select_option("cards")
    expect(page.locator(".card")).to_have_count(3)


def walk_one_room(dashboard: Dashboard) -> None:
    """From a card to the room, to its neighbours, to the reasons of its figure and back."""
    page, walk = dashboard.page, Walk(dashboard.page)
    page.locator("#main").focus()
    page.keyboard.press("j")
    expect(page.locator('.card[data-room="walk-ana"] .room a')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#room-body")).to_be_visible()
    walk.check("room")
    page.locator("#main").focus()
    page.keyboard.press("k")
    expect(page.get_by_role("heading", name="walk-off")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="walk-ana")).to_be_visible()
    page.locator("#room-why").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#why-body")).to_be_visible()
    walk.check("why")
    page.locator("#why-back").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#room-name")).to_have_text("walk-ana")


def walk_analytics(dashboard: Dashboard) -> None:
    """To analytics and back by keys, with the link copied on the way."""
    page = dashboard.page
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.locator("#analytics-body")).to_be_visible()
    Walk(page).check("analytics")
    page.locator("#main").focus()
    page.keyboard.press("c")
    expect(page.locator("#toast")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.go_back()
    expect(page.locator("#room-name")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page.locator(".card")).to_have_count(3)


def walk_by_keys(dashboard: Dashboard) -> None:
    """The wall, the explanations, the commands and the search."""
    page = dashboard.page
    page.keyboard.press("w")
    expect(page.locator(".wall-room")).to_have_count(2)
    Walk(page).check("wall")
    page.keyboard.press("Escape")
    expect(page.locator("html")).not_to_have_attribute("data-wall", "")
    page.keyboard.press("?")
    expect(page.locator("#legend")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
    page.keyboard.type("walk-bea")
    page.keyboard.press("Enter")
    expect(page.locator("#room-name")).to_have_text("walk-bea")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("zz")
    expect(page.locator("#empty-title")).to_be_visible()
    Walk(page).check("nothing found")


def test_every_view_can_be_walked_by_keyboard(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """In each view Tab reaches everything, the focus can be seen, and nothing holds it; keys lead from one view to the next and back."""
    dashboard = walked(studio, visit, on_air)
    dashboard.page.goto(studio.broadcast.url)
    expect(dashboard.page.get_by_label("Access token")).to_be_focused()
    Walk(dashboard.page).check("signin")
    dashboard.page.locator("#gate-pair").press("Enter")
    expect(dashboard.page.locator("#pairing-letters")).not_to_be_empty()
    Walk(dashboard.page).check("pairing")
    dashboard.open(rooms=("walk-*",)).live()
    expect(dashboard.page.locator(".card")).to_have_count(3)
    walk_rooms(dashboard)
    walk_one_room(dashboard)
    walk_analytics(dashboard)
    walk_by_keys(dashboard)


def test_a_studio_without_rooms_can_be_walked_by_keyboard(studio: Studio, visit: Opener) -> None:
    """The first run, and the demo that is begun and ended by Enter."""
    page = visit(studio).open(**NO_ROOM_YET).live().page
    expect(page.locator("#first-waiting")).to_be_visible()
    Walk(page).check("first run")
    page.locator("#demo-start").press("Enter")
    expect(page.locator("#demo-end")).to_be_focused()
    expect(page.locator(".card")).to_have_count(12)
    Walk(page).check("demo")
    page.locator("#demo-end").press("Enter")
    expect(page.locator("#first-waiting")).to_be_visible()


def test_the_keys_of_rooms_work_on_a_room_that_was_opened_by_its_link(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Also before the live view has been shown."""
    on_air(*({"room_id": name} for name in ("deep-a", "deep-b")))
    page = visit(studio).open("?view=room&room=deep-a&on=camsoda", rooms=("deep-*",)).live().page
    expect(page.locator("#room-name")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="deep-b")).to_be_visible()
