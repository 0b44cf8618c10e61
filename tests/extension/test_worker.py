"""The worker in a real Chromium against a scripted service: the response table, its own death, and what others may not do."""

import contextlib
import json
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Error, Page, Playwright

from tests.extension.browser import Browser, token, until
from tests.extension.scripted import Answer, ScriptedIngest
from tests.extension.sites import OWN, Sites

NOW = int(time.time() * 1000) - 60_000


@pytest.fixture(scope="module")
def chromium(playwright: Playwright, sites: Sites, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    running = Browser(playwright, tmp_path_factory.mktemp("worker"), sites.resolver_rules)
    yield running
    running.close()


@pytest.fixture
def ready(chromium: Browser, ingest: ScriptedIngest) -> Iterator[Browser]:
    """The module's browser, configured for this test's service, with an empty outbox."""
    chromium.configure(ingest.url)
    yield chromium
    chromium.console.evaluate(
        """async () => {
            await chrome.storage.local.remove('settings');
            const { Outbox } = await import('/worker/outbox.js');
            const outbox = new Outbox(indexedDB);
            await outbox.release();
            await outbox.remove(await outbox.newest(99, Date.now()));
            await outbox.discardDead();
        }"""
    )
    until(lambda: not chromium.board()["configured"], "the end of the settings")


def sent(ingest: ScriptedIngest) -> list[int]:
    """The moments of all readings that arrived, in order of arrival."""
    return [reading["sequence"] for reading in ingest.readings]


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
    assert (ready.badge(), ready.outbox()["buffered"], sent(ingest)) == ("KEY", 2, [NOW])
    ready.configure(ingest.url, key=token(("blue",)))
    ingest.wait_for(lambda _: sent(ingest) == [NOW, NOW + 5000, NOW])
    until(lambda: ready.badge() == "ON", "the badge")


def test_too_large_batches_are_halved(ready: Browser, ingest: ScriptedIngest) -> None:
    """413: half as many, and half again, then one alone becomes a dead letter."""
    ingest.answers.extend([Answer(413), Answer(413), Answer(413)])
    ready.store(*range(NOW, NOW + 20_000, 5000))
    ready.poke()
    assert [len(request.readings) for request in ingest.requests if request.readings] == [4, 2, 1, 1, 1, 1]
    assert ready.outbox() == {"buffered": 0, "dead": 1, "dropped": 0}


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_also_by_the_next_worker(ready: Browser, ingest: ScriptedIngest, status: int) -> None:
    """429 and 503: not a request before the time is up, even though the worker died meanwhile."""
    ingest.answers.append(Answer(status, headers={"Retry-After": "3"}))
    ready.store(NOW)
    started = time.monotonic()
    ready.poke()
    ready.kill_worker()
    assert ready.board()["buffered"] == 1
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    assert time.monotonic() - started >= 2.9
    assert sent(ingest) == [NOW, NOW]


@pytest.mark.parametrize(
    "answer",
    [Answer(408), Answer(500), Answer(502), Answer(404), Answer(hang_up=True), Answer(302, headers={"Location": "/elsewhere"})],
    ids=["408", "500", "502", "404", "connection lost", "redirect"],
)
def test_passing_failures_buffer_and_recover(ready: Browser, ingest: ScriptedIngest, answer: Answer) -> None:
    """Everything else: buffering is said, the reading is kept, and arrives once the service is well; redirects are not followed."""
    ingest.answers.extend([answer, answer])  # twice, because a backoff may by chance be over at once
    ready.store(NOW)
    ready.poke()
    assert ready.badge() == "1"
    assert ready.board()["attempt"] >= 1
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    assert (sent(ingest), {request.path for request in ingest.requests}) == ([NOW] * 3, {"/api/tracking/telemetry/batch"})


def test_a_service_that_hangs_is_given_up_after_ten_seconds(ready: Browser, ingest: ScriptedIngest) -> None:
    """The request ends by itself and counts as a failure."""
    hold = threading.Event()
    ingest.answers.append(Answer(hold=hold))
    ready.store(NOW)
    started = time.monotonic()
    ready.poke()
    assert 9 < time.monotonic() - started < 15
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    assert sent(ingest) == [NOW, NOW]
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
    assert sent(ingest)[4:] == [NOW + 5000]


def test_killed_before_the_write_the_page_tells_it_again(ready: Browser, ingest: ScriptedIngest) -> None:
    """The worker is dead when the page speaks: the next one is woken by the reading and stores it."""
    page = ready.open(OWN["chaturbate"])
    ingest.wait_for(lambda _: len(sent(ingest)) >= 1)
    ready.kill_worker()
    ingest.wait_for(lambda _: len(set(sent(ingest))) >= 2)
    page.close()
    first, second, *_ = sorted(set(sent(ingest)))
    assert second - first < 6500


@pytest.mark.parametrize("headers_first", [False, True], ids=["mid-request", "after the 2xx, before the deletion"])
def test_killed_while_sending_the_reading_is_sent_again(ready: Browser, ingest: ScriptedIngest, headers_first: bool) -> None:  # noqa: FBT001
    """The service has the reading and the worker dies before it can know or delete: the same reading comes again, byte for byte."""
    hold = threading.Event()
    ingest.answers.append(Answer(hold=hold, headers_first=headers_first))
    ready.store(NOW)
    ready.console.evaluate("() => { chrome.runtime.sendMessage({ type: 'drain' }).catch(() => {}); }")
    ingest.wait_for(lambda _: sent(ingest) == [NOW])
    ready.kill_worker()
    hold.set()
    ready.poke_until(lambda: ready.outbox()["buffered"] == 0, "the delivery")
    first, second = [request.readings for request in ingest.requests if request.readings]
    assert first == second


def test_a_restarted_browser_goes_on(playwright: Playwright, sites: Sites, ingest: ScriptedIngest, tmp_path: pathlib.Path) -> None:
    """Settings and buffered readings are there again, and go out without anybody opening anything."""
    first = Browser(playwright, tmp_path, sites.resolver_rules)
    ingest.answers.append(Answer(503, headers={"Retry-After": "1"}))
    first.configure(ingest.url)
    first.store(NOW)
    first.poke()
    first.close()
    second = Browser(playwright, tmp_path, sites.resolver_rules)
    second.poke_until(lambda: second.outbox()["buffered"] == 0, "the delivery")
    second.close()
    assert sent(ingest) == [NOW, NOW]


def pass_time(browser: Browser, page: Page, milliseconds: int) -> None:
    """Lets a page's clock and timers run ahead."""
    session = browser.context.new_cdp_session(page)
    over = threading.Event()
    session.on("Emulation.virtualTimeBudgetExpired", lambda _: over.set())
    session.send("Emulation.setVirtualTimePolicy", {"policy": "advance", "budget": milliseconds})
    until(lambda: page.evaluate("() => true") and over.is_set(), "the end of the time given")


def test_a_script_left_behind_by_a_reload_is_quiet(browser: Browser, ingest: ScriptedIngest) -> None:
    """Cut off from its extension, the script in the open page stops at its next turn and raises nothing."""
    browser.configure(ingest.url)
    page = browser.open(OWN["chaturbate"])
    ingest.wait_for(lambda _: len(sent(ingest)) >= 1)
    pass_time(browser, page, 6000)
    ingest.wait_for(lambda _: len(sent(ingest)) >= 2)
    with contextlib.suppress(Error):
        browser.console.evaluate("() => chrome.runtime.reload()")
    count = len(sent(ingest))
    pass_time(browser, page, 20_000)
    assert (len(sent(ingest)), browser.logs) == (count, [])


def test_others_cannot_speak_to_the_worker(ready: Browser, ingest: ScriptedIngest) -> None:
    """A page has no way to send the extension a message, and a frame or another site's page is not believed."""
    page = ready.open(OWN["chaturbate"])
    ingest.wait_for(lambda _: sent(ingest))
    assert page.evaluate("() => globalThis.chrome?.runtime?.sendMessage") is None
    forged = {"type": "reading", "platform": "chaturbate", "readAt": NOW + 60_000, "metrics": {}}
    assert ready.console.evaluate("message => chrome.runtime.sendMessage(message)", forged) is None
    assert "chaturbate" in ready.board()["platforms"]
    page.close()
    until(lambda: not ready.board()["platforms"], "the closed tab to be forgotten")


def isolated(browser: Browser, url: str, expression: str) -> Any:
    """What an expression gives in the content script's own world."""
    page = browser.open(url)
    session = browser.context.new_cdp_session(page)
    worlds: list[dict[str, Any]] = []
    session.on("Runtime.executionContextCreated", lambda event: worlds.append(event["context"]))
    session.send("Runtime.enable")
    world = next(world for world in worlds if world["origin"].endswith(browser.id))
    answer = session.send(
        "Runtime.evaluate", {"contextId": world["id"], "expression": expression, "awaitPromise": True, "returnByValue": True}
    )
    page.close()
    return answer["result"].get("value")


def test_content_scripts_cannot_read_storage(ready: Browser) -> None:
    """Even code that took over the content script's world finds no area of storage open."""
    ask = """Promise.all(['local', 'managed', 'session'].map(async (area) => {
        try { return JSON.stringify(await chrome.storage[area].get()); } catch (error) { return 'refused'; }
    }))"""
    assert isolated(ready, OWN["camsoda"], ask) == ["refused", "refused", "refused"]


def test_content_scripts_get_nothing_but_a_receipt(ready: Browser, ingest: ScriptedIngest) -> None:
    """A content script that asks for what the popup may ask for gets no answer."""
    ask = "chrome.runtime.sendMessage({ type: 'dead-letters' }).then((answer) => JSON.stringify(answer ?? null), () => 'refused')"
    assert isolated(ready, OWN["camsoda"], ask) in ("null", "refused")
    ingest.wait_for(lambda _: sent(ingest))


EVERY_STORE = """() => new Promise((resolve) => {
    const request = indexedDB.open('studio-pulse');
    request.onsuccess = () => {
        const names = [...request.result.objectStoreNames];
        const stores = request.result.transaction(names);
        const all = names.map((name) => new Promise((done) => {
            stores.objectStore(name).getAll().onsuccess = (event) => done(event.target.result);
        }));
        resolve(Promise.all(all));
    };
})"""
OTHER_STORAGE = "() => Promise.all([chrome.storage.sync.get(), chrome.storage.session.get(), chrome.storage.local.get('sender')])"
CONTENT = """() => {
    const typed = [...document.querySelectorAll('input')].map((input) => input.value);
    return [document.documentElement.outerHTML, JSON.stringify({ ...localStorage }), document.cookie, ...typed];
}"""
OVERHEAR = """() => {
    globalThis.messages = [];
    chrome.runtime.onMessage.addListener((message) => { globalThis.messages.push(message); });
}"""


def set_up_by_hand(browser: Browser, endpoint: str, key: str) -> Page:
    """Types the settings into the popup, as a person would."""
    popup = browser.open_ui("popup")
    popup.locator("#settings").evaluate("element => { element.open = true }")
    for name, value in {"roomId": "blue", "endpoint": endpoint, "token": key}.items():
        popup.locator(f"#{name}").fill(value)
    popup.get_by_role("button", name="Save").click()
    popup.get_by_text("Connection works").wait_for()
    return popup


def test_the_token_is_nowhere_but_in_storage_and_the_header(ready: Browser, ingest: ScriptedIngest) -> None:
    """A search of pages, messages, logs, other storage, the outbox and request bodies for any part of the token."""
    key = token(("blue",), jti="canary")
    ready.console.evaluate(OVERHEAR)
    ingest.answers.extend([Answer(422, {"detail": "no"}), Answer(500)])
    pages = [set_up_by_hand(ready, ingest.url, key), ready.open(OWN["chaturbate"]), ready.open_ui("options", 900, 900)]
    ingest.wait_for(lambda _: len(sent(ingest)) >= 3)
    places: dict[str, Any] = {page.url: page.evaluate(CONTENT) for page in pages}
    places["messages"] = ready.console.evaluate("() => globalThis.messages")
    places["storage"] = ready.console.evaluate(OTHER_STORAGE)
    places["outbox"] = ready.console.evaluate(EVERY_STORE)
    places["logs"] = ready.logs
    places["requests"] = [[r.path, r.readings, {k: v for k, v in r.headers.items() if k != "Authorization"}] for r in ingest.requests]
    assert any(message["type"] == "reading" for message in places["messages"])
    assert places["outbox"][0], "a dead letter to search"
    parts = [part for part in key.split(".") if len(part) > 10]
    assert [name for name, found in places.items() if any(part in json.dumps(found) for part in parts)] == []
    assert ingest.requests[-1].headers["Authorization"] == f"Bearer {key}"
    for page in pages:
        page.close()
