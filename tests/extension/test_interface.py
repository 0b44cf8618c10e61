"""Popup and options page as a person meets them: by keyboard, enlarged, in both languages and themes. Takes pictures on the way."""

import functools
from collections.abc import Iterator
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.extension.browser import Browser, by_hand, picture, studio_code, token, violations, wait_in_browser
from tests.extension.scripted import Answer, ScriptedIngest
from tests.extension.sites import OWN

SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


@pytest.fixture
def popup(chromium: Browser) -> Iterator[Page]:
    """The popup of an extension without settings."""
    chromium.console.evaluate("() => Promise.all([chrome.storage.local.clear(), chrome.storage.session.clear()])")
    chromium.poke()
    page = chromium.open_ui("popup")
    yield page
    assert chromium.logs == []
    chromium.kill_worker()
    chromium.close_pages()


def press(page: Page, *keys: str) -> None:
    """Types keys, one after the other."""
    for key in keys:
        page.keyboard.press(key)


def test_a_first_visit_by_keyboard_alone(chromium: Browser, popup: Page, ingest: ScriptedIngest) -> None:
    """From an empty form through a mistake to a working connection: one thing is pasted, without a mouse, with nothing for axe to say."""
    popup.locator("body").focus()
    press(popup, "Tab", "Tab", "Tab")
    code = popup.get_by_label("Studio code")
    expect(code).to_be_focused()
    popup.keyboard.insert_text("hello")
    press(popup, "Enter")
    expect(popup.locator("#code-problem")).to_have_text(
        "There is no studio code in this text. Copy the whole line that your studio sent you."
    )
    expect(code).to_be_focused()
    assert violations(popup) == []
    press(popup, "Control+a")
    popup.keyboard.insert_text(f"  {studio_code(ingest.url, token(('Habitacion 12',)), 'Habitacion 12', n='Habitación 12')}\n")
    press(popup, "Enter")
    popup.get_by_text("Saved. Connection works: address, key and room are right.").wait_for()
    assert code.input_value() == ""
    assert violations(popup) == []
    press(popup, "Tab", "Tab", "Tab", "Enter")
    expect(popup.locator("#outcome")).to_have_text("Connection works: address, key and room are right.")
    expect(popup.locator("#outcome")).to_be_in_viewport(ratio=1)
    assert chromium.badge() == ""
    by_hand(popup)
    expect(popup.get_by_label("Room")).to_have_value("Habitación 12")
    expect(popup.get_by_label("Room")).to_have_accessible_description("The studio's server knows this room as Habitacion 12.")


def test_everything_can_be_entered_by_hand(popup: Page, ingest: ScriptedIngest) -> None:
    """An empty form opens the fields and names the missing ones; a whole line of the terminal in the key's field does no harm."""
    press(popup, "Tab")
    popup.get_by_role("button", name="Save").click()
    expect(popup.locator("[aria-invalid=true]")).to_have_count(3)
    assert popup.locator("[aria-invalid=true]").evaluate_all("fields => fields.map((field) => field.id)") == ["roomId", "endpoint", "token"]
    assert violations(popup) == []
    popup.get_by_label("Room").fill("Niña")
    popup.get_by_label("Server address").fill(ingest.url)
    popup.get_by_label("Key").fill(f"Authorization: Bearer {token(('Nina',))}")
    popup.get_by_label("Goal in tokens").fill("20.000")
    popup.get_by_role("button", name="Save").click()
    popup.get_by_text("Saved. Connection works: address, key and room are right.").wait_for()
    assert popup.get_by_label("Key").input_value() == ""
    stored = popup.evaluate("async () => (await chrome.storage.local.get('settings')).settings")
    assert (stored["roomId"], stored["roomName"], stored["goal"]) == ("Nina", "Niña", 20000)


def test_a_saved_key_is_not_sent_to_another_server(chromium: Browser, popup: Page, ingest: ScriptedIngest) -> None:
    """A new address needs a key typed for it; another path of the same server needs none."""
    chromium.configure("http://127.0.0.1:1", key=token(("blue",)))
    popup.reload()
    popup.locator("#settings").evaluate("details => { details.open = true; }")
    by_hand(popup)
    popup.get_by_label("Server address").fill(ingest.url)
    popup.get_by_role("button", name="Save").click()
    expect(popup.locator("#token-problem")).to_have_text("This is another server. Enter the key that its studio gave you.")
    assert ingest.requests == []
    popup.get_by_label("Server address").fill("http://127.0.0.1:1/studio")
    popup.get_by_role("button", name="Save").click()
    popup.get_by_text("Saved. No answer from this address.").wait_for()


