"""Fixtures of the dashboard's tests: one stack, one browser, and pages that must not log errors."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright

from tests.support import needs, speed
from tests.support.browser import Dashboard, Opener
from tests.support.studio import OnAir, Studio, running_studio
from tests.support.tabs import Tabs
from tests.support.warm_services import KEEP_FILES

FOREIGN_AGES_SECONDS = (0, 20, 45, 90, 200, 600, 900, 3600, 20_000)


@pytest.fixture(scope="session")
def shared_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One stack for all tests that do not break it.

    From the beginning it holds rooms of no test, which reported some time ago and never again. A page that sees rooms of other tests
    says so at every run, in any order and at any speed, not only after the tests that happen to run before.
    """
    with running_studio(tmp_path_factory.mktemp("studio"), **{KEEP_FILES: "1"}) as running:
        now = int(time.time())
        running.post(
            *(
                {"room_id": f"foreign-{age}-{n}", "timestamp": now - age, "tokens_count": 4321, "platform": platform}
                for age in FOREIGN_AGES_SECONDS
                for n in range(5)
                for platform in ("camsoda", "foreign")
            )
        )
        yield running


@pytest.fixture
def studio(shared_studio: Studio) -> Studio:
    """The shared stack as one test sees it: by default its tokens cover the rooms that this test has posted."""
    return shared_studio.for_one_test()


@pytest.fixture
def on_air(studio: Studio) -> Iterator[Callable[..., OnAir]]:
    """Puts rooms of the shared stack on air until the test ends: they repeat their numbers, so a slow test sees them live too."""
    with contextlib.ExitStack() as stack:
        yield lambda *readings: stack.enter_context(OnAir(studio, *readings))


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for all tests: without windows, but for figures of speed, which are those of the browser that people use."""
    path = needs.chromium() if speed.JUDGES else needs.headless_chromium()
    arguments = ["--no-sandbox", "--disable-background-networking"]
    with playwright.chromium.launch(executable_path=path, args=arguments, ignore_default_args=needs.unwanted_switches()) as running:
        yield running


@pytest.fixture(scope="session")
def tabs(browser: Browser) -> Tabs:
    """The tabs that tests use in turn."""
    return Tabs(browser)


@pytest.fixture
def visit(tabs: Tabs) -> Iterator[Opener]:
    """Opens dashboards on a studio; closes them after the test and fails if one complained on its console."""
    opened: list[Dashboard] = []

    def open_one(studio: Studio, **options: Any) -> Dashboard:
        opened.append(Dashboard(tabs, studio, **options))
        return opened[-1]

    yield open_one
    for dashboard in opened:
        dashboard.close()
