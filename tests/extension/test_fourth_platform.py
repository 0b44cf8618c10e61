"""What the documentation says about a fourth platform, done to the letter: one adapter, two lines of manifest, nothing else."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright, expect

from tests.extension.browser import ROOT, Browser, installed
from tests.extension.scripted import ScriptedIngest
from tests.extension.sites import Sites


def documented(language: str) -> str:
    """The first block of a language in the section on a fourth platform."""
    section = (ROOT / "docs" / "extension.md").read_text().split("## A fourth platform")[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def extended(playwright: Playwright, sites: Sites, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with a copy of the extension with the documented adapter and manifest lines pasted in."""
    directory = tmp_path_factory.mktemp("extended")
    copy = installed(directory)
    adapters = copy / "content" / "adapters.js"
    adapters.write_text(re.sub(r"\];\s*\}\s*\Z", lambda end: documented("js") + end[0], adapters.read_text()))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["content_scripts"][0]["matches"] += json.loads(f"[{documented('json')}]")
    (copy / "manifest.json").write_text(json.dumps(manifest))
    running = Browser(playwright, directory, sites.resolver_rules)
    yield running
    running.close()


@pytest.mark.parametrize("host", ["www.example.com", "example.net"])
def test_a_fourth_platform_is_an_adapter_and_two_lines(extended: Browser, ingest: ScriptedIngest, host: str) -> None:
    """Its page is read on either domain, sent, and shown in the popup under its own name."""
    extended.start_anew()
    extended.configure(ingest.url)
    extended.open(f"https://{host}/studio/alice")
    ingest.wait_for(lambda _: ingest.moments)
    expected = {"room_id": "blue", "platform": "example", "tokens_count": 4200, "viewers_count": 17}
    assert expected.items() <= next(ingest.readings).items()
    popup = extended.open_ui("popup")
    expect(popup.locator(".platform-name strong")).to_have_text("Example")
    assert extended.logs == []
