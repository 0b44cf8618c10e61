"""What happens to a desk: storage that fails, a wrong clock, a proxy, a pause, an update, a sleeping tab, a site that is withheld."""

import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from playwright.sync_api import Page, expect

from shared.contract import keys
from tests.extension.browser import Browser, wait_in_browser
from tests.extension.scripted import Answer, ScriptedIngest
from tests.extension.sites import OWN
from tests.extension.test_worker import FILL_DISK
from tools.processes import Service
from tools.stack import Stack

NOW = int(time.time() * 1000) - 60_000
REJECT = """() => {
    for (const name of ['get', 'set']) chrome.storage.local[name] = () => Promise.reject(new Error('IO error: corrupted'));
}"""
HANG = "() => { for (const name of ['get', 'set']) chrome.storage.local[name] = () => new Promise(() => {}); }"
PRESS = "button => { if (!button.hidden) button.click(); }"
HANG_DISK = "() => { IDBObjectStore.prototype.count = () => ({}); }"


def headline(page: Page) -> str:
    """The state that the popup shows."""
    return page.locator(".state strong").inner_text()


@pytest.fixture
def reading(ready: Browser, ingest: ScriptedIngest) -> Iterator[Page]:
    """An own page that is read and whose readings arrive."""
    page = ready.open(OWN["chaturbate"])
    ingest.wait_for(lambda _: ingest.moments)
    wait_in_browser(lambda: ready.badge() == "ON", "the badge")
    yield page
    ready.console.evaluate("() => chrome.storage.local.remove('pausedAt')")
    ready.kill_worker()


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("fault", [REJECT, HANG], ids=["rejects", "never answers"])
def test_storage_that_fails_in_the_running_worker_is_said(ready: Browser, fault: str) -> None:
    """The badge does not go on to say ON, and the popup says what to do."""
    popup = ready.open_ui("popup")
    ready.worker.evaluate(fault)
    wait_in_browser(lambda: ready.badge() == "!", "the badge")
    expect(popup.locator(".state")).to_contain_text("Restart Chrome.", timeout=20_000)
    assert headline(popup) == "Cannot store readings"


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("fault", [FILL_DISK, HANG_DISK], ids=["takes nothing", "never answers"])
def test_a_disk_that_fails_is_said_and_the_newest_reading_still_arrives(ready: Browser, ingest: ScriptedIngest, fault: str) -> None:
    """Better once than never: what cannot be written down is sent at once."""
    popup = ready.open_ui("popup")
    ready.worker.evaluate(fault)
    wait_in_browser(lambda: ready.badge() == "!", "the badge")
    count = len(set(ingest.moments))
    ingest.wait_for(lambda _: len(set(ingest.moments)) >= count + 2)
    wait_in_browser(lambda: headline(popup) == "Cannot store readings", "the headline")


@pytest.mark.usefixtures("reading")
def test_a_badge_does_not_stay_on_when_nothing_is_taken(ready: Browser, ingest: ScriptedIngest) -> None:
    """Every item rejected in a 200: the badge leaves ON with the first such answer, and the popup names the reason."""
    ahead = {"status": 422, "title": "Unprocessable Content", "detail": "timestamp lies more than 300 s ahead"}
    ingest.answers.extend([Answer(body={"results": [{"index": 0, "result": "rejected", "problem": ahead}]})] * 50)
    wait_in_browser(lambda: ready.badge() == "!", "the badge")
    popup = ready.open_ui("popup")
    assert headline(popup) == "Readings refused"
    popup.get_by_text("timestamp lies more than 300 s ahead").first.wait_for()
    ingest.answers.clear()
    wait_in_browser(lambda: ready.badge() == "ON", "the recovery")


def test_a_badge_ages_when_the_page_falls_silent(ready: Browser, ingest: ScriptedIngest, reading: Page) -> None:
    """Three intervals after the newest delivery it is no longer ON, without the alarm's help."""
    assert ingest.moments
    ready.isolated(reading, "studioPulseStop()")
    wait_in_browser(lambda: ready.badge() != "ON", "the badge's age")


