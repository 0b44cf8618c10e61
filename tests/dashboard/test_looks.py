"""Sizes, languages, themes and assistive technology."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from broadcast_service.http.static import DIRECTORY
from tests.support.browser import Dashboard, Opener
from tests.support.studio import OnAir, Studio
from tools.screenshots.scenes import DIALOGS, EMPTY_VIEWS, LANGUAGES, SCHEMES, Look, looks, query_of
from tools.screenshots.scenes import VIEWS as AXE_VIEWS
from tools.screenshots.stage import CHOOSE_DENSITY, await_view, open_view, show_as

VIEWS = {
    "live": "?q=look-",
    "analytics": "?view=analytics&period=week",
    "room": "?view=room&room=look-1&on=camsoda",
    "why": f"?view=why&room=look-1&on=camsoda&from={int(time.time()) - 10_000}&to={int(time.time()) + 3600}",
    "sum": f"?view=sum&from={int(time.time()) - 10_000}&to={int(time.time()) + 3600}",
    "unbroken": f"?view=room&room={'W' * 64}&on=camsoda",
    "wall": "?wall=1",
}
DRAWN_VIEWS = {  # what shows that each of them has been drawn
    "live": ".card",
    "analytics": "#analytics-body",
    "room": "#room-name:has-text('look-1')",
    "why": "#why-body",
    "sum": "#sum-body",
    "unbroken": "#room-name:has-text('WWW')",
    "wall": ".wall-room",
}
# The views of the matrix, those together that one page can show one after the other: to open another takes as long as an examination.
ROUNDS = (
    ("live", "table", "room", "why"),
    ("screens", "legend", "palette", "analytics", "sum"),
    ("wall",),
    ("tv",),
    ("signin", "pairing"),
    ("first",),
)
LOOKS_ALONE = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")  # axe's rules of colours and sizes
I18N = DIRECTORY / "i18n"
SIZES = {"phone": (390, 844), "laptop": (1280, 800), "television": (1920, 1080), "wall": (2560, 1440)}
UNBROKEN = "W" * 64
AXE_WIDTHS = (390, 1366)


LONG = {"tokens_count": 4_294_967_294, "platform": "a-platform-of-the-longest-name-"}
LIVE = (
    {"room_id": "look-1", "tokens_count": 90_500, "goal_tokens": 120_000},
    {"room_id": UNBROKEN, "tokens_count": 9_007_199_254, "viewers_count": 123_456, "tips_count": 1_234_567},
    {"room_id": "look-with-a-name-so-long-that-no-card-could-hold-it-0123456789", **LONG},
)


@pytest.fixture(scope="module")
def rooms(shared_studio: Studio) -> Iterator[set[str]]:
    """The names of a few rooms, of which one has a past; those that are live report as long as the module's tests run."""
    own, now = shared_studio.for_one_test(), int(time.time())
    own.post(
        *(
            {"room_id": "look-1", "timestamp": now - at, "tokens_count": 90_000 - at * 3, "viewers_count": at % 700}
            for at in range(7200, 0, -60)
        )
    )
    with OnAir(own, *LIVE):
        yield {*(own.own_rooms or ()), "look-stale", "look-off"}


@pytest.fixture
def studio(shared_studio: Studio, rooms: set[str]) -> Studio:
    """One room of each status at the beginning of each test, however long those before it took."""
    own, now = shared_studio.for_one_test(rooms), int(time.time())
    own.post(*({"room_id": name, "timestamp": now - age, **LONG} for name, age in (("look-stale", 20), ("look-off", 600))))
    return own


LINK_WORDS = [word for name in LANGUAGES for word in re.findall(r" link_(?!copied)[a-z]+: '([^'{]+)'", (I18N / f"{name}.js").read_text())]
CUT_LINK_WORD = """(text) => {
    const word = document.querySelector('#link-word');
    const { dataset } = document.querySelector('#link');
    const before = [word.textContent, dataset.trouble];
    [word.textContent, dataset.trouble] = [text, ['Up to date', 'Al día'].includes(text) ? 'none' : 'link'];
    const isCut = word.scrollWidth > word.clientWidth;
    [word.textContent, dataset.trouble] = before;
    return isCut;
}"""
UNEVEN_FIGURES = """() => {
    const top = (element) => element.getBoundingClientRect().top;
    return [...document.querySelectorAll('.figures .kpi-value')].filter((figure) => {
        const row = [...figure.closest('.figures').querySelectorAll('.kpi-value')].filter(
            (other) => Math.abs(top(other.closest('.kpi')) - top(figure.closest('.kpi'))) < 1);
        return Math.abs(top(row[0]) - top(figure)) > 1;
    }).map((figure) => figure.id);
}"""


