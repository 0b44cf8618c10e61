"""What a look costs on a page of 60,000 elements. The work is counted everywhere; milliseconds are judged with `JUDGE_SPEED=1` alone."""

import statistics
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest
from playwright.sync_api import Page, Playwright

from tests.extension.browser import EXTENSION
from tests.extension.sites import FIXTURES
from tests.support import needs, speed

OWN_PATHS: Final = {"chaturbate": "/b/alice/", "stripchat": "/start-broadcasting", "camsoda": "/broadcast"}
WORST_MS: Final = 2.0
# A chat of 20,000 lines: three elements each, with the classes and attributes that such lines have. It takes seconds, and stays.
CHAT: Final = """() => {
    const lines = document.createDocumentFragment();
    for (let line = 0; line < 20000; line += 1) {
        const each = document.createElement('div');
        each.className = `message message-${line % 50} Chat__line#x${line % 9}`;
        each.dataset.testid = `line-${line}`;
        each.innerHTML = `<span class="username user-${line % 100}">u</span><b>text ${line}</b>`;
        lines.append(each);
    }
    document.body.append(lines);
}"""
# Another page above the chat.
SHOW: Final = """html => {
    const { head, body, documentElement } = new DOMParser().parseFromString(html, 'text/html');
    for (const before of document.querySelectorAll('body > :not(.message)')) before.remove();
    document.head.replaceChildren(...head.childNodes);
    document.body.prepend(...body.childNodes);
    document.documentElement.lang = documentElement.lang;
}"""
FORGET: Final = "() => { builtClasses.clear(); searches.clear(); }"
LOOK: Final = """const adapter = studioPulseAdapters.find((each) => each.platform === platform);
    const look = (now) => [ownership(adapter, document, path, now), readMetrics(adapter, document, now)];"""
COUNT: Final = f"""([platform, path]) => {{
    {LOOK}
    look(0); look(6000); look(12000);
    const counts = {{ styles: 0, boxes: 0, searches: 0 }};
    const originals = [getComputedStyle, Range.prototype.getClientRects, Element.prototype.getBoundingClientRect, Document.prototype.querySelectorAll];
    getComputedStyle = (...given) => {{ counts.styles += 1; return originals[0].apply(globalThis, given); }};
    Range.prototype.getClientRects = function () {{ counts.boxes += 1; return originals[1].call(this); }};
    Element.prototype.getBoundingClientRect = function () {{ counts.boxes += 1; return originals[2].call(this); }};
    Document.prototype.querySelectorAll = function (css) {{ counts.searches += css.includes('*=') ? 1 : 0; return originals[3].call(this, css); }};
    const [, metrics] = look(18000);
    [getComputedStyle, Range.prototype.getClientRects, Element.prototype.getBoundingClientRect, Document.prototype.querySelectorAll] = originals;
    return {{ ...counts, tokens: metrics.tokens.value, elements: document.querySelectorAll('*').length }};
}}"""
PREPARE: Final = f"""([platform, path]) => {{
    {LOOK}
    let round = 0;
    globalThis.change = () => {{
        document.body.lastChild.firstChild.textContent = String(round); // a page that changes between looks, as a chat does
        document.body.getBoundingClientRect(); // the page's own layout is not our cost
    }};
    globalThis.look = () => look((round += 1) * 1000);
}}"""
LOOKS: Final = 40 if speed.JUDGES else 5  # the median of more is steadier, which counts only where it is judged
FIRST_LOOKS: Final = 25  # while a page is new, everything that is absent is searched for at every look


@pytest.fixture(scope="module")
def page(playwright: Playwright) -> Iterator[Page]:
    """An empty page with a long chat, and the extension's reader."""
    path = needs.chromium() if speed.JUDGES else needs.headless_chromium()
    browser = playwright.chromium.launch(executable_path=path, args=["--headless=new"] * speed.JUDGES + ["--no-sandbox"])
    page = browser.new_page()
    page.set_content("<!doctype html><body></body>")
    for name in ("parse", "adapters", "visibility", "reader"):
        page.add_script_tag(path=EXTENSION / "content" / f"{name}.js")
    page.evaluate(CHAT)
    yield page
    browser.close()


def named(parameters: tuple[str, bool]) -> str:
    """The name of a page in the names of tests."""
    platform, is_own = parameters
    return f"{platform}-{'with numbers' if is_own else 'without'}"


class Shown(NamedTuple):
    """A platform's page above the chat, or an empty one."""

    page: Page
    platform: str
    is_own: bool

    @property
    def arguments(self) -> list[str]:
        """What a look is given besides the page."""
        return [self.platform, OWN_PATHS[self.platform]]


@pytest.fixture(scope="module", params=[(name, is_own) for name in OWN_PATHS for is_own in (True, False)], ids=named)
def shown(page: Page, request: pytest.FixtureRequest) -> Shown:
    """Shown once for all tests of it: Chromium then computes 60,000 styles and boxes."""
    platform, is_own = request.param
    page.evaluate(SHOW, (FIXTURES / f"{platform}-own.html").read_text() if is_own else "<body></body>")
    return Shown(page, platform, is_own)


@pytest.fixture(autouse=True)
def _fresh(shown: Shown) -> None:
    """The reader has seen no page yet."""
    shown.page.evaluate(FORGET)


def test_a_look_at_sixty_thousand_elements_touches_few_of_them(shown: Shown) -> None:
    """Styles and boxes of some dozens for a page of any size, and one search for part of a class at most."""
    counts: dict[str, Any] = shown.page.evaluate(COUNT, shown.arguments)
    assert counts["elements"] > 60_000
    assert (counts["tokens"] is not None) == shown.is_own
    assert counts["styles"] <= 200
    assert counts["boxes"] <= 100
    assert counts["searches"] <= 1


def test_a_look_at_sixty_thousand_elements_takes_two_milliseconds(shown: Shown) -> None:
    """Processor time of the page's thread, so that others on the machine do not count; judged by `make bench-page` alone."""
    page = shown.page
    page.evaluate(PREPARE, shown.arguments)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent_ms(expression: str) -> float:
        """Thread time of an evaluation, with the styles and boxes that it makes Chromium compute."""
        before = totals()
        page.evaluate(expression)
        return 1000 * (totals() - before)

    def totals() -> float:
        parts = ("DevToolsCommandDuration", "LayoutDuration", "RecalcStyleDuration")
        return sum(float(metric["value"]) for metric in session.send("Performance.getMetrics")["metrics"] if metric["name"] in parts)

    page.evaluate(f"() => {{ for (let each = 0; each < {FIRST_LOOKS}; each += 1) look(); }}")
    times: list[float] = []
    nothing: list[float] = []
    for _ in range(LOOKS):
        page.evaluate("() => change()")
        nothing.append(spent_ms("() => 0"))
        times.append(spent_ms("() => { look(); }"))
    overhead = statistics.median(nothing)
    session.detach()
    figures = {"median_cpu_ms": round(statistics.median(times) - overhead, 2), "most_cpu_ms": round(max(times) - overhead, 2)}
    speed.record(
        f"look-{shown.platform}-{'with' if shown.is_own else 'without'}-numbers", figures, is_good=figures["median_cpu_ms"] <= WORST_MS
    )
