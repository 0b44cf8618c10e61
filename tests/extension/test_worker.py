"""The worker in a real Chromium against a scripted service: the response table, its own death, and what others may not do."""

import contextlib
import email.utils
import pathlib
import threading
import time
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Playwright, expect

from tests.extension.browser import Browser, token, wait_in_browser
from tests.extension.scripted import Answer, ScriptedIngest
from tests.extension.sites import OWN, Sites

NOW = int(time.time() * 1000) - 60_000


@pytest.mark.parametrize("status", [400, 422])
def test_bad_readings_become_dead_letters(ready: Browser, ingest: ScriptedIngest, status: int) -> None:
    """400 and 422: out of the way, kept to look at, and the next reading goes on."""
    ingest.answers.append(Answer(status, {"title": "no", "detail": "timestamp is too old"}))
    ready.store(NOW)
    ready.poke()
    assert ready.outbox() == {"buffered": 0, "dead": 1, "dropped": 0}
    ready.store(NOW + 5000)
    ready.poke()
    assert ready.outbox()["buffered"] == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_pauses_until_the_configuration_changes(ready: Browser, ingest: ScriptedIngest, status: int) -> None:
    """401 and 403: badge KEY, readings kept, nothing more sent; a new key sends them all."""
    ingest.answers.append(Answer(status))
    ready.store(NOW)
    ready.poke()
    ready.store(NOW + 5000)
    ready.poke()
    assert (ready.badge(), ready.outbox()["buffered"], ingest.moments) == ("KEY", 2, [NOW])
    ready.configure(ingest.url, key=token(("blue",)))
    ingest.wait_for(lambda _: ingest.moments == [NOW, NOW + 5000, NOW])
    wait_in_browser(lambda: ready.badge() == "ON", "the badge")


def test_too_large_batches_are_halved(ready: Browser, ingest: ScriptedIngest) -> None:
    """413: half as many, and half again, then one alone becomes a dead letter."""
    ingest.answers.extend([Answer(413), Answer(413), Answer(413)])
    ready.store(*range(NOW, NOW + 20_000, 5000))
    ready.poke()
    assert [len(request.readings) for request in ingest.requests if request.readings] == [4, 2, 1, 1, 1, 1]
    assert ready.outbox() == {"buffered": 0, "dead": 1, "dropped": 0}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "a date"])
def test_retry_after_is_honoured_also_by_the_next_worker(ready: Browser, ingest: ScriptedIngest, status: int, form: str) -> None:
    """429 and 503: not a request before the time is up, even though the worker died meanwhile."""
    started = time.monotonic()
    wait = "3" if form == "seconds" else email.utils.formatdate(time.time() + 4, usegmt=True)  # a date has no fractions
    ingest.answers.append(Answer(status, headers={"Retry-After": wait}))
    ready.store(NOW)
    ready.poke()
    ready.kill_worker()
    assert ready.board()["buffered"] == 1
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    assert time.monotonic() - started >= 2.9
    assert ingest.moments == [NOW, NOW]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(408),
        Answer(500),
        Answer(502),
        Answer(404),
        Answer(hang_up=True),
        Answer(302, headers={"Location": "/elsewhere"}),
        Answer(body="Welcome to our hotel"),
    ],
    ids=["408", "500", "502", "404", "connection lost", "redirect", "a 200 that is not ours"],
)
def test_passing_failures_buffer_and_recover(ready: Browser, ingest: ScriptedIngest, answer: Answer) -> None:
    """Everything else: buffering is said, the reading is kept, and arrives once the service is well; redirects are not followed."""
    ingest.otherwise = answer  # for as long as the badge is looked at: the worker tries again by itself when its backoff is over
    ready.store(NOW)
    ready.poke()
    assert ready.badge() == "1"
    assert ready.board()["attempt"] >= 1
    ready.poke_until(lambda: len(ingest.moments) >= 2, "the second try")
    ingest.otherwise = Answer()
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    answers = [request.answer for request in ingest.requests if request.readings]
    assert (answers, set(ingest.moments)) == ([answer] * (len(answers) - 1) + [Answer()], {NOW})
    assert {request.path for request in ingest.requests} == {"/api/tracking/telemetry/batch"}