IS_IN_SIGHT = """() => {
    const { left, top, width, height } = document.activeElement.getBoundingClientRect();
    return document.activeElement.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""


def test_setup_looks_as_in_the_docs_and_focus_is_always_visible(popup: Page) -> None:
    """The form fits the popup, with its buttons in sight; every control that is reached shows an outline, and nothing lies over it."""
    assert popup.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    expect(popup.get_by_role("button", name="Save")).to_be_in_viewport(ratio=1)
    picture(popup, "setup")
    popup.set_viewport_size({"width": 372, "height": 600})
    reached = popup.locator("button:visible, summary:visible, input:visible, textarea:visible").count()
    for _ in range(reached):
        press(popup, "Tab")
        outline = popup.evaluate("() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + s.outlineWidth; }")
        assert outline == "solid2px", popup.evaluate("() => document.activeElement.outerHTML")
        assert popup.evaluate(IS_IN_SIGHT), popup.evaluate("() => document.activeElement.outerHTML")


MISTAKES: Final[dict[str, dict[str, Any]]] = {
    "This key is for watching, not for sending. Ask your studio for a sending key.": {"aud": "dashboard"},
    "This key has expired. Ask your studio for a new one.": {"exp": 1},
    "This key is for another room. Check the room's name, or ask your studio.": {"rooms": ["red"]},
}


def test_common_mistakes_are_named_at_once(popup: Page, ingest: ScriptedIngest) -> None:
    """A wrong key is explained beside its field and nothing is sent anywhere."""
    by_hand(popup)
    popup.get_by_label("Room").fill("blue")
    popup.get_by_label("Server address").fill(ingest.url)
    for message, claims in MISTAKES.items():
        popup.get_by_label("Key").fill(token(**claims))
        popup.get_by_role("button", name="Save").click()
        expect(popup.locator("#token-problem")).to_have_text(message)
    assert ingest.requests == []


FAILURES: Final = {
    "The server does not accept this key.": Answer(401),
    "The server accepts the key, but not for this room.": Answer(
        body={"results": [{"index": 0, "result": "rejected", "problem": {"status": 403}}]}
    ),
    "The server is there but busy. Try again in a moment.": Answer(503),
    "Something answered (404), but not as Studio Pulse does. Check the address.": Answer(404),
    "No answer from this address. Check it, and your connection.": Answer(hang_up=True),
}


def test_test_connection_says_what_is_wrong(chromium: Browser, popup: Page, ingest: ScriptedIngest) -> None:
    """Each way in which a connection fails has its sentence."""
    chromium.configure(ingest.url)
    ingest.answer_tests = True
    for message, answer in FAILURES.items():
        ingest.answers.append(answer)
        popup.get_by_role("button", name="Test connection").click()
        popup.get_by_text(message).wait_for()


def live_board(now_ms: int, **changes: Any) -> dict[str, Any]:
    """A board as the worker writes it while a page is open."""
    healthy = {"failures": 0, "successes": 9, "broken": False}
    broken = {"failures": 8, "successes": 0, "broken": True}
    metrics = {
        "tokens": {"status": "ok", "value": 18234, "via": "tokencountlink"},
        "viewers": {"status": "missing"} if changes.pop("viewers_missing", False) else {"status": "ok", "value": 552, "via": "users-tab"},
        "goal": {"status": "ok", "value": 25000, "via": "app-panel-row"},
    }
    health = {"tokens": healthy, "viewers": broken if metrics["viewers"]["status"] == "missing" else healthy, "goal": healthy}
    page = {"tabId": 1, "readAt": now_ms - 2000, "metrics": metrics, "health": health}
    board = {
        "configured": True,
        "access": True,
        "refused": False,
        "storageFailed": False,
        "attempt": 0,
        "nextAttemptAt": 0,
        "failure": None,
    }
    return {**board, "buffered": 0, "dropped": 0, "dead": 0, "lastOkAt": now_ms - 2000, "platforms": {"chaturbate": page}, **changes}


def write_board(chromium: Browser, page: Page, **changes: Any) -> None:
    """Writes a state where the worker does."""
    now_ms = page.evaluate("() => Date.now()")
    board = live_board(now_ms, **changes)
    for each in board.get("pages", {}).values():
        each["seenAt"] = now_ms
    chromium.console.evaluate("board => chrome.storage.session.set({ board })", board)


def paint(chromium: Browser, page: Page, **changes: Any) -> None:
    """Puts a state on the screen, as if the worker had written it; the worker writes none of its own meanwhile."""
    settings = {"roomId": "Room 12", "endpoint": "https://pulse.example.com", "token": token(), "goal": 25000}
    chromium.console.evaluate("settings => chrome.storage.local.set({ settings })", settings)
    wait_in_browser(lambda: chromium.board()["configured"], "the settings")
    chromium.worker.evaluate("() => { chrome.storage.session.set = async () => {}; }")
    write_board(chromium, page, **changes)
    page.reload()
    page.locator(".state strong").wait_for()


REFUSAL = {"at": 1, "status": 422, "detail": "timestamp lies more than 300 s ahead"}
PAINTED: dict[str, dict[str, Any]] = {
    "connected": {},
    "buffering": {"failure": 0, "buffered": 42},
    "broken": {"viewers_missing": True},
    "refused": {"refused": True, "buffered": 12, "lastOkAt": 0},
    "access": {"access": False, "lastOkAt": 0},
    "idle": {"lastOkAt": 0, "platforms": {}},
    "rejected": {"isRejecting": True, "refusal": REFUSAL, "failure": 422, "buffered": 7, "offsetMs": 600_000},
    "foreign": {"isForeign": True, "failure": 400, "buffered": 7},
    "storage": {"storageFailed": True},
    "settings": {"settingsFailed": True},
    "pending": {"lastOkAt": 0},
    "site": {"lastOkAt": 0, "platforms": {}, "withheld": ["https://*.chaturbate.com/*"]},
    "unproven": {"lastOkAt": 0, "platforms": {}, "pages": {"chaturbate": {"tabId": 1, "seenAt": 2**45, "page": "unproven"}}},
    "held": {"held": 5},
}


SAID = {
    "connected": ["Connected\nRoom 12 at pulse.example.com", ""],
    "buffering": ["Buffering 42\nThe server cannot be reached. Readings are kept here and sent when it is back.", ""],
    "broken": [
        "Connected\nRoom 12 at pulse.example.com",
        (
            "Cannot be read: Viewers\nThis number is not on the page, or looks different. It is left out, never guessed. "
            "Tell your studio: chaturbate-viewers-missing"
        ),
    ],
    "refused": [
        "Key refused\nThe server does not accept this key for this room. Readings are kept meanwhile; ask your studio for a new key.",
        "Readings kept: 12",
    ],
    "access": ["Permission needed\nChrome may not send to pulse.example.com yet.", ""],
    "idle": ["Waiting for your page\nOpen your own broadcast page. Nothing is read anywhere else.", ""],
    "rejected": [
        "Readings refused\nThe server says: timestamp lies more than 300 s ahead. Readings are kept; tell your studio.",
        "This computer's clock is 10 min fast. Readings are corrected; set the clock.\nReadings kept: 7",
    ],
    "foreign": [
        "Not your studio's server\nSomething else answers at pulse.example.com (400). Readings are kept. Log in to the Wi-Fi or check the address.",
        "Readings kept: 7",
    ],
    "storage": [
        "Cannot store readings\nThe newest reading is still sent. Free disk space, then restart Chrome.",
        "Readings cannot be kept: the disk is full, or this browser profile is damaged.",
    ],
    "settings": ["Cannot store readings\nChrome does not give the extension its settings. Restart Chrome.", ""],
    "pending": ["Nothing sent yet\nYour page is read. The first numbers go out in a few seconds.", ""],
    "site": ["Chrome blocks reading the page\nChrome does not let the extension read chaturbate.com. Allow it.", ""],
    "unproven": [
        (
            "A broadcast page, but not known to be yours\n"
            "Nothing on the page shows that it is your own, so nothing is read. Log in there, or tell your studio."
        ),
        "",
    ],
    "held": [
        "Connected\nRoom 12 at pulse.example.com",
        "Kept for another room: 5. They go out when that room is set again; after a day they are dropped.",
    ],
}


LOOKS_ALONE: Final = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")  # axe's, of colours and sizes


def says(place: Locator, words: list[str]) -> bool:
    """Whether these words are there now."""
    return place.all_inner_texts() == words


def test_every_state_is_legible(chromium: Browser, popup: Page) -> None:
    """Said plainly and in both themes, for axe and for the eye (the pictures are in docs/images)."""
    paint(chromium, popup, **PAINTED["idle"])  # each state follows another one
    said = popup.locator(".state, .notes")
    for state, changes in PAINTED.items():
        write_board(chromium, popup, **changes)
        wait_in_browser(functools.partial(says, said, SAID[state]), f"the words of {state}")
        for scheme in SCHEMES:
            popup.emulate_media(color_scheme=scheme)
            assert violations(popup, LOOKS_ALONE if scheme == "dark" else ()) == [], (state, scheme)
            assert said.all_inner_texts() == SAID[state]
            if state in ("connected", "buffering", "broken", "refused"):
                picture(popup, f"{state}-{scheme}")
        popup.set_viewport_size({"width": 372, "height": 600})


def test_a_number_that_cannot_be_read_is_legible_in_forced_colours_zoomed_and_with_large_letters(chromium: Browser, popup: Page) -> None:
    """With the system's own colours the state is still words and shape; enlarged, nothing is cut off or needs sideways scrolling."""
    popup.emulate_media(forced_colors="active")
    paint(chromium, popup, viewers_missing=True)
    assert popup.locator(".mark").evaluate("mark => getComputedStyle(mark).borderTopColor") != "rgba(0, 0, 0, 0)"
    assert violations(popup) == []
    picture(popup, "forced-colours")
    popup.emulate_media(forced_colors="none")
    assert measured_at_200_percent(popup) == [2, 400, True]
    popup.set_viewport_size({"width": 400, "height": 600})
    popup.reload()
    popup.locator(".state strong").wait_for()
    popup.evaluate(
        "() => { document.documentElement.style.fontSize = '200%'; document.querySelectorAll('details').forEach((details) => { details.open = true; }); }"
    )
    assert popup.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    wide = popup.locator("main :not(input)").evaluate_all(
        "all => all.filter((e) => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML)"
    )
    assert wide == []
    picture(popup, "zoomed")


