"""Messages that a subscription reads together reach the sink together, in their order, and none is lost by what follows it."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from redis.exceptions import RedisError

from shared.contract import keys
from shared.contract.codec import encode
from shared.contract.readings import StoredReading
from shared.store import subscription
from shared.store.listener import MAX_ARRIVED, ShardListener
from shared.store.listener_metrics import commit_to_relay_seconds
from shared.store.reading_sink import Source
from shared.store.subscription import Subscription
from tools.waiting import wait_until_async

pytestmark = pytest.mark.anyio

EVENTS, PROBES = keys.events_channel(0).encode(), keys.probe_channel(0, "test").encode()
NOW_US = int(time.time() * 1e6)


class Sink:
    """Records its calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def receive(self, readings: Sequence[StoredReading], source: Source, _now: float) -> int:
        """Readings, by their versions."""
        assert source is Source.LIVE
        self.calls.append([reading.version - NOW_US for reading in readings])
        return len(readings)

    def advance(self, _shard: int, version: int, *, of_commit: bool) -> None:
        """Progress."""
        self.calls.append((version - NOW_US, of_commit))

    def read_delay_seconds(self, _busy: float) -> float:
        """It wants everything at once."""
        return 0.0


class Transport(asyncio.Transport):
    """Only received from."""

    def set_protocol(self, _protocol: Any) -> None:
        """The test is at the other end."""

    def is_closing(self) -> bool:
        """It stays open."""
        return False

    def pause_reading(self) -> None:
        """The received bytes are handed over in several turns."""

    def resume_reading(self) -> None:
        """Nothing waits."""


class Link:
    """A listener's subscription, and what the server sends on it."""

    def __init__(self) -> None:
        self.sink = Sink()
        self.listener = ShardListener(SimpleNamespace(), 0, self.sink, "test")  # type: ignore[arg-type]
        self.listener.confirmed = True
        self.subscription = Subscription(
            Transport(),
            self.listener._receive,
            channels=2,
            on_read=self.listener._deliver_arrived,
        )

    def receive(self, *messages: tuple[bytes, bytes] | bytes) -> None:
        """Messages, each with its channel, and raw replies, in one read."""
        self.subscription.data_received(b"".join(one if isinstance(one, bytes) else reply(*one) for one in messages))


def reply(channel: bytes, data: bytes) -> bytes:
    """A published message in the Redis protocol."""
    return b"*3\r\n$7\r\nmessage\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in (channel, data))


def commit(*versions: int) -> tuple[bytes, bytes]:
    """A message with one reading for each version, made by its own room."""
    readings = [StoredReading(f"room-{n}", "chaturbate", NOW_US // 10**6, 1, version=NOW_US + n, committed_at=NOW_US) for n in versions]
    return EVENTS, b"\n".join(map(encode, readings))


@pytest.fixture
async def link(monkeypatch: pytest.MonkeyPatch) -> Link:
    """A link without messages, which hands over in one turn all that it reads together, however slow the machine is."""
    monkeypatch.setattr(subscription, "BUSY_SECONDS", 60.0)
    return Link()


async def test_messages_that_are_read_together_are_delivered_together(link: Link) -> None:
    """In their order, and the progress is that of the newest reading."""
    link.receive(commit(1), commit(2, 3), commit(4))
    assert link.sink.calls == [[1, 2, 3, 4], (4, True)]


async def test_a_probe_is_reported_after_the_readings_before_it(link: Link) -> None:
    """It says that all of them have been received, so those behind it are not delivered before it either."""
    link.receive(commit(1), (PROBES, b"%d" % (NOW_US + 5)), commit(6))
    assert link.sink.calls == [[1], (1, True), (5, False), [6], (6, True)]


async def test_readings_before_a_protocol_error_are_delivered(link: Link) -> None:
    """The error ends the subscription, as before."""
    link.receive(commit(1), commit(2), b"?nonsense\r\n", commit(3))
    assert link.sink.calls == [[1, 2], (2, True)]
    with pytest.raises(RedisError):
        await link.subscription.lost()


async def test_a_message_that_has_not_arrived_completely_delays_none_before_it(link: Link) -> None:
    """It is delivered with its last byte."""
    rest = reply(*commit(2))
    link.receive(commit(1), rest[:-3])
    assert link.sink.calls == [[1], (1, True)]
    link.receive(rest[-3:])
    assert link.sink.calls[2:] == [[2], (2, True)]


@pytest.mark.parametrize("busy_seconds", [60.0, 0.0001])
async def test_many_readings_are_delivered_in_parts(link: Link, monkeypatch: pytest.MonkeyPatch, busy_seconds: float) -> None:
    """So that the loop has a turn after some milliseconds; also where handing them over takes several turns."""
    monkeypatch.setattr(subscription, "BUSY_SECONDS", busy_seconds)
    versions = list(range(1, MAX_ARRIVED + 2))
    link.receive(*map(commit, versions))

    def delivered() -> list[list[int]]:
        return [call for call in link.sink.calls if isinstance(call, list)]

    await wait_until_async(lambda: sum(map(len, delivered())) == len(versions), "all readings")
    assert max(map(len, delivered())) <= MAX_ARRIVED
    assert list(itertools.chain(*delivered())) == versions


async def test_an_error_of_the_sink_ends_the_subscription(link: Link) -> None:
    """And delivers nothing twice."""
    link.sink.receive = lambda *_: 1 // 0  # type: ignore[method-assign]
    link.receive(commit(1))
    with pytest.raises(ZeroDivisionError):
        await link.subscription.lost()
    link.receive(commit(2))
    assert link.sink.calls == []


async def test_the_delay_of_commits_that_are_read_together_is_that_of_the_oldest(link: Link) -> None:
    """One observation for one read."""

    def observed() -> tuple[float, float]:
        values = {sample.name.rpartition("_")[2]: sample.value for sample in next(iter(commit_to_relay_seconds.collect())).samples}
        return values["count"], values["sum"]

    count, seconds = observed()
    old = encode(StoredReading("room-0", "chaturbate", NOW_US // 10**6, 1, version=NOW_US, committed_at=NOW_US - 60_000_000))
    link.receive((EVENTS, old), commit(1), commit(2))
    assert observed()[0] == count + 1
    assert observed()[1] >= seconds + 59
