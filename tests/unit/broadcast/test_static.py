"""The files of the page: how many requests and bytes they take, and which ones the service worker keeps."""

import json
import re
from collections.abc import Iterable

import pytest
from starlette.datastructures import Headers

from broadcast_service.http.static import (
    DIRECTORY,
    LINE_COMMENTS,
    TYPE_COMMENTS,
    Page,
    condensed,
    join_styles,
    read_files,
)
from tools.subset_font import name_of

SERVER_HEADERS = "HTTP/1.1 200 OK\r\ndate: Fri, 27 Nov 2026 01:00:00 GMT\r\n\r\n"  # what uvicorn adds to a response


def test_the_modules_are_sent_as_two_scripts() -> None:
    """One for the first view, one for the views behind a click and the demo."""
    pages = read_files().pages
    assert [name for name in pages if name.endswith(".js")] == ["boot/first.js", "boot/theme.js", "sw.js", "app.js", "later.js"]
    first, later = (set(json.loads(pages[f"{name}.map"].plain)["sources"]) for name in ("app.js", "later.js"))
    assert {"app.js", "link/connection.js", "state/store.js", "i18n/es.js", "ui/cards.js", "views/live.js"} <= first
    assert {f"views/{name}.js" for name in ("analytics", "room", "why", "sum")} | {"link/demo_link.js", "ui/lanes.js"} <= later
    assert not first & later
    assert b"later.js" not in pages["index.html"].plain


def test_the_font_is_one_small_file_that_browsers_may_keep_for_ever() -> None:
    """Its name has the hash of its content, so a changed font has another address; the style sheet and the page name this one."""
    pages = read_files().pages
    [name] = [name for name in pages if name.endswith(".woff2")]
    font = pages[name].plain
    assert name == f"fonts/{name_of(font)}"
    assert font[:4] == b"wOF2"
    assert len(font) < 60_000
    answer = pages[name].answer(Headers())
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("font/woff2", "public, max-age=31536000, immutable")
    assert f'<link rel="preload" href="{name}" as="font" type="font/woff2" crossorigin>' in pages["index.html"].plain.decode()
    assert re.findall(r"url\('\.\./(fonts/[^']+)'\)", pages["styles/page.css"].plain.decode()) == [name]
    assert pages["app.js"].answer(Headers()).headers["Cache-Control"] == "no-cache"


def test_the_licence_of_the_font_is_beside_it() -> None:
    page = read_files().pages["fonts/LICENSE.txt"]
    assert b"SIL OPEN FONT LICENSE Version 1.1" in page.plain
    assert page.type == "text/plain; charset=utf-8"


def test_comments_are_not_sent_and_lines_keep_their_numbers() -> None:
    """What only looks like a comment, an address for example, stays."""
    script = (
        b"/** What\n * it does. */\nlet a = 1; /* beside */\n  /** @type {x} */\n  let b = '/* no */';\n"
        b"let c = /** @type {any} */ (b); // why\n// alone\nlet d = 'ws://e'; // f 'g'\n"
    )
    sent = b"\n\nlet a = 1; /* beside */\n\nlet b = '/* no */';\nlet c = (b); \n\nlet d = 'ws://e'; \n"
    assert condensed(script) == sent


def test_no_text_of_a_script_looks_like_a_comment() -> None:
    """It would not be sent; the code within a template may have types."""
    in_text = [
        (path.name, line)
        for path in DIRECTORY.rglob("*.js")
        for line in path.read_text().split("\n")
        for comments, quotes in ((LINE_COMMENTS, b"'\"`"), (TYPE_COMMENTS, b"'\""))
        for comment in comments.finditer(line.encode())
        for before in [TYPE_COMMENTS.sub(b"", line.encode()[: comment.start()])]
        if any(before.replace(rb"\%c" % quote, b"").count(quote) % 2 for quote in quotes)
    ]
    assert in_text == []


