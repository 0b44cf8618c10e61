"""Numbers of any size are whole on every screen: made smaller or shortened, never cut off, never over their neighbour."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser import Opener
from tests.support.studio import OnAir, Studio
from tools.screenshots.scenes import LANGUAGES
from tools.screenshots.stage import CHOOSE_LANGUAGE

ROOMS = {
    "big-usual": {"tokens_count": 34_567, "viewers_count": 1234, "tips_count": 100, "goal_tokens": 50_000},
    "big-busy": {"tokens_count": 1_234_567, "viewers_count": 123_456, "tips_count": 12_345, "goal_tokens": 2_000_000},
    "big-most": {"tokens_count": 4_294_967_294, "viewers_count": 4_294_967_294, "tips_count": 4_294_967_294, "goal_tokens": 4_294_967_294},
}
SIZES = {"phone": (390, 844), "small phone": (320, 640), "tablet": (820, 1180), "laptop": (1280, 800), "television": (1920, 1080)}
# Every element that holds a number, its text measured against the box that may show it.
CUT = """(selectors) => {
  const problems = [];
  for (const element of document.querySelectorAll(selectors)) {
    if (!element.textContent.trim() || !element.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    const text = range.getBoundingClientRect();
    const words = `${element.className} "${element.textContent}"`;
    const holder = element.closest('.facts div, .card, .wall-room, .lines li, .kpi, .report td, .report th, .panel');
    const box = (holder ?? document.body).getBoundingClientRect();
    const styles = getComputedStyle(element);
    if (text.left < box.left - 1 || text.right > box.right + 1) problems.push(`${words} leaves its box`);
    if (text.right > innerWidth + 1) problems.push(`${words} leaves the screen`);
    if (element.scrollWidth > element.clientWidth + 1 && styles.overflowX !== 'visible') problems.push(`${words} is cut off`);
    if (parseFloat(styles.fontSize) < 8.5) problems.push(`${words} is ${styles.fontSize}`);
  }
  return problems;
}"""
OVERLAP = """() => {
  const boxes = [...document.querySelectorAll('.card')].flatMap((card) => ['.viewers', '.tips'].map((part) => {
    const range = document.createRange();
    range.selectNodeContents(card.querySelector(part));
    return {room: card.dataset.room, part, box: range.getBoundingClientRect()};
  }));
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => a.box.left < b.box.right && b.box.left < a.box.right
    && a.box.top < b.box.bottom && b.box.top < a.box.bottom).map((b) => `${a.room} ${a.part} / ${b.room} ${b.part}`));
}"""
NUMBERS = ".kpi-value, .kpi-sub, .tokens, .facts dd, .goal-words span, .recent, .report .col-earned, .figure, .wall-figure, .line-value"


@pytest.fixture(scope="module", autouse=True)
def rooms(shared_studio: Studio) -> Iterator[None]:
    """Rooms with an ordinary good night, a very good one, and the largest numbers that are accepted; they report while the tests run."""
    own, now = shared_studio.for_one_test(), int(time.time())
    own.post(
        *(
            {"room_id": room, "timestamp": now - at, **numbers, "tokens_count": numbers["tokens_count"] - at}
            for at in (7000, 3600, 200, 1)
            for room, numbers in ROOMS.items()
        )
    )
    with OnAir(own, *({"room_id": room, **numbers} for room, numbers in ROOMS.items())):
        yield


QUERIES = {  # and what shows that each view has been drawn
    "": ".card",
    "?view=room&room=big-most&on=camsoda": "#room-earned-total",
    "?view=analytics": "#fact-total",
    "?wall=1": ".wall-room",
}


def test_no_number_is_cut_off(studio: Studio, visit: Opener) -> None:
    """In the totals, the cards, the room and the reports, in both languages, at any size that the window takes."""
    dashboard = visit(studio, locale="es-CO", reduced_motion="reduce").open(rooms=tuple(ROOMS)).live()
    page = dashboard.page
    for query, drawn in QUERIES.items():
        if "wall" in query:
            page.goto(f"{studio.broadcast.url}/{query}")  # signed in by now
            dashboard.live()
        else:
            dashboard.move(query)
        expect(page.locator(drawn)).to_have_count(1 if "view" in query else 3)
        expect(page.locator(drawn).first).to_be_visible()
        page.wait_for_load_state("networkidle")
        for language in LANGUAGES:
            page.evaluate(CHOOSE_LANGUAGE, language)
            expect(page.locator("html")).to_have_attribute("lang", language)
            problems: dict[str, list[str]] = {}
            for size in dashboard.resized(SIZES):
                problems[size] = page.evaluate(CUT, NUMBERS) + page.evaluate(OVERLAP)
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    problems[size].append("the page scrolls sideways")
            assert problems == {size: [] for size in SIZES}, (query, language)