def test_a_proxy_that_refuses_everything_destroys_nothing(ready: Browser, ingest: ScriptedIngest) -> None:
    """A 400 without our problem document: 200 readings wait, few requests are made, and all arrive when the proxy is gone."""
    ingest.answers.extend([Answer(400, "Blocked by your administrator")] * 500)
    ready.store(*range(NOW - 1_000_000, NOW, 5000))
    for _ in range(5):
        ready.poke()
    assert ready.outbox() == {"buffered": 200, "dead": 0, "dropped": 0}
    assert len(ingest.requests) <= 8
    popup = ready.open_ui("popup")
    assert headline(popup) == "Not your studio's server"
    expect(popup.get_by_role("button", name="Try now")).to_be_visible()
    ingest.answers.clear()
    popup.locator("#action").evaluate(PRESS)  # the worker may have tried by itself first
    wait_in_browser(lambda: ready.outbox()["buffered"] == 0, "the recovery")
    assert len(set(ingest.moments)) == 200


def test_the_waiting_ends_when_the_network_is_back_and_when_the_popup_opens(ready: Browser, ingest: ScriptedIngest) -> None:
    """No wait continues while the popup is open, or once the browser is online again."""
    waiting = {"sender": {"attempt": 9, "nextAttemptAt": int(time.time() * 1000) + 3_000_000, "batchLimit": 500, "failure": 502}}
    for hurry in (
        lambda: ready.worker.evaluate("() => { dispatchEvent(new Event('online')); }"),
        lambda: ready.open_ui("popup"),
    ):
        ready.console.evaluate("waiting => chrome.storage.local.set(waiting)", waiting)
        ready.store(NOW)
        ready.poke()
        assert ready.outbox()["buffered"] == 1
        hurry()
        wait_in_browser(lambda: ready.outbox()["buffered"] == 0, "the delivery")


def test_a_pause_stops_reading_and_sending_until_it_is_over(ready: Browser, ingest: ScriptedIngest, reading: Page) -> None:
    """One press; the badge says it without words, nothing more arrives, and one press goes on."""
    assert reading.url
    popup = ready.open_ui("popup")
    popup.get_by_role("button", name="Pause").click()
    popup.get_by_text("Nothing is read and nothing is sent until you resume.").wait_for()
    wait_in_browser(lambda: ready.badge() == "❚❚", "the badge")
    ready.poke()
    count = len(ingest.moments)
    reading.locator(".tokencount").first.evaluate("element => { element.textContent = '4321'; }")
    popup.wait_for_timeout(6000)
    assert (len(ingest.moments), ready.outbox()["buffered"]) == (count, 0)
    popup.get_by_role("button", name="Resume").click()
    ingest.wait_for(lambda _: len(ingest.moments) > count)
    wait_in_browser(lambda: ready.badge() == "ON", "the badge")


def test_a_tab_that_can_read_its_balance_takes_the_lead(ready: Browser, ingest: ScriptedIngest, reading: Page) -> None:
    """The first tab shows a placeholder; the second one's number is sent within seconds."""
    reading.locator(".tokencount").evaluate_all("all => { for (const element of all) element.textContent = '…'; }")
    second = ready.open(OWN["chaturbate"])
    second.locator(".tokencount").evaluate_all("all => { for (const element of all) element.textContent = '9,876'; }")
    ingest.wait_for(lambda _: any(reading["tokens_count"] == 9876 for reading in ingest.readings))


def test_a_page_without_a_script_is_read_again(ready: Browser, ingest: ScriptedIngest, reading: Page) -> None:
    """As after an installation or an update: the page is not reloaded, and goes on to be read."""
    reading.evaluate("() => { globalThis.isSame = true; }")
    ready.isolated(reading, "studioPulseStop()")
    count = len(ingest.moments)
    ready.console.evaluate("() => chrome.runtime.sendMessage({ type: 'reinject' })")
    ingest.wait_for(lambda _: len(ingest.moments) >= count + 2)
    assert reading.evaluate("() => globalThis.isSame") is True


def tab_of(browser: Browser) -> dict[str, Any]:
    """What Chrome says of the tab that is read."""
    ask = """async () => {
        const { board } = await chrome.storage.session.get('board');
        return chrome.tabs.get(board.platforms.chaturbate.tabId);
    }"""
    return browser.console.evaluate(ask)  # type: ignore[no-any-return]


