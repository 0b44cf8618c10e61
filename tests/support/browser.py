"""A real Chromium on the real dashboard: opens it with a token, and records its requests and errors."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from playwright.sync_api import Download, expect

from tests.support import needs
from tests.support.studio import Studio
from tests.support.tabs import Tabs
from tools.screenshots.stage import DRAWN, axe_findings

POLL_MS = 100  # Playwright's own pace is each frame, for which the browser draws 60 of them a second
SHOWN_WITHIN_MS = 20_000  # a machine with two cores runs eight browsers beside each other
MOVE = "(query) => { history.pushState(null, '', query); dispatchEvent(new PopStateEvent('popstate')); }"

expect.set_options(timeout=SHOWN_WITHIN_MS)


class Dashboard:
    """One open page. `sockets` are the addresses of its WebSockets, `complaints` what the console said about itself."""

    def __init__(self, tabs: Tabs, studio: Studio, **options: Any) -> None:
        """`options` are those of Playwright's contexts; with `is_new` nothing is cached, with `records_requests` there are `urls`."""
        self.studio = studio
        self._tabs = tabs
        self._tab = tabs.take(**options)
        self.context, self.page, self.run_first = self._tab.context, self._tab.page, self._tab.run_first
        self.sockets, self.complaints = self._tab.sockets, self._tab.complaints
        self._urls, self._has_urls = self._tab.urls, self._tab.records_requests

    @property
    def urls(self) -> list[str]:
        """All addresses that the page asked for."""
        assert self._has_urls, "its requests are not recorded"
        return self._urls

    def open(self, query: str = "", *, token: str | None = None, **scope: Any) -> Self:
        """Opens the page as a link with a token in its fragment does, by default with the studio's default token."""
        token = token or self.studio.token(**scope)
        self.page.goto(f"{self.studio.broadcast.url}/{query}#token={token}")
        return self

    def move(self, query: str) -> Self:
        """Leads the open page to another view, as its own links do: without a load."""
        self.page.evaluate(MOVE, query or "./")
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

    def exported(self, name: str) -> Download:
        """The file that is chosen in the menu of the view on the screen, by a part of its name."""
        self.page.locator(".export > button:visible").click()
        with self.page.expect_download() as download:
            self.page.get_by_role("menuitem", name=name).click()
        return download.value

    def wait(self, condition: str, argument: Any = None) -> None:
        """Waits until a JavaScript condition holds."""
        self.page.wait_for_function(condition, arg=argument, polling=POLL_MS, timeout=SHOWN_WITHIN_MS)

    def violations(self, rules: Sequence[str] = ()) -> list[str]:
        """What axe finds against WCAG 2.2 A and AA; with `rules`, against these alone."""
        needs.axe()
        return axe_findings(self.page, rules)

    def leave(self) -> list[str]:
        """Ends the page; returns its complaints."""
        self._tabs.give_back(self._tab)
        return self.complaints

    def close(self) -> None:
        """Ends the page; it must not have complained."""
        complaints = self.leave()
        assert complaints == [], complaints


Opener = Callable[..., Dashboard]
