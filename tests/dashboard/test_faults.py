"""What the page says and does while something is broken, and that it is right again afterwards without a reload."""

import contextlib
import pathlib
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser import Dashboard, Opener
from tests.support.studio import OnAir, Studio, page_port, running_studio
from tests.support.warm_services import KEEP_FILES
from tools.waiting import wait_until

SYNC_WITH_VERSION = re.compile(r'"event_type":"SYNC"[^}]*"version":[1-9]')
PERIODS_CHOSEN = ("today", "week", "day", "today", "day")
NOT_RELOADED = "() => window.sameDocument === true"


@pytest.fixture
def fragile(tmp_path: pathlib.Path) -> Iterator[Studio]:
    """A stack that the test may break."""
    with running_studio(tmp_path, **{KEEP_FILES: "1"}) as running:
        yield running


@pytest.fixture
def on_air(fragile: Studio) -> Iterator[Callable[..., OnAir]]:
    """Puts rooms of the test's own stack on air until the test ends; they report every second while it can commit."""
    with contextlib.ExitStack() as stack:
        yield lambda *readings: stack.enter_context(OnAir(fragile, *readings, every_seconds=1))


def has_version(frame: str) -> bool:
    """Whether a frame has a SYNC from which a client can resume; a relay that has just started sends 0."""
    return SYNC_WITH_VERSION.search(frame) is not None


