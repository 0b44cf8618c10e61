"""A subscription on each real server: the messages that it delivers, how it ends, and where messages wait while it pauses."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, ResponseError

from shared.store.redis import RedisUrl, Store
from shared.store.subscription import Subscription, subscription
from tests.contract import servers

pytestmark = pytest.mark.anyio
WITHIN_SECONDS = 60.0


class Listening:
    """The messages of the channel `news` so far."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.seconds_each = 0.0
        self._changed = asyncio.Event()
        self.subscription: Subscription

    def receive(self, kind: bytes, channel: bytes, data: bytes) -> None:
        """Receives one message; `bug` replaces one that raises."""
        assert (kind, channel) == (b"message", b"news")
        if data == b"bug":
            raise ZeroDivisionError
        time.sleep(self.seconds_each)
        self.received.append(data)
        self._changed.set()

    async def until(self, count: int) -> list[bytes]:
        """The messages, once there are so many."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while len(self.received) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.received

    async def end(self) -> Exception:
        """The exception that ended the subscription."""
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the test asks which
            async with asyncio.timeout(WITHIN_SECONDS):
                await self.subscription.lost()
        return caught.value


LOOPS = {"asyncio": False, "uvloop": True}
SERVERS = {"valkey": servers.embedded, "redis7": servers.debian, "redis7 over TLS": servers.debian_over_tls}


@pytest.fixture(scope="module", params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The loop of the services, whose transports are the ones that matter, and Python's own."""
    return "asyncio", {"use_uvloop": LOOPS[request.param]}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Each real server."""
    with SERVERS[request.param](tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
async def node(server: servers.Server, real: Redis) -> AsyncIterator[Redis]:
    """The server as the services know it; `real` has emptied it."""
    async with Store(RedisUrl.parse(server.url)) as store:
        yield store.owner("any")


@pytest.fixture
async def listening(node: Redis) -> AsyncIterator[Listening]:
    """A confirmed subscription."""
    listening = Listening()
    async with subscription(node, "SUBSCRIBE", [b"news"], listening.receive) as listening.subscription:
        yield listening


async def test_hands_over_every_message_in_order(listening: Listening, real: Redis) -> None:
    """Many small ones, and one of a megabyte that arrives in parts."""
    messages = [b"%d" % number for number in range(500)] + [b"x" * 1_000_000]
    for message in messages:
        await real.publish("news", message)
    assert await listening.until(len(messages)) == messages


async def test_what_is_published_during_a_rest_is_read_after_it(listening: Listening, real: Redis) -> None:
    """Nothing is handed over meanwhile, and nothing is lost; a second rest does not prolong the first."""
    loop = asyncio.get_running_loop()
    resting_until = loop.time() + 0.3
    listening.subscription.pause(0.3)
    listening.subscription.pause(60)
    for number in range(10):
        await real.publish("news", b"%d" % number)
    assert loop.time() >= resting_until - 0.002 or not listening.received  # uvloop counts whole milliseconds
    await listening.until(10)
    assert loop.time() >= resting_until - 0.002


async def test_a_burst_gives_the_loop_back(listening: Listening, real: Redis) -> None:
    """What takes long to hand over is handed over in parts, in order, with the loop's other work in between."""
    loop, turns, is_over = asyncio.get_running_loop(), [0], False

    def turn() -> None:
        turns[0] += 1
        if not is_over:
            loop.call_soon(turn)

    listening.seconds_each = 0.002
    messages = [b"%d" % number for number in range(60)]
    listening.subscription.pause(0.2)
    async with real.pipeline(transaction=False) as pipeline:
        for message in messages:
            pipeline.publish("news", message)
        await pipeline.execute()
    await listening.until(1)
    turn()
    assert await listening.until(len(messages)) == messages
    is_over = True
    assert turns[0] >= 10  # 120 ms of work, 5 ms at a stretch


async def test_ends_with_its_connection(listening: Listening, real: Redis) -> None:
    """The server cuts it off; resting then does no harm."""
    await real.client_kill_filter(_type="pubsub")
    assert isinstance(await listening.end(), RedisConnectionError)
    listening.subscription.pause(1)


async def test_ends_while_it_rests(listening: Listening, real: Redis) -> None:
    """Who rests does not see the end, and sees it as soon as it reads again."""
    listening.subscription.pause(0.05)
    await real.client_kill_filter(_type="pubsub")
    assert isinstance(await listening.end(), RedisConnectionError)


async def test_ends_with_a_bug_of_its_listener(listening: Listening, real: Redis) -> None:
    """The process must stop rather than look alive without receiving; later messages are not delivered."""
    async with real.pipeline(transaction=False) as pipeline:
        for message in (b"before", b"bug", b"after"):
            pipeline.publish("news", message)
        await pipeline.execute()
    assert isinstance(await listening.end(), ZeroDivisionError)
    await real.publish("news", b"later")
    await real.ping()
    assert listening.received == [b"before"]


@pytest.mark.parametrize("wrong", ["forbidden", "unknown"])
async def test_is_refused_with_the_servers_own_error(node: Redis, real: Redis, wrong: str) -> None:
    """An ACL without the channel, and a command that this server does not have."""
    if wrong == "forbidden":
        await real.acl_setuser("default", enabled=True, nopass=True, reset_channels=True)
    try:
        with pytest.raises(NoPermissionError if wrong == "forbidden" else ResponseError):
            async with subscription(node, "SUBSCRIBE" if wrong == "forbidden" else "NOSUCH", [b"news"], Listening().receive):
                raise AssertionError("it was confirmed")
    finally:
        await real.acl_setuser("default", enabled=True, nopass=True, channels=["*"])
