"""Pages that change while they are watched, with the whole extension: which readings are posted, and which never are."""

import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.extension.browser import Browser, wait_in_browser
from tests.extension.scripted import ScriptedIngest
from tests.extension.sites import OWN

COUNT_UP = """() => {
    const shown = document.querySelector('.tokencount');
    const begun = performance.now();
    const step = () => {
        const part = Math.min(1, (performance.now() - begun) / 2500);
        shown.textContent = String(Math.round(5000 * (1 - (1 - part) ** 3)));
        if (part < 1) requestAnimationFrame(step);
    };
    step();
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedIngest]:
    running = ScriptedIngest()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def chromium(one_chromium: Browser, server: ScriptedIngest) -> Browser:
    one_chromium.start_anew()
    one_chromium.configure(server.url, camsoda=False, accountKey="studio secret")
    return one_chromium


@pytest.fixture(autouse=True)
def _fresh(chromium: Browser, server: ScriptedIngest) -> Iterator[None]:
    chromium.console.evaluate("() => chrome.storage.session.clear()")
    server.requests.clear()
    yield
    chromium.close_pages()


def balances(server: ScriptedIngest) -> list[Any]:
    """All balances so far, in order of arrival."""
    return [reading["tokens_count"] for reading in server.readings]


def opened(chromium: Browser, balance: str) -> Page:
    """The own page, whose balance reads so from the beginning."""
    return chromium.open(f"{OWN['chaturbate']}?balance={urllib.parse.quote(balance)}")


def test_a_zero_before_the_balance_is_never_posted(chromium: Browser, server: ScriptedIngest) -> None:
    """The page shows 0 for five seconds, then the balance; and 0 again while it redraws itself."""
    page = opened(chromium, "0")
    page.evaluate("() => setTimeout(() => { document.querySelector('.tokencount').textContent = '1,234'; }, 5000)")
    server.wait_for(lambda _: balances(server))
    page.evaluate(
        """() => { const shown = document.querySelector('.tokencount'); shown.textContent = '0';
            setTimeout(() => { shown.textContent = '1,250'; }, 6000); }"""
    )
    server.wait_for(lambda _: 1250 in balances(server))
    assert set(balances(server)) == {1234, 1250}


def test_a_balance_that_is_truly_zero_is_posted(chromium: Browser, server: ScriptedIngest) -> None:
    """It has stood for ten seconds."""
    opened(chromium, "0")
    server.wait_for(lambda _: 0 in balances(server))
    assert set(balances(server)) == {0}


def test_a_balance_that_counts_up_is_posted_when_it_stands(chromium: Browser, server: ScriptedIngest) -> None:
    """A counting animation of two and a half seconds, slower and slower towards its end."""
    page = opened(chromium, "—")
    page.evaluate(COUNT_UP)
    server.wait_for(lambda _: balances(server))
    assert balances(server)[0] == 5000


def test_a_reload_with_a_false_low_balance_posts_nothing_of_it(chromium: Browser, server: ScriptedIngest) -> None:
    """The page shows 1 after a reload; the balance read before it is known to the worker."""
    page = chromium.open(OWN["chaturbate"])
    server.wait_for(lambda _: 1234 in balances(server))
    page.reload()
    page.evaluate(
        """() => { const shown = document.querySelector('.tokencount'); shown.textContent = '1';
            setTimeout(() => { shown.textContent = '1,240'; }, 5000); }"""
    )
    server.wait_for(lambda _: 1240 in balances(server))
    assert set(balances(server)) == {1234, 1240}


def test_numbers_of_the_page_before_are_not_read_for_the_next(chromium: Browser, server: ScriptedIngest) -> None:
    """A single-page app changes its address two seconds before it replaces bob's numbers."""
    page = chromium.open("https://chaturbate.com/bob/")
    page.evaluate(
        """() => { history.pushState({}, '', '/b/alice/'); setTimeout(() => {
            document.querySelector('.tokencount').textContent = '1,234'; document.querySelector('#users-tab-default').textContent = 'USERS (552)';
        }, 2000); }"""
    )
    server.wait_for(lambda _: balances(server))
    assert next((r["tokens_count"], r["viewers_count"]) for r in server.readings) == (1234, 552)


