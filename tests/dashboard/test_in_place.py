"""A refresh, a choice or a finger changes nothing that a person is using: nothing is thrown away, nothing is hidden."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.support.browser import Dashboard, Opener
from tests.support.studio import OnAir, Studio
from tools.screenshots.scenes import LANGUAGES
from tools.screenshots.stage import CHOOSE_LANGUAGE

VIEWS = {"analytics": ("?view=analytics", "#analytics-period"), "room": ("?view=room&room=place-1&on=camsoda", "#room-period")}
REFRESH_BY_HAND = """
  const { setTimeout } = window;
  window.setTimeout = (run, ms, ...rest) => { if (ms === %d) window.refresh = run; return setTimeout(run, ms, ...rest); };
"""
STUDIO_FACTS = re.compile(r"/api/studio\b")
FOCUS = "document.activeElement?.value ?? document.activeElement?.textContent"


@pytest.fixture(scope="module")
def rooms(shared_studio: Studio) -> Iterator[set[str]]:
    """The names of two rooms with two hours of earnings, which report as long as the module's tests run."""
    own, now = shared_studio.for_one_test(), int(time.time())
    rooms = [{"room_id": f"place-{n}", "viewers_count": 10} for n in (1, 2)]
    own.post(
        *(
            {**room, "timestamp": now - at, "tokens_count": 90_000 - at * n}
            for at in range(7200, 0, -300)
            for n, room in enumerate(rooms, start=1)
        )
    )
    with OnAir(own, *({**room, "tokens_count": 89_800} for room in rooms)):
        yield {"place-1", "place-2"}


@pytest.fixture
def studio(shared_studio: Studio, rooms: set[str]) -> Studio:
    """The shared stack, of which a token sees these two rooms."""
    return shared_studio.for_one_test(rooms)


def opened(studio: Studio, visit: Opener, query: str, **context: object) -> Dashboard:
    """The page with its reports loaded."""
    dashboard = visit(studio, **context).open(query).live()
    expect(dashboard.page.locator(".chart-bars, .stack-part").first).to_be_attached()
    return dashboard


def test_arrow_keys_walk_the_periods(studio: Studio, visit: Opener) -> None:
    """Each press chooses the next one, and the focus stays in the row; in both views with periods."""
    dashboard = opened(studio, visit, VIEWS["analytics"][0])
    page = dashboard.page
    for view, following in (("analytics", ("week", "half_month", "month")), ("room", ("week", "today", "day"))):
        query, periods = VIEWS[view]
        dashboard.move(query)
        expect(page.locator(f"#{view} :is(.chart-bars, .stack-part)").first).to_be_visible()
        page.locator(f'{periods} input[value="day"]').focus()
        for value in following:
            with page.expect_response("**/analytics?**"):
                page.keyboard.press("ArrowRight")
            page.wait_for_load_state("networkidle")
            assert page.evaluate(FOCUS) == value
            expect(page.locator(f'{periods} input[value="{value}"]')).to_be_checked()


def test_a_refresh_keeps_the_focused_row_and_the_pointed_at_value(studio: Studio, visit: Opener) -> None:
    """Reports are loaded again every two minutes, here early, and a keyboard user notices nothing."""
    dashboard = visit(studio)
    page = dashboard.page
    dashboard.run_first(REFRESH_BY_HAND % 120_000)
    dashboard.open("?view=analytics").live()
    link = page.locator("#analytics-rows th a").nth(1)
    link.focus()
    chart = page.locator("#analytics-chart svg")
    chart.hover(position={"x": (chart.bounding_box() or {"width": 0})["width"] - 20, "y": 80})  # the current hour
    said = page.locator("#analytics-chart .chart-readout")
    expect(said).to_contain_text("tokens")
    before = said.inner_text()
    with page.expect_response("**/analytics?**"):
        page.evaluate("window.refresh()")
    page.wait_for_load_state("networkidle")
    expect(link).to_be_focused()
    assert said.inner_text() == before


