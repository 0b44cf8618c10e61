"""The demo page, which lets anybody try a development build without an account; and the store's pictures, which name no site."""

import base64
import pathlib
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Playwright, expect

from tests.extension.browser import PICTURES, Browser, picture, studio_code, token, violations, wait_in_browser
from tests.extension.scripted import ScriptedIngest
from tests.extension.test_pack import pack
from tools.demo import DemoPage

SITES = ("chaturbate", "stripchat", "camsoda", "mywebcamroom")
CAPTIONS = {
    "en": ("Your numbers, on your studio's wall", "It reads only your own broadcast page, and says plainly when it cannot."),
    "es": ("Tus números, en el tablero de tu estudio", "Solo lee tu propia página de transmisión, y avisa claramente cuando no puede."),
    "ro": ("Numerele tale, pe panoul studioului", "Citește doar pagina ta de transmisie și spune clar când nu poate."),
    "pt-BR": ("Seus números, no painel do seu estúdio", "Lê só a sua própria página de transmissão e avisa quando não consegue."),
}
FIRST_PICTURES = {"es": "spanish", "ro": "romanian", "pt-BR": "portuguese"}
FRAME = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; width: 1280px; height: 800px; display: grid; grid-template-columns: 1fr 480px; align-items: center; gap: 60px;
  padding: 0 100px; box-sizing: border-box; background: #0c0e12; color: #eceef2; font: 24px/1.5 system-ui, sans-serif; overflow: hidden; }}
h1 {{ font-size: 52px; line-height: 1.15; margin: 0 0 24px; letter-spacing: -0.02em; }}
p {{ margin: 0; color: #9aa3b2; }}
img {{ width: 480px; max-height: 740px; object-fit: contain; border-radius: 16px; }}
</style><div><h1>{title}</h1><p>{text}</p></div><img src="data:image/png;base64,{picture}">"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The store's archive; the development archive is beside it."""
    return pack(tmp_path_factory.mktemp("dist"))


@pytest.fixture
def development(store: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The development archive, unpacked where the browser looks for the extension."""
    zipfile.ZipFile(store.with_name(f"{store.stem}-development.zip")).extractall(tmp_path / "extension")
    return tmp_path


@pytest.fixture
def demo() -> Iterator[DemoPage]:
    with DemoPage() as page:
        yield page


def set_up(popup: Page, ingest: ScriptedIngest) -> None:
    """Pastes the studio's code, as a person who tries it does."""
    popup.locator("#code").fill(studio_code(ingest.url, token(("Sala 3",), exp=4_000_000_000), "Sala 3"))
    popup.locator("button[type=submit]").click()
    popup.locator("#outcome[data-tone=good]").wait_for()


def test_the_stores_build_reads_no_page_of_this_computer(store: pathlib.Path) -> None:
    """The build for desks does not know the demo page."""
    archive = zipfile.ZipFile(store)
    assert not [name for name in archive.namelist() if b"/demo/" in archive.read(name)]


WORDS = {
    "en": ("Not set up yet", "Studio code", "SET"),
    "es": ("Sin configurar", "Código del estudio", "FALTA"),
    "ro": ("Încă neconfigurat", "Codul studioului", "GOL"),
    "pt-BR": ("Ainda não configurado", "Código do estúdio", "FALTA"),
}


def is_in_its_language(browser: Browser, popup: Page, language: str) -> None:
    """Before it is set up, badge and popup are in the browser's language, the popup says so to screen readers, and nothing is cut off."""
    state, label, badge = WORDS[language]
    expect(popup.locator(".state strong")).to_have_text(state)
    assert popup.get_by_label(label).is_visible()
    assert popup.evaluate("() => document.documentElement.lang") == language
    assert wait_in_browser(browser.badge, "the badge") == badge
    assert popup.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert violations(popup) == []
    if language in FIRST_PICTURES:
        picture(popup, FIRST_PICTURES[language])


@pytest.mark.parametrize("language", CAPTIONS)
def test_a_development_build_speaks_the_browsers_language_and_reads_the_demo_page(
    playwright: Playwright, ingest: ScriptedIngest, development: pathlib.Path, demo: DemoPage, language: str
) -> None:
    """From the archive to the first tip, without an account anywhere; the store's pictures of it are 1280 by 800 and name no site."""
    browser = Browser(playwright, development, "", language=language)
    popup = browser.open_ui("popup")
    is_in_its_language(browser, popup, language)
    set_up(popup, ingest)
    page = browser.open(demo.url)
    ingest.wait_for(lambda _: any((r["platform"], r["tokens_count"], r["viewers_count"]) == ("demo", 1234, 56) for r in ingest.readings))
    page.locator("[data-tip='500']").click()
    ingest.wait_for(lambda _: any(reading["tokens_count"] == 1734 for reading in ingest.readings))
    popup.bring_to_front()
    popup.reload()
    wait_in_browser(lambda: "500" in popup.locator(".shift dd").first.inner_text(), "the shift's income")
    take_store_picture(browser, popup, language)
    page.get_by_role("button", name="Make the balance unreadable").click()
    ingest.wait_for(lambda _: any(reading["tokens_count"] is None for reading in ingest.readings))
    assert browser.logs == []
    browser.close()


def take_store_picture(browser: Browser, popup: Page, language: str) -> None:
    """The popup beside two sentences, with the demo page's numbers (`PICTURES=1` writes them into docs/images)."""
    text = popup.locator("body").inner_text().lower()
    assert not [site for site in SITES if site in text]
    height = popup.evaluate("() => Math.ceil(document.body.getBoundingClientRect().height)")
    popup.set_viewport_size({"width": 372, "height": height})
    shot = base64.b64encode(popup.screenshot()).decode()
    title, sentence = CAPTIONS[language]
    frame = browser.context.new_page()
    frame.set_viewport_size({"width": 1280, "height": 800})
    frame.set_content(FRAME.format(title=title, text=sentence, picture=shot))
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = PICTURES / f"store-{language}.png"
    frame.screenshot(path=file)
    header = file.read_bytes()[16:24]
    assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (1280, 800)
