"""The main job on real processes: telemetry in over HTTP, out over authenticated WebSockets."""

import asyncio
import concurrent.futures
import contextlib
import json
import re
import signal
import time
from collections.abc import Callable

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.e2e.conftest import Pair, amid_a_failover_too, on_one_node
from tests.support.clients import Dashboard, OldClient, Producer, metric
from tests.support.raw_websocket import NeverReader
from tests.support.speed import Stopwatch
from tests.support.token_commands import run_tokens
from tools.waiting import wait_until


def synced(dashboard: Dashboard) -> bool:
    """The snapshot is complete."""
    return bool(dashboard.of("SYNC"))


@pytest.mark.room("relay")
@amid_a_failover_too
def test_a_reading_reaches_a_dashboard(pair: Pair) -> None:
    """A posted reading reaches the dashboard within a moment."""
    stack, ingest, broadcast = pair
    with Dashboard(broadcast.url, stack.token("dashboard")) as dashboard, Producer(ingest.url, stack.token("ingest")) as producer:
        dashboard.wait_for(synced, "the snapshot")
        answer = producer.deliver("relay", 41, tips_count=3, viewers_count=None, goal_tokens=100).json()
        dashboard.wait_for_tokens("relay", 41)
    event = dashboard.of("TELEMETRY_UPDATE")[-1]
    assert event["version"] == answer["version"]
    assert {**event["data"], "timestamp": 0} == {
        "platform": "camsoda",
        "tokens": 41,
        "tips": 3,
        "viewers": None,
        "goal": 100,
        "timestamp": 0,
    }


def test_the_first_events_are_hello_and_upstream_and_the_snapshot_ends_with_sync(pair: Pair) -> None:
    """A session begins in a fixed order."""
    stack, ingest, broadcast = pair
    with Producer(ingest.url, stack.token("ingest")) as producer:
        producer.post("order", 1)
    with Dashboard(broadcast.url, stack.token("dashboard"), "?rooms=order") as dashboard:
        dashboard.wait_for(synced, "the snapshot")
    assert [event["event_type"] for event in dashboard.events] == ["HELLO", "UPSTREAM", "TELEMETRY_UPDATE", "SYNC"]
    assert dashboard.events[-1]["snapshot"] is True


def test_a_client_of_the_old_system_works_unchanged(pair: Pair) -> None:
    """Authorization header, no subprotocol: the snapshot and live updates, one event a frame, nothing else."""
    stack, ingest, broadcast = pair
    with Producer(ingest.url, stack.token("ingest")) as producer:
        producer.post("old", 1)
        with OldClient(broadcast.url, stack.token("dashboard", rooms=("old",))) as client:
            first = client.next_event()
            producer.post("old", 2)
            second = client.next_event()
    assert [first["data"]["tokens"], second["data"]["tokens"]] == [1, 2]
    assert set(first) == {"event_type", "room_id", "data", "timestamp", "version"}
    assert first["event_type"] == "TELEMETRY_UPDATE"


def test_a_token_limited_to_two_rooms_sees_two_rooms(pair: Pair) -> None:
    """Scope holds in the snapshot, live, and over HTTP."""
    stack, ingest, broadcast = pair
    token = stack.token("dashboard", rooms=("mine", "vip-*"))
    with Producer(ingest.url, stack.token("ingest")) as producer:
        for room in ("mine", "vip-1", "other"):
            producer.post(room, 1)
        with Dashboard(broadcast.url, token) as dashboard:
            dashboard.wait_for(synced, "the snapshot")
            for room in ("other", "mine"):
                producer.post(room, 2)
            dashboard.wait_for_tokens("mine", 2)
    assert {room for room, _ in dashboard.values} == {"mine", "vip-1"}
    headers = {"Authorization": f"Bearer {token}"}
    events = httpx.get(f"{broadcast.url}/api/tracking/telemetry", headers=headers).json()["events"]
    assert {event["room_id"] for event in events} == {"mine", "vip-1"}
    assert httpx.get(f"{broadcast.url}/api/tracking/telemetry/other/camsoda", headers=headers).status_code == 403


