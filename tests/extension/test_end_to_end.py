"""The whole way: fixture page → content script → worker → the real ingest service → Redis → the real dashboard."""

import functools
import json
import pathlib
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from shared.contract import keys
from tests.extension.browser import IS_PICTURED, PICTURES, Browser, wait_in_browser
from tests.extension.sites import OWN
from tests.support.clients import Dashboard
from tools.processes import Service
from tools.stack import Stack

NUMBER = ".tokencount, .tokens-amount, .token-balance-Ab12"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def ingest(stack: Stack) -> Service:
    return stack.ingest()


@pytest.fixture(scope="module")
def broadcast(stack: Stack) -> Service:
    return stack.broadcast()


def stored(stack: Stack, room: str, platform: str) -> dict[str, Any]:
    """The latest reading as it lies in Redis."""
    with redis.Redis.from_url(stack.redis_url) as client:
        return json.loads(client.get(keys.latest(0, room, platform)) or "{}")  # type: ignore[no-any-return]


def fetched(url: str, token: str = "") -> str:
    """The body of a GET."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.read().decode()  # type: ignore[no-any-return]


def updates(dashboard: Dashboard, *, until_tokens: int) -> list[dict[str, Any]]:
    """The updates so far, once the one with this balance has arrived."""
    dashboard.wait_for(
        lambda d: any(event["data"]["tokens"] == until_tokens for event in d.of("TELEMETRY_UPDATE")), f"{until_tokens} tokens"
    )
    return dashboard.of("TELEMETRY_UPDATE")


CHANGES = {"chaturbate": 41001, "stripchat": 42002, "camsoda": 43003}


def test_a_change_on_the_page_is_on_the_dashboard_with_the_next_reading(
    chromium: Browser, stack: Stack, ingest: Service, broadcast: Service
) -> None:
    """A number changes on the broadcaster's page; the dashboard, open in the same browser, shows it, and Redis holds it."""
    chromium.configure(ingest.url, room="Studio 7", key=stack.token("ingest", rooms=("Studio 7",)))
    dashboard = chromium.open(f"{broadcast.url}/#token={stack.token('dashboard')}")
    dashboard.set_viewport_size({"width": 1280, "height": 720})
    for platform, balance in CHANGES.items():
        page = chromium.open(OWN[platform])
        wait_in_browser(functools.partial(stored, stack, "Studio 7", platform), "the first reading")
        with Dashboard(broadcast.url, stack.token("dashboard")) as events:
            events.snapshot()
            page.locator(NUMBER).evaluate("(element, balance) => { element.textContent = String(balance); }", balance)
            changed = time.time()
            dashboard.get_by_text(f"{balance:,}").first.wait_for()
            found = [event["data"] for event in updates(events, until_tokens=balance) if event["data"]["platform"] == platform]
        assert next(data["tokens"] for data in found if data["timestamp"] > changed) == balance  # readings are five seconds apart
        assert stored(stack, "Studio 7", platform)["tokens_count"] == balance
        if IS_PICTURED:
            dashboard.bring_to_front()
            dashboard.screenshot(path=PICTURES / f"extension-to-dashboard-{platform}.png")
        page.close()
    dashboard.close()


