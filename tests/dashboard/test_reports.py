"""The room page and the studio page in a real browser: the right sums, by keyboard too, and as files."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.browser import Dashboard, Opener
from tests.support.spreadsheets import read_workbook
from tests.support.studio import Studio
from tests.support.tabs import LOOKS, Tabs

HOUR = 3600
ROOMS = ("report-a", "report-b")


@pytest.fixture(scope="module", autouse=True)
def past(shared_studio: Studio) -> None:
    """Two rooms with three hours of past, one with a cash-out in between."""
    hour = int(time.time()) // HOUR * HOUR
    balances = {"report-a": ((3, 1000), (2, 1400), (1, 200), (0.5, 450)), "report-b": ((3, 10), (1, 60))}
    for room, found in balances.items():
        for hours, tokens in found:
            shared_studio.post(
                {"room_id": room, "timestamp": hour - int(hours * HOUR), "tokens_count": tokens, "viewers_count": tokens % 97}
            )


@pytest.fixture(scope="module")
def kept(tabs: Tabs) -> Iterator[list[Dashboard]]:
    """The page of `visit_rooms`, if it is open: a page that is open shows another view for a quarter of the CPU time of opening one."""
    pages: list[Dashboard] = []
    yield pages
    for dashboard in pages:
        dashboard.leave()


@pytest.fixture
def visit_rooms(
    shared_studio: Studio, tabs: Tabs, kept: list[Dashboard], request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Dashboard]]:
    """Shows a view of the two rooms on a page that several tests use in turn, as a new one. After a failed test it is another page."""
    if not kept:
        kept.append(Dashboard(tabs, shared_studio).open(rooms=ROOMS).live())
    dashboard, failures = kept[0], request.session.testsfailed

    def show(query: str) -> Dashboard:
        dashboard.move("")
        dashboard.page.mouse.move(0, 0)
        dashboard.page.set_viewport_size(LOOKS["viewport"])
        dashboard.page.locator("#language").select_option("en")
        return dashboard.move(query).live()

    yield show
    complaints = list(dashboard.complaints)
    if complaints or request.session.testsfailed > failures:
        kept.remove(dashboard)
        dashboard.leave()
    assert complaints == [], complaints


def test_the_studio_page_sums_up(visit_rooms: Callable[[str], Dashboard]) -> None:
    """Earned in all, by platform and by room, highest first; a cash-out takes nothing away."""
    page = visit_rooms("?view=analytics").page
    expect(page.locator("#fact-total")).to_have_text("700")
    expect(page.locator("#analytics-rows th")).to_have_text(["report-a", "report-b"])
    expect(page.locator("#analytics-rows td.col-earned")).to_have_text(["650", "50"])
    expect(page.locator("#analytics-sum td.col-earned")).to_have_text("700")
    page.get_by_role("radio", name="By platform").check()
    expect(page.locator("#analytics-rows th")).to_have_text(["camsoda report-a 650report-b 50"])
    expect(page.locator("#analytics-rows td.col-earned")).to_have_text(["700"])


def test_the_best_hours_are_a_table_that_can_be_read(visit_rooms: Callable[[str], Dashboard]) -> None:
    """Seven named days of 24 named hours, each with its number for who cannot see colours."""
    page = visit_rooms("?view=analytics").page
    expect(page.locator("#analytics-hours th[scope=row]")).to_have_count(7)
    expect(page.locator("#analytics-hours td[data-level]")).to_have_count(7 * 24)
    expect(page.locator("#analytics-hours td").filter(has_text="400")).to_have_count(1)


def test_a_period_is_kept_in_the_address(visit_rooms: Callable[[str], Dashboard]) -> None:
    """A reload shows the same week."""
    page = visit_rooms("?view=analytics").page
    page.get_by_role("radio", name="Month", exact=True).check()
    page.wait_for_url("**/?view=analytics&period=month")
    page.reload()
    expect(page.get_by_role("radio", name="Month", exact=True)).to_be_checked()


def test_a_room_page_charts_its_day(visit_rooms: Callable[[str], Dashboard]) -> None:
    """Each chart has a description; arrow keys announce its values."""
    page = visit_rooms("?view=room&room=report-a&on=camsoda").page
    expect(page.locator("#room-earned-total")).to_have_text("650")
    chart = page.get_by_role("slider", name="Tokens earned per 15 minutes. Highest: 400 at")
    chart.focus()
    page.keyboard.press("End")
    expect(page.locator("#room-lanes .chart-readout")).to_contain_text("tokens")
    expect(page.locator("#room-lanes .lanes-name")).to_have_text(["Tokens earned per 15 minutes", "Viewers", "Token balance"])


def test_a_room_page_charts_its_week(visit_rooms: Callable[[str], Dashboard]) -> None:
    """Seven days by the hour, and the choice stays in the address."""
    page = visit_rooms("?view=room&room=report-a&on=camsoda").page
    page.get_by_role("radio", name="7 days").check()
    expect(page.locator("#room-lanes svg")).to_have_accessible_name(re.compile("Tokens earned per hour. Highest: 400 at"))
    assert page.url.endswith("&period=week")


def test_a_room_without_a_current_value_says_so(visit_rooms: Callable[[str], Dashboard]) -> None:
    """Its past is still there; where there is none, its figures are unknown and not zero."""
    page = visit_rooms("?view=room&room=report-b&on=stripchat").page
    expect(page.get_by_text("This room has no current value")).to_be_visible()
    expect(page.locator("#room-tokens")).to_have_text("—")
    expect(page.locator("#room-earned-before")).to_have_text("not recorded")
    for figure in ("#room-earned-total", "#room-rate", "#room-on-air", "#room-doubts"):
        expect(page.locator(figure)).to_have_text("—")
    expect(page.locator("#room-why")).to_be_hidden()
    expect(page.locator("#room-goal-share")).to_have_text("")  # whether it has a goal is not known either
    expect(page.locator("#room-lanes-empty")).to_contain_text("No readings in this period")
    expect(page.locator("#room-lanes")).to_be_hidden()


def test_a_report_of_a_period_without_readings_has_no_axis_and_no_zero(visit_rooms: Callable[[str], Dashboard]) -> None:
    """Words in place of the chart and the table, dashes in place of figures; a period with readings shows both again."""
    page = visit_rooms("?view=analytics&period=day&back=3").page
    expect(page.locator("#analytics-empty")).to_contain_text("No readings in this period")
    for part in ("#analytics-chart", "#analytics-table", "#fact-total-why"):
        expect(page.locator(part)).to_be_hidden()
    for figure in ("#fact-total", "#fact-rate", "#fact-air", "#fact-unsettled"):
        expect(page.locator(figure)).to_have_text("—")
        expect(page.locator(f"{figure}-sub")).to_have_text("not recorded")
    for _ in range(3):
        page.locator("#analytics-later").click()
    expect(page.locator("#fact-total")).to_have_text("700")
    expect(page.locator("#analytics-chart svg")).to_be_visible()
    expect(page.locator("#analytics-empty")).to_be_hidden()


def test_a_room_exports_its_history(visit_rooms: Callable[[str], Dashboard]) -> None:
    """One line a reading, under the name of the room."""
    dashboard = visit_rooms("?view=room&room=report-b&on=camsoda")
    download = dashboard.exported("Readings")
    assert download.suggested_filename == "report-b-camsoda.csv"
    assert download.path().read_text().count("\n") == 3
    workbook = dashboard.exported("Excel")
    assert workbook.suggested_filename == "report-b-camsoda-tokens.xlsx"
    assert {row[1] for row in read_workbook(workbook.path().read_bytes())["Income"]} == {"Room", "report-b"}
    text = dashboard.exported("CSV for spreadsheets").path().read_text(encoding="utf-8-sig")
    assert {line.split(";")[1] for line in text.splitlines()} == {"Room", "report-b"}


@pytest.mark.parametrize("view", ["analytics", "room", "sum", "why"])
def test_the_files_of_a_view_are_in_one_menu_that_says_what_each_is_for(visit_rooms: Callable[[str], Dashboard], view: str) -> None:
    """By keyboard as menus are: arrows go round, Escape gives the focus back, Tab and a press elsewhere close it; in both languages."""
    dashboard = visit_rooms(PAGES[view][0])
    page = dashboard.page
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(PAGES[view][1])).to_have_text(re.compile("^(?:700|650)$"))
    button, items = page.locator(".export > button:visible"), page.get_by_role("menuitem")
    button.press("ArrowDown")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(items.first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(items.last).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(items.first).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert dashboard.violations() == []
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
    page.locator("#language").select_option("es")
    button.press("Enter")
    expect(items.first).to_be_focused()
    uses = [text.splitlines()[-1] for text in items.all_inner_texts()]
    assert all(use.endswith(".") for use in uses), uses
    assert len(set(uses)) == len(uses) >= 2
    page.keyboard.press("Tab")
    expect(items).to_have_count(0)
    button.click()
    expect(items.first).to_be_visible()
    page.mouse.click(5, 5)
    expect(items).to_have_count(0)


def test_what_is_zero_and_has_no_readings_is_no_link(studio: Studio, visit: Opener) -> None:
    """No unsettled tokens, no numbers set aside, no income the week before: these lead nowhere."""
    page = visit(studio).open(PAGES["room"][0].replace("report-a", "report-b"), rooms=("report-b",)).live().page
    expect(page.locator("#room-set-aside")).to_have_text("0 numbers set aside")
    expect(page.locator("#room-doubts")).to_have_text("0")
    expect(page.locator("#room-earned-total a[href]")).to_have_text("50")
    expect(page.locator(":is(#room-set-aside, #room-doubts) a[href]")).to_have_count(0)
    page.evaluate(OPEN, PAGES["analytics"][0])
    expect(page.locator("#fact-unsettled")).to_have_text("0")
    expect(page.locator("#fact-unsettled a[href]")).to_have_count(0)


def test_a_week_before_that_was_hardly_recorded_is_not_compared_with(studio: Studio, visit: Opener) -> None:
    """One recorded minute that earned nothing does not make the income of that day zero."""
    ages = (7 * 24 * HOUR + 2 * HOUR, 3 * HOUR, 2 * HOUR, HOUR)
    studio.post(*({"room_id": "report-c", "timestamp": int(time.time()) - age, "tokens_count": 100} for age in ages))
    page = visit(studio).open("?view=room&room=report-c&on=camsoda").live().page
    expect(page.locator("#room-earned-total")).to_have_text("0")
    expect(page.locator("#room-earned-before")).not_to_contain_text("week before")


def test_a_report_that_fails_offers_another_try(studio: Studio, visit: Opener) -> None:
    """Words, not an empty chart; trying again works."""
    dashboard = visit(studio)
    dashboard.context.route("**/api/tracking/analytics*", lambda route: route.fulfill(status=503))
    page = dashboard.open("?view=analytics", rooms=ROOMS).live().page
    expect(page.get_by_text("The server cannot answer at the moment.")).to_be_visible()
    again = page.get_by_role("button", name="Try again")
    again.evaluate("button => button.addEventListener('click', () => { window.triedAgain = true; }, { capture: true })")
    # The page also tries by itself: the server answers from the click on, so that the button cannot be gone before.
    dashboard.context.unroute_all()
    dashboard.context.route("**/api/tracking/analytics*", lambda route: answer_after_click(page, route))
    again.click()
    expect(page.locator("#fact-total")).to_have_text("700")


def answer_after_click(page: Page, route: Route) -> None:
    """Lets a request through once the button was clicked, and fails it before."""
    if page.evaluate("window.triedAgain === true"):
        route.continue_()
    else:
        route.fulfill(status=503)


def test_an_hour_without_readings_is_unknown_and_a_mean_divides_by_what_was_measured(studio: Studio, visit: Opener) -> None:
    """Best hours separates an unknown hour from one without earnings and marks the current one; per-hour figures use measured minutes."""
    now = int(time.time())
    start = now // 3600 * 3600 - 3 * 3600
    minutes = [start + minute * 60 for minute in range(60)] + [start + 3600 + minute * 60 for minute in range(30)]
    studio.post(*({"room_id": "measured", "timestamp": at, "tokens_count": min(at - start, 3600) // 60 * 10} for at in minutes))
    page = visit(studio, timezone_id="UTC").open("?view=analytics", rooms=("measured",)).live().page
    expect(page.locator("#fact-total")).to_have_text("600")
    expect(page.locator("#fact-rate")).to_have_text("400")
    expect(page.locator("#fact-rate-sub")).to_have_text("mean over 1 hr 30 min measured")
    cells = page.locator(".hours td[data-level]")
    expect(cells).to_have_count(7 * 24)
    assert cells.evaluate_all("(all) => all.filter((cell) => cell.dataset.level === 'none').length") == 7 * 24 - 2
    assert "not recorded" in (page.locator('.hours td[data-level="none"]').first.get_attribute("title") or "")
    expect(page.locator(".hours td[data-now]")).to_have_count(1)
    assert "so far" in (page.locator(".hours td[data-now]").get_attribute("title") or "")


def test_best_hours_are_one_tab_stop_whichever_of_them_has_a_figure(studio: Studio, visit: Opener) -> None:
    """Also after the hour that was the stop has none any more, and after a walk by arrow keys that begins at another one."""
    hour = int(time.time()) // HOUR * HOUR
    studio.post(*({"room_id": "stop", "timestamp": hour - ago, "tokens_count": 9 * HOUR - ago} for ago in range(60, 3 * HOUR, 60)))
    dashboard = visit(studio).open(rooms=("stop",)).live()
    stops = dashboard.page.locator("#analytics-hours [tabindex='0']")
    unknown = -1

    def answer(route: Route) -> None:
        """The report without one of the hours that were measured."""
        report = route.fetch().json()
        measured = [at for at, minutes in enumerate(report["measured_minutes"]) if minutes]
        if unknown in range(len(measured)):
            report["measured_minutes"][measured[unknown]] = 0
        route.fulfill(json=report)

    dashboard.page.route("**/api/tracking/analytics*step=3600*", answer)
    for unknown in (-1, 0, 1, 2):
        dashboard.move("")
        with dashboard.page.expect_response("**/api/tracking/analytics*step=3600*"):
            dashboard.move("?view=analytics")
        expect(dashboard.page.locator("#analytics-hours a[href]")).to_have_count(3 if unknown < 0 else 2)
        expect(stops).to_have_count(1)
        expect(stops).to_have_attribute("href", re.compile("view=sum"))
    unknown = -1
    dashboard.page.reload()  # the first hour is the stop
    figures = dashboard.page.locator("#analytics-hours a[href]")
    figures.nth(1).focus()
    dashboard.page.keyboard.press("ArrowRight")
    expect(figures.nth(2)).to_be_focused()
    expect(stops).to_have_count(1)


def test_the_table_of_a_period_is_ordered_by_keyboard_and_says_why(studio: Studio, visit: Opener) -> None:
    """Headings are buttons with `aria-sort`; a doubtful figure leads to its first reading; the account in it is in the table by account."""
    start = int(time.time()) - 4000
    readings = [(0, 5000), (5, 5040), (10, 0), (15, 5040), (900, 100), (905, 130)]
    studio.post(*({"room_id": "why-a", "timestamp": start + at, "tokens_count": tokens, "account": "ana"} for at, tokens in readings))
    studio.post(*({"room_id": "why-b", "timestamp": start + at, "tokens_count": at} for at in (0, 60)))
    page = visit(studio, locale="es-CO").open("?view=analytics", rooms=("why-a", "why-b")).live().page
    names = page.locator("#analytics-rows th a")
    expect(names).to_have_text(["why-a", "why-b"])
    by_name = page.locator("#analytics-table").get_by_role("button", name="Sala")
    by_name.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(names).to_have_text(["why-b", "why-a"])
    expect(page.locator("#analytics-table th[aria-sort=descending]")).to_have_text("Sala")
    assert by_name.evaluate("(head) => getComputedStyle(head).display") == "inline-block"  # else no space is before the arrow
    expect(by_name).to_be_focused()
    why = page.locator("#analytics-rows .col-doubt a")
    expect(why).to_have_text("100 · 1 descartado")
    page.get_by_role("radio", name="Por cuenta").check()
    expect(page.locator("#analytics-rows th")).to_have_text(["Cuenta no informada camsoda", "ana camsoda"])
    page.wait_for_url("**&by=account")
    why.click()
    expect(page.get_by_role("heading", name="why-a")).to_be_visible()


def test_a_period_is_drawn_by_part_and_saved_for_a_spreadsheet(studio: Studio, visit: Opener) -> None:
    """The current hour is hatched; a step by keyboard has its parts; the file of a person is in local times; a range is of dates."""
    now = int(time.time())
    studio.post(*({"room_id": "drawn", "timestamp": at, "tokens_count": at - now + 900} for at in (now - 5, now)))
    dashboard = visit(studio, timezone_id="America/Bogota", locale="es-CO").open("?view=analytics&by=platform", rooms=("drawn",)).live()
    page = dashboard.page
    expect(page.locator("#analytics-legend")).to_contain_text("camsoda")
    chart = page.locator("#analytics-chart svg")
    chart.focus()
    page.keyboard.press("End")
    expect(page.locator("#analytics-chart .chart-readout")).to_contain_text("5 tokens · hasta ahora")
    expect(page.locator(".stack-hatch")).to_be_attached()
    download = dashboard.exported("CSV para hoja de cálculo")
    text = download.path().read_text(encoding="utf-8-sig")
    assert download.suggested_filename.startswith("studio-pulse-day-")
    assert {line.split(";")[1] for line in text.splitlines()} == {"Sala", "drawn"}
    download = dashboard.exported("Excel")
    assert re.fullmatch(r"studio-pulse-day-[0-9-]+\.xlsx", download.suggested_filename)
    assert {row[1] for row in read_workbook(download.path().read_bytes())["Ingresos"]} == {"Sala", "drawn"}
    page.get_by_role("radio", name="Desde").check()
    dates = page.locator("#analytics-range input")
    expect(dates).to_have_count(2)
    page.wait_for_url(re.compile(r"period=range&from=\d{4}-\d\d-\d\d&to=\d{4}-\d\d-\d\d$"))
    expect(page.locator("#analytics-state")).to_have_text("")
    dates.first.fill("2020-01-01")
    expect(page.locator("#analytics-state")).to_contain_text("Un informe abarca como máximo 366 días")
    expect(page.locator("#analytics-retry")).to_be_hidden()
    assert dates.first.input_value() == "2020-01-01"


def test_a_printed_page_is_a_light_sheet_without_anything_to_operate(studio: Studio, visit: Opener) -> None:
    """Figures, chart and table, in the dark theme too; a report of a few rooms is one page of paper."""
    page = visit(studio, color_scheme="dark").open("?view=analytics&period=week", rooms=ROOMS).live().page
    expect(page.locator("#analytics-body")).to_be_visible()
    for address in (page.url, page.url.partition("?")[0]):
        page.goto(address)
        expect(page.locator("#link")).to_have_attribute("data-phase", "live")
        expect(page.locator("#main")).to_be_visible()
        page.emulate_media(media="print")
        operable = (
            "[...document.querySelectorAll('input, select, button:not(.term, th *)')].filter((e) => e.checkVisibility()).map((e) => e.id)"
        )
        assert page.evaluate(operable) == []
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
        assert page.pdf(format="A4").count(b"/Type /Page\n") == 1
        page.emulate_media(media="screen")


# Each page with a report: its address, a figure of it, and the parts with figures of the report.
SPAN = f"from={int(time.time()) - 6 * HOUR}&to={int(time.time())}"
PAGES = {
    "analytics": ("?view=analytics", "#fact-total", ["#analytics-body"]),
    "room": ("?view=room&room=report-a&on=camsoda", "#room-earned-total", ["#room-body", "#room-body > .panel", "#room-figures"]),
    "sum": (f"?view=sum&{SPAN}", "#sum-earned", ["#sum-body"]),
    "why": (f"?view=why&room=report-a&on=camsoda&{SPAN}", "#why-earned", ["#why-body"]),
}
BESIDE = """() => {
    const [figures, chart] = ['.room-figures', '#room-body > .panel'].map((one) => document.querySelector(one).getBoundingClientRect());
    return figures.right < chart.left && Math.abs(figures.top - chart.top) < 2;
}"""
RECORDS_CHANGES = """(selector) => {
  window.changes = [];
  new MutationObserver((found) => changes.push(...found.map(({ target }) => target.textContent)))
    .observe(document.querySelector(selector), { childList: true, characterData: true, subtree: true });
}"""
OPEN = "(query) => { history.pushState(null, '', query); dispatchEvent(new PopStateEvent('popstate')); }"
COLOURS = "(selectors) => selectors.map((selector) => getComputedStyle(document.querySelector(selector)).filter)"


def test_a_report_that_cannot_be_renewed_is_without_colour_and_says_of_when_it_is(studio: Studio, visit: Opener) -> None:
    """In every page with a report and in both languages: old figures stay and are not shown as those of now, until a newer report comes."""
    dashboard = visit(studio)
    page = dashboard.page
    page.clock.install()
    dashboard.open(rooms=ROOMS).live()
    language = page.locator("#language")
    for view, (query, figure, parts) in PAGES.items():
        language.select_option("en")
        page.evaluate(OPEN, query)
        expect(page.locator(figure)).to_have_text(re.compile("^(?:700|650)$"))
        earned, state = page.locator(figure).inner_text(), page.locator(f"#{view}-state")
        dashboard.context.route("**/api/tracking/**", lambda route: route.abort())
        page.clock.fast_forward(125_000)
        expect(state).to_have_text(re.compile(r"^This could not be loaded\. The numbers are from \d+:\d\d\s[AP]M\.$"))
        assert page.evaluate(COLOURS, parts) == ["grayscale(1)"] * len(parts), view
        assert page.locator(figure).inner_text() == earned
        if view == "room":  # on a wide screen its body is no box of its own, and the line above it does not push the chart away
            page.set_viewport_size({"width": 2560, "height": 1440})
            assert page.evaluate(BESIDE)
            page.set_viewport_size({"width": 1280, "height": 720})
        language.select_option("es")
        expect(state).to_have_text(re.compile(r"^No se pudo cargar. Las cifras son de las \d+:\d\d"))
        dashboard.context.unroute_all()
        page.clock.fast_forward(45_000)  # sooner than a refresh
        expect(state).to_have_text("")
        for part in parts:  # without colour, too, until a message of the server follows the time that was skipped
            expect(page.locator(part).first).to_have_css("filter", "none")


def test_a_keyboard_keeps_its_place_while_a_report_fails_and_when_it_comes(studio: Studio, visit: Opener) -> None:
    """Tries that the page makes by itself leave words and button as they are, and a press keeps the focus until there is an answer."""
    dashboard = visit(studio)
    page = dashboard.page
    page.clock.install()
    dashboard.open(rooms=ROOMS).live()
    for view, (query, figure, _) in PAGES.items():
        dashboard.context.route("**/api/tracking/**", lambda route: route.fulfill(status=503))
        page.evaluate(OPEN, query)
        retry, state = page.locator(f"#{view}-retry"), page.locator(f"#{view}-state")
        expect(state).to_contain_text("The server cannot answer at the moment.")
        retry.focus()
        page.evaluate(RECORDS_CHANGES, f"#{view}-state")
        for _ in range(2):
            with page.expect_response("**/api/tracking/**"):
                page.clock.fast_forward(20_000)
        expect(retry).to_be_focused()
        assert page.evaluate("changes") == []
        with page.expect_response("**/api/tracking/**"):
            page.keyboard.press("Enter")
        expect(state).to_contain_text("The server cannot answer at the moment.")
        expect(retry).to_be_focused()
        dashboard.context.unroute_all()
        page.keyboard.press("Enter")
        expect(page.locator(figure)).to_have_text(re.compile("^(?:700|650)$"))
        expect(page.locator("#main")).to_be_focused()


def test_a_period_without_readings_is_unknown_in_every_page(studio: Studio, visit: Opener) -> None:
    """Figures of income are dashes, never zero; a table and hours of nothing are not shown, and why has nothing later than now."""
    page = visit(studio).open(rooms=("report-void",)).live().page
    for view, (query, figure, _) in PAGES.items():
        page.evaluate(OPEN, query.replace("report-a", "report-void"))
        expect(page.locator(f"#{view}-body")).to_be_visible()
        expect(page.locator(figure)).to_have_text("—")
        figures = page.locator(f"#{view} :is(.kpi-value, tfoot td)").filter(visible=True).all_inner_texts()
        assert set(figures) == {"—"}, (view, figures)
        if view == "analytics":
            expect(page.locator("#analytics-hours-panel")).to_be_hidden()
    query = PAGES["why"][0].replace("report-a", "report-void")
    page.evaluate(OPEN, f"{query.partition('&from')[0]}&from={int(time.time()) - HOUR}&to={int(time.time()) + HOUR}")
    expect(page.locator("#why-later")).to_be_hidden()
    expect(page.locator("#why-earlier")).to_be_visible()


@pytest.mark.parametrize(
    ("view", "choice"),
    [
        ("room", '#room-period [value="week"]'),
        ("analytics", '#analytics-period [value="week"]'),
        ("analytics", '#analytics-by [value="account"]'),
    ],
)
def test_no_figure_stands_under_a_choice_that_it_is_not_of(studio: Studio, visit: Opener, view: str, choice: str) -> None:
    """While an answer is slow the old ones are without colour, and when it fails they are gone; the answer brings those of the choice."""
    dashboard = visit(studio)
    query, figure, parts = PAGES[view]
    page = dashboard.open(query, rooms=ROOMS).live().page
    known = re.compile("^(?:700|650)$")
    expect(page.locator(figure)).to_have_text(known)
    held: list[Route] = []
    dashboard.context.route("**/api/tracking/**", lambda route: held.append(route))
    page.locator(choice).check()
    expect(page.locator(f"#{view}-state")).to_have_text("Loading…")
    assert page.evaluate(COLOURS, parts) == ["grayscale(1)"] * len(parts)
    expect(page.locator(figure)).to_have_text(known)
    dashboard.context.route("**/api/tracking/**", lambda route: route.fulfill(status=503))
    for route in held:
        route.fulfill(status=503)
    expect(page.locator(f"#{view}-state")).to_contain_text("The server cannot answer at the moment.")
    expect(page.locator(f"#{view}-body")).to_be_hidden()
    assert page.locator(figure).filter(visible=True).all_inner_texts() in ([], ["—"])
    dashboard.context.unroute_all()
    page.locator(f"#{view}-retry").dispatch_event("click")
    expect(page.locator(figure)).to_have_text(known)
    expect(page.locator(choice)).to_be_checked()