@on_one_node
def test_a_resumed_session_gets_only_what_it_missed(own_stack: Callable[..., Pair]) -> None:
    """With `since` the relay sends only later changes, and reports that it resumed."""
    stack, ingest, broadcast = own_stack()
    token = stack.token("dashboard")
    with Producer(ingest.url, stack.token("ingest")) as producer:
        producer.post("early", 1)
        with Dashboard(broadcast.url, token) as dashboard:
            # The relay resumes with an overlap of ten seconds, so it may leave out only older values.
            dashboard.wait_for(
                lambda d: d.since > d.values[("early", "camsoda")][0] + 11_000_000 if synced(d) else 0, "heartbeats", seconds=40
            )
        producer.post("late", 2)
        with Dashboard(broadcast.url, token, f"?since={dashboard.since}") as resumed:
            resumed.wait_for_tokens("late", 2)
    assert resumed.of("HELLO")[0]["resumed"] is True
    assert {event["room_id"] for event in resumed.of("TELEMETRY_UPDATE")} == {"late"}


@pytest.mark.room("f-2")
@amid_a_failover_too
def test_a_filter_narrows_and_a_forbidden_one_is_refused(pair: Pair) -> None:
    """The session goes on either way."""
    stack, ingest, broadcast = pair
    with (
        Producer(ingest.url, stack.token("ingest")) as producer,
        Dashboard(broadcast.url, stack.token("dashboard", rooms=("f-*",))) as dashboard,
    ):
        producer.deliver("f-1", 1)
        producer.deliver("f-2", 1)
        dashboard.wait_for(lambda d: len(d.values) == 2, "both rooms")
        dashboard.send(type="filter", rooms=["f-2"])
        dashboard.wait_for(lambda d: len([s for s in d.of("SYNC") if s["snapshot"]]) == 2, "the narrowed snapshot")
        producer.deliver("f-1", 2)
        dashboard.send(type="filter", rooms=["elsewhere"])
        dashboard.wait_for(lambda d: d.of("ERROR"), "the refusal")
        producer.deliver("f-2", 2)
        dashboard.wait_for_tokens("f-2", 2)
    assert not [e for e in dashboard.of("TELEMETRY_UPDATE") if e["room_id"] == "f-1" and e["data"]["tokens"] == 2]


def test_an_expiring_token_is_warned_of_then_ended_on_time(pair: Pair) -> None:
    """A socket does not outlive its token."""
    stack, _, broadcast = pair
    ends_at = time.time() + 3
    with Dashboard(broadcast.url, stack.token("dashboard", ttl_seconds=3)) as dashboard:
        assert dashboard.wait_for_close() == 4401
    assert abs(time.time() - ends_at) < 1.5
    assert dashboard.of("TOKEN_EXPIRING")


def test_a_session_renewed_in_place_outlives_its_first_token(pair: Pair) -> None:
    """Renewal needs no reconnect, and takes a token of the same subject only."""
    stack, ingest, broadcast = pair
    with (
        Producer(ingest.url, stack.token("ingest")) as producer,
        Dashboard(broadcast.url, stack.token("dashboard", ttl_seconds=2)) as dashboard,
    ):
        dashboard.send(type="auth", token=stack.token("dashboard", subject="stranger"))
        dashboard.wait_for(lambda d: d.of("ERROR"), "the refusal of a stranger's token")
        dashboard.send(type="auth", token=stack.token("dashboard", ttl_seconds=60))
        renewed = dashboard.wait_for(lambda d: d.of("TOKEN_RENEWED"), "the renewal")[0]
        wait_until(lambda: time.time() > renewed["expires_at"] - 57, "the end of the first token")
        producer.post("renewed", 5)
        dashboard.wait_for_tokens("renewed", 5)


