"""The page's files come with a policy under which only they may run, and are not sent twice."""

import contextlib
import gzip
import html.parser
import http.client
import urllib.parse
from email.message import Message
from typing import NamedTuple

import pytest
from playwright.sync_api import expect

from broadcast_service.http.static import DIRECTORY, read_files
from tests.support.browser import Opener
from tests.support.studio import Studio

LOADED = "performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.endsWith('.js'))"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Message
    body: bytes


def fetch(studio: Studio, path: str, headers: dict[str, str] | None = None) -> Answer:
    """A request of exactly this path: nothing tidies it on the way."""
    address = urllib.parse.urlsplit(studio.broadcast.url)
    with contextlib.closing(http.client.HTTPConnection(address.hostname or "", address.port or 0, timeout=5)) as connection:
        connection.request("GET", path, headers=headers or {})
        with connection.getresponse() as response:
            return Answer(response.status, response.headers, response.read())


class Inline(html.parser.HTMLParser):
    """Collects what an inline-free policy would refuse in silence."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes style attributes, handlers, and scripts or styles without a file."""
        names = [name for name, _ in attrs]
        self.found += [f"{tag} {name}" for name in names if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)


def test_every_file_has_its_type_and_the_policy(studio: Studio) -> None:
    """A wrong type would not run under nosniff, and a part of the page that is opened by itself may do nothing."""
    for name in read_files().pages:
        answer = fetch(studio, f"/{name}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, TYPES["." + name.rpartition(".")[2]]), name
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert (
            ("script-src 'self';" in policy)
            == ("frame-ancestors 'none'" in policy and name != "sw.js")
            == name.endswith((".html", ".svg", ".txt"))
        )


def test_the_page_may_not_be_framed_nor_say_where_it_came_from(studio: Studio) -> None:
    """And nothing inline may run."""
    headers = fetch(studio, "/").headers
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "data:" not in policy
    assert headers["Referrer-Policy"] == "no-referrer"


def test_an_unchanged_file_is_not_sent_again(studio: Studio) -> None:
    """A browser asks with the validator it was given and gets an empty 304."""
    tag = fetch(studio, "/app.js").headers["ETag"]
    again = fetch(studio, "/app.js", {"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/../app.py", "/..%2fapp.py", "/styles/../../app.py", "/%2e%2e/app.py", "/nope.js"])
def test_nothing_else_is_served(studio: Studio, path: str) -> None:
    """What lies outside the folder is as absent as what does not exist."""
    assert fetch(studio, path).status == 404


def test_the_markup_holds_nothing_inline() -> None:
    """No style attribute, no handler, no script text: the policy would refuse them in silence."""
    inline = Inline()
    inline.feed((DIRECTORY / "index.html").read_text())
    assert inline.found == []


def test_the_first_view_is_one_script_and_the_other_views_are_another(studio: Studio, visit: Opener) -> None:
    """Besides those that run before; the second one comes when a view is opened, once for all of them."""
    page = visit(studio).open().live().page
    first = ["app.js", "first.js", "theme.js"]
    assert sorted(url.rpartition("/")[2] for url in page.evaluate(LOADED)) == first
    for view in ("analytics", "live", "analytics"):
        page.locator(f"#nav-{view}").click()
        expect(page.locator("#analytics-body")).to_be_visible(visible=view == "analytics")
    assert sorted(url.rpartition("/")[2] for url in page.evaluate(LOADED)) == sorted([*first, "later.js"])


def test_text_travels_compressed_to_whoever_takes_it(studio: Studio) -> None:
    """The same content, fewer bytes; pictures, which are compressed already, go as they are."""
    plain, packed = fetch(studio, "/app.js"), fetch(studio, "/app.js", {"Accept-Encoding": "br, gzip"})
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert packed.headers["Content-Encoding"] == "gzip"
    assert (plain.headers["Content-Encoding"], plain.headers["Vary"]) == (None, "Accept-Encoding")
    assert fetch(studio, "/icons/icon-512.png", {"Accept-Encoding": "gzip"}).headers["Content-Encoding"] is None
