"""The wall in a real browser: it never scrolls, turns its pages by itself, and stays readable in an outage."""

import contextlib
import pathlib
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Error, Page, expect

from tests.support.browser import Dashboard, Opener
from tests.support.studio import OnAir, Studio, running_studio
from tests.support.warm_services import KEEP_FILES
from tools.simulator.studio import NAMES as NAMES_OF_ROOMS

SIZES = ((1366, 768), (1920, 1080), (3840, 2160))
SMALLEST = 0.0221  # of the height of the screen: what a person reads at five metres
# Everything whole and on the screen; names may end in an ellipsis, numbers may not.
CUT = """(smallest) => {
  const problems = [];
  if (document.documentElement.scrollHeight > innerHeight) problems.push('the page scrolls down');
  if (document.documentElement.scrollWidth > innerWidth) problems.push('the page scrolls sideways');
  const board = document.querySelector('#board').getBoundingClientRect();
  for (const room of document.querySelectorAll('.wall-room')) {
    const box = room.getBoundingClientRect();
    const name = room.dataset.room;
    if (box.top < board.top - 1 || box.bottom > board.bottom + 1) problems.push(`${name} leaves the board`);
    if (box.left < board.left - 1 || box.right > board.right + 1) problems.push(`${name} leaves the board sideways`);
    for (const part of room.querySelectorAll('.wall-name, .wall-figure, .wall-details')) {
      const own = part.getBoundingClientRect();
      if (own.height === 0) continue;
      if (own.top < box.top - 1 || own.bottom > box.bottom + 1) problems.push(`${name}: ${part.className} is cut`);
      const range = document.createRange();
      range.selectNodeContents(part);
      const text = range.getBoundingClientRect();
      if (part.className === 'wall-figure' && text.right > box.right) problems.push(`${name}: ${part.textContent} is cut`);
    }
    const size = parseFloat(getComputedStyle(room.querySelector('.wall-name')).fontSize);
    if (size < smallest * Math.min(innerHeight, innerWidth * 9 / 16) - 0.1) problems.push(`${name} is ${size}px`);
  }
  return [...new Set(problems)].slice(0, 10);
}"""
SEEN = """([selector]) => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight && box.height > 0;
}"""
ONE_LINE = """() => {
  const parts = [...document.querySelectorAll('#attention > *, .needs > *')]
    .map((part) => part.getBoundingClientRect())
    .filter(({height}) => height > 0);
  return parts.length > 0 && Math.max(...parts.map(({bottom}) => bottom)) - Math.min(...parts.map(({top}) => top)) < 48;
}"""
ATTENTION_COLOURS = (
    """new Set([...document.querySelectorAll('.need, .need b, .need-as-of')].map((one) => getComputedStyle(one).color)).size"""
)
TYPE_SIZE = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
NAMES = "[...document.querySelectorAll('.wall-room')].map((room) => room.dataset.room)"
# The places of the pages whose dots are full.
FULL_DOTS = """() => [...document.querySelectorAll('.foot-pages span')].flatMap((dot, at) =>
    dot.firstElementChild.getBoundingClientRect().left < dot.getBoundingClientRect().left - 1 ? [] : [at])"""
# The place of the page whose dot fills, and how much of the dot is full.
FILLED = """() => {
  const dots = [...document.querySelectorAll('.foot-pages span')];
  const at = dots.findIndex((dot) => dot.dataset.on === 'yes');
  return at + 1 - (dots[at].getBoundingClientRect().left - dots[at].firstElementChild.getBoundingClientRect().left) / dots[at].offsetWidth;
}"""
# Names of which fewer than four letters of the beginning are in view beside what stays of the end, where each room has the arrow of a pace.
SHORTENED = """() => {
  for (const pace of document.querySelectorAll('.wall-pace')) pace.textContent = '▲';
  return [...document.querySelectorAll('.wall-name .cut-name')].filter((name) => {
    const pen = document.createElement('canvas').getContext('2d');
    const { fontFamily, fontSize, fontWeight, letterSpacing } = getComputedStyle(name);
    Object.assign(pen, { font: `${fontWeight} ${fontSize} ${fontFamily}`, letterSpacing });
    const { head, tail } = name.dataset;
    const whole = pen.measureText(head + tail).width;
    const least = pen.measureText(`${head.slice(0, 4)}…${tail}`).width;
    return name.getBoundingClientRect().width < Math.min(whole, least) - 1;
  }).map((name) => name.dataset.head + name.dataset.tail);
}"""
COLUMNS = "() => getComputedStyle(document.querySelector('.wall-rooms')).gridTemplateColumns.split(' ').length"


