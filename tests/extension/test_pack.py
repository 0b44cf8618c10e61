"""The archive that `make extension` writes."""

import json
import pathlib
import re
import subprocess
import sys
import tomllib
import zipfile
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Playwright, expect

from tests.extension.browser import EXTENSION, ROOT, Browser, by_hand, token, wait_in_browser
from tests.extension.scripted import ScriptedIngest
from tests.extension.sites import OWN, Sites


def pack(folder: pathlib.Path, *options: str) -> pathlib.Path:
    """Runs the packer as `make extension` does."""
    printed = subprocess.run(
        [sys.executable, EXTENSION / "tools" / "pack.py", folder, *options], check=True, capture_output=True, text=True
    ).stdout
    return pathlib.Path(printed.splitlines()[0])


def test_the_archive_is_the_same_every_time(tmp_path: pathlib.Path) -> None:
    """Two runs give the same bytes, under a name that holds the manifest's version."""
    first, second = pack(tmp_path / "a"), pack(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    version = json.loads((EXTENSION / "manifest.json").read_text())["version"]
    assert first.name == f"studio-pulse-extension-{version}.zip"


def test_there_is_one_version() -> None:
    """The extension's, the document's of the socket, and the newest in the changelog are pyproject.toml's."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == version
    assert json.loads((EXTENSION / "manifest.json").read_text())["version"] == version
    assert json.loads((ROOT / "docs" / "asyncapi.json").read_text())["info"]["version"] == version


def test_the_docs_give_make_the_variables_it_reads() -> None:
    """A misspelt variable is ignored by make, and the command does something else."""
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"`(make \w+[^`]*)`", (ROOT / "docs" / "extension.md").read_text())
    variables = {name for command in commands for name in re.findall(r"\b([A-Z]+)=", command)}
    assert {"ROOM", "ENDPOINT"} <= variables
    assert {name for name in variables if f"$({name})" not in makefile} == set()


def test_the_archive_holds_what_the_extension_needs_and_nothing_else(tmp_path: pathlib.Path) -> None:
    """No tools, types, tests or installed packages; every file that another one names is there."""
    names = set(zipfile.ZipFile(pack(tmp_path)).namelist())
    assert not [name for name in names if name.endswith((".py", ".ts", ".md")) or "node_modules" in name or name == "tsconfig.json"]
    manifest = json.loads((EXTENSION / "manifest.json").read_text())
    named = {*manifest["icons"].values(), *manifest["content_scripts"][0]["js"], manifest["background"]["service_worker"]}
    assert named | {"managed_schema.json", "ui/popup.html", "ui/options.html", "ui/style.css"} <= names


def manifest_in(archive: pathlib.Path) -> dict[str, Any]:
    """What an archive asks Chrome for."""
    return json.loads(zipfile.ZipFile(archive).read("manifest.json"))  # type: ignore[no-any-return]


def test_a_studio_can_pack_its_address(tmp_path: pathlib.Path) -> None:
    """The manifest then names that one origin more, as a link too; nothing else differs."""
    plain, studio = pack(tmp_path / "a"), pack(tmp_path / "b", "--endpoint", "https://p.example/x")
    sites = manifest_in(plain)["host_permissions"]
    assert manifest_in(studio)["host_permissions"] == [*sites, "https://p.example/*"]
    assert (manifest_in(studio)["homepage_url"], manifest_in(plain).get("homepage_url")) == ("https://p.example", None)
    assert manifest_in(pack(tmp_path / "c", "--homepage", "https://h.example"))["homepage_url"] == "https://h.example"
    archives = [zipfile.ZipFile(path) for path in (plain, studio)]
    assert all(archives[0].read(name) == archives[1].read(name) for name in archives[0].namelist() if name != "manifest.json")


def test_test_beds_are_for_developers_alone(tmp_path: pathlib.Path) -> None:
    """The store's archive asks for the sites that broadcasters use; the development archive is another file."""
    store = pack(tmp_path)
    development = store.with_name(store.stem + "-development.zip")
    assert "testbed" not in json.dumps(manifest_in(store))
    assert "https://testbed.cb.dev/*" in manifest_in(development)["content_scripts"][0]["matches"]
    assert manifest_in(development)["version_name"].endswith("development")
    assert manifest_in(store)["host_permissions"] == manifest_in(store)["content_scripts"][0]["matches"]


def test_a_studio_that_hosts_it_gets_id_and_update_manifest(tmp_path: pathlib.Path) -> None:
    """The id is the one that Chrome derives from the key; the update manifest names it, the version and the file."""
    key = tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key], check=True, capture_output=True
    )
    run = [sys.executable, str(EXTENSION / "tools" / "pack.py"), str(tmp_path), "--endpoint", "https://p.example", "--key", str(key)]
    printed = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    extension_id = printed.splitlines()[-1].removeprefix("id ")
    assert re.fullmatch("[a-p]{32}", extension_id)
    app = ET.fromstring((tmp_path / "updates.xml").read_text())[0]
    assert app.get("appid") == extension_id
    assert app[0].attrib == {"codebase": "https://p.example/extension/studio-pulse-extension.crx", "version": "0.1.0"}


