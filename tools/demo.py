"""The demo page: a made-up broadcast page on loopback, which development builds of the extension read."""

import http.server
import pathlib
import re
import threading
from typing import Final, Self

from tools.processes import ROOT

DIRECTORY: Final = ROOT / "extension" / "demo"
PAGE_PATH: Final = re.compile(r"/demo/[\w-]{1,64}/?\Z")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Two files and nothing else."""

    def do_GET(self) -> None:
        if self.path == "/demo/page.js":
            self._answer("page.js", "text/javascript")
        elif PAGE_PATH.match(self.path):
            self._answer("page.html", "text/html; charset=utf-8")
        else:
            self.send_error(404)

    def _answer(self, name: str, kind: str) -> None:
        body = pathlib.Path(DIRECTORY / name).read_bytes()
        self.send_response(200)
        for header, value in {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not logged."""


class DemoPage:
    """Serves the page from a thread until it is stopped."""

    def __init__(self, port: int = 0) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/demo/alice/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