def transferred(pages: dict[str, Page], names: Iterable[str]) -> int:
    """Bytes of the compressed responses with all their headers."""
    total = 0
    for name in names:
        answer = pages[name].answer(Headers({"Accept-Encoding": "gzip"}))
        total += len(SERVER_HEADERS) + sum(len(key) + len(value) + 4 for key, value in answer.raw_headers) + len(answer.body)
    return total


def first_view(pages: dict[str, Page]) -> set[str]:
    """All files that a browser loads before the first room is shown: what the page names, and the service worker."""
    named = re.findall(r'(?:href|src)="([a-z0-9_./-]+\.(?:css|js|svg|webmanifest|woff2))"', pages["index.html"].plain.decode())
    return {"index.html", "sw.js", *named}


def kept_files(pages: dict[str, Page]) -> dict[str, str]:
    """The files that the service worker keeps, by name, with the hash of their content."""
    found: dict[str, str] = json.loads(re.findall(r"const FILES = (\{.+\});", pages["sw.js"].plain.decode())[0])
    return found


def test_the_first_view_transfers_at_most_150_kb_in_ten_requests() -> None:
    pages = read_files().pages
    first = first_view(pages)
    assert {"app.js", "boot/first.js", "styles/page.css"} <= first
    assert len(first) <= 10
    assert transferred(pages, first) <= 150_000


def test_a_browser_that_keeps_the_page_transfers_at_most_185_kb() -> None:
    """The first view, and all files that the service worker fetches after it: what any view needs."""
    pages = read_files().pages
    needed = first_view(pages) | set(kept_files(pages))
    assert {"app.js", "later.js"} <= needed
    assert transferred(pages, needed) <= 185_000


def test_no_style_sheet_has_an_endless_animation() -> None:
    """A browser would draw it 60 times a second for as long as the page is open, which costs more than the page itself."""
    styles = [path for path in DIRECTORY.rglob("*.css") if "infinite" in path.read_text()]
    assert styles == []


def test_the_worker_names_every_file_that_the_page_needs_by_its_content() -> None:
    """Also the page itself, but neither the worker nor what only an installed app or a tab that needs attention shows."""
    pages = read_files().pages
    needed = {name: page.tag.strip('"') for name, page in pages.items() if not name.endswith((".map", ".png", ".txt", "sw.js"))}
    assert kept_files(pages) == {name: tag for name, tag in needed.items() if not name.startswith("icons/attention-")}
    assert f"const BUILD = '{read_files().build}';" in pages["sw.js"].plain.decode()
    policy = pages["sw.js"].answer(Headers()).headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; connect-src 'self'; frame-ancestors 'none'"


def test_the_style_sheets_are_sent_as_one_in_the_order_of_the_page() -> None:
    """A later rule wins over an earlier one, so the order is part of what they say; none is sent by itself."""
    pages = read_files().pages
    page = (DIRECTORY / "index.html").read_text()
    named = re.findall(r'<link rel="stylesheet" href="(styles/[^"]+)">', page)
    assert sorted(named) == sorted(f"styles/{path.name}" for path in (DIRECTORY / "styles").iterdir())
    assert pages["styles/page.css"].plain == condensed(b"".join((DIRECTORY / name).read_bytes() for name in named))
    assert [name for name in pages if name.endswith(".css")] == ["styles/page.css"]
    assert re.findall(r'<link rel="stylesheet"[^>]*>', pages["index.html"].plain.decode()) == [
        '<link rel="stylesheet" href="styles/page.css">'
    ]


def test_a_style_sheet_that_does_not_exist_is_an_error_at_the_start() -> None:
    with pytest.raises(KeyError, match=r"gone\.css"):
        join_styles({"index.html": b'<link rel="stylesheet" href="styles/gone.css">\n'})


def test_no_text_of_a_script_goes_over_several_lines() -> None:
    """The indentation of its lines would not be sent."""
    scripts = (path for path in DIRECTORY.rglob("*.js"))
    lines = ((path.name, line) for path in scripts for line in path.read_text().split("\n") if not line.lstrip().startswith(("*", "/")))
    assert [(name, line) for name, line in lines if line.replace("\\`", "").count("`") % 2] == []
