"""A real Chromium with the extension in it."""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from playwright.sync_api import BrowserContext, Error, Page, Playwright, Worker, expect

from tests.support import needs
from tools.waiting import Condition, T, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "extension"
IS_PICTURED: Final = bool(os.environ.get("PICTURES"))
PICTURES = ROOT / ("docs/images" if IS_PICTURED else "test-results")
WITHIN_SECONDS = 20.0
expect.set_options(timeout=WITHIN_SECONDS * 1000)
MAX_PAUSE_SECONDS: Final = 0.5
# Playwright's own list, which a second switch replaces, and the pages that Chromium loads for the menus of its window before anyone opens
# them: those take half of the CPU time of a start.
OFF = (
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
    "PreloadTopChromeWebUI",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxPopup",
)
QUIET = (
    "--no-sandbox",
    f"--disable-features={','.join(OFF)}",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

EMPTY = """async () => {
    const { Outbox } = await import('/worker/outbox.js');
    await new Outbox(indexedDB).counts();
    const opening = indexedDB.open('studio-pulse');
    await new Promise((resolve, reject) => { opening.onsuccess = resolve; opening.onerror = reject; });
    const names = [...opening.result.objectStoreNames];
    const transaction = opening.result.transaction(names, 'readwrite');
    for (const name of names) transaction.objectStore(name).clear();
    await new Promise((resolve, reject) => { transaction.oncomplete = resolve; transaction.onabort = reject; });
    opening.result.close();
    await Promise.all(['local', 'session', 'sync'].map((area) => chrome.storage[area].clear()));
}"""

# Axe spends a third of its time on the elements of rules that pass, and as much on the markup of each element and on selectors.
RUN_AXE: Final = """async (rules) => {
    axe.configure({ noHtml: true });
    const only = rules ? { runOnly: rules } : {};
    const { violations } = await axe.run({ resultTypes: ['violations'], selectors: false, elementRef: true, ...only });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ element }) => element.outerHTML).join(' ')}`);
}"""


def wait_in_browser(condition: Condition[T], what: str) -> T:
    """Waits for a condition of which the browser is asked. A question takes 3 ms of CPU, so the pauses become longer while it waits."""
    started = time.monotonic()

    def attempt() -> T | Literal[False] | None:
        """Returns the condition's value; if that is false, after a pause of a fifth of the time so far."""
        value = condition()
        if not value:
            time.sleep(min(MAX_PAUSE_SECONDS, (time.monotonic() - started) / 5))
        return value

    return wait_until(attempt, what, seconds=WITHIN_SECONDS, poll_seconds=0.05)


def token(rooms: tuple[str, ...] = ("*",), **claims: Any) -> str:
    """A token the form takes; the scripted service takes any."""
    parts = ({"alg": "HS256"}, {"aud": "ingest", "exp": int(time.time()) + 3600, "rooms": list(rooms), **claims})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2VjcmV0LXNpZ25hdHVyZQ"])


def installed(directory: pathlib.Path) -> pathlib.Path:
    """A copy that may send to loopback: in a headless browser no person clicks the permission prompt."""
    copy = directory / "extension"
    shutil.copytree(EXTENSION, copy, ignore=shutil.ignore_patterns("tools", "tsconfig.json", "*.d.ts"))
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["host_permissions"].append("http://127.0.0.1/*")
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def studio_code(endpoint: str, key: str, room: str = "blue", **more: str) -> str:
    """The one line that a studio sends to a desk."""
    encoded = base64.urlsafe_b64encode(json.dumps({"a": endpoint, "r": room, "k": key, **more}).encode()).decode().rstrip("=")
    return f"pulse1_{encoded}"


def by_hand(page: Page) -> None:
    """Opens the fields behind the studio's code."""
    page.locator("#by-hand").evaluate("details => { details.open = true; }")


def violations(page: Page, rules: tuple[str, ...] = ()) -> list[str]:
    """What axe finds wrong with a page; with `rules`, by these alone."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(needs.axe().read_text())
    found: list[str] = page.evaluate(RUN_AXE, list(rules) or None)
    return found


def picture(page: Page, name: str) -> None:
    """Saves a picture for the docs, with `PICTURES=1` alone: the page as high as its content."""
    if not IS_PICTURED:
        return
    width = (page.viewport_size or {"width": 372})["width"]
    height = page.evaluate("() => Math.ceil(document.body.getBoundingClientRect().height)")
    page.set_viewport_size({"width": width, "height": height})
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"extension-{name}.png")


class Browser:
    """One profile with the extension. `console` is an extension page without code of its own, to look at things from."""

    def __init__(self, playwright: Playwright, directory: pathlib.Path, resolver_rules: str, *arguments: str, language: str = "en") -> None:
        self.extension = directory / "extension" if (directory / "extension").exists() else installed(directory)
        self.manifest: dict[str, Any] = json.loads((self.extension / "manifest.json").read_text())
        self.context: BrowserContext = playwright.chromium.launch_persistent_context(
            str(directory / "profile"),
            executable_path=needs.chromium(),
            headless=False,
            env={**os.environ, "LANGUAGE": language},
            ignore_default_args=needs.unwanted_switches(),
            args=[
                "--headless=new",
                *QUIET,
                f"--disable-extensions-except={self.extension}",
                f"--load-extension={self.extension}",
                f"--host-resolver-rules={resolver_rules}",
                f"--lang={language}",
                "--ignore-certificate-errors",  # Playwright's option is not yet in effect when a tab opens with an address
                "--in-process-gpu",  # a message to another process costs more than the drawing
                *arguments,
            ],
        )
        self.logs: list[str] = []
        self.context.on("console", lambda message: self.logs.append(message.text))
        self.context.on("weberror", lambda error: self.logs.append(str(error.error)))
        self.id = self.worker.url.split("/")[2]
        self.console = self.context.new_page()
        self._open_console()
        wait_in_browser(self.board, "the first start")

    def _open_console(self) -> None:
        """The settings page, which opens by itself after an installation, may come between."""
        address = f"chrome-extension://{self.id}/managed_schema.json"
        with contextlib.suppress(Error):
            self.console.goto(address)
            return
        self.console.goto(address)

    @property
    def worker(self) -> Worker:
        """The worker that runs now."""
        workers = self.context.service_workers
        return workers[0] if workers else self.context.wait_for_event("serviceworker")

    def configure(
        self, endpoint: str, *, room: str = "blue", key: str | None = None, goal: int | None = None, camsoda: bool = True, **more: object
    ) -> None:
        """Saves settings as the form does; CamSoda, which is off by default, is on unless a test wants it off."""
        settings = {"roomId": room, "endpoint": endpoint, "token": key or token(), "goal": goal, "camsodaEnabled": camsoda, **more}
        self.console.evaluate("settings => chrome.storage.local.set({ settings })", settings)
        wait_in_browser(lambda: self.board()["configured"], "the new settings")

    def board(self) -> dict[str, Any]:
        """What badge and popup are made from."""
        return self.console.evaluate("async () => (await chrome.storage.session.get('board')).board ?? {}")  # type: ignore[no-any-return]

    def badge(self) -> str:
        """The text on the toolbar icon."""
        return self.console.evaluate("() => chrome.action.getBadgeText({})")  # type: ignore[no-any-return]

    def poke(self) -> None:
        """Makes the worker act, as a reading or the alarm would."""
        self.console.evaluate("() => chrome.runtime.sendMessage({ type: 'drain' })")

    def poke_until(self, condition: Callable[[], Any], what: str) -> None:
        """Pokes until the condition holds; a backoff may be in the way."""

        def attempt() -> Any:
            """Pokes the worker once, and returns the condition's value."""
            self.poke()
            return condition()

        wait_in_browser(attempt, what)

    def store(
        self, *moments_ms: int, room: str = "blue", platform: str = "chaturbate", tokens: Callable[[int], int] = lambda _: 100
    ) -> None:
        """Puts readings of these moments into the outbox, as if read then; all at once, as the worker may send at any moment."""
        bodies = [
            {"room_id": room, "platform": platform, "tokens_count": tokens(at), "timestamp": at // 1000, "sequence": at}
            for at in moments_ms
        ]
        self.console.evaluate(
            """async (bodies) => {
                const { Outbox } = await import('/worker/outbox.js');
                await new Outbox(indexedDB).counts();
                const opening = indexedDB.open('studio-pulse');
                await new Promise((resolve, reject) => { opening.onsuccess = resolve; opening.onerror = reject; });
                const transaction = opening.result.transaction('readings', 'readwrite');
                for (const body of bodies) {
                    transaction.objectStore('readings').put({ readAt: body.sequence, platform: body.platform, dueAt: 0, attempts: 0, body });
                }
                await new Promise((resolve, reject) => { transaction.oncomplete = resolve; transaction.onabort = reject; });
                opening.result.close();
            }""",
            bodies,
        )

    def outbox(self) -> dict[str, int]:
        """How many readings wait, are dead, were dropped."""
        return self.console.evaluate(  # type: ignore[no-any-return]
            "async () => { const { Outbox } = await import('/worker/outbox.js'); return new Outbox(indexedDB).counts(); }"
        )

    def kill_worker(self) -> None:
        """Ends the worker as Chrome does when it likes."""
        session = self.context.new_cdp_session(self.console)
        session.send("ServiceWorker.enable")
        session.send("ServiceWorker.stopAllWorkers")
        session.detach()

    def open(self, url: str) -> Page:
        """A new tab with a page, which has loaded. A tab that is empty first would have a process that the page does not take over."""
        address = url.partition("#")[0].rstrip("/")
        with self.context.expect_page(lambda page: page.url.partition("#")[0].rstrip("/") == address) as opened:
            self.console.evaluate("url => { chrome.tabs.create({ url }); }", url)
        page = opened.value
        # Playwright may miss the event of a tab that has loaded before it is attached.
        wait_in_browser(lambda: page.evaluate("() => location.protocol !== 'about:' && document.readyState === 'complete'"), "the page")
        return page

    def close_pages(self) -> None:
        """Closes all tabs but the console: a page that stays open goes on reading, and its readings would come between others."""
        for page in self.context.pages:
            if page is not self.console:
                page.close()

    def start_anew(self) -> None:
        """Resets the extension to its first start, without pages, settings, readings and a past."""
        self.close_pages()
        self._open_console()
        self.kill_worker()
        self.console.evaluate(EMPTY)
        self.poke()
        wait_in_browser(lambda: self.board().get("configured") is False, "the start without settings")
        self.logs.clear()

    def isolated(self, page: Page, expression: str) -> Any:
        """What an expression gives in the content script's own world."""
        session = self.context.new_cdp_session(page)
        worlds: list[dict[str, Any]] = []
        session.on("Runtime.executionContextCreated", lambda event: worlds.append(event["context"]))
        session.send("Runtime.enable")
        world = next(world for world in worlds if world["origin"].endswith(self.id))
        options = {"contextId": world["id"], "expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = session.send("Runtime.evaluate", options)
        session.detach()
        return answer["result"].get("value")

    def open_ui(self, name: str, width: int = 372, height: int = 600) -> Page:
        """The popup or the options page, as a tab."""
        page = self.open(f"chrome-extension://{self.id}/ui/{name}.html")
        page.set_viewport_size({"width": width, "height": height})
        page.locator(".state strong").wait_for()
        return page

    def close(self) -> None:
        """Ends the browser."""
        self.context.close()