def test_a_revoked_token_is_ended_everywhere_within_seconds(pair: Pair) -> None:
    """The open socket is closed, and neither service takes the token any more."""
    stack, ingest, broadcast = pair
    token, producer_token = stack.token("dashboard"), stack.token("ingest")
    with Dashboard(broadcast.url, token) as dashboard, Producer(ingest.url, producer_token) as producer:
        dashboard.wait_for(synced, "the snapshot")
        for ended in (token, producer_token):
            run_tokens("revoke", ended, environment=stack.environment(), check=True)
        assert dashboard.wait_for_close(5) == 4401
        wait_until(lambda: producer.post("revoked", 1).status_code == 401, "the producer's refusal", seconds=5)
    assert httpx.get(f"{broadcast.url}/api/tracking/telemetry", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_value_that_outlives_its_ttl_is_sent_as_expired(own_stack: Callable[..., Pair]) -> None:
    """Silence would look like a live room."""
    stack, ingest, broadcast = own_stack(TELEMETRY_TTL_SECONDS="2")
    with (
        Dashboard(broadcast.url, stack.token("dashboard", rooms=("brief",))) as dashboard,
        Producer(ingest.url, stack.token("ingest")) as producer,
    ):
        version = producer.post("brief", 1).json()["version"]
        dashboard.wait_for_tokens("brief", 1)
        expired = dashboard.wait_for(lambda d: d.of("TELEMETRY_EXPIRED"), "the expiry")[0]
    assert (expired["room_id"], expired["data"], expired["version"]) == ("brief", {"platform": "camsoda"}, version)


@pytest.mark.room("room-0")
@amid_a_failover_too
def test_two_of_each_service_show_the_same_values(own_stack: Callable[..., Pair]) -> None:
    """The services share nothing but Redis, so any mixture of them agrees."""
    stack, ingest, broadcast = own_stack()
    ingests, broadcasts = [ingest, stack.ingest()], [broadcast, stack.broadcast()]
    with contextlib.ExitStack() as clients:
        dashboards = [clients.enter_context(Dashboard(b.url, stack.token("dashboard"))) for b in broadcasts for _ in range(2)]
        producers = [clients.enter_context(Producer(i.url, stack.token("ingest"))) for i in ingests]
        for number in range(40):
            producers[number % 2].deliver(f"room-{number % 8}", number)
        for dashboard in dashboards:
            for number in range(32, 40):
                dashboard.wait_for_tokens(f"room-{number % 8}", number)
    assert len({json.dumps(sorted(d.values.items())) for d in dashboards}) == 1


@on_one_node
def test_the_server_killed_and_restarted_mid_traffic(own_stack: Callable[..., Pair]) -> None:
    """Ingest answers 503 within two seconds; clients receive `degraded`, keep their socket, and end on the last accepted value."""
    stack, ingest, broadcast = own_stack()
    assert stack.redis is not None
    with Dashboard(broadcast.url, stack.token("dashboard")) as dashboard, Producer(ingest.url, stack.token("ingest")) as producer:
        producer.post("steady", 1)
        dashboard.wait_for_tokens("steady", 1)
        stack.redis.kill(lose_data=True)
        watch = Stopwatch(ingest.pid)
        refused = producer.post("steady", 2)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert watch.seconds < 2
        dashboard.wait_for(lambda d: d.of("UPSTREAM")[-1]["status"] == "degraded", "degraded", seconds=5)
        stack.redis.start()
        wait_until(lambda: producer.post("steady", 3).status_code == 200, "an accepted reading")
        dashboard.wait_for_tokens("steady", 3)
        dashboard.wait_for(lambda d: d.of("UPSTREAM")[-1]["status"] == "ok", "ok again")
        versions = [event["version"] for event in dashboard.of("TELEMETRY_UPDATE")]
    assert versions == sorted(set(versions))
    assert len(dashboard.of("HELLO")) == 1


@on_one_node
def test_a_stopped_server_is_noticed_although_its_sockets_stay_open(own_stack: Callable[..., Pair]) -> None:
    """Half-open links are the probe's reason to be: `degraded` within five seconds, ingest answers 503, nothing is stored twice."""
    stack, ingest, broadcast = own_stack()
    assert stack.redis is not None
    with Dashboard(broadcast.url, stack.token("dashboard")) as dashboard, Producer(ingest.url, stack.token("ingest")) as producer:
        producer.post("frozen", 1)
        dashboard.wait_for_tokens("frozen", 1)
        body = {"tokens": 2, "timestamp": int(time.time()), "sequence": time.time_ns() // 1_000_000}
        with stack.redis.frozen():
            assert producer.post("frozen", **body).status_code == 503
            dashboard.wait_for(lambda d: d.of("UPSTREAM")[-1]["status"] == "degraded", "degraded", seconds=5)
            assert httpx.get(f"{broadcast.url}/readyz").status_code == 503
        answer = wait_until(lambda: (r := producer.post("frozen", **body)).status_code == 200 and r.json(), "an answer")
        dashboard.wait_for_tokens("frozen", 2)
        dashboard.wait_for(lambda d: d.of("UPSTREAM")[-1]["status"] == "ok", "ok again")
    assert answer["result"] in ("accepted", "duplicate")
    versions = [e["version"] for e in dashboard.of("TELEMETRY_UPDATE") if e["data"]["tokens"] == 2]
    assert versions == [answer["version"]]


@on_one_node
def test_clients_that_never_read_are_cut_and_harm_no_others(own_stack: Callable[..., Pair]) -> None:
    """Of a hundred clients twenty never read: the others receive everything, the stuck ones are closed."""
    stack, ingest, broadcast = own_stack(RATE_LIMIT_ROOM_PER_SECOND="0", RATE_LIMIT_TOKEN_PER_SECOND="0")
    token = stack.token("dashboard")
    stuck = [NeverReader(broadcast.port, token) for _ in range(20)]
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        readers = thread.submit(lambda: asyncio.run(_read_until(broadcast.url, token, clients=80, room="the-end")))
        wait_until(lambda: metric(broadcast.url, "pulse_clients") == 100, "a hundred clients")
        rounds = 0  # without a bound: how many are merged into one flush depends on how fast they are posted
        deadline = time.monotonic() + 90
        while metric(broadcast.url, 'pulse_websocket_closes_total{reason="too slow"}') < 20:
            assert time.monotonic() < deadline, "the stuck clients were not cut"
            _post_batch(ingest.url, stack.token("ingest"), rounds)
            rounds += 1
        with Producer(ingest.url, stack.token("ingest")) as producer:
            producer.post("the-end", 1)
        assert readers.result(20) == 80
    for client in stuck:
        client.close()


async def _read_until(url: str, token: str, *, clients: int, room: str) -> int:
    """Opens `count` dashboards that read until an event of a room arrives; returns how many received it."""

    async def read() -> bool:
        protocols = [Subprotocol("pulse.v1"), Subprotocol(f"bearer.{token}")]
        async with connect(url.replace("http", "ws") + "/ws/dashboard", subprotocols=protocols, ping_interval=None) as socket:
            async for message in socket:
                if room in str(message):
                    return True
        return False

    return sum(await asyncio.gather(*(read() for _ in range(clients))))


def _post_batch(url: str, token: str, number: int) -> None:
    """A hundred wide rooms change."""
    now_ms = time.time_ns() // 1_000_000
    body = [
        {
            "room_id": f"{'wide' * 12}-{room}",
            "platform": "camsoda",
            "tokens_count": number,
            "timestamp": now_ms // 1000,
            "sequence": now_ms,
        }
        for room in range(100)
    ]
    response = httpx.post(f"{url}/api/tracking/telemetry/batch", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert response.status_code == 200


def test_a_draining_server_says_goodbye_and_exits_in_time_despite_a_stuck_reader(own_stack: Callable[..., Pair]) -> None:
    """The last value, RECONNECT, 1012, and an end."""
    stack, ingest, broadcast = own_stack()
    stuck = NeverReader(broadcast.port, stack.token("dashboard"))
    with Dashboard(broadcast.url, stack.token("dashboard")) as dashboard, Producer(ingest.url, stack.token("ingest")) as producer:
        dashboard.wait_for(synced, "the snapshot")
        producer.post("goodbye", 9)
        broadcast.signal(signal.SIGTERM)
        assert dashboard.wait_for_close() == 1012
        assert broadcast.wait(12) in (0, -signal.SIGTERM)
    assert dashboard.values["goodbye", "camsoda"][1] == 9
    assert 0 < dashboard.of("RECONNECT")[0]["retry_after_ms"] <= 3000
    stuck.close()


def test_nothing_secret_is_logged(pair: Pair) -> None:
    """After all of the above no log contains a token or a key."""
    stack, _, _ = pair
    text = "".join(path.read_text() for path in stack.directory.glob("*.log"))
    assert "session.started" in text
    assert stack.token_keys.split(":")[1] not in text
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}\.", text)


@on_one_node
def test_account_interval_and_an_unknown_balance_reach_a_dashboard(pair: Pair) -> None:
    """What a producer sends of them is in the event, in the list and in the stored reading."""
    stack, ingest, broadcast = pair
    sent = {"account": "Ana.7", "interval_seconds": 60, "viewers_count": 3}
    with Dashboard(broadcast.url, stack.token("dashboard")) as dashboard, Producer(ingest.url, stack.token("ingest")) as producer:
        dashboard.wait_for(synced, "the snapshot")
        producer.deliver("accounted", 0, tokens_count=None, **sent)
        dashboard.wait_for(lambda d: any(e["room_id"] == "accounted" for e in d.of("TELEMETRY_UPDATE")), "the reading")
    event = next(event for event in dashboard.of("TELEMETRY_UPDATE") if event["room_id"] == "accounted")
    assert [event["data"][name] for name in ("tokens", "viewers", "account", "interval_seconds")] == [None, 3, "Ana.7", 60]
    headers = {"Authorization": f"Bearer {stack.token('dashboard')}"}
    listed = httpx.get(f"{broadcast.url}/api/tracking/telemetry", headers=headers).json()["events"]
    assert event in listed
    stored = httpx.get(f"{broadcast.url}/api/tracking/telemetry/accounted/camsoda", headers=headers).json()
    assert {name: stored[name] for name in sent} == sent
    assert stored["tokens_count"] is None