def test_nothing_sticks_out(studio: Studio, visit: Opener) -> None:
    """No view scrolls sideways at any size, not even with the longest names and numbers; figures in a row are on one line."""
    dashboard = visit(studio).open().live()
    page, widths, uneven = dashboard.page, {}, {}
    for view, query in VIEWS.items():
        if view == "wall":
            page.goto(f"{studio.broadcast.url}/{query}")  # signed in by now
        else:
            dashboard.move(query)
        expect(page.locator(DRAWN_VIEWS[view]).filter(visible=True).first).to_be_visible()
        page.wait_for_load_state("networkidle")
        for size in dashboard.resized(SIZES):
            widths[view, size] = page.evaluate("document.documentElement.scrollWidth")
            uneven[view, size] = page.evaluate(UNEVEN_FIGURES)
    assert {seen: width for seen, width in widths.items() if width > SIZES[seen[1]][0]} == {}
    assert {seen: names for seen, names in uneven.items() if names} == {}
    assert len(widths) == len(VIEWS) * len(SIZES)


def opened(dashboard: Dashboard, studio: Studio, view: str) -> None:
    """Opens a view of the matrix of screenshots."""
    has_rooms = view not in EMPTY_VIEWS
    scope: Any = {} if has_rooms else {"rooms": ("*",), "platforms": ("no-platform",)}
    token = "" if view in ("signin", "pairing") else studio.token(**scope)
    open_view(dashboard.page, view, f"{studio.broadcast.url}/{query_for(view)}", token, has_rooms=has_rooms)


def query_for(view: str) -> str:
    """The address of a view of the matrix."""
    return query_of(view, ("look-1", "camsoda"), int(time.time()))


def in_turn(dashboard: Dashboard, studio: Studio, views: Sequence[str]) -> Iterator[str]:
    """Opens the first view and leads the page from each to the next one, while the caller looks at them."""
    page = dashboard.page
    opened(dashboard, studio, views[0])
    yield views[0]
    for before, view in pairwise(views):
        if before in DIALOGS:
            page.keyboard.press("Escape")
            expect(page.locator("dialog[open]")).to_have_count(0)
        if before == "table":
            page.locator("#density").evaluate(CHOOSE_DENSITY, "cards")
        if view == "pairing":
            page.locator("#gate-pair").click()
            expect(page.locator("#pairing-letters")).not_to_be_empty()
        else:
            dashboard.move(query_for(view))
            await_view(page, view, has_rooms=True)
        yield view


@pytest.mark.parametrize("views", ROUNDS, ids="-".join)
def test_axe_finds_nothing(studio: Studio, visit: Opener, views: tuple[str, ...]) -> None:
    """No violation of WCAG 2.2 A or AA in any view, in each of the three themes in each language, by turns on a phone and a laptop."""
    dashboard = visit(studio, reduced_motion="reduce", viewport={"width": 390, "height": 844})
    found: dict[tuple[str, Look], list[str]] = {}
    for view in in_turn(dashboard, studio, views):
        if view == "signin":
            dashboard.page.locator("#gate-form .primary").click()  # with an error shown
        for look in looks(AXE_WIDTHS, SCHEMES, LANGUAGES):
            if ((look.scheme == "dark") == (look.language == "es")) != (look.width == AXE_WIDTHS[0]):
                continue  # the other width has this theme in this language
            show_as(dashboard.page, look)
            # A theme changes colours and sizes; what all have in common is examined in one of them, in each language and width.
            found[view, look] = dashboard.violations(() if look.scheme == "dark" else LOOKS_ALONE)
        assert small_targets(dashboard.page, DESKS, POINTED) == {}, view
        assert dashboard.violations(("target-size",)) == [], view  # at the last width type is smallest, and targets nearest to each other
    assert {seen: findings for seen, findings in found.items() if findings} == {}
    assert len(found) == len(views) * len(SCHEMES) * len(LANGUAGES)