@pytest.mark.parametrize("size", [16, 32, 48, 128])
def test_icons_have_the_size_they_are_named_after(size: int) -> None:
    """Bytes 16 to 24 of a PNG are its width and height."""
    header = (ROOT / "extension" / "icons" / f"{size}.png").read_bytes()[16:24]
    assert (int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big")) == (size, size)


def test_the_archive_works_when_loaded_and_sends_nothing_before_chrome_was_allowed_to(
    playwright: Playwright, sites: Sites, ingest: ScriptedIngest, tmp_path: pathlib.Path
) -> None:
    """Unpacked and loaded as it is, the worker starts, the settings page opens, and each address is asked for as the manifest allows."""
    zipfile.ZipFile(pack(tmp_path)).extractall(tmp_path / "extension")
    browser = Browser(playwright, tmp_path, sites.resolver_rules)
    starts(browser)
    keeps_readings_until_it_may_send(browser, ingest)
    asks_for_an_exact_origin(browser)
    browser.close()


def starts(browser: Browser) -> None:
    """The popup says that it wants to be set up, and so does the page that opens by itself."""
    popup = browser.open_ui("popup")
    expect(popup.locator(".state strong")).to_have_text("Not set up yet")
    assert (wait_in_browser(browser.badge, "the badge"), browser.logs) == ("SET", [])
    wait_in_browser(lambda: [page for page in browser.context.pages if page.url.endswith("/ui/options.html")], "the settings page")
    browser.close_pages()


def keeps_readings_until_it_may_send(browser: Browser, ingest: ScriptedIngest) -> None:
    """Saving an address asks for that origin; until the user agrees readings are kept, and badge and popup say why."""
    popup = browser.open_ui("popup")
    popup.evaluate(
        """() => {
            chrome.permissions.request = async (asked) => { globalThis.asked = asked; return false; };
        }"""
    )
    by_hand(popup)
    for label, value in {"Room": "blue", "Server address": ingest.url, "Key": token(("blue",))}.items():
        popup.get_by_label(label).fill(value)
    popup.get_by_role("button", name="Save").click()
    popup.get_by_text("Chrome was not allowed to send to this address, so nothing was tried.").wait_for()
    assert popup.evaluate("() => globalThis.asked") == {"origins": [f"{ingest.url}/*"]}
    browser.open(OWN["chaturbate"])
    wait_in_browser(lambda: browser.outbox()["buffered"], "a kept reading")
    expect(popup.locator(".state strong")).to_have_text("Permission needed")
    popup.get_by_text("Readings kept: ").wait_for()
    assert (popup.get_by_role("button", name="Allow").is_visible(), browser.badge(), ingest.requests) == (True, "!", [])


def asks_for_an_exact_origin(browser: Browser) -> None:
    """The origin asked for, port and all, is within what the manifest declares: Chrome shows its question; plain HTTP elsewhere is not."""
    ask = """origin => Promise.race([
        chrome.permissions.request({ origins: [origin] }).then(String, (error) => error.message),
        new Promise((resolve) => { setTimeout(resolve, 1000, 'waits for an answer'); }),
    ])"""
    assert "manifest" in browser.console.evaluate(ask, "http://pulse.example.com/*")
    assert browser.console.evaluate(ask, "http://127.0.0.1:8001/*") == "waits for an answer"
