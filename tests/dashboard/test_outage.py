"""The page in an outage, in a real browser: known values stay, no state is claimed beyond them, and the notice stays in view."""

import pathlib
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.support.browser import Dashboard, Opener
from tests.support.studio import OnAir, Studio, running_studio
from tests.support.warm_services import KEEP_FILES
from tools.waiting import wait_until

ROOMS = ("one", "two", "three")
TILES = ("live", "viewers", "hour", "today")
RECOVERED_WITHIN_MS = 20_000
SEEN = """([selector]) => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight && box.height > 0;
}"""


@pytest.fixture
def fragile(tmp_path: pathlib.Path) -> Iterator[Studio]:
    """A stack that the test may break."""
    with running_studio(tmp_path, **{KEEP_FILES: "1"}) as running:
        yield running


def readings(rooms: Iterable[str]) -> list[dict[str, Any]]:
    """The same numbers of each room."""
    return [{"room_id": room, "tokens_count": 1500, "viewers_count": 7} for room in rooms]


def reporting_rooms(studio: Studio) -> OnAir:
    """Three rooms that earned 500 tokens each and report every second."""
    studio.post(*({"room_id": room, "timestamp": int(time.time()) - 120, "tokens_count": 1000} for room in ROOMS))
    return OnAir(studio, *readings(ROOMS), every_seconds=1)


@pytest.fixture
def reporting(fragile: Studio) -> Iterator[OnAir]:
    """These rooms on the stack that the test may break."""
    with reporting_rooms(fragile) as rooms:
        yield rooms


def tiles(page: Page) -> list[str]:
    """The numbers of the top row."""
    return [page.locator(f'[data-kpi="{name}"] .kpi-value').inner_text() for name in TILES]


def opened(dashboard: Dashboard, query: str = "") -> Page:
    """A page that shows the three rooms live, on a clock that the test can turn on."""
    dashboard.page.clock.install()
    page = dashboard.open(query).live().page
    expect(page.locator('.card[data-status="live"]')).to_have_count(len(ROOMS))
    expect(page.locator('[data-kpi="hour"] .kpi-value')).to_have_text("1,500")
    assert tiles(page) == ["3", "21", "1,500", "1,500"]
    return page


def stays_known(page: Page) -> None:
    """More than a minute passes: every room is last known, every total as it was, and only ages have grown."""
    page.clock.fast_forward(80_000)
    expect(page.locator('.card[data-status="unconfirmed"]')).to_have_count(len(ROOMS))
    expect(page.locator(".card .age").first).to_have_text(re.compile(r"1\smin\sago"))
    expect(page.locator('[data-kpi="live"] dt')).to_contain_text("last known")
    assert tiles(page) == ["3", "21", "1,500", "1,500"]
    assert page.locator(".badge-word", has_text=re.compile("Off air|Expired|Stale")).count() == 0
    expect(page.locator("#notice")).to_have_attribute("data-tone", "bad")
    expect(page.locator("#notice-detail")).to_contain_text("(1 min ago)")


def loses_its_link(fragile: Studio, page: Page) -> None:
    """Eighty seconds without a server: no room goes off air, no total falls; back again all is live at once."""
    fragile.broadcast.kill()
    expect(page.locator("#notice-words")).to_contain_text("No new data since")
    stays_known(page)
    fragile.broadcast.start()
    expect(page.locator('.card[data-status="live"]')).to_have_count(len(ROOMS), timeout=RECOVERED_WITHIN_MS)
    expect(page.locator('[data-kpi="live"] dt')).to_have_text("Rooms on air")
    assert tiles(page) == ["3", "21", "1,500", "1,500"]


def loses_its_source(fragile: Studio, page: Page) -> None:
    """The link goes on, and the server has nothing to send."""
    assert fragile.stack.redis is not None
    with fragile.stack.redis.frozen():
        expect(page.locator("#link-word")).to_have_text("Degraded", timeout=RECOVERED_WITHIN_MS)
        expect(page.locator('.card[data-status="unconfirmed"]')).to_have_count(len(ROOMS))
        assert tiles(page) == ["3", "21", "1,500", "1,500"]
        expect(page.locator("#notice-words")).to_contain_text("No new data since")
    expect(page.locator('.card[data-status="live"]')).to_have_count(len(ROOMS), timeout=RECOVERED_WITHIN_MS)
    expect(page.locator("#link-word")).to_have_text("Up to date")
    assert tiles(page) == ["3", "21", "1,500", "1,500"]