def pause_clock(page: Page) -> None:
    """Pauses the page's clock about a second ahead. A time that has passed before the request reaches a busy browser is an error."""
    for ahead_seconds in (1, 5):
        with contextlib.suppress(Error):
            page.clock.pause_at(page.evaluate("Date.now() / 1000") + ahead_seconds)
            return
    page.clock.pause_at(page.evaluate("Date.now() / 1000") + 30)


@pytest.fixture
def fragile(tmp_path: pathlib.Path) -> Iterator[Studio]:
    """A stack that the test may break."""
    with running_studio(tmp_path, **{KEEP_FILES: "1"}) as running:
        yield running


def rooms(page: Page) -> list[str]:
    """The names on the screen, in order."""
    return list(page.evaluate(NAMES))


def settled(dashboard: Dashboard) -> None:
    """Waits until everything on the wall is whole."""
    dashboard.wait(f"(smallest) => ({CUT})(smallest).length === 0", SMALLEST)


def test_a_wall_shows_all_rooms_at_once_on_every_screen(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """One, nine and 36: whole, in type that is read at five metres, also after the screen has changed its size."""
    most = {"tokens_count": 4_294_967_294, "viewers_count": 4_294_967_294, "goal_tokens": 4_294_967_294}
    dashboard, count = visit(studio, locale="es-CO"), 0
    for more in (1, 8, 27):
        on_air(*({"room_id": f"fit-{n:02}-with-a-long-name", **most} for n in range(count, count + more)))
        if not count:
            dashboard.open("?wall=1", rooms=("fit-*",)).live()
        count += more
        for width, height in SIZES:
            dashboard.page.set_viewport_size({"width": width, "height": height})
            expect(dashboard.page.locator(".wall-room")).to_have_count(count)
            settled(dashboard)
        assert dashboard.page.locator("#board").get_attribute("data-density") == "card"


def test_a_wall_of_more_rooms_than_can_be_read_has_pages_of_whole_rows(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """They turn by themselves, every room has its turn, and names are not cut to a letter."""
    present = on_air(*({"room_id": f"turn-{NAMES_OF_ROOMS[n % len(NAMES_OF_ROOMS)]}-{n:03}"} for n in range(220)))
    dashboard = visit(studio, viewport={"width": 1366, "height": 768})
    dashboard.page.clock.install()
    page = dashboard.open("?wall=1&each=5", rooms=("turn-*",)).live().page
    expect(page.locator(".board[data-density=tile] .wall-room").first).to_be_visible()
    settled(dashboard)
    assert page.evaluate(SHORTENED) == []
    pause_clock(page)
    filled = page.evaluate(FILLED)
    page.clock.run_for(2_000)
    pages = page.locator(".foot-pages span").count()
    assert (page.evaluate(FILLED) - filled) % pages > 0.1  # more of its time, or the next page
    assert page.evaluate("document.getAnimations().length") == 0  # a wall would draw it 60 times a second, day and night
    place = page.evaluate("[...document.querySelectorAll('.foot-pages span')].findIndex((dot) => dot.dataset.on === 'yes')")
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(FULL_DOTS) == [place]
    page.clock.resume()
    seen = set(rooms(page))
    assert 50 < len(seen) < 220
    for _ in range(40):
        if len(seen) == 220:
            break
        expect(page.locator("#notice")).to_be_hidden()  # a wall does not turn while one is shown
        page.clock.run_for(5_000)
        present.report()
        settled(dashboard)
        seen |= set(rooms(page))
    assert len(seen) == 220


def test_a_wall_has_totals_attention_and_what_is_off_air_in_view(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Rooms off air take no place in the grid; nothing else is clicked or read there."""
    studio.post({"room_id": "w-ended", "timestamp": int(time.time()) - 300})
    on_air({"room_id": "w-broken", "tokens_count": None, "viewers_count": 5}, {"room_id": "w-well"})
    page = visit(studio, viewport={"width": 1920, "height": 1080}).open("?wall=1", rooms=("w-*",)).live().page
    expect(page.locator(".wall-room")).to_have_count(2)
    expect(page.locator(".need")).to_have_text(["w-endedoff air for 5 min", "w-brokenthe balance cannot be read"])
    expect(page.locator(".foot-off")).to_have_text("Off air 1: w-ended")
    expect(page.get_by_role("searchbox")).to_be_hidden()
    page.get_by_role("button", name="Leave wall mode").click()
    expect(page.get_by_role("searchbox")).to_be_visible()
    assert "wall" not in page.url


def test_a_wall_plays_its_list_of_views(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Rooms, then leaders, hours and what happened, and again; an arrow does not wait for the time of a view."""
    at = int(time.time()) // 3600 * 3600 - 3 * 3600
    studio.post(*({"room_id": "list-1", "timestamp": at + n, "tokens_count": n} for n in (600, 630, 660)))
    on_air({"room_id": "list-1", "tokens_count": 660}, {"room_id": "list-2"})
    dashboard = visit(studio, viewport={"width": 1920, "height": 1080})
    page = dashboard.open("?wall=rooms,leaders,hours,log&each=20", rooms=("list-*",)).live().page
    expect(page.locator(".wall-room").first).to_be_visible()
    for heading in ("Leaders", "Hour by hour", "Activity"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        expect(page.locator(".wall-room").first).to_be_hidden()
        assert dashboard.violations() == []
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        if heading == "Hour by hour":  # an hour without a reading is unknown and not zero
            expect(page.locator(".hour-bars li")).to_have_count(12)
            expect(page.locator(".hour-bars [data-state=unknown] .hour-value").first).to_have_text("—")
            expect(page.locator(".hour-bars [data-state=best] .hour-value")).to_have_text("60")
            expect(page.locator(".hour-bars li").last).to_have_attribute("data-state", "now")
            type_size = page.evaluate(TYPE_SIZE)
            page.set_viewport_size({"width": 3840, "height": 2160})  # as full screen does: the view in the place of the rooms grows with it
            dashboard.wait(f"(size) => {TYPE_SIZE} > 1.9 * size", type_size)
            page.set_viewport_size({"width": 1920, "height": 1080})
    page.keyboard.press("ArrowRight")
    expect(page.locator(".wall-room").first).to_be_visible()
    assert "wall=rooms,leaders,hours,log&each=20" in urllib.parse.unquote(page.url)


def test_a_wall_without_rooms_says_why_it_is_empty(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Whichever list it is to show; what needs attention is not said of no rooms, and is said from the first room on."""
    page = visit(studio).open("?wall=hours,leaders&each=600", rooms=("no-room-yet",)).live().page
    expect(page.locator(".board-empty")).to_have_text("No room has reported yet")
    expect(page.locator(".board-empty")).to_be_visible()
    expect(page.locator("#attention")).to_be_hidden()
    expect(page.locator("#board-foot")).to_be_hidden()
    on_air({"room_id": "no-room-yet"})
    expect(page.get_by_role("heading", name="Hour by hour")).to_be_visible()
    expect(page.locator("#attention .need-calm")).to_be_visible()


def test_the_band_of_an_outage_makes_rooms_smaller_and_moves_none_to_another_page(fragile: Studio, visit: Opener) -> None:
    """It is in view with its words, nothing turns meanwhile, everything stays whole, and what needed attention is as grey as the rooms."""
    names = [f"w-{n}" for n in range(31)]
    fragile.post(*({"room_id": f"ended-{n}", "timestamp": int(time.time()) - 300 - n} for n in range(5)))
    with OnAir(fragile, *({"room_id": name, "tokens_count": 1500} for name in names)):
        dashboard = visit(fragile, viewport={"width": 1920, "height": 1080}, color_scheme="dark", reduced_motion="reduce")
        page = dashboard.open("?wall=1").live().page
        expect(page.locator(".wall-room")).to_have_count(31)
        expect(page.locator("#attention")).to_have_attribute("data-severe", "yes")
        fragile.broadcast.kill()
        expect(page.locator("#notice")).to_be_visible()
        dashboard.wait(SEEN, ["#notice"])
        dashboard.wait(f"() => {NAMES}.length === 31 && ({CUT})(0).length === 0")
        expect(page.locator('.wall-room[data-status="unconfirmed"]')).to_have_count(31)
        assert page.evaluate(COLUMNS) >= 6
        expect(page.locator(".need-as-of")).to_have_text(re.compile(r"^As of \d+:\d\d"))
        assert page.locator("#attention [data-severe=yes], #attention[data-severe=yes]").count() == 0
        assert page.evaluate(ATTENTION_COLOURS) == 1
        assert dashboard.violations() == []
        page.set_viewport_size({"width": 390, "height": 844})  # on a phone too the strip has one line
        dashboard.wait(ONE_LINE)
        expect(page.locator(".need")).to_have_count(1)
        expect(page.locator(".need-more")).to_be_in_viewport(ratio=1)


def test_the_end_of_access_is_in_view_on_a_wall(studio: Studio, visit: Opener) -> None:
    """In words that are read from afar."""
    studio.post(*({"room_id": f"end-{n}"} for n in range(60)))
    dashboard = visit(studio, viewport={"width": 1920, "height": 1080}, reduced_motion="reduce", color_scheme="dark")
    page = dashboard.open("?wall=1", rooms=("end-*",), ttl_seconds=240).live().page
    expect(page.locator(".wall-room")).to_have_count(60)
    expect(page.locator("#renew-words")).to_contain_text("Your access ends at")
    dashboard.wait(SEEN, ["#renew"])
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('#renew-words')).fontSize)") >= 32
    assert dashboard.violations() == []
