"""Tabs of a Chromium that tests use in turn. Nothing of one test is left for the next, except what Chromium has compiled and cached.

A context, a page and the page's files take half of the CPU time of opening a dashboard.
"""

import contextlib
from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import Browser, CDPSession, ConsoleMessage, Error, Page, Request, Route

# What a page can be given while it is open; every other option makes another context.
LOOKS: Final[dict[str, Any]] = {
    "viewport": {"width": 1280, "height": 800},
    "color_scheme": "light",
    "reduced_motion": "no-preference",
    "forced_colors": "none",
    "contrast": "no-preference",
}
# Without the worker that keeps the page, every request is the page's own, and tests can answer it.
DEFAULTS: Final[dict[str, Any]] = {"locale": "en-US", "service_workers": "block"}
# What stays in a context or page until it is closed.
LASTING_IN_CONTEXT: Final = (
    "add_init_script",
    "clear_permissions",
    "close",
    "expose_binding",
    "expose_function",
    "grant_permissions",
    "on",
    "once",
    "route_web_socket",
    "set_extra_http_headers",
    "set_geolocation",
)
LASTING_IN_PAGE: Final = (
    "add_init_script",
    "close",
    "expose_binding",
    "expose_function",
    "once",
    "route_web_socket",
    "set_extra_http_headers",
)
LASTING_IN_CLOCK: Final = ("install", "set_fixed_time", "set_system_time", "pause_at")
LEFT_WITHIN_MS: Final = 5000
MAX_FREE: Final = 5
MAX_USES: Final = 60
# A page swaps its process if the policy of its openers changes.
EMPTY_PAGE: Final = {"Cross-Origin-Opener-Policy": "same-origin", "Content-Type": "text/html"}
CLEAR: Final = "() => { localStorage.clear(); sessionStorage.clear(); window.name = ''; }"


