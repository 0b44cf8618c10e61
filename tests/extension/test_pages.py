"""From a platform's page to a POST, in a real Chromium with the whole extension."""

import itertools
import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.extension.browser import Browser, wait_in_browser
from tests.extension.scripted import ScriptedIngest
from tests.extension.sites import OWN, VIEWED

EXPECTED = {
    "chaturbate": {"tokens_count": 1234, "viewers_count": 552},
    "stripchat": {"tokens_count": 12345, "viewers_count": 58},
    "camsoda": {"tokens_count": 8900, "viewers_count": 1200},
}


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedIngest]:
    running = ScriptedIngest()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def chromium(one_chromium: Browser, server: ScriptedIngest) -> Browser:
    one_chromium.start_anew()
    one_chromium.configure(server.url)
    return one_chromium


@pytest.fixture(autouse=True)
def _fresh(chromium: Browser, server: ScriptedIngest) -> Iterator[None]:
    """Every test starts with no page open, no leading tab and nothing received."""
    chromium.console.evaluate("() => chrome.storage.session.clear()")
    server.requests.clear()
    yield
    chromium.close_pages()


def received(server: ScriptedIngest, **values: object) -> dict[str, object]:
    """The first reading with these values."""

    def found() -> dict[str, object] | None:
        return next((r for r in server.readings if values.items() <= r.items()), None)

    server.wait_for(lambda _: found())
    return found() or {}


@pytest.mark.parametrize("platform", EXPECTED)
def test_own_page_is_read_and_a_change_arrives_with_the_next_reading(chromium: Browser, server: ScriptedIngest, platform: str) -> None:
    """One well-formed reading, with nothing in it that is not on the page; a balance that grows in a leap is sent when it has settled."""
    page = chromium.open(OWN[platform])
    reading = {**received(server, platform=platform)}
    assert reading.pop("sequence") // 1000 == reading.pop("timestamp")  # type: ignore[operator]
    account = str(reading.pop("account", ""))  # a mark of the name, where the page shows one
    assert (re.fullmatch("[0-9a-f]{16}", account) is not None) == (platform == "chaturbate")
    assert reading == {"room_id": "blue", "platform": platform, **EXPECTED[platform]}, "nothing else"
    number = page.locator(".tokencount, .tokens-amount, .token-balance-Ab12")
    changed_ms = number.evaluate("element => { element.textContent = '54321'; return Date.now(); }")
    received(server, tokens_count=54321)
    later = [reading for reading in server.readings if reading["sequence"] > changed_ms]
    assert later[0]["tokens_count"] == 54321


def test_viewers_pages_are_not_read(chromium: Browser, server: ScriptedIngest) -> None:
    """Three viewer's pages are open before the own page: the first thing that arrives is from the own page."""
    for url in VIEWED.values():
        chromium.open(url)
    chromium.open(OWN["stripchat"])
    received(server, tokens_count=12345)
    assert {reading["tokens_count"] for reading in server.readings} == {12345}


def test_another_room_in_the_same_tab_is_not_read(chromium: Browser, server: ScriptedIngest) -> None:
    """A single-page app that moves on to another broadcaster's room stops posting, and resumes when it returns."""
    page = chromium.open(OWN["chaturbate"])
    received(server, tokens_count=1234)
    page.evaluate("() => { history.pushState({}, '', '/bob/'); document.querySelector('.tokencount').textContent = '77'; }")
    chromium.open(OWN["camsoda"])
    first = received(server, platform="camsoda")["sequence"]
    server.wait_for(lambda _: any(r["platform"] == "camsoda" and r["sequence"] >= first + 5000 for r in server.readings))  # type: ignore[operator]
    page.evaluate("() => { history.pushState({}, '', '/b/alice/'); document.querySelector('.tokencount').textContent = '78'; }")
    received(server, tokens_count=78)
    assert 77 not in {reading["tokens_count"] for reading in server.readings}


def test_somebody_elses_broadcast_path_is_not_read(chromium: Browser, server: ScriptedIngest) -> None:
    """/b/carol/ while logged in as alice is not alice's page."""
    chromium.open("https://chaturbate.com/b/carol/")
    chromium.open(OWN["camsoda"])
    received(server, platform="camsoda")
    assert {reading["platform"] for reading in server.readings} == {"camsoda"}


