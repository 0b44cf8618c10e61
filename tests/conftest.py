"""What tests of every kind share: one real stack for the whole run, and asyncio as the only event loop."""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Playwright, sync_playwright

from tests.support import needs, tls_contexts, warm_services
from tools.processes import Service
from tools.run_tests import misplaced
from tools.stack import Stack

ORIGIN = "https://studio.example"

# A busy machine makes examples slow, which is no finding. `HYPOTHESIS_PROFILE=thorough make test` looks for longer.
settings.register_profile("studio-pulse", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", settings.get_profile("studio-pulse"), max_examples=5)
settings.register_profile("thorough", settings.get_profile("studio-pulse"), max_examples=1000)
tls_contexts.share()
Service.start_process = staticmethod(warm_services.start)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "studio-pulse"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks browser tests and sorts them last.

    Playwright's driver keeps an event loop running in its thread, beside which no other can run: so one process runs browser tests after
    all others, and `make test` runs them apart.
    """
    for item in items:
        if "playwright" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        marks = [marker.name for marker in item.iter_markers()]
        if misplaced(item.nodeid, marks):
            raise pytest.UsageError(
                f"{item.nodeid} is outside of the folders where its phase looks for tests: tools/run_tests.py names them"
            )
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Keeps thousands of tests out of every later collection of garbage, which would take a fifth of the time of unit tests."""
    if session.config.getoption("--processes", 0):
        warm_services.share()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The services run on asyncio, and so do async tests."""
    return "asyncio"


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The one driver of all browser tests: a second one cannot run beside it."""
    needs.chromium()
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The embedded server, shared by all tests that do not break it; each test takes rooms of its own."""
    with Stack(tmp_path_factory.mktemp("stack"), ALLOWED_ORIGINS=ORIGIN) as stack:
        yield stack
        logs = "".join(service.log.read_text() for service in stack.services)
        assert [line for line in logs.splitlines() if '"job.' in line] == [], "a background job ended or was silent"


@pytest.fixture(scope="session")
def ingest(stack: Stack) -> Service:
    """An ingest service that gives a body half a second."""
    return stack.ingest(BODY_TIMEOUT_SECONDS="0.5")


@pytest.fixture(scope="session")
def broadcast(stack: Stack) -> Service:
    """A broadcast service."""
    return stack.broadcast()


@pytest.fixture(scope="session")
def worker(stack: Stack) -> Service:
    """A worker service with an archive in SQLite."""
    return stack.worker()
