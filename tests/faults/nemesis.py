"""Random faults: the table of all of them, and rounds that are drawn from a seed.

A fault is a context manager that breaks something on entry and heals it on exit. The table says of each what the promise of
docs/reliability.md allows while it lasts. The draw depends on seed, topology and number of the round alone, so a shorter run is the
beginning of a longer one.
"""

import asyncio
import contextlib
import functools
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import redis

from tests.faults.link import Link
from tests.faults.scene import ROOMS
from tests.faults.worlds import SHARDS, World, set_clock
from tests.support.redis_topologies import Sentinels, slot_of, wait_for_redis
from tools.processes import Service
from tools.redis_server import RedisServer

ONE: Final = ("single", "shards")
ALL: Final = tuple(SHARDS)
REPLICATED: Final = ("sentinel", "cluster")
BOTH: Final = ("ingest", "broadcast")
LONG_SECONDS: Final = (5.5, 7.0)  # longer than anything may take to become known
SHORT_SECONDS: Final = (0.1, 1.6)
LONG_SHARE: Final = 0.25
SECOND_SHARE: Final = 0.35
CLOCK_OFF_SECONDS: Final = 200
BEYOND_TTL_SECONDS: Final = 4000
EXIT_SECONDS: Final = 12.0

Dice = random.Random
Break = Callable[[World, Dice], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """One way to break things.

    `where`: the topologies that contain it. `place`: the broken part; two faults of a round have different places. `known`: the
    topologies in which a long one must become known within five seconds, to every dashboard if it `degrades`, and by the readiness of the
    services that are `unready`. `loses`: the topologies in which accepted values may be lost. `silent`: whether a POST may be unanswered.
    """

    begin: Break
    where: Sequence[str] = ALL
    place: str = "redis"
    known: Sequence[str] = ()
    degrades: bool = True
    unready: Sequence[str] = ()
    loses: Sequence[str] = ()
    silent: bool = False

    @property
    def name(self) -> str:
        """Its name in plans and reports."""
        return self.begin.__name__.replace("_", " ")


class Round(NamedTuple):
    """What happens in one round: faults, each after a pause, then all of them last for a while."""

    number: int
    faults: tuple[Fault, ...]
    pauses: tuple[float, ...]
    seconds: float

    @property
    def is_long(self) -> bool:
        """Whether it lasts for longer than anything may take to become known."""
        return self.seconds >= LONG_SECONDS[0]

    def __str__(self) -> str:
        """A line for the record."""
        return f"round {self.number}: {' and '.join(fault.name for fault in self.faults)} for {self.seconds:.1f} s"


def draw(seed: int, topology: str, rounds: int) -> list[Round]:
    """The rounds of a seed in a topology."""
    return [_round(random.Random(f"{seed}/{topology}/{number}"), topology, number) for number in range(rounds)]


def dice_of(seed: int, topology: str, number: int, fault: Fault) -> Dice:
    """What a fault draws its own choices from."""
    return random.Random(f"{seed}/{topology}/{number}/{fault.name}")


def _round(dice: Dice, topology: str, number: int) -> Round:
    possible = [fault for fault in FAULTS if topology in fault.where]
    faults = [dice.choice(possible)]
    if dice.random() < SECOND_SHARE:
        faults.append(dice.choice([fault for fault in possible if not _collide(fault.place, faults[0].place)]))
    pauses = tuple(dice.uniform(0, 0.8) for _ in faults)
    return Round(number, tuple(faults), pauses, dice.uniform(*(LONG_SECONDS if dice.random() < LONG_SHARE else SHORT_SECONDS)))


def _collide(one: str, other: str) -> bool:
    """Whether two faults would get in each other's way."""
    return one == other or ("services" in (one, other) and not {one, other} & {"redis", "line"})


# --- Redis ---


def _breaks(function: Callable[[World, Dice], AsyncIterator[None]]) -> Break:
    return functools.wraps(function)(contextlib.asynccontextmanager(function))


async def _on_all(nodes: Sequence[RedisServer], action: Callable[[redis.Redis], Any]) -> None:
    """Runs the same on several servers; one that does not answer is left out."""
    for node in nodes:
        with contextlib.suppress(redis.RedisError, OSError):
            await asyncio.to_thread(action, node.admin)


@_breaks
async def redis_killed(world: World, dice: Dice) -> AsyncIterator[None]:
    """Kills the server; it comes back with its append-only file."""
    world.node.kill()
    yield
    await asyncio.to_thread(world.node.start)


@_breaks
async def redis_restarted_empty(world: World, dice: Dice) -> AsyncIterator[None]:
    """Kills the server; it comes back without data."""
    world.node.kill()
    shutil.rmtree(world.node.directory / "appendonlydir")
    yield
    await asyncio.to_thread(world.node.start)


@_breaks
async def redis_flushed(world: World, dice: Dice) -> AsyncIterator[None]:
    """FLUSHALL on every primary."""
    await _on_all(world.redis.primaries(), lambda admin: admin.flushall())
    yield


@_breaks
async def redis_stopped(world: World, dice: Dice) -> AsyncIterator[None]:
    """SIGSTOP: the sockets stay open and nothing answers."""
    with world.node.frozen():
        yield


async def _users(world: World, *rules: str) -> None:
    def grant(admin: redis.Redis) -> None:
        """Changes the rights of the default user on one node."""
        admin.execute_command("ACL", "SETUSER", "default", *rules)  # type: ignore[no-untyped-call]

    await _on_all(world.redis.nodes, grant)


@_breaks
async def right_withdrawn(world: World, dice: Dice) -> AsyncIterator[None]:
    """The user loses the right to one command."""
    commands = "get set setrange getrange zadd zscore zrange hset hmget expire expireat evalsha publish spublish sadd time hgetall smembers"
    command = dice.choice(commands.split())
    await _users(world, f"-{command}")
    yield
    await _users(world, f"+{command}")


@_breaks
async def subscribing_forbidden(world: World, dice: Dice) -> AsyncIterator[None]:
    """The user loses the right to subscribe, and the subscriptions are cut."""
    await _users(world, "-subscribe", "-ssubscribe")
    await _on_all(world.redis.nodes, lambda admin: admin.client_kill_filter(_type="pubsub"))
    yield
    await _users(world, "+subscribe", "+ssubscribe")


@_breaks
async def out_of_memory(world: World, dice: Dice) -> AsyncIterator[None]:
    """Redis refuses all commands that need memory."""
    await _on_all(world.redis.nodes, lambda admin: admin.config_set("maxmemory", "1"))
    yield
    await _on_all(world.redis.nodes, lambda admin: admin.config_set("maxmemory", "0"))


@_breaks
async def clients_full(world: World, dice: Dice) -> AsyncIterator[None]:
    """Redis is at its limit of connections, and those that were open are cut."""
    with world.node.admin.client() as kept:  # type: ignore[no-untyped-call]
        kept.config_set("maxclients", "1")
        kept.client_kill_filter(_type="normal", skipme=True)
        kept.client_kill_filter(_type="pubsub")
        yield
        kept.config_set("maxclients", "1000")


@_breaks
async def connections_killed(world: World, dice: Dice) -> AsyncIterator[None]:
    """CLIENT KILL on one kind of connection, or on both."""
    for kind in dice.choice((("normal",), ("pubsub",), ("normal", "pubsub"))):
        await _on_all(world.redis.nodes, lambda admin, kind=kind: admin.client_kill_filter(_type=kind, skipme=True))  # type: ignore[misc]
    yield


@_breaks
async def redis_clock_steps(world: World, dice: Dice) -> AsyncIterator[None]:
    """Redis' clock steps, and back."""
    clock = world.clock(world.node.port)
    set_clock(clock, dice.choice((-1, 1)) * dice.randint(5, CLOCK_OFF_SECONDS))
    yield
    set_clock(clock, 0)


@_breaks
async def sentinel_fails_over(world: World, dice: Dice) -> AsyncIterator[None]:
    """An operator has Sentinel change the roles."""
    assert world.redis.sentinels
    before = world.redis.primaries()
    sentinel = dice.choice(world.redis.sentinels.sentinels)
    await asyncio.to_thread(wait_for_redis, lambda: sentinel.admin.sentinel_failover(Sentinels.NAME), "Sentinel starts the failover")
    yield
    await asyncio.to_thread(wait_for_redis, lambda: world.redis.primaries() not in ([], before), "the roles have changed", seconds=30)


@_breaks
async def primary_killed(world: World, dice: Dice) -> AsyncIterator[None]:
    """A primary is killed; it comes back once another node has been promoted."""
    before = await asyncio.to_thread(world.redis.primaries)
    victim = dice.choice(before)
    victim.kill()
    yield
    await asyncio.to_thread(wait_for_redis, lambda: set(world.redis.primaries()) - set(before), "a replica is promoted", seconds=30)
    await asyncio.to_thread(victim.start)


@_breaks
async def primary_stopped(world: World, dice: Dice) -> AsyncIterator[None]:
    """A primary is stopped, so that another node may be promoted, and goes on."""
    with dice.choice(await asyncio.to_thread(world.redis.primaries)).frozen():
        yield


@_breaks
async def slot_moved(world: World, dice: Dice) -> AsyncIterator[None]:
    """The slot of a room moves to another primary; it is half moved for as long as the fault lasts."""
    cluster, slot = world.redis.cluster, slot_of(dice.choice(ROOMS), world.shards)
    assert cluster
    source = await asyncio.to_thread(cluster.owner, slot)
    target = await asyncio.to_thread(cluster.other_primary, source)
    await asyncio.to_thread(cluster.start_moving, slot, source, target)
    if keys := cluster.command(source, "GETKEYSINSLOT", slot, dice.choice((1, 2, 100))):
        await asyncio.to_thread(source.admin.migrate, "127.0.0.1", target.port, keys, 0, 2000)
    yield
    await asyncio.to_thread(cluster.finish_moving, slot, source, target)


# --- the lines to Redis ---


def _lines(world: World, dice: Dice, kind: str) -> list[Link]:
    """All lines of a kind of service, or one of them."""
    links = world.redis.lines[kind]
    return dice.choice((links, [dice.choice(links)]))


def _line_fault(begin: Callable[[Link, Dice], None], heal: Callable[[Link], None], name: str, kind: str) -> Break:
    """A fault of the lines of one kind of service."""

    @contextlib.asynccontextmanager
    async def fault(world: World, dice: Dice) -> AsyncIterator[None]:
        """Breaks the lines, and heals them at the end."""
        links = _lines(world, dice, kind)
        for link in links:
            begin(link, dice)
        yield
        for link in links:
            heal(link)

    fault.__name__ = f"{kind}_line_{name}"
    return fault


def _slow(link: Link, dice: Dice) -> None:
    link.delay(dice.uniform(0.001, 0.15))
    link.jitter(dice.uniform(0, 0.3))


def _not_slow(link: Link) -> None:
    link.delay(0)
    link.jitter(0)


LINE_FAULTS: Final[dict[str, tuple[Callable[[Link, Dice], None], Callable[[Link], None]]]] = {
    "dropped": (lambda link, _: link.drop(), Link.restore),
    "refused": (lambda link, _: link.reset(), Link.restore),
    "reset": (lambda link, _: link.reset_once(), Link.reset_once),
    "halves requests": (lambda link, _: link.halve("request"), Link.halve),
    "halves replies": (lambda link, _: link.halve("reply"), Link.halve),
    "slow": (_slow, _not_slow),
    "thin": (lambda link, dice: link.thin(dice.randint(8, 200) * 1000), lambda link: link.thin(0)),
}
CUTS: Final = frozenset({"dropped", "refused"})


# --- the services ---


def _service_fault(kind: str, function: Callable[[World, Service, Dice], AsyncIterator[None]]) -> Break:
    """A fault of one process of a service."""

    @contextlib.asynccontextmanager
    async def fault(world: World, dice: Dice) -> AsyncIterator[None]:
        """Breaks one process, chosen by the dice."""
        service = dice.choice(world.ingests if kind == "ingest" else world.broadcasts)
        async with contextlib.asynccontextmanager(function)(world, service, dice):
            yield

    fault.__name__ = f"{kind}_{function.__name__.lstrip('_')}"
    return fault


async def _killed(world: World, service: Service, dice: Dice) -> AsyncIterator[None]:
    await asyncio.to_thread(service.kill)
    yield
    await asyncio.to_thread(service.start, until="/livez")


async def _stopped(world: World, service: Service, dice: Dice) -> AsyncIterator[None]:
    with service.frozen():
        yield


async def _told_to_stop(world: World, service: Service, dice: Dice) -> AsyncIterator[None]:
    service.signal(signal.SIGTERM)
    yield
    await asyncio.to_thread(service.wait, EXIT_SECONDS)
    await asyncio.to_thread(service.start, until="/livez")


async def _out_of_descriptors(world: World, service: Service, dice: Dice) -> AsyncIterator[None]:
    limits = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
    open_now = len(os.listdir(f"/proc/{service.pid}/fd"))  # noqa: PTH208
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (open_now + dice.randint(-6, 3), limits[1]))
    yield
    if service.poll() is None:
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, limits)


