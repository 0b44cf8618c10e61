"""The page in a browser that keeps it: it can be reloaded while the server cannot be reached, and it is never older than the server's."""

import pathlib
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Opener
from tests.support.studio import OnAir, Studio, running_studio
from tools.processes import ROOT
from tools.waiting import wait_until

KEPT = """async () => {
  const names = await caches.keys();
  const requests = (await Promise.all(names.map(async (name) => (await caches.open(name)).keys()))).flat();
  return { names, addresses: requests.map(({ url }) => url) };
}"""
KEEPS = """async (build) => {
  const cacheName = (await caches.keys()).find((name) => name.endsWith(build));
  return navigator.serviceWorker.controller !== null && Boolean(cacheName && (await caches.match('./', { cacheName })));
}"""
BUILD = 'meta[name="studio-pulse-build"]'


@pytest.fixture
def fragile(tmp_path: pathlib.Path) -> Iterator[Studio]:
    """A stack that the test may break."""
    with running_studio(tmp_path) as running:
        yield running


def next_version(directory: pathlib.Path) -> pathlib.Path:
    """A copy of the service whose page says something else."""
    shutil.copytree(ROOT / "broadcast_service", directory / "broadcast_service", ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "shared").symlink_to(ROOT / "shared")
    words = directory / "broadcast_service/dashboard/i18n/es.js"
    words.write_text(words.read_text().replace("nav_analytics: 'Análisis'", "nav_analytics: 'Informes'"))
    return directory


def keeps(page: Page, build: str | None) -> bool:
    """Whether the browser keeps all of this build, and uses it."""
    return bool(page.evaluate(KEEPS, build))


def test_a_reload_without_the_server_shows_the_page_and_the_next_version_is_taken(
    fragile: Studio, visit: Opener, tmp_path: pathlib.Path
) -> None:
    """Nothing of a request or an answer of the API is kept, and no number is shown that the page does not have."""
    with OnAir(fragile, {"room_id": "kept", "tokens_count": 4321}):
        dashboard = visit(fragile, service_workers="allow", locale="es-CO").open("?q=kept").live()
        page = dashboard.page
        expect(dashboard.card("kept").locator(".tokens")).to_have_text("4.321")
        build = page.locator(BUILD).get_attribute("content")
        wait_until(lambda: keeps(page, build), "the browser keeps the page", seconds=30)
        kept = page.evaluate(KEPT)
        assert f"{fragile.broadcast.url}/" in kept["addresses"]
        assert f"{fragile.broadcast.url}/app.js" in kept["addresses"]
        assert [url for url in kept["addresses"] if "/api/" in url or "?" in url or "#" in url] == []

        fragile.broadcast.kill()
        page.reload()
        expect(page.locator("#notice-words")).to_contain_text("No hay conexión con el servidor")
        expect(page.locator('[data-kpi="today"] .kpi-value')).to_have_text("—")
        expect(page.locator(".card")).to_have_count(0)
        assert page.evaluate("document.fonts.check('16px Inter')")
        assert page.url == f"{fragile.broadcast.url}/?q=kept"
        page.locator("#nav-analytics").click()  # a view whose files the first one did not need
        expect(page.locator("#analytics-state")).to_have_text("No se pudo cargar.")
        page.go_back()

        fragile.broadcast.start()
        expect(page.locator("#link")).to_have_attribute("data-phase", "live", timeout=30_000)
        expect(dashboard.card("kept").locator(".tokens")).to_have_text("4.321")
        page.reload()  # with the same version: its files come from the browser
        dashboard.live()

        fragile.broadcast.kill()
        fragile.broadcast.environment |= {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(next_version(tmp_path / "next"))}
        fragile.broadcast.start()
        expect(page.locator("#update")).to_be_visible(timeout=30_000)
        page.locator("#update-reload").click()
        expect(page.locator("#nav-analytics")).to_have_text("Informes")
        dashboard.live()
        newer = page.locator(BUILD).get_attribute("content")
        assert newer != build
        wait_until(lambda: keeps(page, newer), "the browser keeps the new page", seconds=30)
        fragile.broadcast.kill()
        page.reload()
        expect(page.locator("#nav-analytics")).to_have_text("Informes")