def test_a_refresh_keeps_the_focus_in_the_tables_of_a_room_and_of_reasons(studio: Studio, visit: Opener) -> None:
    """Their rows are drawn anew: the focus is on the link of the same figure, also where the minutes that it covers have moved."""
    dashboard = visit(studio)
    page, now = dashboard.page, int(time.time()) // 60 * 60
    dashboard.run_first(REFRESH_BY_HAND % 60_000)
    dashboard.open(VIEWS["room"][0]).live()
    span = f"from={now - 86_400}&to={now + 60}"
    for query, table in (
        (VIEWS["room"][0], "#room-accounts"),
        (VIEWS["room"][0], "#room-shows"),
        (f"?view=sum&{span}", "#sum-rows"),
        (f"?view=why&room=place-1&on=camsoda&{span}", "#why-rows"),
    ):
        dashboard.move(query)
        link = page.locator(f"{table} a").nth(1)
        link.focus()
        page.evaluate("table => { document.querySelector(`${table} tr`).dataset.old = 'yes'; }", table)
        page.evaluate("window.refresh()")
        expect(page.locator(f"{table} [data-old]")).to_have_count(0)
        expect(link).to_be_focused()


def test_a_tap_shows_the_value(studio: Studio, visit: Opener) -> None:
    """And it stays until something else is tapped."""
    dashboard = opened(studio, visit, VIEWS["room"][0], has_touch=True, viewport={"width": 390, "height": 844})
    chart = dashboard.page.locator("#room-lanes svg")
    expect(chart).to_have_accessible_name(re.compile("Highest"))
    bar = chart.locator(".chart-bars").evaluate_all("(bars) => bars.map((bar) => bar.getAttribute('d')).join('').match(/M([0-9.]+)/)[1]")
    chart.tap(position={"x": float(bar) + 1, "y": 60})
    said = dashboard.page.locator("#room-lanes .chart-readout")
    expect(said).to_contain_text("tokens")
    dashboard.page.locator("#room-name").tap()
    expect(said).not_to_contain_text("tokens")


TOUCHING = """() => [...document.querySelectorAll('.chart')].filter((chart) => chart.checkVisibility()).flatMap((chart) => {
  const rows = {};
  for (const label of chart.querySelectorAll('.chart-label')) (rows[label.getAttribute('text-anchor')] ??= []).push(label);
  const boxes = (rows.middle ?? [])
    .map((label) => ({words: label.textContent, box: label.getBoundingClientRect()})).sort((a, b) => a.box.left - b.box.left);
  const frame = chart.getBoundingClientRect();
  return boxes.flatMap(({words, box}, i) => {
    const next = boxes[i + 1];
    const problems = [];
    if (next && box.right + 2 > next.box.left) problems.push(`${words}|${next.words}`);
    if (box.left < frame.left - 1 || box.right > frame.right + 1) problems.push(`${words} leaves the chart`);
    return problems;
  });
})"""


CHARTS = (("room", "today"), ("room", "day"), ("room", "week"), ("analytics", "month"))


def test_labels_of_charts_do_not_touch(studio: Studio, visit: Opener) -> None:
    """At any width, in both languages; and they are as large as the text around them."""
    dashboard = visit(studio, locale="es-CO").open().live()
    page = dashboard.page
    for view, period in CHARTS:
        with page.expect_response("**/analytics?**"):
            dashboard.move(f"{VIEWS[view][0]}&period={period}")
        expect(page.locator({"room": "#room-lanes svg", "analytics": "#analytics-chart svg"}[view])).to_be_visible()
        expect(page.locator(f"#{view} :is(.chart-bars, .stack-part)").first).to_be_attached()
        page.wait_for_load_state("networkidle")
        for language in LANGUAGES:
            page.evaluate(CHOOSE_LANGUAGE, language)
            expect(page.locator("html")).to_have_attribute("lang", language)
            touching: dict[str, list[str]] = {}
            for width in dashboard.resized({str(width): (width, 1000) for width in (390, 820, 1280, 2560)}):
                touching[width] = page.evaluate(f"({TOUCHING})()")
                sizes = page.evaluate(
                    "['.chart-label', '.kpi-sub'].map((s) => [...document.querySelectorAll(s)].find((one) => one.checkVisibility()))"
                    ".map((one) => parseFloat(getComputedStyle(one).fontSize))"
                )
                assert sizes[0] > 0.9 * sizes[1], (view, period, language)
            assert touching == {"390": [], "820": [], "1280": [], "2560": []}, (view, period, language)