@pytest.mark.usefixtures("reading")
def test_a_tab_that_reports_is_not_discarded_and_one_that_sleeps_is_named(ready: Browser) -> None:
    """Chrome's Memory Saver leaves it alone; discarding it by hand is reported."""
    wait_in_browser(lambda: tab_of(ready)["autoDiscardable"] is False, "the protection")
    ready.console.bring_to_front()
    ready.console.evaluate("id => chrome.tabs.discard(id)", tab_of(ready)["id"])
    popup = ready.open_ui("popup")
    wait_in_browser(lambda: headline(popup) == "Your page is suspended", "the headline")
    wait_in_browser(lambda: ready.badge() == "!", "the badge")


def configure_access(browser: Browser, settings: Page, access: str) -> None:
    """Sets the extension's site access as a person does on Chrome's page."""
    settings.evaluate(
        "([extensionId, hostAccess]) => chrome.developerPrivate.updateExtensionConfiguration({ extensionId, hostAccess })",
        [browser.id, access],
    )


def test_sites_that_chrome_withholds_are_named(ready: Browser) -> None:
    """Access on click: the popup names the sites and offers to allow them."""
    settings = ready.open("chrome://extensions")
    configure_access(ready, settings, "ON_SPECIFIC_SITES")
    try:
        wait_in_browser(lambda: ready.board()["withheld"], "the withheld sites")
        popup = ready.open_ui("popup")
        assert "chaturbate.com" in popup.locator("#status").inner_text()
    finally:
        configure_access(ready, settings, "ON_ALL_SITES")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def service(stack: Stack) -> Service:
    return stack.ingest()


@pytest.mark.parametrize(("ahead_seconds", "words"), [(600, "10 min fast"), (-3700, "1 h 1 min slow"), (3 * 86400, "3 d 0 h fast")])
def test_a_wrong_clock_is_corrected_and_named(ready: Browser, stack: Stack, service: Service, ahead_seconds: int, words: str) -> None:
    """The real service stores the reading at its true time, and the popup names the clock."""
    room = f"clock{ahead_seconds}"
    ready.worker.evaluate("ahead => { const now = Date.now.bind(Date); Date.now = () => now() + ahead; }", ahead_seconds * 1000)
    ready.configure(service.url, room=room, key=stack.token("ingest", rooms=(room,)))
    read_at = int(time.time() * 1000) - 2000
    ready.store(read_at + ahead_seconds * 1000, room=room)
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    with redis.Redis.from_url(stack.redis_url) as client:
        stored = str(client.get(keys.latest(0, room, "chaturbate")))
    moment = int(stored.partition('"timestamp":')[2].partition(",")[0])
    assert abs(moment - read_at / 1000) <= 4
    assert ready.outbox() == {"buffered": 0, "dead": 0, "dropped": 0}
    popup = ready.open_ui("popup")
    popup.get_by_text(f"This computer's clock is {words}.").wait_for()
    ready.kill_worker()


def test_an_installation_by_policy_opens_no_settings_page(ready: Browser) -> None:
    """The studio's policy may come later; the desk is not asked for settings that it will contain."""
    opened = ready.worker.evaluate(
        """async () => {
            const opened = [];
            chrome.runtime.openOptionsPage = async () => { opened.push('options'); };
            await chrome.storage.local.remove('settings');
            for (const installType of ['admin', 'normal']) {
                chrome.management.getSelf = async () => ({ installType });
                opened.push(installType);
                chrome.runtime.onInstalled.dispatch({ reason: 'install' });
                await new Promise((resolve) => { setTimeout(resolve, 1500); });
            }
            return opened;
        }"""
    )
    assert opened == ["admin", "normal", "options"]


def test_another_rooms_readings_never_block_the_new_ones(ready: Browser, stack: Stack, service: Service) -> None:
    """Room and key were changed while five readings waited: the new room's arrive, and the popup does not promise the old ones for ever."""
    ready.store(*range(NOW, NOW + 25_000, 5000), room="old")
    ready.configure(service.url, room="new", key=stack.token("ingest", rooms=("new",)))
    ready.store(int(time.time() * 1000), room="new")
    ready.poke_until(lambda: ready.outbox()["buffered"] == 5, "the delivery")
    popup = ready.open_ui("popup")
    assert headline(popup) == "Connected"
    popup.get_by_text("Kept for another room: 5.").wait_for()
    assert (ready.board()["buffered"], ready.badge()) == (0, "ON")
    assert pathlib.Path(stack.directory).exists()
