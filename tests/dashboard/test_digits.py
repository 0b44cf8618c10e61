"""A figure is shown whole or not at all: at every width, in every view, with the largest numbers and the longest names that there are."""

import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Opener
from tests.support.studio import OnAir, Studio, running_studio
from tests.support.warm_services import KEEP_FILES
from tools.screenshots.geometry import geometry_findings
from tools.screenshots.scenes import SCHEMES, Look
from tools.screenshots.stage import show_as

WIDTHS = ((390, 844), (768, 1024), (1024, 768), (1366, 768), (1920, 1080), (2560, 1440), (3840, 2160))
ROOMS = 36
OTHER_LANGUAGE_AT = (390, 1366)
LONG_NAME = "W" * 64
SOME = (LONG_NAME, "sala-0*")
AHEAD = 12 - time.gmtime().tm_hour  # it is about noon in the studio, so that no test crosses a midnight
FILE = f"""timezone = "Etc/GMT{-AHEAD:+}"
[currency]
code = "COP"
per_token = 199.5
[[shift]]
name = "Turno de la noche y la mañana"
start = "00:00"
end = "24:00"
[target]
default = 999999999
"""
# Text with digits that an ancestor cuts. A name may end in an ellipsis, what scrolls by itself may scroll, and a part that does not fit at
# all is left out whole.
CUT = """() => {
  const NAMES = '.room, .wall-name, .account, .platform, .card-who, .lines a, .need b, .foot-off, h1, th, .unseen, option, dialog, .tip';
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    const parent = text.parentElement;
    if (!/[0-9]/.test(text.data) || parent.closest(NAMES) || !parent.checkVisibility({ contentVisibilityAuto: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const own = range.getBoundingClientRect();
    for (let box = parent; box && box !== document.documentElement; box = box.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(box);
      if ([overflowX, overflowY].some((value) => value === 'auto' || value === 'scroll')) break;
      if (overflowX !== 'hidden' && overflowX !== 'clip') continue;
      const { left, right, top, bottom } = box.getBoundingClientRect();
      if (own.top >= bottom - 1 || own.bottom <= top + 1 || own.left >= right || own.right <= left) break;
      const by = Math.max(own.right - right, left - own.left, own.bottom - bottom - own.height / 4, top - own.top - own.height / 4);
      if (by > 1) found.push(`${parent.className || parent.id} in ${box.className || box.id}: ${text.data} by ${by.toFixed(1)}`);
    }
  }
  return [...new Set(found)].slice(0, 12);
}"""


@pytest.fixture(scope="module")
def extremes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio with a past, of which every number is as large as numbers get."""
    directory = tmp_path_factory.mktemp("extremes")
    file, now = directory / "studio.toml", int(time.time())
    file.write_text(FILE)
    accounts = {name: f"{name[-2:]:a<40}" for name in (LONG_NAME, *(f"sala-{n:02}" for n in range(1, ROOMS)))}
    reading = {"viewers_count": 654_321, "tips_count": 987_654, "goal_tokens": 999_999_999}
    balances = ((7200, 400_000_000), (7195, 600_000_000), (7190, 800_000_000), (30, 800_000_000), (25, 987_654_321))
    with running_studio(directory / "stack", STUDIO_FILE=str(file), **{KEEP_FILES: "1"}) as studio:
        for ago, tokens in balances:
            studio.post(
                *(
                    {"room_id": name, "timestamp": now - ago, "tokens_count": tokens, "account": account, **reading}
                    for name, account in accounts.items()
                )
            )
        with OnAir(
            studio, *({"room_id": name, "tokens_count": 987_654_321, "account": account, **reading} for name, account in accounts.items())
        ):
            yield studio


def cut(page: Page, look: Look) -> list[str]:
    """Figures that are not whole on a screen with this look, and words that are cut, outside the window or over each other."""
    show_as(page, look)
    return [f"{look.width} {look.language} {look.scheme}: {each}" for each in [*page.evaluate(CUT), *geometry_findings(page)]]


class View(NamedTuple):
    """A view with figures: its address, one of its figures, which rooms it shows, and how."""

    query: str
    figure: str
    rooms: tuple[str, ...] = SOME
    density: str = ""


NOW = int(time.time())
OF_ROOM = f"room={LONG_NAME}&on=camsoda"
VIEWS = {
    "cards": View("", ".card .tokens", density="cards"),
    "compact": View("", ".card .tokens", density="compact"),
    "table": View("?group=platform", ".room-table td.cell-hour", density="table"),
    "wall": View("?wall=1", ".wall-figure", ("*",)),
    "hours": View("?wall=hours&each=600", ".hour-value"),
    "leaders": View("?wall=leaders&each=600", "#leaders .line-value"),
    "room": View(f"?view=room&{OF_ROOM}", "#room-earned-total"),
    "analytics": View("?view=analytics&period=day", "#fact-total"),
    "why": View(f"?view=why&{OF_ROOM}&from={NOW - 10_000}&to={NOW + 3600}", "#why-earned"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_no_figure_is_cut_at_any_width(extremes: Studio, visit: Opener, name: str) -> None:
    """In every view at every width, by turns in the three themes, and in the other language on a phone and a laptop; in the page's font."""
    view = VIEWS[name]
    page = visit(extremes, locale="es-CO", reduced_motion="reduce").open(view.query, rooms=view.rooms).live().page
    if view.density:
        page.locator("#density").select_option(view.density)
    expect(page.locator(view.figure).filter(has_text=re.compile(r"[0-9][.,][0-9]")).first).to_be_visible()
    page.evaluate("document.fonts.ready")
    assert page.evaluate("[...document.fonts].map(({ family, status }) => `${family} ${status}`)") == ["Inter loaded"]
    seen = [*(("es", size) for size in WIDTHS), *(("en", size) for size in WIDTHS if size[0] in OTHER_LANGUAGE_AT)]
    looks = [Look(width, SCHEMES[turn % len(SCHEMES)], language, height) for turn, (language, (width, height)) in enumerate(seen)]
    found = [each for look in looks for each in cut(page, look)]
    assert not found, "\n".join(found)