async def _clock_steps(world: World, service: Service, dice: Dice) -> AsyncIterator[None]:
    clock = world.clock(service.port)
    set_clock(clock, dice.choice((-1, 1)) * dice.randint(5, CLOCK_OFF_SECONDS))
    yield
    set_clock(clock, 0)


async def _clock_beyond_the_ttl(world: World, service: Service, dice: Dice) -> AsyncIterator[None]:
    set_clock(world.clock(service.port), BEYOND_TTL_SECONDS)
    yield
    set_clock(world.clock(service.port), 0)


JOBS: Final = {
    "ingest": ("store", "revocations", "watch", "writer-0"),
    "broadcast": ("store", "revocations", "watch", "relay", "listener-0"),
}


def _is_ready(service: Service) -> bool:
    """Whether a process is there and ready."""
    try:
        return service._answers("/readyz")
    except OSError:  # it has ended, which is what it should do
        return False


async def _job_ends(world: World, service: Service, dice: Dice) -> AsyncIterator[None]:
    """A job is cancelled or raises: the process is not ready, or gone, within five seconds."""
    kind, order = service.module.split("_")[0], world.orders[service.port]
    draft = order.with_suffix(".draft")
    draft.write_text(f"{dice.choice(('cancel', 'raise'))} {dice.choice(JOBS[kind])}")
    draft.rename(order)
    ended_at = time.monotonic()
    while await asyncio.to_thread(_is_ready, service):
        assert time.monotonic() - ended_at < 5, f"{service.module} says ready without one of its jobs"
        await asyncio.sleep(0.05)
    yield
    assert await asyncio.to_thread(service.wait, EXIT_SECONDS) == 1
    order.unlink()
    await asyncio.to_thread(service.start, until="/livez")