def measured_at_200_percent(popup: Page) -> list[Any]:
    """Pixels for each of CSS, width, and whether that suffices, in Chrome's own zoom and the 800 pixels that it gives a popup at most."""
    popup.set_viewport_size({"width": 800, "height": 600})
    popup.evaluate("async () => chrome.tabs.setZoom((await chrome.tabs.getCurrent()).id, 2)")
    popup.reload()
    popup.locator(".state strong").wait_for()
    measured: list[Any] = popup.evaluate("() => [devicePixelRatio, innerWidth, document.documentElement.scrollWidth <= innerWidth]")
    popup.evaluate("async () => chrome.tabs.setZoom((await chrome.tabs.getCurrent()).id, 0)")  # it is the origin's, not the tab's
    return measured


def test_options_page(chromium: Browser, popup: Page, ingest: ScriptedIngest) -> None:
    """It lists the read elements and the refused readings, with a way to try again; axe finds nothing."""
    chromium.configure(ingest.url, room="Room 12")
    now_ms = popup.evaluate("() => Date.now()")
    ingest.answers.append(Answer(422, {"title": "Unprocessable Content", "detail": "timestamp lies more than 300 s ahead"}))
    chromium.store(now_ms - 8000, room="Room 12")
    chromium.poke()
    chromium.open(OWN["chaturbate"])
    options = chromium.open_ui("options", 900, 1000)
    options.get_by_role("row", name="Chaturbate: Viewers 552 users-tab").wait_for()
    expect(options.locator(".state strong")).to_have_text("Connected")
    for scheme in SCHEMES:
        options.emulate_media(color_scheme=scheme)
        assert violations(options, LOOKS_ALONE if scheme == "dark" else ()) == [], scheme
        picture(options, f"options-{scheme}")
    options.get_by_role("button", name="Try again").click()
    options.get_by_text("None. Every reading was accepted.").wait_for()
    assert chromium.outbox()["dead"] == 0


def test_policy_is_shown_read_only(chromium: Browser, popup: Page) -> None:
    """What the studio has set cannot be changed, and the form says who set it."""
    popup.evaluate(
        """async () => {
            chrome.storage.managed.get = async () => ({ endpoint: 'https://studio.example', token: 'a.b.c' });
            const { renderForm } = await import('/ui/form.js');
            await renderForm(document.getElementById('form'));
        }"""
    )
    by_hand(popup)
    expect(popup.get_by_label("Server address")).to_have_value("https://studio.example")
    expect(popup.get_by_label("Server address")).not_to_be_editable()
    expect(popup.get_by_label("Key")).to_have_accessible_description("Set by your studio.")
    expect(popup.get_by_label("Room")).to_be_editable()