def test_a_service_that_hangs_is_given_up_after_ten_seconds(ready: Browser, ingest: ScriptedIngest) -> None:
    """The request ends by itself and counts as a failure."""
    hold = threading.Event()
    ingest.answers.append(Answer(hold=hold))
    ready.store(NOW)
    started = time.monotonic()
    ready.poke()
    assert 9 < time.monotonic() - started < 15
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    assert ingest.moments == [NOW, NOW]
    hold.set()


def test_items_are_settled_each_for_itself(ready: Browser, ingest: ScriptedIngest) -> None:
    """In one 200: stored, rejected for good, and to be sent again later."""
    later = {"status": 429, "retry_after_seconds": 1}
    outcomes: list[dict[str, Any]] = [
        {"result": "accepted"},
        {"result": "rejected", "problem": {"status": 422}},
        {"result": "rejected", "problem": later},
        {"result": "late"},
    ]
    ingest.answers.append(Answer(body={"results": [{"index": index, **item} for index, item in enumerate(outcomes)]}))
    ready.store(*range(NOW, NOW + 20_000, 5000))
    ready.poke()
    assert ready.outbox() == {"buffered": 1, "dead": 1, "dropped": 0}
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    assert ingest.moments[4:] == [NOW + 5000]


HANG_WRITES = """() => {
    const { transaction } = IDBDatabase.prototype;
    const unanswered = { objectStore: () => new Proxy({}, { get: () => () => ({}) }) };
    IDBDatabase.prototype.transaction = function (stores, mode, ...rest) {
        return mode === 'readwrite' ? unanswered : transaction.call(this, stores, mode, ...rest);
    };
}"""
LISTEN = (
    "() => chrome.runtime.onMessage.addListener((message) => { if (message.type === 'reading') globalThis.received = message.readAt; })"
)


def test_killed_with_a_reading_in_its_hands_the_page_tells_it_again(ready: Browser, ingest: ScriptedIngest) -> None:
    """The worker has the reading and dies before the write: the page repeats it to the next worker, and not one reading is lost."""
    ready.worker.evaluate(HANG_WRITES)
    ready.worker.evaluate(LISTEN)
    page = ready.open(OWN["chaturbate"])
    received = wait_in_browser(lambda: ready.worker.evaluate("() => globalThis.received"), "the worker receives the reading")
    assert ready.outbox()["buffered"] == 0
    ready.kill_worker()
    ingest.wait_for(lambda _: received in ingest.moments)
    page.close()


def test_killed_before_it_hears_the_reading_the_page_wakes_the_next(ready: Browser, ingest: ScriptedIngest) -> None:
    """The worker is dead when the page speaks, and no alarm is set: the next one is woken by the reading and stores it."""
    page = ready.open(OWN["chaturbate"])
    ingest.wait_for(lambda _: len(ingest.moments) >= 1)
    ready.console.evaluate("() => chrome.alarms.clearAll()")
    ready.kill_worker()
    ingest.wait_for(lambda _: len(set(ingest.moments)) >= 2)
    page.close()


@pytest.mark.parametrize("headers_first", [False, True], ids=["mid-request", "after the 2xx, before the deletion"])
def test_killed_while_sending_the_reading_is_sent_again(ready: Browser, ingest: ScriptedIngest, headers_first: bool) -> None:  # noqa: FBT001
    """The service has the reading and the worker dies before it can know or delete: the same reading comes again, byte for byte."""
    hold = threading.Event()
    ingest.answers.append(Answer(hold=hold, headers_first=headers_first))
    ready.store(NOW)
    ready.console.evaluate("() => { chrome.runtime.sendMessage({ type: 'drain' }).catch(() => {}); }")
    ingest.wait_for(lambda _: ingest.moments == [NOW])
    ready.kill_worker()
    hold.set()
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    first, second = [request.readings for request in ingest.requests if request.readings]
    assert first == second


def test_the_alarm_is_there_at_every_start(ready: Browser) -> None:
    """Chrome may lose an alarm; the next event that wakes the worker sets it again."""
    ready.console.evaluate("() => chrome.alarms.clearAll()")
    ready.kill_worker()
    ready.poke()
    alarms = wait_in_browser(lambda: ready.console.evaluate("() => chrome.alarms.getAll()"), "the alarm")
    assert [alarm["periodInMinutes"] for alarm in alarms] == [0.5]