def test_nothing_is_read_when_nobody_is_logged_in(chromium: Browser, server: ScriptedIngest) -> None:
    """The path alone makes no own page; logging in on the same page does."""
    page = chromium.open("https://chaturbate.com/bob/")
    page.evaluate("() => { history.pushState({}, '', '/b/alice/'); document.querySelector('.user_information_header_username').remove(); }")
    chromium.open(OWN["camsoda"])
    server.wait_for(lambda _: sum(r["platform"] == "camsoda" for r in server.readings) >= 2)
    assert {reading["platform"] for reading in server.readings} == {"camsoda"}
    page.evaluate("() => document.body.insertAdjacentHTML('afterbegin', '<b class=user_information_header_username>Alice</b>')")
    received(server, platform="chaturbate", tokens_count=77)


def test_a_page_that_redraws_itself_is_read_at_every_interval(chromium: Browser, server: ScriptedIngest) -> None:
    """The whole body is replaced many times a second and the balance grows every three; readings go on, five seconds apart."""
    page = chromium.open(OWN["chaturbate"])
    page.evaluate(
        """() => {
            const html = document.body.cloneNode(true);
            let count = 0;
            setInterval(() => {
                const next = html.cloneNode(true);
                next.querySelector('.tokencount').textContent = String(5000 + Math.floor(count++ / 60));
                document.body.replaceWith(next);
            }, 50);
        }"""
    )
    server.wait_for(lambda _: sum(r["tokens_count"] >= 5000 for r in server.readings) >= 2)
    moments = sorted(int(r["sequence"]) for r in server.readings)
    assert all(4700 <= later - earlier < 8000 for earlier, later in itertools.pairwise(moments))


def test_numbers_that_come_late_are_absent_until_they_are_there(chromium: Browser, server: ScriptedIngest) -> None:
    """A dash is not a zero: until the viewer count is drawn, the reading has none."""
    page = chromium.open(OWN["chaturbate"])
    page.locator("#users-tab-default").evaluate("element => { element.textContent = '—' }")
    wait_in_browser(lambda: any("viewers_count" not in r for r in server.readings), "a reading without viewers")
    page.locator("#users-tab-default").evaluate("element => { element.textContent = 'USERS (0)' }")
    received(server, viewers_count=0)


def test_two_tabs_of_one_page_speak_once(chromium: Browser, server: ScriptedIngest) -> None:
    """The first tab speaks; the second takes over when the first is closed."""
    first = chromium.open(OWN["chaturbate"])
    received(server, tokens_count=1234)
    second = chromium.open(OWN["chaturbate"])
    second.locator(".tokencount").evaluate("element => { element.textContent = '2' }")
    server.wait_for(lambda _: len(list(server.readings)) >= 3)
    assert {reading["tokens_count"] for reading in server.readings} == {1234}
    first.close()
    received(server, tokens_count=2)


def test_hostile_text_stays_text(chromium: Browser, server: ScriptedIngest) -> None:
    """Markup, scripts and endless digits in the places of numbers are reported as unreadable and shown as words."""
    page = chromium.open(OWN["chaturbate"])
    received(server, viewers_count=552)
    page.locator("#users-tab-default").evaluate("element => { element.textContent = '<img src=x onerror=alert(1)>' }")
    wait_in_browser(lambda: chromium.board()["platforms"]["chaturbate"]["metrics"]["viewers"]["status"] == "unparsed", "the status")
    popup = chromium.open_ui("popup")
    expect(popup.locator(".absent")).to_have_text("Not readable")
    assert popup.locator("img").count() == 1  # the icon


