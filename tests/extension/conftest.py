"""Fixtures: the fixture pages once, Chromium and a scripted ingest service per module or per test."""

import pathlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright

from tests.extension.browser import Browser
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


@pytest.fixture
def browser(playwright: Playwright, sites: Sites, tmp_path: pathlib.Path) -> Iterator[Browser]:
    running = Browser(playwright, tmp_path, sites.resolver_rules)
    yield running
    running.close()
