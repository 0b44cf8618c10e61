"""A studio's policy in a real Chromium. Needs the right to write Chromium's policy folder, as an administrator has it."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Playwright, expect

from tests.extension.browser import Browser, installed, picture, token, violations
from tests.extension.scripted import ScriptedIngest
from tests.extension.sites import OWN, Sites
from tests.support import needs

VENDOR = "opt/chrome" if "google-chrome" in needs.CHROMIUM else "chromium"
POLICIES = pathlib.Path("/etc", VENDOR, "policies", "managed")


def id_of(extension: pathlib.Path) -> str:
    """Chromium names an unpacked extension after the folder it lies in."""
    digest = hashlib.sha256(str(extension).encode()).hexdigest()[:32]
    return "".join(chr(ord("a") + int(digit, 16)) for digit in digest)


@pytest.fixture
def policy(tmp_path: pathlib.Path, ingest: ScriptedIngest) -> Iterator[dict[str, str]]:
    """A policy for this test's copy of the extension alone."""
    values = {"roomId": "Studio 3", "endpoint": ingest.url, "token": token(("Studio 3",))}
    file = POLICIES / f"studio-pulse-test-{os.getpid()}.json"
    try:
        POLICIES.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"3rdparty": {"extensions": {id_of(installed(tmp_path)): values}}}))
    except OSError:
        pytest.skip(f"{POLICIES} cannot be written")
    yield values
    file.unlink()


@pytest.mark.usefixtures("policy")
def test_a_room_set_up_by_policy_needs_nobody(playwright: Playwright, sites: Sites, tmp_path: pathlib.Path, ingest: ScriptedIngest) -> None:
    """No form is filled in: the first own page that opens is read and sent, and the form shows who decided, without the key."""
    browser = Browser(playwright, tmp_path, sites.resolver_rules)
    browser.open(OWN["chaturbate"])
    assert ingest.wait_for(lambda requests: requests)[0].readings[0]["room_id"] == "Studio 3"
    popup = browser.open_ui("popup")
    popup.get_by_text("Settings", exact=True).click()
    expect(popup.get_by_label("Room")).to_have_value("Studio 3")
    expect(popup.get_by_label("Room")).not_to_be_editable()
    expect(popup.get_by_label("Key")).to_have_accessible_description("Set by your studio.")
    expect(popup.get_by_label("Key")).to_have_value("")
    popup.close()
    options = browser.open_ui("options", 900, 1000)
    options.get_by_role("row", name="Chaturbate: Tokens").wait_for()
    assert options.locator("input:not([type=checkbox]):read-only").evaluate_all("fields => fields.map((field) => field.id)") == [
        "roomId",
        "endpoint",
        "token",
    ]
    assert violations(options) == []
    picture(options, "policy")
    browser.close()