def test_an_hour_without_the_service_is_recovered_exactly(chromium: Browser, stack: Stack, broadcast: Service) -> None:
    """History gets the last reading of every minute, each reading is taken once, and dashboards see the newest first and only."""
    service = stack.ingest()
    chromium.configure(service.url, room="vault", key=stack.token("ingest", rooms=("vault",)))
    service.stop()
    end_ms = (int(time.time()) - 4) // 5 * 5000  # a request that travels for 2 to 5 s is shifted, within its minute then
    moments = [end_ms - 5000 * age for age in range(720)][::-1]
    balance = {moment: 1000 + index for index, moment in enumerate(moments)}
    chromium.store(*moments, room="vault", tokens=balance.__getitem__)
    chromium.poke()
    assert (chromium.badge(), chromium.board()["failure"]) == ("720", 0)
    with Dashboard(broadcast.url, stack.token("dashboard", rooms=("vault",))) as dashboard:
        dashboard.snapshot()
        service = stack.ingest(service.port)
        chromium.poke_until(lambda: chromium.outbox()["buffered"] == 0, "the end of the backlog")
        assert [event["data"]["tokens"] for event in updates(dashboard, until_tokens=balance[end_ms])] == [balance[end_ms]]
    last_of_minute = {moment // 60_000: balance[moment] for moment in moments}
    span = f"from={moments[0] // 1000}&to={end_ms // 1000 + 60}&step=60"
    answer = fetched(f"{broadcast.url}/api/tracking/telemetry/vault/chaturbate/history?{span}", stack.token("dashboard"))
    assert {point["t"] // 60: point["tokens"] for point in json.loads(answer)["points"]} == last_of_minute
    assert taken(service) == {"accepted": 1, "late": 719}


def taken(service: Service) -> dict[str, int]:
    """How many readings the service took since it started, by result."""
    lines = [line for line in fetched(service.metrics_url).splitlines() if line.startswith("pulse_ingest_readings_total{")]
    counts = {line.split('"')[1]: int(float(line.rsplit(" ", 1)[1])) for line in lines}
    return {result: count for result, count in counts.items() if count}


def test_redis_away_only_delays(chromium: Browser, stack: Stack, ingest: Service) -> None:
    """The service answers 503 for the whole batch; the readings wait in the browser and arrive when Redis is back."""
    assert stack.redis
    chromium.configure(ingest.url, room="cellar", key=stack.token("ingest"))
    stack.redis.kill()
    now_ms = int(time.time() * 1000)
    chromium.store(now_ms, room="cellar", tokens=lambda _: 777)
    chromium.poke()
    assert (chromium.badge(), chromium.board()["failure"]) == ("1", 503)
    stack.redis.start()
    chromium.poke_until(lambda: chromium.outbox()["buffered"] == 0, "the delivery")
    assert stored(stack, "cellar", "chaturbate")["tokens_count"] == 777


def test_a_key_for_another_room_is_refused_by_the_real_service(chromium: Browser, stack: Stack, ingest: Service) -> None:
    """Badge KEY, nothing lost; "Test connection" says that the room is the matter; the right key sends it all."""
    chromium.configure(ingest.url, room="attic", key=stack.token("ingest", rooms=("cellar",)))
    now_ms = int(time.time() * 1000)
    chromium.store(now_ms, room="attic")
    chromium.poke()
    assert (chromium.badge(), chromium.outbox()["buffered"]) == ("KEY", 1)
    assert chromium.console.evaluate("() => chrome.runtime.sendMessage({ type: 'test' })") == {"outcome": "room", "status": 200}
    chromium.configure(ingest.url, room="attic", key=stack.token("ingest", rooms=("attic",)))
    wait_in_browser(lambda: stored(stack, "attic", "chaturbate"), "the reading")
    assert chromium.console.evaluate("() => chrome.runtime.sendMessage({ type: 'test' })") == {"outcome": "ok", "status": 200}


def test_a_revived_worker_sends_nothing_twice(chromium: Browser, stack: Stack, broadcast: Service) -> None:
    """The same reading sent again, as after a death between answer and deletion, is a duplicate: no second event, nothing changed."""
    service = stack.ingest()
    chromium.configure(service.url, room="loft", key=stack.token("ingest", rooms=("loft",)))
    now_ms = int(time.time() * 1000)
    with Dashboard(broadcast.url, stack.token("dashboard", rooms=("loft",))) as dashboard:
        dashboard.snapshot()
        for _ in range(2):
            chromium.store(now_ms, room="loft", tokens=lambda _: 5)
            chromium.poke()
            chromium.kill_worker()
        chromium.store(now_ms + 1000, room="loft", tokens=lambda _: 6)
        chromium.poke()
        assert [event["data"]["tokens"] for event in updates(dashboard, until_tokens=6)] == [5, 6]
    assert taken(service) == {"accepted": 2, "duplicate": 1}


def test_the_token_is_in_no_log_of_the_services(chromium: Browser, stack: Stack, ingest: Service) -> None:
    """What the extension sends ends in no log file."""
    key = stack.token("ingest", rooms=("blue",))
    chromium.configure(ingest.url, key=key)
    chromium.store(int(time.time() * 1000))
    chromium.poke()
    logs = [path.read_text() for path in pathlib.Path(stack.directory).glob("*.log")]
    assert logs
    assert not [log for log in [*logs, *chromium.logs] if any(part in log for part in key.split("."))]
    assert [log for log in chromium.logs if "401 (Unauthorized)" not in log] == []  # a dashboard asks whether it is signed in