def test_spanish_axes_say_thousands_in_one_way(studio: Studio, visit: Opener) -> None:
    """`30 mil`, never `30 k` beside `1 K`."""
    dashboard = opened(studio, visit, VIEWS["room"][0], locale="es-CO")
    labels = dashboard.page.locator("#room-lanes .chart-label[text-anchor=end]")
    expect(labels.first).to_be_attached()
    words = labels.evaluate_all("(labels) => labels.map((label) => label.textContent)")
    assert any(word.endswith("mil") for word in words)
    assert not [word for word in words if "k" in word.lower()]


COLOURS = """([selector, property]) => [...document.querySelectorAll(selector)].map((e) => getComputedStyle(e)[property])"""


def test_high_contrast_shows_what_colour_shows_elsewhere(studio: Studio, visit: Opener) -> None:
    """Heat map, its legend, best hours, stacks and trends are filled with the system's colours."""
    dashboard = visit(studio, forced_colors="active").open("?q=place").live()
    page = dashboard.page
    expect(page.locator("#heat .cell")).to_have_count(2)
    levels = [
        page.locator(f'#heat-section .legend-scale .cell[data-level="{n}"]').evaluate("(e) => getComputedStyle(e).backgroundImage")
        for n in range(5)
    ]
    assert len(set(levels)) == 5
    assert all("gradient" in level for level in levels)
    page.get_by_role("link", name="Analytics").click()
    expect(page.locator(".trend-bars").first).to_be_visible()
    assert all("gradient" in image for image in page.evaluate(COLOURS, [".hours td[data-level='4']", "backgroundImage"]))
    assert set(page.evaluate(COLOURS, [".hours td[data-level='4']", "forcedColorAdjust"])) == {"none"}
    text = page.evaluate(COLOURS, ["body", "color"])[0]
    for selector in (".stack-part", ".trend-bars path"):
        assert set(page.evaluate(COLOURS, [selector, "fill"])) == {text}
    assert dashboard.violations() == []


CONTRAST = """(selectors) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element.parentElement; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return parse(getComputedStyle(document.documentElement).backgroundColor);
  };
  return selectors.flatMap((selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility()).map((element) => {
    const [a, b] = [light(parse(getComputedStyle(element).borderTopColor)), light(ground(element))].sort((x, y) => y - x);
    return [selector, Math.round(((a + 0.05) / (b + 0.05)) * 100) / 100];
  }));
}"""


