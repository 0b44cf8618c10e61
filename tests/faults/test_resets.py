"""Real RSTs (SO_LINGER 0) on every connection to Redis, idle ones too, of both services and in each topology."""

import asyncio
import contextlib
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx
import pytest

from tests.faults.catalogue import record
from tests.faults.link import Link
from tests.faults.scene import ROOMS, Scene, play
from tests.support.readings import PLATFORM
from tests.support.redis_topologies import Cluster, Sentinels
from tools.redis_server import RedisServer

pytestmark = pytest.mark.faults

RESETS: Final = 8
READS: Final = ("/api/tracking/telemetry/{room}/{platform}", "/api/tracking/telemetry/{room}/{platform}/history", "/api/tracking/analytics")

Way = tuple[str, list[Link]]


@contextlib.contextmanager
def one_node(directory: pathlib.Path) -> Iterator[Way]:
    """One server behind one link."""
    node = RedisServer(directory / "node")
    link = Link(node.port)
    try:
        node.start()
        with link.running():
            yield link.url, [link]
    finally:
        node.kill()


@contextlib.contextmanager
def behind_sentinels(directory: pathlib.Path) -> Iterator[Way]:
    """The primary and each Sentinel behind links of their own; the Sentinels know the primary by its link."""
    sentinels = Sentinels(directory)
    primary = Link(sentinels.primary.port)
    links = [primary, *(Link(sentinel.port) for sentinel in sentinels.sentinels)]
    for sentinel in sentinels.sentinels:
        text = sentinel.config.read_text()
        sentinel.config.write_text(text.replace(f"127.0.0.1 {sentinels.primary.port} 2", f"127.0.0.1 {primary.port} 2"))
    with contextlib.ExitStack() as open_now:
        for link in links:
            open_now.enter_context(link.running())
        open_now.enter_context(sentinels.running())
        hosts = ",".join(f"127.0.0.1:{link.port}" for link in links[1:])
        yield f"redis+sentinel://{hosts}/{Sentinels.NAME}", links


class LinkedCluster(Cluster):
    """A Cluster whose nodes announce the ports of links to them."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory)
        self.links = [Link(node.port) for node in self.nodes]
        for node, link in zip(self.nodes, self.links, strict=True):
            with node.config.open("a") as config:
                config.write(f"cluster-announce-port {link.port}\n")


@contextlib.contextmanager
def in_a_cluster(directory: pathlib.Path) -> Iterator[Way]:
    """Three nodes, each behind a link."""
    cluster = LinkedCluster(directory)
    with contextlib.ExitStack() as open_now:
        for link in cluster.links:
            open_now.enter_context(link.running())
        open_now.enter_context(cluster.running())
        yield f"redis+cluster://127.0.0.1:{cluster.links[0].port}", cluster.links


async def read(scene: Scene, statuses: set[int]) -> None:
    """Reads over HTTP until cancelled, and keeps which statuses were answered."""
    headers = {"Authorization": f"Bearer {scene.stack.token('dashboard')}"}
    async with httpx.AsyncClient(base_url=scene.broadcasts[0].url, headers=headers, timeout=10) as client:
        while True:
            for path in READS:
                response = await client.get(path.format(room=ROOMS[0], platform=PLATFORM))
                statuses.add(response.status_code)


async def resets(scene: Scene, reset: Callable[[], None]) -> float:
    """Resets everything again and again, once things flow and once more before; no process may end, and readings must flow again."""
    statuses: set[int] = set()
    since = time.monotonic()
    reading = asyncio.create_task(read(scene, statuses))
    for number in range(RESETS):
        reset()
        if number % 2:
            await asyncio.sleep(0.2)  # in the middle of connecting again
        else:
            healed = await scene.mended()
        assert [service.poll() for service in (*scene.ingests, *scene.broadcasts)] == [None, None]
    healed = await scene.mended()
    assert await scene.status(scene.ingests[0]) == await scene.status(scene.broadcasts[0]) == 200
    assert scene.producer.statuses(since) <= {200, 503}
    assert not reading.done()
    assert statuses <= {200, 503}
    assert 200 in statuses
    assert scene.connections == {1}
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return healed


@pytest.mark.parametrize(
    ("way", "shards"),
    [(one_node, 1), (one_node, 4), (behind_sentinels, 1), (in_a_cluster, 16)],
    ids=["one node", "four shards", "Sentinel", "Cluster"],
)
def test_resets_of_every_connection(
    tmp_path: pathlib.Path, way: Callable[..., "contextlib.AbstractContextManager[Way]"], shards: int
) -> None:
    """Commits, subscriptions, probes, the map of nodes, revoked tokens and HTTP reads go on over new connections."""
    with way(tmp_path / "redis") as (url, links):

        async def story(scene: Scene) -> None:
            def reset() -> None:
                for link in links:
                    link.reset_once()

            healed = await resets(scene, reset)
            name = "four shards" if shards == 4 else way.__name__.replace("_", " ")
            record(33, f"RST on every connection, {RESETS} times ({name})", "200 or 503; same processes, same sockets", healed)

        play(tmp_path, story, url=url, settings={"TELEMETRY_SHARDS": str(shards)})


def destroy_sockets(port: int) -> None:
    """Has the kernel reset every connection to a port."""
    subprocess.run(["ss", "-K", "dst", "127.0.0.1", "dport", "=", f":{port}"], check=False, capture_output=True)


def may_destroy_sockets() -> bool:
    """Whether this machine lets `ss -K` destroy a connection; `ss` says nothing about it."""
    if shutil.which("ss") is None:
        return False
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        destroy_sockets(server.getsockname()[1])
        return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def test_resets_of_direct_connections(tmp_path: pathlib.Path) -> None:
    """The same without a proxy between, where the machine allows it."""
    if not may_destroy_sockets():
        pytest.skip("this machine does not let ss destroy a socket")

    async def story(scene: Scene) -> None:
        healed = await resets(scene, lambda: destroy_sockets(scene.redis.port))
        record(33, f"`ss -K` on every connection, {RESETS} times", "200 or 503; same processes, same sockets", healed)

    play(tmp_path, story)
