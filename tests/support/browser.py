"""A real Chromium on the real dashboard: opens it with a token, and records its requests and errors."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Self

from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.support import needs
from tests.support.studio import Studio
from tools.screenshots.stage import DRAWN, axe_findings

SHOWN_WITHIN_MS = 8000

# Without the worker that keeps the page, every request is the page's own, and tests can answer it.
DEFAULTS: Final[dict[str, Any]] = {"locale": "en-US", "viewport": {"width": 1280, "height": 800}, "service_workers": "block"}

expect.set_options(timeout=SHOWN_WITHIN_MS)


class Dashboard:
    """One open page. `urls` are all addresses it asked for, `complaints` what the console said about itself."""

    def __init__(self, browser: Browser, studio: Studio, **context: Any) -> None:
        self.studio = studio
        self.context = browser.new_context(**{**DEFAULTS, **context})
        self.page: Page = self.context.new_page()
        self.urls: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.urls.append(request.url))
        self.page.on("websocket", lambda socket: self.urls.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._listen)

    def _listen(self, message: ConsoleMessage) -> None:
        """A refused or lost connection is reported by the browser itself, a blocked worker by Playwright; everything else would be ours."""
        expected = ("ERR_CONNECTION", "Failed to load resource", "WebSocket connection", "registration blocked by Playwright")
        if message.type in ("error", "warning") and not any(words in message.text for words in expected):
            self.complaints.append(message.text)

    def open(self, query: str = "", *, token: str | None = None, **scope: Any) -> Self:
        """Opens the page as a link with a token in its fragment does, by default with the studio's default token."""
        token = token or self.studio.token(**scope)
        self.page.goto(f"{self.studio.broadcast.url}/{query}#token={token}")
        return self

    def live(self) -> Self:
        """Waits until the page says that it is live."""
        expect(self.page.locator("#link")).to_have_attribute("data-phase", "live")
        return self

    def card(self, room: str) -> Any:
        """The card of a room."""
        return self.page.locator(f'.card[data-room="{room}"]')

    def resized(self, sizes: dict[str, tuple[int, int]]) -> Iterator[str]:
        """Gives the window each of these sizes in turn, and lets the page draw itself anew before it yields the name of each."""
        for name, (width, height) in sizes.items():
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.evaluate(DRAWN)
            self.page.wait_for_load_state("networkidle")
            yield name

    def wait(self, condition: str, argument: Any = None) -> None:
        """Waits until a JavaScript condition holds."""
        self.page.wait_for_function(condition, arg=argument, timeout=SHOWN_WITHIN_MS)

    def violations(self) -> list[str]:
        """What axe finds against WCAG 2.2 A and AA."""
        needs.axe()
        return axe_findings(self.page)

    def close(self) -> None:
        """Closes the page; it must not have complained."""
        self.context.close()
        assert self.complaints == [], self.complaints


Opener = Callable[..., Dashboard]
