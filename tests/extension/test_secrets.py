"""What others may not do or see: forged readings, storage, and the token, searched for wherever it could have gone."""

import json
from typing import Any

from playwright.sync_api import Page

from tests.extension.browser import Browser, by_hand, token, wait_in_browser
from tests.extension.scripted import Answer, ScriptedIngest
from tests.extension.sites import OWN

FORGE = """((platform, via) => chrome.runtime.sendMessage({
    type: 'reading', platform, readAt: Date.now(), metrics: { tokens: { status: 'ok', value: 666, via } } }))"""


def platforms(ingest: ScriptedIngest) -> list[str]:
    """The platforms of all readings so far."""
    return [reading["platform"] for reading in ingest.readings]


def test_others_cannot_speak_to_the_worker(ready: Browser, ingest: ScriptedIngest) -> None:
    """A page has no way to send the extension a message, and another platform's page or an extension page is not believed."""
    page = ready.open(OWN["stripchat"])
    assert page.evaluate("() => globalThis.chrome?.runtime?.sendMessage") is None
    assert ready.console.evaluate(f"() => {FORGE}('chaturbate', 'tokencount')") == {"error": "unknown_message"}
    assert asked(ready, OWN["camsoda"], f"{FORGE}('chaturbate', 'tokencount')") is None
    assert asked(ready, OWN["camsoda"], f"{FORGE}('camsoda', 'token-balance')") == {"isKept": True}
    ingest.wait_for(lambda _: len(set(platforms(ingest))) == 2)
    assert set(platforms(ingest)) == set(ready.board()["platforms"]) | {"camsoda"} == {"stripchat", "camsoda"}


def test_a_closed_tab_is_forgotten(ready: Browser, ingest: ScriptedIngest) -> None:
    """Its numbers are not shown as if they were still read."""
    page = ready.open(OWN["chaturbate"])
    ingest.wait_for(lambda _: ingest.moments)
    page.close()
    wait_in_browser(lambda: "chaturbate" not in ready.board()["platforms"], "the closed tab to be forgotten")


def asked(browser: Browser, url: str, expression: str) -> Any:
    """What an expression gives beside the content script of a page."""
    page = browser.open(url)
    answer = browser.isolated(page, expression)
    page.close()
    return answer


def test_content_scripts_cannot_read_storage(ready: Browser) -> None:
    """Even code that took over the content script's world finds no area of storage open."""
    ask = """Promise.all(['local', 'managed', 'session'].map(async (area) => {
        try { return JSON.stringify(await chrome.storage[area].get()); } catch (error) { return 'refused'; }
    }))"""
    assert asked(ready, OWN["camsoda"], ask) == ["refused", "refused", "refused"]


def test_content_scripts_get_nothing_but_a_receipt(ready: Browser, ingest: ScriptedIngest) -> None:
    """A content script that asks for what the popup may ask for gets no answer."""
    ask = "chrome.runtime.sendMessage({ type: 'dead-letters' }).then((answer) => JSON.stringify(answer ?? null), () => 'refused')"
    page = ready.open(OWN["camsoda"])
    assert ready.isolated(page, ask) in ("null", "refused")
    ingest.wait_for(lambda _: ingest.moments)


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
OVERHEAR_WORKER = """() => {
    globalThis.messages = [];
    const send = chrome.tabs.sendMessage;
    chrome.tabs.sendMessage = (...message) => { globalThis.messages.push(message); return send.apply(chrome.tabs, message); };
}"""


def holding(key: str, places: dict[str, Any]) -> list[str]:
    """The places in which some part of a token is."""
    return [name for name, found in places.items() if any(part in json.dumps(found) for part in key.split("."))]


def set_up_by_hand(browser: Browser, endpoint: str, key: str) -> Page:
    """Types the settings into the popup, as a person would."""
    popup = browser.open_ui("popup")
    popup.locator("#settings").evaluate("element => { element.open = true }")
    by_hand(popup)
    for name, value in {"roomId": "blue", "endpoint": endpoint, "token": key}.items():
        popup.locator(f"#{name}").fill(value)
    popup.get_by_role("button", name="Save").click()
    popup.get_by_text("Connection works").wait_for()
    return popup


def test_the_token_is_nowhere_but_in_storage_and_the_header(ready: Browser, ingest: ScriptedIngest) -> None:
    """A search of pages, messages, logs, other storage, the outbox and request bodies for any part of the token."""
    key = token(("blue",), jti="canary")
    ready.console.evaluate(OVERHEAR)
    ready.worker.evaluate(OVERHEAR_WORKER)
    ready.worker.on("console", lambda message: ready.logs.append(message.text))
    refusal = {"index": 0, "result": "rejected", "problem": {"status": 422, "detail": "no"}}
    ingest.answers.extend([Answer(body={"results": [refusal]}), Answer(500)])
    pages = [set_up_by_hand(ready, ingest.url, key), ready.open(OWN["chaturbate"]), ready.open_ui("options", 900, 900)]
    ingest.wait_for(lambda _: len(ingest.moments) >= 3)
    places: dict[str, Any] = {page.url: page.evaluate(CONTENT) for page in pages}
    ready.console.evaluate("() => chrome.alarms.create('every-30-seconds', { when: Date.now(), periodInMinutes: 0.5 })")
    wait_in_browser(lambda: ready.worker.evaluate("() => globalThis.messages.length"), "the worker's question to the page")
    places["messages"] = ready.console.evaluate("() => globalThis.messages")
    places["questions"] = ready.worker.evaluate("() => globalThis.messages")
    places["storage"] = ready.console.evaluate(OTHER_STORAGE)
    places["outbox"] = ready.console.evaluate(EVERY_STORE)
    places["logs"] = ready.logs
    places["requests"] = [[r.path, r.readings, {k: v for k, v in r.headers.items() if k != "Authorization"}] for r in ingest.requests]
    assert any(message["type"] == "reading" for message in places["messages"])
    assert places["outbox"][0], "a dead letter to search"
    assert holding(key, places) == []
    assert holding(key, {"settings": ready.console.evaluate("() => chrome.storage.local.get()")}) == ["settings"]
    assert ingest.requests[-1].headers["Authorization"] == f"Bearer {key}"
    for page in pages:
        page.close()
