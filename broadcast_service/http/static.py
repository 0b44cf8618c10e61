"""Serves the dashboard's files with a content security policy that allows only the page's own code.

They are read and compressed once, at start-up. The modules are sent as two scripts (`scripts.py`) without comments, which are a third of
the compressed page, and the style sheets as one.
"""

import gzip
import hashlib
import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from broadcast_service.http.scripts import MAP, Modules

DIRECTORY: Final = pathlib.Path(__file__).parents[1] / "dashboard"

COMMON_HEADERS: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}
DOCUMENT_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types studio-pulse"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
}
# A browser applies no policy to the parts of a page; opened by itself, a part may do nothing.
PART_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'"}
WORKER_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; connect-src 'self'; frame-ancestors 'none'"}
PARTS: Final = (".css", ".js", MAP, ".png", ".webmanifest", ".woff2")

TYPES: Final = {  # a script or style sheet of a page is read in the encoding of the page
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    MAP: "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


WORKER: Final = "sw.js"
ALONE: Final = re.compile(rf"boot/|{WORKER}")  # scripts that are no modules
STYLES: Final = "styles/page.css"  # all style sheets of the page
# By the worker: what the page shows without a server needs none of them. Nothing needs attention that is not known.
NOT_KEPT: Final = re.compile(rf".+\.(?:map|png|txt)|icons/attention-\d+\.svg|{WORKER}")
NAMED_BY_CONTENT: Final = re.compile(r"\Afonts/.+-[0-9a-f]{10}\.woff2\Z")  # another content has another name
COMMENT_LINES: Final = re.compile(rb"^[ \t]*/\*(?:[^*]|\*(?!/))*\*/[ \t]*$", re.MULTILINE)
TYPE_COMMENTS: Final = re.compile(rb"/\*\* @(?:[^*\n]|\*(?!/))*\*/ ?")
LINE_COMMENTS: Final = re.compile(rb"(?:^|(?<=[\w;,{}()\[\]] ))[ \t]*// .*$", re.MULTILINE)
INDENTATION: Final = re.compile(rb"^[ \t]+", re.MULTILINE)
TAG_LETTERS: Final = 12  # a tag is compared with other tags of the same file alone
KEEP_FOR_EVER: Final = "public, max-age=31536000, immutable"
STYLE_LINKS: Final = re.compile(rb'(?:[ \t]*<link rel="stylesheet" href="[^"]+">\n)+')
STYLE_LINK: Final = re.compile(rb'<link rel="stylesheet" href="([^"]+)">')


class Page(NamedTuple):
    """One file, plain and, where it is smaller, compressed; the tag identifies its content."""

    type: str
    tag: str
    plain: bytes
    compressed: bytes | None
    headers: dict[str, str]

    def answer(self, headers: Headers) -> Response:
        """The file, or a 304 response to a browser that has it."""
        wanted = {tag.strip().removeprefix("W/") for tag in headers.get("If-None-Match", "").split(",")}
        mine = {**self.headers, "Content-Type": self.type, "ETag": f"W/{self.tag}"}
        if self.tag in wanted:
            return Response(status_code=304, headers=mine)
        if self.compressed and "gzip" in headers.get("Accept-Encoding", ""):
            return Response(self.compressed, headers={**mine, "Content-Encoding": "gzip"})
        return Response(self.plain, headers=mine)


class Files(NamedTuple):
    """All files by name, and the identifier of this build, which the page contains and `HELLO` repeats."""

    pages: dict[str, Page]
    build: str


def read_files() -> Files:
    """Reads the page from disk."""
    contents = {str(path.relative_to(DIRECTORY)): path.read_bytes() for path in sorted(DIRECTORY.rglob("*")) if path.is_file()}
    named = b"".join(name.encode() + b"\0" + hashlib.sha256(content).digest() for name, content in contents.items())
    build = hashlib.sha256(named).hexdigest()[:16]
    contents["index.html"] = contents["index.html"].replace(
        b'name="studio-pulse-build" content=""', f'name="studio-pulse-build" content="{build}"'.encode()
    )
    join_styles(contents)
    scripts = join_scripts(contents)
    sent = {name: condensed(content) if name.endswith((".css", ".html", ".js")) else content for name, content in contents.items()}
    sent |= scripts
    sent[WORKER] = _worker(sent, build)
    return Files(dict(_pages(sent)), build)


def _worker(sent: Mapping[str, bytes], build: str) -> bytes:
    """The service worker of this build, which names the files that it keeps and their content."""
    kept = {name: content_tag(content) for name, content in sent.items() if not NOT_KEPT.fullmatch(name)}
    named = sent[WORKER].replace(b"const BUILD = '';", f"const BUILD = '{build}';".encode())
    return named.replace(b"const FILES = {};", f"const FILES = {json.dumps(kept, separators=(',', ':'))};".encode())


def join_styles(contents: dict[str, bytes]) -> None:
    """Puts one style sheet in place of those that the page names, in their order: one request, and one text to compress.

    They are named one below the other. Raises KeyError for a style sheet that does not exist.
    """
    page = contents["index.html"]
    contents[STYLES] = b"".join(contents.pop(name.decode()) for name in STYLE_LINK.findall(page))
    contents["index.html"] = STYLE_LINKS.sub(f'  <link rel="stylesheet" href="{STYLES}">\n'.encode(), page, count=1)


def content_tag(content: bytes) -> str:
    """Identifies a file's content."""
    return hashlib.sha256(content).hexdigest()[:TAG_LETTERS]


def join_scripts(contents: dict[str, bytes]) -> dict[str, bytes]:
    """Takes all modules out; returns the scripts in their place, with their maps. Raises what `Modules` raises."""
    modules = {name: contents.pop(name).decode() for name in list(contents) if name.endswith(".js") and not ALONE.match(name)}
    scripts = Modules(modules, condensed_module).scripts()
    return {name: script.text for name, script in scripts.items()} | {name + MAP: script.map for name, script in scripts.items()}


def condensed(code: bytes) -> bytes:
    """A file without indentation, types, and comments that go to the end of a line or have lines of their own.

    Empty lines remain, so that an error names the line of the source. No text may go over several lines or look like a comment.
    """
    alone = COMMENT_LINES.sub(lambda comment: b"\n" * comment[0].count(b"\n"), code)
    return INDENTATION.sub(b"", LINE_COMMENTS.sub(b"", TYPE_COMMENTS.sub(b"", alone)))


def condensed_module(text: str) -> str:
    """The same of a module."""
    return condensed(text.encode()).decode()


def caching(name: str) -> str:
    """How a browser keeps a file: it asks at each use whether the content has changed, unless the name would have."""
    return KEEP_FOR_EVER if NAMED_BY_CONTENT.match(name) else "no-cache"


def _pages(contents: dict[str, bytes]) -> Iterator[tuple[str, Page]]:
    for name, plain in contents.items():
        compressed = gzip.compress(plain, 1 if name.endswith(MAP) else 9, mtime=0)  # only developers ask for a map
        tag = f'"{content_tag(plain)}"'
        smaller = len(compressed) < 0.9 * len(plain)
        own = WORKER_HEADERS if name == WORKER else PART_HEADERS if name.endswith(PARTS) else DOCUMENT_HEADERS
        headers = {**COMMON_HEADERS, **own}
        headers["Cache-Control"] = caching(name)
        yield name, Page(TYPES[pathlib.PurePath(name).suffix], tag, plain, compressed if smaller else None, headers)


def pages(files: dict[str, Page]) -> Route:
    """The route of all files; it matches every path, so it comes last."""

    async def page(request: Request) -> Response:
        """One file, `index.html` without a name; raises a 404 HTTPException."""
        name = request.path_params["name"] or "index.html"
        if name not in files:
            raise HTTPException(404)
        return files[name].answer(request.headers)

    return Route("/{name:path}", page)
