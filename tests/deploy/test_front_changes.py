"""Behind the shipped front replicas are added, killed and hidden from one another's addresses, and clients need not care."""

import asyncio
import contextlib
import re
from collections.abc import Callable

import httpx
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.deploy.conftest import Chain
from tests.deploy.front import Front, Replicas, is_debians
from tests.faults.link import Link
from tests.faults.scene import ROOMS, Scene, acting
from tests.support.clients import Dashboard, Producer, metric
from tools.waiting import wait_until

KILLED_WITHIN = 8.0


def test_killed_replicas_are_routed_around(own_chain: Callable[..., Chain]) -> None:
    """One of each dies by kill -9 under load: no accepted reading is missing anywhere, all come back and converge, POSTs are answered."""
    replicas, front = own_chain(HEARTBEAT_SECONDS="1")

    async def story() -> None:
        scene = Scene(replicas.stack, [front], [front], None, Link(0))
        async with acting(scene, 6, None):
            connections = [dashboard.connections for dashboard in scene.dashboards]
            for service in (replicas.ingests[0], replicas.broadcasts[0]):
                await asyncio.to_thread(replicas.kill, service)
            await scene.mended(within=KILLED_WITHIN)
            assert any(d.connections > before for d, before in zip(scene.dashboards, connections, strict=True))
        lost = [status for _, _, status in scene.producer.answers if status != 200]
        assert len(lost) <= (len(ROOMS) if is_debians() else 0)  # Debian's cannot resend requests in flight to another replica

    asyncio.run(story())
    _assert_nothing_secret_is_logged(replicas, front)


def _assert_nothing_secret_is_logged(replicas: Replicas, front: Front) -> None:
    """Neither by the front, whose errors are logged with their requests, nor by the services."""
    for broadcast in replicas.broadcasts:
        with contextlib.suppress(ProcessLookupError):
            broadcast.kill()
    token = replicas.stack.token("dashboard")
    assert httpx.get(f"{front.url}/api/tracking/telemetry?token={token}", headers={"Authorization": f"Bearer {token}"}).status_code == 502
    text = "".join(path.read_text() for path in replicas.stack.directory.glob("*.log"))
    assert "session.started" in text
    assert replicas.stack.token_keys.split(":")[1] not in text
    assert not any(password in text for password in replicas.store.passwords.values())
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}\.", text)


def test_a_replica_that_is_added_is_found(own_chain: Callable[..., Chain]) -> None:
    """`--scale` needs no reload: on the laptop's plain HTTP the third replica gets its share of new sockets, and of the readings."""
    replicas, front = own_chain(secure=False)
    third, token = replicas.add_broadcast(), replicas.stack.token("dashboard")
    with contextlib.ExitStack() as dashboards, Producer(front.url, replicas.stack.token("ingest")) as producer:

        def has_some() -> bool:
            dashboards.enter_context(Dashboard(front.url, token))
            return metric(third.url, "pulse_clients") > 0

        wait_until(has_some, "a socket on the third replica")
        assert producer.post("added", 1).status_code == 200
        wait_until(lambda: metric(third.url, 'pulse_readings_received_total{source="live"}') > 0, "the reading")
    assert "Strict-Transport-Security" not in httpx.get(front.url).headers


def test_each_client_has_its_own_address_behind_the_front(own_chain: Callable[..., Chain]) -> None:
    """The limit per address counts clients, not the proxy, and an invented address gains nothing."""
    replicas, front = own_chain(secure=False, MAX_CONNECTIONS_PER_ADDRESS="1")
    token = replicas.stack.token("dashboard")
    with contextlib.ExitStack() as open_now:

        def status(source: str, *, address: str = "", **headers: str) -> int:
            protocols = [Subprotocol("pulse.v1"), Subprotocol(f"bearer.{token}")]
            address = address or f"ws://127.0.0.1:{front.port}/ws/dashboard"
            try:
                open_now.enter_context(connect(address, subprotocols=protocols, source_address=(source, 0), additional_headers=headers))
            except InvalidStatus as refusal:
                return refusal.response.status_code
            return 101

        def each_has_one() -> bool:
            return status("127.0.0.9") > 0 and all(metric(broadcast.url, "pulse_clients") == 1 for broadcast in replicas.broadcasts)

        wait_until(each_has_one, "a socket of the first address on each replica")
        assert status("127.0.0.10") == 101
        assert status("127.0.0.9", **{"X-Forwarded-For": "192.0.2.1"}) == 429
        straight = replicas.broadcasts[0].url.replace("http", "ws") + "/ws/dashboard"
        assert status("127.0.0.9", address=straight, **{"X-Forwarded-For": "192.0.2.1"}) == 429
        assert status("127.0.0.9", **{"X-Real-Ip": "192.0.2.1", "Forwarded": "for=192.0.2.1"}) == 429