def test_another_account_in_the_same_tab_is_another_mark_and_no_name_leaves_the_page(chromium: Browser, server: ScriptedIngest) -> None:
    """Alice logs out, bob logs in: each reading carries the mark of its own account."""
    page = chromium.open(OWN["chaturbate"])
    server.wait_for(lambda _: 1234 in balances(server))
    page.evaluate(
        """() => { history.pushState({}, '', '/b/bob/'); document.querySelector('.user_information_header_username').textContent = 'bob';
            document.querySelector('.tokencount').textContent = '200'; }"""
    )
    server.wait_for(lambda _: 200 in balances(server))
    marks = {(reading["tokens_count"], reading["account"]) for reading in server.readings}
    assert len(marks) == len({mark for _, mark in marks}) == 2
    assert all(len(str(mark)) == 16 for _, mark in marks)
    assert not [reading for reading in server.readings if "alice" in str(reading) or "bob" in str(reading)]


def test_a_balance_that_cannot_be_read_does_not_silence_the_viewers(chromium: Browser, server: ScriptedIngest) -> None:
    """It is sent as null, which means unknown."""
    opened(chromium, "12 mil")
    server.wait_for(lambda _: any(r["viewers_count"] == 552 for r in server.readings))
    assert set(balances(server)) == {None}


def test_camsoda_is_off_until_it_is_switched_on(chromium: Browser, server: ScriptedIngest) -> None:
    """The page is named as switched off and nothing of it is posted."""
    chromium.open(OWN["camsoda"])
    wait_in_browser(lambda: chromium.board().get("pages", {}).get("camsoda", {}).get("page") == "switched_off", "the state of the page")
    chromium.open(OWN["chaturbate"])
    server.wait_for(lambda _: balances(server))
    assert {reading["platform"] for reading in server.readings} == {"chaturbate"}


def test_settings_that_are_hidden_prove_nothing(chromium: Browser, server: ScriptedIngest) -> None:
    """Stripchat's page of a user who is no model yet is reported as not known to be the own one; showing the settings mends it."""
    page = chromium.open(OWN["stripchat"])
    page.evaluate("() => { document.querySelector('#broadcast-settings').hidden = true; }")
    wait_in_browser(lambda: chromium.board().get("pages", {}).get("stripchat", {}).get("page") == "unproven", "the state of the page")
    assert not balances(server)
    page.evaluate("() => { document.querySelector('#broadcast-settings').hidden = false; }")
    server.wait_for(lambda _: 12345 in balances(server))


def test_models_who_log_in_at_the_other_address_are_read(chromium: Browser, server: ScriptedIngest) -> None:
    """The same pages are served at mywebcamroom.com."""
    chromium.open("https://www.mywebcamroom.com/start-broadcasting")
    server.wait_for(lambda _: 12345 in balances(server))
    assert {reading["platform"] for reading in server.readings} == {"stripchat"}


def test_a_second_injection_into_an_open_page_reads_on_at_the_same_pace(chromium: Browser, server: ScriptedIngest) -> None:
    """As after an installation or an update: no error, one script that reads."""
    page = chromium.open(OWN["chaturbate"])
    server.wait_for(lambda _: balances(server))
    scripts = [(chromium.extension / name).read_text() for name in chromium.manifest["content_scripts"][0]["js"]]
    for script in scripts:
        chromium.isolated(page, script)
    server.wait_for(lambda _: len(balances(server)) >= 4)
    moments = sorted(int(reading["sequence"]) for reading in server.readings)
    assert moments[-1] - moments[1] >= 4700
    assert chromium.isolated(page, "typeof studioPulseStop") == "function"
    assert chromium.logs == []