@pytest.mark.usefixtures("reporting")
def test_a_lost_source_and_a_lost_link_keep_what_was_known_and_heal_without_a_jump(fragile: Studio, visit: Opener) -> None:
    """One after the other: rooms are last known meanwhile and all live again afterwards, and no total falls."""
    page = opened(visit(fragile))
    loses_its_source(fragile, page)
    loses_its_link(fragile, page)


RECORD_WORDS = """() => {
  const word = document.querySelector('#link-word');
  window.words = [];
  new MutationObserver(() => window.words.push(word.textContent)).observe(word, {subtree: true, childList: true, characterData: true});
}"""


NAMED_AT_ONCE = r"() => window.words.some((word) => /^No reply for [5-9]\ssec$/.test(word))"


def test_a_server_that_misses_a_heartbeat_is_named_at_once(tmp_path: pathlib.Path, visit: Opener) -> None:
    """The pill says for how long there was no news while the question is still open; the notice follows."""
    with running_studio(tmp_path, HEARTBEAT_SECONDS="5", **{KEEP_FILES: "1"}) as fragile, reporting_rooms(fragile):
        page = opened(visit(fragile))
        page.evaluate(RECORD_WORDS)  # the question is open for three seconds
        with fragile.broadcast.frozen():
            page.wait_for_function(NAMED_AT_ONCE, timeout=RECOVERED_WITHIN_MS)
            assert tiles(page) == ["3", "21", "1,500", "1,500"]
            expect(page.locator("#notice-words")).to_contain_text("No new data since")
            assert page.locator('.card:not([data-status="unconfirmed"])').count() == 0
        expect(page.locator('.card[data-status="live"]')).to_have_count(len(ROOMS), timeout=RECOVERED_WITHIN_MS)


def test_when_all_rooms_fall_silent_collecting_is_named_and_not_the_shows(fragile: Studio, visit: Opener, reporting: OnAir) -> None:
    """The link is fine and nothing comes: no room is called off air, and the first readings end it."""
    page = opened(visit(fragile))
    reporting.stop()
    words = page.locator("#notice-words")
    expect(words).to_have_text(
        re.compile(r"No reading from any of 3 rooms since .+\. Collection stopped or the studio is offline; rooms may still be on air\."),
        timeout=RECOVERED_WITHIN_MS,
    )
    expect(page.locator("#link-word")).to_have_text(re.compile(r"No readings for 1\d\ssec"))
    expect(page.locator('.card[data-status="unconfirmed"]')).to_have_count(len(ROOMS))
    assert tiles(page) == ["3", "21", "1,500", "1,500"]
    with OnAir(fragile, *readings(ROOMS)):
        expect(page.locator('.card[data-status="live"]')).to_have_count(len(ROOMS))
        expect(page.locator("#link-word")).to_have_text("Up to date")


def test_a_page_opened_during_an_outage_of_the_source_says_no_zero(fragile: Studio, visit: Opener, reporting: OnAir) -> None:
    """The server knows the last values: they are last known, and what history cannot answer is a dash."""
    assert fragile.stack.redis is not None
    wait_until(
        lambda: [event["data"]["viewers"] for event in fragile.get("/api/tracking/telemetry")[1]["events"]] == [7] * len(ROOMS),
        "the values after the restart",
    )
    fragile.stack.redis.kill()
    reporting.stop()
    page = visit(fragile).open().page
    expect(page.locator("#link-word")).to_have_text("Degraded", timeout=RECOVERED_WITHIN_MS)
    expect(page.locator('.card[data-status="unconfirmed"]')).to_have_count(len(ROOMS))
    expect(page.locator('[data-kpi="today"] .kpi-sub')).to_have_text("history is not available", timeout=RECOVERED_WITHIN_MS)
    assert tiles(page) == ["3", "21", "—", "—"]


def never_connected(page: Page) -> None:
    """The page loads, no socket ever opens, and nothing answers to polling."""

    def refuse(socket: WebSocketRoute) -> None:
        socket.close(code=1011)

    page.route_web_socket(re.compile("/ws/dashboard"), refuse)
    page.route(re.compile("/api/tracking/"), lambda route: route.abort())