def test_a_lost_source_is_said_at_once_and_heals_without_a_reload(fragile: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """The server behind both services is killed and restarted while the page is open."""
    blue = on_air({"room_id": "blue", "tokens_count": 5})
    dashboard = visit(fragile).open().live()
    expect(dashboard.card("blue")).to_have_attribute("data-status", "live")
    dashboard.page.evaluate("window.sameDocument = true")
    room = visit(fragile).open("?view=room&room=blue&on=camsoda").live().page
    assert fragile.stack.redis is not None
    fragile.stack.redis.kill()
    expect(dashboard.page.locator("#notice-words")).to_contain_text("lost its data source. No new data since")
    expect(dashboard.page.locator("#link-word")).to_have_text("Degraded")
    expect(dashboard.page.locator('.card[data-status="live"]')).to_have_count(0)
    expect(dashboard.page.locator('[data-kpi="viewers"] dt')).to_contain_text("last known")
    expect(room.locator("#room-badge")).to_have_text("Last known")
    expect(room.locator("#room-body > .panel").first).to_have_css("filter", "grayscale(1)")  # its report is of before, too
    for period in PERIODS_CHOSEN:  # so many tries fail that the next one would be a minute away
        with room.expect_response(lambda answer: answer.status == 503):
            room.locator(f'#room-period [value="{period}"]').check()
    expect(room.locator("#room-body")).to_be_hidden()  # its report is of another period than the one chosen
    assert dashboard.violations() == []
    fragile.stack.redis.start()
    blue.report({"room_id": "blue", "tokens_count": 7})
    expect(dashboard.card("blue")).to_have_attribute("data-status", "live", timeout=20_000)
    expect(room.locator("#room-badge")).to_have_text("On air")
    expect(room.locator("#room-state")).to_have_text("")
    expect(room.locator("#room-body")).to_be_visible()
    expect(room.locator("#room-figures")).to_have_css("filter", "none")
    expect(dashboard.card("blue").locator(".tokens")).to_have_text("7")
    assert dashboard.page.evaluate(NOT_RELOADED)


def test_a_restarted_relay_is_resumed_without_a_reload(tmp_path: pathlib.Path, visit: Opener) -> None:
    """The page reconnects by itself, requests only missed events, and shows the readings posted meanwhile."""
    with running_studio(tmp_path, HEARTBEAT_SECONDS="1", **{KEEP_FILES: "1"}) as fragile:
        fragile.post({"room_id": "blue", "tokens_count": 5})
        dashboard = visit(fragile)
        frames: list[str] = []
        dashboard.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
        dashboard.open().live()
        wait_until(
            lambda: dashboard.page.evaluate("true") and any(map(has_version, frames)), "a SYNC with a version to resume from", seconds=20
        )
        dashboard.page.evaluate("window.sameDocument = true")
        fragile.broadcast.stop()
        fragile.post({"room_id": "blue", "tokens_count": 6, "sequence": 1})
        fragile.broadcast.start()
        expect(dashboard.card("blue").locator(".tokens")).to_have_text("6", timeout=20_000)
        dashboard.live()
        assert re.search(r"/ws/dashboard\?since=\d{16}$", dashboard.sockets[-1])
        assert dashboard.page.evaluate(NOT_RELOADED)


@contextlib.contextmanager
def front(target: list[int]) -> Iterator[int]:
    """A front proxy as far as TCP goes: each new connection is led to the port that `target` names then. Yields its own port."""

    class Lead(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", target[0])) as behind:
                back = threading.Thread(target=pump, args=(behind, self.request))
                back.start()
                pump(self.request, behind)
                back.join()

    class Front(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        block_on_close = False

    with page_port() as port, Front(("127.0.0.1", port), Lead) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield port
        server.shutdown()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copies until the source ends."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def test_a_draining_relay_is_left_without_a_visible_gap(fragile: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Behind a front proxy the page moves to the next server; no notice appears and no room stops being live."""
    blue = on_air({"room_id": "blue", "tokens_count": 5})
    target = [fragile.broadcast.port]
    with front(target) as port:
        dashboard = visit(fragile)
        dashboard.page.goto(f"http://127.0.0.1:{port}/#token={fragile.stack.token('dashboard')}")
        expect(dashboard.live().card("blue")).to_have_attribute("data-status", "live")
        dashboard.page.evaluate(
            "window.gaps = []; const note = () => { if (!document.querySelector('#notice').hidden) window.gaps.push('notice');"
            " if (document.documentElement.dataset.trust === 'no') window.gaps.push('trust'); };"
            "new MutationObserver(note).observe(document.documentElement, {attributes: true, subtree: true})"
        )
        target[0] = fragile.stack.broadcast().port
        blue.report({"room_id": "blue", "tokens_count": 7})
        fragile.broadcast.stop()
        expect(dashboard.card("blue").locator(".tokens")).to_have_text("7")
        dashboard.live()
        assert len(dashboard.sockets) == 2
        assert dashboard.page.evaluate("window.gaps") == []


def test_a_lost_relay_is_said_in_words_with_the_next_try_and_so_is_a_lost_network(
    fragile: Studio, visit: Opener, on_air: Callable[..., OnAir]
) -> None:
    """While nothing answers no room is called live, and a person may try at once; a device that is offline is named."""
    on_air({"room_id": "blue"})
    dashboard = visit(fragile).open().live()
    expect(dashboard.card("blue")).to_have_attribute("data-status", "live")
    fragile.broadcast.signal(9)
    fragile.broadcast.wait(5)
    expect(dashboard.page.locator("#notice-words")).to_contain_text("No new data since")
    expect(dashboard.page.locator("#notice-detail")).to_contain_text("ago")
    assert dashboard.violations() == []
    expect(dashboard.page.locator('.card[data-status="live"]')).to_have_count(0)
    with dashboard.page.expect_event("websocket", timeout=2000):
        dashboard.page.get_by_role("button", name="Try now").click()
    fragile.broadcast.start()
    expect(dashboard.page.locator("#link")).to_have_attribute("data-phase", "live", timeout=20_000)
    loses_its_network(fragile, dashboard)


def loses_its_network(fragile: Studio, dashboard: Dashboard) -> None:
    """Going offline makes the page ask at once; with no answer it names the device, and back online it does not wait."""
    with fragile.broadcast.frozen():
        dashboard.context.set_offline(True)
        expect(dashboard.page.locator("#notice-words")).to_contain_text("This device is offline")
        expect(dashboard.page.locator("#link-word")).to_have_text("Offline")
    dashboard.context.set_offline(False)
    dashboard.live()


def test_an_expired_value_is_named_expired(tmp_path: pathlib.Path, visit: Opener) -> None:
    """When its time is up the card says so; the last value stays readable and pale."""
    with running_studio(tmp_path, TELEMETRY_TTL_SECONDS="4", **{KEEP_FILES: "1"}) as brief:
        dashboard = visit(brief).open().live()
        brief.post({"room_id": "blue", "tokens_count": 5})
        expect(dashboard.card("blue")).to_have_attribute("data-status", "live")
        expect(dashboard.card("blue").locator(".badge-word")).to_have_text("Expired")
        expect(dashboard.card("blue").locator(".tokens")).to_have_text("5")
