"""The platforms' pages, made up, served over TLS under their real host names (Chromium resolves the names to loopback)."""

import html
import http.server
import pathlib
import re
import ssl
import threading
import urllib.parse
from typing import ClassVar

from tests.support.certificates import self_signed

BALANCE = re.compile(rb'(?<=class="tokencount">)[^<]*')
FIXTURES = pathlib.Path(__file__).parent / "fixtures"
DOMAINS = (
    "chaturbate.com",
    "stripchat.com",
    "mywebcamroom.com",
    "camsoda.com",
    "example.com",
    "example.net",
)  # the last two: a platform of the docs

OWN = {
    "chaturbate": "https://chaturbate.com/b/alice/",
    "stripchat": "https://es.stripchat.com/start-broadcasting",
    "camsoda": "https://www.camsoda.com/broadcast",
}
VIEWED = {
    "chaturbate": "https://chaturbate.com/bob/",
    "stripchat": "https://stripchat.com/bob",
    "camsoda": "https://www.camsoda.com/bob",
}


class Page(http.server.BaseHTTPRequestHandler):
    """Own page or viewer's page, by host and path; with a policy as strict as a site could have."""

    OWN_PATHS: ClassVar = {
        "chaturbate": r"/b/\w+/",
        "stripchat": r"/start-broadcasting",
        "camsoda": r"/broadcast",
        "example": r"/studio/\w+",
    }
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Sends the platform's own page on its own paths, and a viewer's page on all others; with `?balance=` it shows that one."""
        path, _, query = self.path.partition("?")
        host = self.headers["Host"].replace("mywebcamroom", "stripchat")
        platform = next((name for name in self.OWN_PATHS if name in host), None)
        kind = "own" if platform and re.fullmatch(self.OWN_PATHS[platform], path) else "viewer"
        file = FIXTURES / f"{platform}-{kind}.html"
        body = file.read_bytes() if file.exists() else b""
        if "balance" in (given := dict(urllib.parse.parse_qsl(query))):
            body = BALANCE.sub(lambda _: html.escape(given["balance"]).encode(), body)
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Its body is not read."""


class Server(http.server.ThreadingHTTPServer):
    """Chromium opens connections to try the certificate and drops them."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A dropped connection is no news."""


class Sites:
    """The server behind all their names."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._server = Server(("127.0.0.1", 0), Page)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(directory, *DOMAINS))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def resolver_rules(self) -> str:
        """Chromium's options that resolve the names to loopback."""
        port = self._server.server_address[1]
        return ", ".join(f"MAP {name} 127.0.0.1:{port}" for domain in DOMAINS for name in (domain, f"*.{domain}"))

    def stop(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