# Whether a press hits the element that it aims at. The label of a control, and a box that a style sheet lays over it, are parts of it.
# Squares of the heat map are exempt, as in WCAG 2.5.8: the cards below have the same links.
SMALL = """([width, height, letters]) => [
  ...document.querySelectorAll('a[href], button, input, select, summary, [role=option]'),
].flatMap((element) => {
    const scope = document.querySelector('dialog[open]');
    if ((scope && !scope.contains(element)) || !element.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true})) return [];
    const name = element.id || element.name || element.className || element.textContent.trim().slice(0, 20);
    const field = element.matches('input:not([type=checkbox], [type=radio]), select');
    const { fontSize } = getComputedStyle(element);
    if (field && parseFloat(fontSize) < letters) return [`${name}: letters of ${fontSize}`];
    if (element.matches('.skip, .cell')) return [];
    const boxes = [element, element.closest('label')].filter(Boolean).map((one) => one.getBoundingClientRect());
    const after = getComputedStyle(element, '::after');
    const zoom = element.currentCSSZoom ?? 1;
    if (after.content !== 'none' && after.position === 'absolute')
        boxes.push({ width: parseFloat(after.width) * zoom, height: parseFloat(after.height) * zoom });
    const [wide, high] = ['width', 'height'].map((side) => Math.max(...boxes.map((box) => box[side])));
    return wide < width - 0.5 || high < height - 0.5 ? [`${name}: ${Math.round(wide)} by ${Math.round(high)}`] : [];
})"""
POINTED, TOUCHED = [24, 24, 0], [24, 44, 16]
DESKS, HELD = (2560, 1920, 1366, 768), (1366, 768, 390)


def small_targets(page: Page, widths: Sequence[int], least: Sequence[int]) -> dict[int, list[str]]:
    """The targets smaller than `least` (width, height, letters of fields), by the width of the window."""
    small: dict[int, list[str]] = {}
    for width in widths:
        show_as(page, Look(width, "dark", "en", 1000))
        small[width] = page.evaluate(SMALL, list(least))
    return {width: findings for width, findings in small.items() if findings}


# Of the totals that share a line.
FIGURE_TOPS = (
    "[...document.querySelectorAll('#kpis .kpi:not(:first-child) .kpi-value')].map((one) => Math.round(one.getBoundingClientRect().top))"
)


@pytest.mark.parametrize("views", [views for views in ROUNDS if views[0] not in ("wall", "tv")], ids="-".join)
def test_fingers_hit_what_they_aim_at(studio: Studio, visit: Opener, views: tuple[str, ...]) -> None:
    """Targets are 44 px high, on tablets too, and letters of fields 16 px (else iOS zooms into them), rows of rooms on phones 56 px."""
    dashboard = visit(studio, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = dashboard.page
    for view in in_turn(dashboard, studio, views):
        assert small_targets(page, HELD, TOUCHED) == {}, view
        if view == "live":
            for density in ("cards", "compact"):
                page.locator("#density").evaluate(CHOOSE_DENSITY, density)
                expect(page.locator(f"[data-density={density}] .card").first).to_be_visible()
                assert small_targets(page, (390,), TOUCHED) == {}, density
            heights = page.evaluate("[...document.querySelectorAll('.card')].map((card) => card.getBoundingClientRect().height)")
            assert min(heights) >= 56
            assert len(set(page.evaluate(FIGURE_TOPS))) == 1  # whether they are links or not


def test_the_rounds_contain_every_view_of_the_matrix() -> None:
    """None is forgotten, and none is looked at twice."""
    assert sorted(view for views in ROUNDS for view in views) == sorted(AXE_VIEWS)


def test_a_phone_opens_its_filters_by_a_button(studio: Studio, visit: Opener) -> None:
    """By keyboard; a reload leaves them, chips take them back, a desk has them all in view; the link's word is whole."""
    dashboard = visit(studio, viewport={"width": 390, "height": 844}).open().live()
    page = dashboard.page
    sizes = {"tablet": (768, 1024), "narrow": (641, 900), "phone": (390, 844)}
    assert [(size, word) for size in dashboard.resized(sizes) for word in LINK_WORDS if page.evaluate(CUT_LINK_WORD, word)] == []
    button, folded, chips = page.locator("#rooms-fold"), page.locator("#rooms-folded"), page.locator("#rooms-chosen button")
    expect(page.locator(".card").first).to_be_visible()
    expect(button).to_have_text("Filters")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(folded).to_be_hidden()
    button.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    page.get_by_role("radio", name="camsoda").check()
    page.locator("[name=status]").select_option("stale")
    expect(button).to_have_text("Filters (2)")
    expect(chips).to_have_text([re.compile("camsoda"), re.compile("Stale")])
    page.reload()
    expect(folded).to_be_visible()
    button.press("Space")
    expect(folded).to_be_hidden()
    page.get_by_role("button", name="Remove the filter Stale").press("Enter")
    expect(button).to_have_text("Filters (1)")
    expect(chips).to_be_focused()
    expect(page.locator("[name=status]")).to_have_value("")
    chips.press("Enter")
    expect(chips).to_have_count(0)
    expect(button).to_be_focused()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator("#density")).to_be_visible()
    expect(button).to_be_hidden()