def test_a_page_that_never_had_contact_names_none_and_shows_no_zero(studio: Studio, visit: Opener) -> None:
    """Before the first SYNC nothing is known: no time of a last contact, no total, no empty studio."""
    dashboard = visit(studio)
    never_connected(dashboard.page)
    page = dashboard.open().page
    expect(page.locator("#notice-words")).to_have_text(re.compile(r"^[^.]+\.$"))
    assert "since" not in page.locator("#notice").inner_text()
    assert "ago" not in page.locator("#notice").inner_text()
    assert tiles(page) == ["—", "—", "—", "—"]
    expect(page.locator("#empty")).to_be_hidden()


# The heights of the header while a connection is waited for, tried and waited for again, in each language; 0 where the word is cut off.
HEADER_HEIGHTS = """async () => {
  const modules = await import(new URL('app.js', document.baseURI).href);
  const [{ LinkNotice }, { I18n }] = [modules.$views$link_notice, modules.$i18n$i18n];
  const notice = new LinkNotice(() => {});
  const assessment = { trouble: 'link', trusted: false, nowMs: 1e12 + 90_000, asOfMs: 1e12, sinceMs: 1e12 };
  return ['en', 'es'].map((language) =>
    [['waiting', 59_000], ['connecting', null], ['waiting', 1000]].map(([phase, retryAtMs]) => {
      const link = { phase, reason: 'refused', via: 'socket', retryAtMs };
      notice.paint({ link, offline: false, silence: null, demo: false }, assessment, new I18n(language, [language]), 0);
      const word = document.querySelector('#link-word');
      return word.scrollWidth > word.clientWidth ? 0 : document.querySelector('.top').offsetHeight;
    }));
}"""