class Tab:
    """A context with one page. `sockets` are the addresses of its WebSockets, `complaints` what the console says about the page.

    `urls` are those and the addresses of all requests, while they are recorded: that takes a sixth of the CPU time of opening a dashboard.
    """

    def __init__(self, browser: Browser, options: dict[str, Any]) -> None:
        self.options = repr(sorted(options.items()))
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.urls: list[str] = []
        self.sockets: list[str] = []
        self.complaints: list[str] = []
        self.is_reusable = options["service_workers"] == "block"
        self.uses = 0
        self.records_requests = False
        self._origins: set[str] = set()
        self._listeners: list[tuple[Any, Callable[..., Any]]] = []  # those of the test
        self._sessions: list[CDPSession] = []
        self._listen_to = self.page.on
        self.page.on("framenavigated", lambda frame: self._origins.add(frame.url))
        self.page.on("websocket", lambda socket: self._add_socket(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._listen)
        self._session: CDPSession | None = None
        for owner, names in (
            (self.context, LASTING_IN_CONTEXT),
            (self.page, LASTING_IN_PAGE),
            (self.context.clock, LASTING_IN_CLOCK),
        ):
            for name in names:
                setattr(owner, name, self._spoiled_by(getattr(owner, name)))
        self._open_session = self.context.new_cdp_session
        for owner, name, method in ((self.page, "on", self._add_listener), (self.context, "new_cdp_session", self._add_session)):
            setattr(owner, name, method)

    def _add_listener(self, event: Any, listener: Callable[..., Any]) -> None:
        """As the page's `on`, until the tab is cleared."""
        self._listeners.append((event, listener))
        self._listen_to(event, listener)

    def _add_session(self, page: Page) -> CDPSession:
        """As the context's `new_cdp_session`, until the tab is cleared."""
        self._sessions.append(self._open_session(page))
        return self._sessions[-1]

    def _spoiled_by(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """A method whose effect stays: the tab is not used again."""

        def call(*args: Any, **options: Any) -> Any:
            """Calls the method, and has the tab closed after the test."""
            self.is_reusable = False
            return method(*args, **options)

        return call

    def _listen(self, message: ConsoleMessage) -> None:
        """A refused or lost connection is reported by the browser itself, a blocked worker by Playwright; everything else would be ours."""
        expected = ("ERR_CONNECTION", "Failed to load resource", "WebSocket connection", "registration blocked by Playwright")
        if message.type in ("error", "warning") and not any(words in message.text for words in expected):
            self.complaints.append(message.text)

    def _add_socket(self, url: str) -> None:
        self.sockets.append(url)
        self.urls.append(url)

    def _add_request(self, request: Request) -> None:
        self.urls.append(request.url)

    def record_requests(self) -> None:
        """Adds every request to `urls` from now on, until the tab is cleared."""
        self.records_requests = True
        self._listen_to("request", self._add_request)

    def run_first(self, script: str) -> None:
        """Runs a script in every document before the document's own, until the tab is cleared."""
        if self._session is None:
            self._session = self._add_session(self.page)
            self._session.send("Page.enable")
        self._session.send("Page.addScriptToEvaluateOnNewDocument", {"source": f"(() => {{ {script}\n }})();"})

    def look(self, looks: dict[str, Any]) -> None:
        """Gives the page its size and the preferences of its reader."""
        preferences = {**LOOKS, **looks}
        self.page.set_viewport_size(preferences.pop("viewport"))
        self.page.emulate_media(media="screen", **preferences)

    def clear(self) -> bool:
        """Ends the page and removes what it and the test have left; returns whether that is all removed."""
        for session in self._sessions:
            session.detach()
        self._sessions, self._session = [], None
        for event, listener in self._listeners:
            self.page.remove_listener(event, listener)
        self._listeners = []
        if self.records_requests:
            self.records_requests = False
            self.page.remove_listener("request", self._add_request)
        for other in self.context.pages[1:]:
            other.close()
        self.context.unroute_all()
        self.page.unroute_all()
        self.context.set_offline(False)
        if self.page.url.startswith("http"):
            origin = "/".join(self.page.url.split("/", 3)[:3])
            self._leave(origin)
            self.page.evaluate(CLEAR)
        self.context.clear_cookies()
        hosts = {url.split("/", 3)[2] for url in (*self._origins, *self.urls) if "://" in url}
        self._origins.clear()
        self.urls, self.sockets, self.complaints = [], [], []
        return len(hosts) <= 1  # what another origin has stored stays

    def _leave(self, origin: str) -> None:
        """Ends the page, but stays at its origin: on its icon, or on a page without content where no server answers.

        A page that has routes forgets the files that it keeps.
        """
        with contextlib.suppress(Error):
            self.page.goto(f"{origin}/icons/icon.svg", timeout=LEFT_WITHIN_MS)
            return
        self.page.route(f"{origin}/empty", empty)
        self.page.goto(f"{origin}/empty")
        self.page.unroute_all()


def empty(route: Route) -> None:
    """Answers a request with a page without content."""
    route.fulfill(body="<!doctype html><link rel=icon href=data:>", headers=EMPTY_PAGE)


class Tabs:
    """The tabs that no test uses now."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: list[Tab] = []

    def take(self, *, is_new: bool = False, records_requests: bool = False, **options: Any) -> Tab:
        """A tab of a context with these options."""
        looks = {name: options.pop(name) for name in LOOKS if name in options}
        options = {**DEFAULTS, **options}
        free = [tab for tab in self._free if tab.options == repr(sorted(options.items()))]
        tab = free[-1] if free and not is_new else Tab(self._browser, options)
        if tab in self._free:
            self._free.remove(tab)
        tab.uses += 1
        tab.look(looks)
        if records_requests:
            tab.record_requests()
        return tab

    def give_back(self, tab: Tab) -> None:
        """Clears a tab for the next test, or closes it."""
        if tab.is_reusable and tab.uses < MAX_USES:
            with contextlib.suppress(Error):  # the page has crashed or does not answer
                tab.is_reusable = False
                tab.is_reusable = tab.clear()
        if not tab.is_reusable or tab.uses >= MAX_USES:
            tab.context.close()
            return
        self._free.append(tab)
        if len(self._free) > MAX_FREE:
            self._free.pop(0).context.close()