def test_a_reading_breaks_after_six_failures_and_mends_after_two_successes(chromium: Browser, server: ScriptedIngest) -> None:
    """Broken shows in badge, title and popup while the connection is still called connected."""
    page = chromium.open(OWN["chaturbate"])
    received(server, tokens_count=1234)
    page.evaluate("() => { document.querySelector('#users-tab-default').remove(); }")
    # Again while the worker's own write, of a board that it read before, has undone it.
    five_failures = """async () => {
        const { board } = await chrome.storage.session.get('board');
        const { failures, broken } = board.platforms.chaturbate.health.viewers;
        if (failures >= 5 || broken) return;
        board.platforms.chaturbate.health.viewers = { failures: 5, successes: 0, broken: false };
        await chrome.storage.session.set({ board });
    }"""
    wait_in_browser(lambda: (chromium.console.evaluate(five_failures), chromium.badge())[1] == "!", "the badge")
    popup = chromium.open_ui("popup")
    expect(popup.locator(".notes")).to_have_text(re.compile("^Cannot be read: Viewers"))
    assert "Cannot be read: Viewers" in chromium.console.evaluate("() => chrome.action.getTitle({})")
    expect(popup.locator(".state strong")).to_have_text("Connected")
    page.evaluate("() => { document.body.insertAdjacentHTML('beforeend', '<p id=\"users-tab-default\">USERS (3)</p>'); }")
    wait_in_browser(lambda: chromium.badge() == "ON", "the mended badge")


def test_an_own_page_without_a_balance_is_named(chromium: Browser, server: ScriptedIngest) -> None:
    """It is not called a page that is not there, nothing is sent, and the popup says why."""
    page = chromium.open(OWN["camsoda"])
    received(server, platform="camsoda")
    page.evaluate(
        """() => {
            document.querySelector('.token-balance-Ab12').textContent = '—';
            for (const icon of document.querySelectorAll('svg')) icon.parentElement.remove(); // viewers alone would be sent
        }"""
    )
    wait_in_browser(lambda: chromium.board()["platforms"]["camsoda"]["metrics"]["tokens"]["status"] == "missing", "the status")
    chromium.console.evaluate(
        """async () => {
            const { board } = await chrome.storage.session.get('board');
            await chrome.storage.session.set({ board: { ...board, lastOkAt: 0 } });
        }"""
    )
    popup = chromium.open_ui("popup")
    popup.get_by_text("Balance not readable").wait_for()
    expect(popup.locator(".state")).to_contain_text("its balance cannot be read")


CLEAR_TIMERS = "() => { for (let timer = 0; timer < 10000; timer += 1) clearInterval(timer); }"


def test_a_page_without_timers_is_read_when_it_changes(chromium: Browser, server: ScriptedIngest) -> None:
    """The page's own changes trigger readings without any timer of ours."""
    page = chromium.open(OWN["camsoda"])
    received(server, platform="camsoda")
    page.evaluate(CLEAR_TIMERS)
    wait_in_browser(lambda: time.time() * 1000 > max(server.moments) + 7000, "the end of the interval, with a margin")
    page.locator(".token-balance-Ab12").evaluate("element => { element.textContent = '8901' }")
    received(server, tokens_count=8901)


def test_a_page_without_timers_is_read_when_the_worker_asks(chromium: Browser, server: ScriptedIngest) -> None:
    """Chrome stops the timers of hidden pages, and a page can clear them all: the worker's alarm still gets a reading."""
    page = chromium.open(OWN["camsoda"])
    received(server, platform="camsoda")
    page.evaluate(CLEAR_TIMERS)
    before = max(int(r["sequence"]) for r in server.readings)
    chromium.console.evaluate("() => chrome.alarms.create('every-30-seconds', { when: Date.now() + 7000, periodInMinutes: 0.5 })")
    server.wait_for(lambda _: any(int(r["sequence"]) > before for r in server.readings))
    assert min(int(r["sequence"]) for r in server.readings if int(r["sequence"]) > before) > before + 6000


def test_the_goal_on_the_page_is_a_suggestion(chromium: Browser, server: ScriptedIngest) -> None:
    """The popup mentions it beside the field; it is not sent, because beside a balance it would mean something else."""
    chromium.open(OWN["stripchat"])
    assert "goal_tokens" not in received(server, platform="stripchat")
    popup = chromium.open_ui("popup")
    assert popup.locator("#goal-hint").text_content() == "The balance you aim for, for the progress bar. Your page shows a goal of 553."
