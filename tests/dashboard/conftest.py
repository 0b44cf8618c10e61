"""What the dashboard's tests share: one stack, one browser, and pages that may not complain."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright

from tests.support import needs
from tests.support.browser import Dashboard, Opener
from tests.support.studio import Studio, running_studio


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One stack for all tests that do not break it; each uses rooms of its own."""
    with running_studio(tmp_path_factory.mktemp("studio")) as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for all tests."""
    with playwright.chromium.launch(executable_path=needs.chromium(), args=["--no-sandbox", "--disable-background-networking"]) as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Opener]:
    """Opens dashboards on a studio; closes them after the test and fails if one complained on its console."""
    opened: list[Dashboard] = []

    def open_one(studio: Studio, **context: Any) -> Dashboard:
        opened.append(Dashboard(browser, studio, **context))
        return opened[-1]

    yield open_one
    for dashboard in opened:
        dashboard.close()
