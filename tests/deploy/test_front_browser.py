"""A real Chromium on the real page, over HTTPS and WSS through the shipped front."""

import base64
import hashlib
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Playwright, expect

from tests.deploy.conftest import Chain
from tests.support import needs
from tests.support.browser import Dashboard
from tests.support.studio import Studio
from tests.support.tabs import Tabs


@pytest.fixture
def browser(playwright: Playwright, production: Chain) -> Iterator[Browser]:
    """A Chromium that trusts what the front's own authority has signed, and nothing else that it would not."""
    signer = x509.load_pem_x509_certificate(production[1].authority.with_name("intermediate.crt").read_bytes())
    key = signer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(hashlib.sha256(key).digest()).decode()
    arguments = ["--no-sandbox", "--disable-background-networking", f"--ignore-certificate-errors-spki-list={trusted}"]
    with playwright.chromium.launch(executable_path=needs.chromium(), args=arguments) as running:
        yield running


def test_the_page_is_live_over_https(browser: Browser, production: Chain) -> None:
    """Its policy lets it run, its socket is WSS on the same origin, and a posted reading shows."""
    replicas, front = production
    studio = Studio(replicas.stack, front, front)
    page = Dashboard(Tabs(browser), studio, records_requests=True).open().live()
    assert studio.post({"room_id": "in-the-browser", "tokens_count": 4321, "viewers_count": 12}) == ["accepted"]
    expect(page.card("in-the-browser")).to_contain_text("4,321")
    assert [url for url in page.urls if url.startswith("wss:")]
    assert all(url.startswith((front.url, front.url.replace("https", "wss"))) for url in page.urls)
    page.close()