def test_a_phone_shows_the_total_of_a_report_and_its_comparison_without_scrolling(studio: Studio, visit: Opener) -> None:
    """Besides the period, what narrows it is behind a button, with a chip to take it back."""
    page = visit(studio, viewport={"width": 390, "height": 844}).open("?view=analytics&period=week&of=camsoda").live().page
    expect(page.locator("#fact-total a[href]")).to_be_visible()
    for part in ("#fact-total", "#fact-total-sub"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 420  # half of the screen
    expect(page.locator("#analytics-platform")).to_be_hidden()
    expect(page.locator("#analytics-fold")).to_have_text("Filters (1)")
    page.get_by_role("button", name="Remove the filter camsoda").click()
    expect(page.locator("#analytics-fold")).to_have_text("Filters")
    assert "of=" not in page.url
    expect(page.locator("#analytics-fold")).to_be_visible()
    page.locator("#analytics-fold").press("Enter")
    expect(page.get_by_role("radio", name="All", exact=True)).to_be_checked()
    page.get_by_role("radio", name="Month", exact=True).check()
    page.locator("#analytics-period").evaluate("(row) => { row.scrollLeft = 0; }")
    page.locator("#language").select_option("es")  # other words, other widths: the chosen one comes into view again
    expect(page.locator("#analytics-period .chip:has(:checked)")).to_have_text("Mes")
    expect(page.locator("#analytics-period .chip:has(:checked)")).to_be_in_viewport(ratio=1)


def test_spanish_by_the_browsers_language_and_english_by_choice(studio: Studio, visit: Opener) -> None:
    """Words and numbers follow the browser; the switch wins and is remembered."""
    page = visit(studio, locale="es-CO").open("?q=look-1").live().page
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.locator("[data-kpi=live] dt")).to_have_text("Salas al aire")
    expect(page.locator('.card[data-room="look-1"] .tokens')).to_have_text("90.500")
    page.get_by_label("Idioma").select_option("en")
    expect(page.locator("[data-kpi=live] dt")).to_have_text("Rooms on air")
    page.reload()
    expect(page.locator("[data-kpi=live] dt")).to_have_text("Rooms on air")


def test_the_theme_follows_the_system_and_the_switch_wins(studio: Studio, visit: Opener) -> None:
    """A choice stays and is there before the first paint; all three are reached by the button and by commands."""
    dashboard = visit(studio, color_scheme="dark", reduced_motion="reduce").open().live()
    page = dashboard.page
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(ground) == "rgb(12, 14, 18)"
    page.get_by_role("button", name="Theme").click()
    assert page.evaluate(ground) == "rgb(245, 246, 248)"
    page.reload()
    assert page.evaluate(ground) == "rgb(245, 246, 248)"
    dashboard.live()
    page.get_by_role("button", name="Theme").press("Enter")
    assert page.evaluate(ground) == "rgb(0, 0, 0)"
    assert dashboard.violations() == []
    for command, colour in (("system", "rgb(12, 14, 18)"), ("contrast", "rgb(0, 0, 0)"), ("light", "rgb(245, 246, 248)")):
        page.keyboard.press("Control+k")
        page.keyboard.type("system theme" if command == "system" else command)
        page.keyboard.press("Enter")
        assert page.evaluate(ground) == colour, command


def test_the_page_can_be_used_without_a_mouse(studio: Studio, visit: Opener) -> None:
    """Tab reaches the skip link first, then every control shows where it is."""
    page = visit(studio).open("?q=look-1").live().page
    expect(page.locator(".card")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the rooms")).to_be_focused()
    page.locator(".card .room a").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="look-1")).to_be_visible()
    page.go_back()
    expect(page.locator(".card")).to_have_count(1)


def test_live_regions_do_not_chatter(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Twenty updates change numbers, and no live region changes."""
    rooms = on_air({"room_id": "quiet"}, {"room_id": "quiet-other"})
    page = visit(studio).open("?q=quiet", rooms=("quiet", "quiet-other", "look-1")).live().page
    expect(page.locator("#count")).to_contain_text("2 of 3")
    page.evaluate(
        "window.said = 0; for (const region of document.querySelectorAll('[role=status], [role=alert], [aria-live]'))"
        " new MutationObserver(() => window.said++).observe(region, {childList: true, characterData: true, subtree: true})"
    )
    for tokens in range(1, 21):
        rooms.report({"room_id": "quiet", "tokens_count": tokens})
    expect(page.locator('.card[data-room="quiet"] .tokens')).to_have_text("20")
    assert page.evaluate("window.said") == 0


def test_the_page_can_be_installed(studio: Studio, visit: Opener) -> None:
    """Chromium reads the manifest and its icons without a complaint."""
    dashboard = visit(studio).open().live()
    session = dashboard.context.new_cdp_session(dashboard.page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"].endswith("/manifest.webmanifest")
    problems = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [problem["errorId"] for problem in problems if problem["errorId"] != "in-incognito"] == []