@_breaks
async def rolling_restart(world: World, dice: Dice) -> AsyncIterator[None]:
    """Every process of both services is stopped and started in turn."""
    yield
    for service in (*world.ingests, *world.broadcasts):
        service.signal(signal.SIGTERM)
        await asyncio.to_thread(service.wait, EXIT_SECONDS)
        await asyncio.to_thread(service.start, until="/livez")


SERVICE_FAULTS: Final = (_killed, _stopped, _told_to_stop, _out_of_descriptors, _clock_steps, _job_ends)

FAULTS: Final = (
    Fault(redis_killed, ONE, known=ONE, unready=BOTH),
    Fault(redis_restarted_empty, ONE, known=ONE, unready=BOTH, loses=ONE),
    Fault(redis_flushed, loses=ALL),
    Fault(redis_stopped, ONE, known=ONE, unready=BOTH),
    Fault(right_withdrawn),
    Fault(subscribing_forbidden, known=ALL, unready=("broadcast",)),
    Fault(out_of_memory),
    Fault(clients_full, ONE, known=ONE, unready=BOTH),
    Fault(connections_killed),
    Fault(redis_clock_steps, ONE),
    Fault(sentinel_fails_over, ("sentinel",), loses=("sentinel",)),
    Fault(primary_killed, REPLICATED, known=REPLICATED, loses=REPLICATED),
    Fault(primary_stopped, REPLICATED, known=REPLICATED, loses=REPLICATED),
    Fault(slot_moved, ("cluster",)),
    *(
        Fault(
            _line_fault(begin, heal, name.replace(" ", "_"), kind),
            place="line",
            known=ONE if name in CUTS else (),
            degrades=kind == "broadcast",
            unready=(kind,),
            loses=("sentinel",),
        )
        for name, (begin, heal) in LINE_FAULTS.items()
        for kind in BOTH
    ),
    *(Fault(_service_fault(kind, function), place=kind, silent=kind == "ingest") for function in SERVICE_FAULTS for kind in BOTH),
    Fault(_service_fault("broadcast", _clock_beyond_the_ttl), place="broadcast"),
    Fault(rolling_restart, place="services", silent=True),
)