def test_what_is_operated_has_an_outline_that_can_be_seen(studio: Studio, visit: Opener) -> None:
    """WCAG 1.4.11: 3:1 against the surroundings, for fields, choices, buttons and hollow squares."""
    ended = int(time.time()) - 600  # as many rooms as have squares, and one after another
    studio.post(*({"room_id": f"place-off-{n}", "timestamp": ended - 20 * n} for n in range(100)))
    dashboard = visit(studio, color_scheme="dark").open("", ttl_seconds=200).live()
    expect(dashboard.page.locator('.cell[data-status="off_air"][data-key]').first).to_be_visible()
    selectors = ["#search", ".field select", ".chips", '.cell[data-status="off_air"]', "#renew-token", ".notice button"]
    grounds = set()
    for scheme in ("dark", "light"):
        dashboard.page.emulate_media(color_scheme=scheme)
        measured = dashboard.page.evaluate(CONTRAST, selectors)
        assert {selector for selector, _ in measured} >= set(selectors[:2]) | {'.cell[data-status="off_air"]', "#renew-token"}
        assert [pair for pair in measured if pair[1] < 3] == [], scheme
        grounds.add(dashboard.page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert len(grounds) == 2


def test_names_that_come_late_leave_the_focus_where_it_is(shared_studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """A card, a row of the table and a square show the names of the studio when these arrive, under the hands of a quick reader."""
    rooms = [f"late-{n:03}" for n in range(100)]
    on_air(*({"room_id": room} for room in rooms))
    facts = shared_studio.get("/api/studio", rooms=("late-*",))[1]
    facts["rooms"] = [{"room_id": room, "name": f"Sala {room}", "target": None} for room in rooms]
    dashboard = visit(shared_studio.for_one_test())
    page, held, late = dashboard.page, list[Route](), list[str]()

    def answer(route: Route) -> None:
        """Answers with the names, from now on or once they are not late any more."""
        if late:
            held.append(route)
        else:
            route.fulfill(json=facts)

    page.route(STUDIO_FACTS, answer)
    dashboard.open(rooms=("late-*",)).live()
    for density, selector in (("cards", ".card .room a"), ("table", "tbody th a"), ("cards", "#heat .cell")):
        late.append(density)
        with page.expect_request(STUDIO_FACTS):
            page.reload()
            dashboard.live()
        page.locator("#density").select_option(density)
        room = page.locator(selector).first
        expect(room).to_have_accessible_name(re.compile("late-000"))
        room.focus()
        late.clear()
        while held:
            answer(held.pop())
        expect(room).to_have_accessible_name(re.compile("Sala late-000"))
        expect(room).to_be_focused()


@pytest.mark.parametrize("order", ["sort=tokens", "group=status"])
def test_a_card_that_moves_keeps_the_focus(shared_studio: Studio, visit: Opener, on_air: Callable[..., OnAir], order: str) -> None:
    """Behind the others, where it is no longer the first, and into another group."""
    studio, now, name = shared_studio.for_one_test(), int(time.time()), order.partition("=")[0]
    on_air({"room_id": f"{name}-b", "tokens_count": 20}, {"room_id": f"{name}-c", "tokens_count": 10})
    studio.post({"room_id": f"{name}-a", "tokens_count": 30, "timestamp": now - 400})
    dashboard = visit(studio).open(f"?{order}", rooms=(f"{name}-*",)).live()
    page = dashboard.page
    card = dashboard.card(f"{name}-a")
    rooms = page.locator(".card .room a")
    expect(rooms).to_have_count(3)
    before = rooms.all_text_contents()
    card.locator(".room a").focus()
    on_air({"room_id": f"{name}-a", "tokens_count": 5})
    expect(card.locator(".tokens")).to_have_text("5")
    on_air({"room_id": f"{name}-d", "tokens_count": 1})
    expect(rooms).to_have_count(4)
    assert rooms.all_text_contents() != [*before, f"{name}-d"]
    expect(card.locator(".room a")).to_be_focused()


def test_a_walk_by_arrow_keys_leaves_one_tab_stop_wherever_it_begins(studio: Studio, visit: Opener) -> None:
    """A click with Ctrl focuses a square that was no tab stop, and stays on the page."""
    ended = int(time.time()) - 600
    studio.post(*({"room_id": f"square-{n:03}", "timestamp": ended} for n in range(100)))
    page = visit(studio).open().live().page
    squares = page.locator("#heat .cell")
    expect(squares.nth(99)).to_be_visible()
    squares.nth(5).focus()
    page.keyboard.press("ArrowRight")
    expect(squares.nth(6)).to_be_focused()
    expect(page.locator("#heat [tabindex='0']")).to_have_count(1)