def test_the_notice_is_in_view_wherever_the_page_is_scrolled(fragile: Studio, visit: Opener) -> None:
    """On a phone and a desk, and the page does not jump at each try; tests/dashboard/test_wall.py looks at a wall."""
    fragile.post(*({"room_id": f"n-{n}"} for n in range(40)))
    dashboard = visit(fragile, viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    page = dashboard.open().live().page
    expect(page.locator(".card")).to_have_count(40)
    page.evaluate("scrollTo(0, 500)")
    fragile.broadcast.kill()
    expect(page.locator("#notice")).to_be_visible()
    for name in dashboard.resized({"phone": (390, 844), "desk": (1280, 800)}):
        page.evaluate("scrollTo(0, 500)")
        dashboard.wait(SEEN, ["#notice"])
        assert page.evaluate("document.querySelector('#notice').getBoundingClientRect().width") == page.evaluate(
            "document.documentElement.clientWidth"
        )
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        page.evaluate("scrollTo(0, 0)")  # axe counts what the header covers as too small a target
        assert dashboard.violations() == [], name
    heights = {name: page.evaluate(HEADER_HEIGHTS) for name in dashboard.resized({"phone": (390, 844), "desk": (1280, 800)})}
    assert {name: [len(set(of_language)) for of_language in seen] for name, seen in heights.items()} == {
        "phone": [1, 1],
        "desk": [1, 1],
    }, heights
    assert all(0 not in of_language for seen in heights.values() for of_language in seen)


def test_an_empty_studio_says_what_to_do_next(fragile: Studio, visit: Opener) -> None:
    """An empty snapshot is an answer too; the first reading takes the words away, which are in either language."""
    dashboard = visit(fragile, locale="es-CO").open().live()
    page = dashboard.page
    for title, step in (
        ("Ninguna sala ha enviado datos todavía", "Instala la extensión"),
        ("No room has reported yet", "Install the extension"),
    ):
        expect(page.locator("#empty-title")).to_have_text(title)
        expect(page.locator("#empty-steps li")).to_have_count(3)
        expect(page.locator("#empty-steps li").first).to_contain_text(step)
        assert dashboard.violations() == []
        page.locator("#language").select_option("en")
    fragile.post({"room_id": "first"})
    expect(page.locator("#empty")).to_be_hidden()


def test_a_scope_without_rooms_and_a_filter_without_rooms_say_so(studio: Studio, visit: Opener) -> None:
    """What the access covers is named; a filter offers to be cleared, a studio without rooms does not."""
    studio.post({"room_id": "here"})
    page = visit(studio).open("?q=none", rooms=("none-*",), platforms=("camsoda",)).live().page
    expect(page.locator("#empty-words")).to_contain_text("Your access covers: none-* (camsoda).")
    expect(page.locator("#clear-filters")).to_be_hidden()
    page = visit(studio).open("?q=none", rooms=("here",)).live().page
    expect(page.locator("#empty-title")).to_have_text("No room matches.")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#empty")).to_be_hidden()
    expect(page.locator(".card")).to_have_count(1)


def test_a_reading_stamped_far_ahead_grows_old_from_its_commit(studio: Studio, visit: Opener) -> None:
    """A desk 290 s ahead that falls silent is stale after 15 s, and not live for five minutes."""
    card = visit(studio).open(rooms=("ahead",)).live().card("ahead")
    studio.post({"room_id": "ahead", "timestamp": int(time.time()) + 290})
    expect(card).to_have_attribute("data-status", "live")
    expect(card).to_have_attribute("data-status", "stale", timeout=RECOVERED_WITHIN_MS)


def test_unknown_tokens_are_a_dash_and_said(studio: Studio, visit: Opener) -> None:
    """Neither a zero on the card nor a silent gap in the totals."""
    studio.post({"room_id": "blind", "tokens_count": None, "viewers_count": 9})
    dashboard = visit(studio).open(rooms=("blind",)).live()
    expect(dashboard.card("blind").locator(".tokens")).to_have_text("—")
    expect(dashboard.page.locator('[data-kpi="today"] .kpi-sub')).to_contain_text("without 1 room whose balance is unknown")


RECORD_TODAY = """
  const note = () => {
    const text = document.querySelector('[data-kpi="today"] .kpi-value')?.textContent ?? '';
    const seen = JSON.parse(sessionStorage.getItem('today') ?? '[]');
    if (/\\d/.test(text) && seen.at(-1) !== text) sessionStorage.setItem('today', JSON.stringify([...seen, text]));
  };
  new MutationObserver(note).observe(document, {subtree: true, childList: true, characterData: true});
"""


def test_the_walls_today_is_the_reports_and_never_goes_backwards(fragile: Studio, visit: Opener) -> None:
    """Live, while a page shows 0, over a reload meanwhile and over a reconnect: of a new room, and of one that goes on."""
    now = int(time.time())
    fragile.post(*({"room_id": "old", "timestamp": now - ago, "tokens_count": 1000 - ago} for ago in (600, 300)))
    dashboard = visit(fragile, timezone_id=f"Etc/GMT{time.gmtime(now).tm_hour - 12:+}")  # about noon
    dashboard.run_first(RECORD_TODAY)
    page = dashboard.open("?wall=1").live().page
    today = page.locator('[data-kpi="today"] .kpi-value')
    minute = now - now % 60

    def post(tokens: int, *rooms: str) -> None:
        ms = time.time_ns() // 10**6
        fragile.post(*({"room_id": room, "tokens_count": tokens, "timestamp": ms // 1000, "sequence": ms} for room in rooms))

    def wall_says(tokens: int) -> None:
        expect(today).to_have_text(f"{tokens:,}", timeout=RECOVERED_WITHIN_MS)

    def both_say(tokens: int) -> None:
        wall_says(tokens)
        report = f"/api/tracking/analytics?from={minute - 6 * 3600}&to={minute + 600}&step=60"
        wait_until(lambda: fragile.get(report)[1]["total"] == tokens, f"a report of {tokens}")

    wall_says(300)
    for tokens, total in ((1000, 600), (1500, 1600), (2000, 2600)):
        post(tokens, "new", "old")
        wall_says(total)
    post(0, "old")
    wall_says(2600)
    post(2050, "old")
    both_say(2650)
    post(0, "old")
    page.reload()
    dashboard.live()
    wall_says(2650)
    post(2050, "old")
    both_say(2650)
    fragile.broadcast.stop()
    post(2150, "old")
    fragile.broadcast.start()
    both_say(2750)
    shown = [int(text.replace(",", "")) for text in page.evaluate("JSON.parse(sessionStorage.getItem('today'))")]
    assert shown == sorted(shown)


def test_a_desk_whose_clock_is_behind_is_named_and_not_off_air(studio: Studio, visit: Opener) -> None:
    """Readings that keep arriving 70 s old: the room reports, and its page explains the delay."""
    page = visit(studio).open("?view=room&room=slow&on=camsoda", rooms=("slow",)).live().page
    clock = page.locator("#room-clock")
    end = time.monotonic() + 25
    while not clock.is_visible() and time.monotonic() < end:
        studio.post({"room_id": "slow", "timestamp": int(time.time()) - 70})
        page.wait_for_timeout(1000)
    expect(clock).to_have_text(re.compile(r"Readings arrive 1\smin late"))
    expect(page.locator("#room-badge")).to_have_text("Stale")