def pass_time(browser: Browser, page: Page, milliseconds: int) -> None:
    """Lets a page's clock and timers run ahead."""
    session = browser.context.new_cdp_session(page)
    over = threading.Event()
    session.on("Emulation.virtualTimeBudgetExpired", lambda _: over.set())
    session.send("Emulation.setVirtualTimePolicy", {"policy": "advance", "budget": milliseconds})
    wait_in_browser(lambda: page.evaluate("() => true") and over.is_set(), "the end of the time given")


def test_a_restarted_browser_goes_on_and_a_script_left_behind_by_a_reload_is_quiet(
    playwright: Playwright, sites: Sites, ingest: ScriptedIngest, tmp_path: pathlib.Path
) -> None:
    """Settings and buffered readings outlive the browser; a script that lost its extension stops at its next turn and raises nothing."""
    first = Browser(playwright, tmp_path, sites.resolver_rules)
    first.configure(ingest.url)
    first.store(NOW)
    first.close()
    assert ingest.moments == []
    second = Browser(playwright, tmp_path, sites.resolver_rules)
    ingest.wait_for(lambda _: ingest.moments == [NOW])
    wait_in_browser(lambda: second.outbox()["buffered"] == 0, "the deletion")
    is_quiet_when_cut_off(second, ingest)
    second.close()


def is_quiet_when_cut_off(browser: Browser, ingest: ScriptedIngest) -> None:
    """Opens a page, waits for two readings of it, and reloads the extension."""
    count = len(ingest.moments)
    page = browser.open(OWN["chaturbate"])
    ingest.wait_for(lambda _: len(ingest.moments) > count)
    pass_time(browser, page, 6000)
    ingest.wait_for(lambda _: len(ingest.moments) > count + 1)
    with contextlib.suppress(Error):
        browser.console.evaluate("() => chrome.runtime.reload()")
    count = len(ingest.moments)
    browser.isolated(page, "globalThis.looks = 0; const look = isOwnPage; isOwnPage = (...all) => { looks += 1; return look(...all); };")
    pass_time(browser, page, 20_000)
    assert (browser.isolated(page, "looks"), len(ingest.moments), browser.logs) == (0, count, [])


FILL_DISK = """() => {
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (stores, mode, ...rest) {
        if (mode === 'readwrite') throw new DOMException('', 'QuotaExceededError');
        return transaction.call(this, stores, mode, ...rest);
    };
}"""


def test_a_disk_that_takes_nothing_is_said(ready: Browser) -> None:
    """A reading that cannot be written is not lost in silence: badge and popup say so, until a write succeeds again."""
    ready.worker.evaluate(FILL_DISK)
    page = ready.open(OWN["chaturbate"])
    wait_in_browser(lambda: ready.badge() == "!", "the badge")
    popup = ready.open_ui("popup")
    expect(popup.locator(".notes")).to_contain_text("Readings cannot be kept")
    ready.kill_worker()
    wait_in_browser(lambda: ready.badge() == "ON", "the next worker's success")
    page.close()
    popup.close()


def given(browser: Browser) -> set[str]:
    """The origins that the worker gave back."""
    return {origin for back in browser.worker.evaluate("() => globalThis.given") for origin in back["origins"]}


def test_a_permission_for_an_address_no_longer_used_is_given_back(ready: Browser) -> None:
    """Also when the popup closed under Chrome's question; a new path under the same origin changes nothing."""
    ready.worker.evaluate("() => { globalThis.given = []; chrome.permissions.remove = async (back) => { globalThis.given.push(back); }; }")
    ready.configure("https://old.example/a")
    wait_in_browser(lambda: given(ready), "the permission of the address before")
    ready.configure("https://old.example/b")
    ready.poke()
    assert "https://old.example/*" not in given(ready)
    ready.configure("https://new.example")
    wait_in_browser(lambda: "https://old.example/*" in given(ready), "the permission of the old address")


def test_a_message_that_the_worker_does_not_know_is_refused_and_sends_nothing(ready: Browser, ingest: ScriptedIngest) -> None:
    """A page of the extension that asks for an action which does not exist gets an answer that names the fault."""
    before = len(ingest.moments)
    for kind in ("look", "obey", "constructor", ""):
        answer = ready.console.evaluate("(type) => chrome.runtime.sendMessage({ type })", kind)
        assert answer == {"error": "unknown_message"}
    assert len(ingest.moments) == before
