"""Fixtures: the fixture pages and one Chromium for all tests, which starts anew for each module; a scripted ingest service per test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright

from tests.extension.browser import Browser, wait_in_browser
from tests.extension.scripted import ScriptedIngest
from tests.extension.sites import Sites


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    running = Sites(tmp_path_factory.mktemp("sites"))
    yield running
    running.stop()


@pytest.fixture
def ingest() -> Iterator[ScriptedIngest]:
    running = ScriptedIngest()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def one_chromium(playwright: Playwright, sites: Sites, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A start takes seconds of CPU, and the extension can be emptied instead."""
    running = Browser(playwright, tmp_path_factory.mktemp("chromium"), sites.resolver_rules)
    yield running
    running.close()


@pytest.fixture(scope="module")
def chromium(one_chromium: Browser) -> Browser:
    """The module's browser, in which the extension has just been installed."""
    one_chromium.start_anew()
    return one_chromium


@pytest.fixture
def ready(chromium: Browser, ingest: ScriptedIngest) -> Iterator[Browser]:
    """The module's browser, configured for this test's service, with an empty outbox."""
    chromium.configure(ingest.url)
    yield chromium
    chromium.close_pages()
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
    wait_in_browser(lambda: not chromium.board()["configured"], "the end of the settings")
