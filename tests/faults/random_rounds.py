"""Plays the random rounds of one topology, with producers and dashboards at work, and holds the promise against all of them.

Beside what every scene checks: each reading is published once and versions only grow; feeds that do not post again stay shown; a new
dashboard gets everything; every server's list, the history and the stored values hold all accepted
readings; every key expires; services are ready again.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import httpx
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.contract import keys
from shared.contract.readings import StoredReading, decode_stored
from tests.faults.actors import reading
from tests.faults.checker import FRESH_SECONDS, Key, require
from tests.faults.nemesis import Fault, Round, dice_of, redis_clock_steps
from tests.faults.scene import ROOMS, Scene, acting
from tests.faults.worlds import World
from tests.support.readings import PLATFORM
from tools.processes import Service
from tools.redis_server import RedisServer

HEAL_SECONDS: Final = 25.0
MAX_ROUND_SECONDS: Final = 90.0
KNOWN_SECONDS: Final = 5.0
SCOPE: Final = frozenset(ROOMS[:3])


class Tap:
    """Reads the events channels of one server, and connects again whenever it is cut."""

    def __init__(self, node: RedisServer) -> None:
        self._node = node
        self.published: list[tuple[float, str, StoredReading]] = []

    async def run(self) -> None:
        """Reads until cancelled; it misses messages published meanwhile."""
        while True:
            with contextlib.suppress(redis.RedisError, OSError):
                async with redis.Redis(port=self._node.port, protocol=2, retry=Retry(NoBackoff(), 0)) as client, client.pubsub() as pubsub:
                    await pubsub.psubscribe("telemetry:*:events")
                    async for message in pubsub.listen():
                        if message["type"] == "pmessage":
                            now, channel = time.monotonic(), message["channel"].decode()
                            self.published += [(now, channel, decode_stored(line)) for line in message["data"].split(b"\n")]
            await asyncio.sleep(0.05)

    def violations(self, losses: Sequence[float]) -> list[str]:
        """Readings that were published twice though nothing was lost in between, and versions that do not grow within a shard."""
        last: dict[str, int] = {}
        seen: dict[tuple[Any, ...], float] = {}
        found = []
        for at, channel, stored in self.published:
            if stored.version <= last.get(channel, 0):
                found.append(f"version {stored.version} was published after {last[channel]} in {channel}")
            last[channel] = stored.version
            key = (stored.room_id, stored.platform, stored.timestamp, stored.sequence)
            before = seen.get(key)
            if before is not None and not any(before <= lost_at for lost_at in losses if lost_at <= at + 1):
                found.append(f"{key} was published twice")
            seen[key] = at
        return found


class Rounds:
    """The rounds of one seed in one topology."""

    def __init__(self, world: World, seed: int, extra: Mapping[str, str] | None = None) -> None:
        """`extra` are more dashboards: name and URL."""
        self._world = world
        self._extra = extra or {}
        self._seed = seed
        self.scene = Scene(world.stack, world.ingests, world.broadcasts, None, world.links[0])
        self._tap = Tap(world.node)
        self._losses: list[float] = []
        self._began = time.time()
        self._lost_at = 0.0
        self._clock_was_off: list[range] = []  # Unix seconds
        self.healed: list[tuple[str, float]] = []
        self.current = "before the first round"

    async def play(self, rounds: Sequence[Round]) -> None:
        """Plays them all; raises AssertionError where the promise was broken."""
        tap = asyncio.create_task(self._tap.run())
        try:
            async with acting(self.scene, 1, None):
                first, second = self.scene.broadcasts
                await self.scene.dashboard("one-server", urls=[first.url])
                await self.scene.dashboard("scoped", urls=[second.url, first.url], rooms=SCOPE)
                for name, url in self._extra.items():
                    await self.scene.dashboard(name, urls=[url])
                for number in rounds:
                    self.current = str(number)
                    async with asyncio.timeout(MAX_ROUND_SECONDS):
                        await self._round(number)
                self.current += " (the last one), at the end"
                await self.scene.settled()
                await self._check_lists()
                await self._check_history()
                await asyncio.to_thread(self._check_stored)
        finally:
            tap.cancel()
            await asyncio.gather(tap, return_exceptions=True)
        assert self._world.redis.sentinels or self._world.redis.cluster or len(self._tap.published) > 10
        broken = self._tap.violations(self._losses)
        require(not broken, f"{broken[:5]}")

    async def _round(self, number: Round) -> None:
        scene, since = self.scene, time.monotonic()
        await self._post_quietly(f"quiet-{number.number}")
        async with contextlib.AsyncExitStack() as open_now:
            for fault, pause in zip(number.faults, number.pauses, strict=True):
                await asyncio.sleep(pause)
                await open_now.enter_async_context(self._broken(fault, number))
            began = time.monotonic()
            if number.is_long:
                await asyncio.gather(*(self._becomes_known(fault, began) for fault in number.faults))
            await asyncio.sleep(max(0.0, began + number.seconds - time.monotonic()))
        await asyncio.to_thread(self._world.redis.settle)
        self._mark_losses(number)
        seconds = await scene.mended(within=HEAL_SECONDS)
        self.healed.append((str(number), seconds))
        await self._all_ready()
        allowed = {200, 503} | ({0} if any(fault.silent for fault in number.faults) else set())
        assert scene.producer.statuses(since) <= allowed, scene.producer.statuses(since)
        await self._late_comer(number.number)
        scene.checker.check(now=time.monotonic() - FRESH_SECONDS)

    @contextlib.asynccontextmanager
    async def _broken(self, fault: Fault, number: Round) -> AsyncIterator[None]:
        """A fault from its beginning until it is healed."""
        began = int(time.time())
        async with fault.begin(self._world, dice_of(self._seed, self._world.topology, number.number, fault)):
            self._mark_losses(number)
            yield
        if fault.begin is redis_clock_steps:
            self._clock_was_off.append(range(began - 1, int(time.time()) + 2))

    def _mark_losses(self, number: Round) -> None:
        if any(self._world.topology in fault.loses for fault in number.faults):
            self.scene.checker.lost(time.monotonic())
            self._losses.append(time.monotonic())
            self._lost_at = time.time()

    async def _post_quietly(self, room_id: str) -> None:
        """Posts the only reading of a room, which is then to stay shown."""
        self.scene.quiet.add((room_id, PLATFORM))
        async with httpx.AsyncClient(timeout=3) as client:
            assert await self.scene.producer.post(client, reading(room_id)) == 200, "all was well, and a reading was refused"

    async def _becomes_known(self, fault: Fault, began: float) -> None:
        if self._world.topology not in fault.known:
            return
        if fault.degrades:
            await self.scene.all_know_of_it(began, within=KNOWN_SECONDS)
        for kind in fault.unready:
            for service in self._world.ingests if kind == "ingest" else self._world.broadcasts:
                while await self.scene.status(service) == 200:
                    assert time.monotonic() - began < KNOWN_SECONDS, f"{service.module} says ready"
                    await asyncio.sleep(0.05)

    async def _all_ready(self) -> None:
        healed_at = time.monotonic()
        for service in (*self._world.ingests, *self._world.broadcasts):
            while (status := await self.scene.status(service)) != 200:
                assert time.monotonic() - healed_at < HEAL_SECONDS, f"{service.module} answers {status}: {service.log.read_text()[-500:]}"
                await asyncio.sleep(0.05)

    async def _late_comer(self, number: int) -> None:
        """A new dashboard shows everything, also the feeds that no longer post."""
        late_comer = await self.scene.dashboard(f"late-comer-{number}", wait=False)
        await self.scene.until(lambda: not self._lacking(late_comer.name), "a new dashboard shows everything")
        await self.scene.leave(late_comer)

    def _lacking(self, name: str) -> list[Key]:
        view, checker = self.scene.checker.views[name], self.scene.checker
        quiet = [key for key in self.scene.quiet if view.tokens(key) < checker.last_stored(key)]
        return quiet + [(room, PLATFORM) for room in ROOMS if view.tokens((room, PLATFORM)) < 0]

    # --- what must be there at the end ---

    async def _get(self, url: str) -> Any:
        headers = {"Authorization": f"Bearer {self._world.stack.token('dashboard')}"}
        async with httpx.AsyncClient(timeout=5, headers=headers) as client:
            response = await client.get(url)
            response.raise_for_status()
            return response.json()

    async def _check_lists(self) -> None:
        """Every server's list comes to have the last accepted value of every feed, as soon as a dashboard must."""
        for service in self._world.broadcasts:
            started = time.monotonic()
            while lacking := await self._missing_from(service):
                assert time.monotonic() - started < FRESH_SECONDS, f"the list of {service.url} lacks {lacking}"
                await asyncio.sleep(0.05)

    async def _missing_from(self, service: Service) -> dict[Key, int | None]:
        checker = self.scene.checker
        events = (await self._get(f"{service.url}/api/tracking/telemetry"))["events"]
        listed = {(event["room_id"], event["data"]["platform"]): event["data"]["tokens"] for event in events}
        return {key: listed.get(key) for key in checker.posts if listed.get(key, -1) < checker.last_stored(key)}

    async def _check_history(self) -> None:
        """Of each second in which readings were accepted, history has the last one of them, or one whose answer was lost.

        A clock of Redis that has stepped back takes right readings for ones from the future. They are recorded in the second before.
        """
        since, now = int(max(self._began, self._lost_at)) + 2, int(time.time())
        for room in ROOMS if now > since else ():
            url = f"{self._world.broadcasts[0].url}/api/tracking/telemetry/{room}/{PLATFORM}/history?from={since}&to={now}&step=1"
            posts = self.scene.checker.posts[room, PLATFORM]
            # Producers go on posting: readings accepted before the request must be in the answer, and those sent until now may be.
            accepted = sorted((post.timestamp, post.tokens) for post in posts if post.stored and since <= post.timestamp < now)
            points = {int(point["t"]): point["tokens"] for point in (await self._get(url))["points"]}
            sent = {(post.timestamp, post.tokens) for post in posts}
            balances_sent = {tokens for _, tokens in sent}
            moved = {(second, tokens) for second, tokens in points.items() if self._is_off(second) and tokens in balances_sent}
            require(set(points.items()) <= sent | moved, f"history of {room} holds readings that no producer posted")
            balances = [points[second] for second in sorted(points)]
            require(balances == sorted(balances), f"history of {room} has a balance that falls: {balances}")
            for second, group in itertools.groupby(accepted, key=lambda post: post[0]):
                if self._is_off(second):
                    continue
                last = max(tokens for _, tokens in group)
                require(points.get(second, -1) >= last, f"history of {room} has {points.get(second)} at {second}, accepted was {last}")

    def _is_off(self, second: int) -> bool:
        """Whether Redis' clock was off then, or nearly then."""
        return any(second in off for off in self._clock_was_off)

    def _check_stored(self) -> None:
        """Every feed is stored with its last accepted value, and every value, history and rate expires."""
        checker, found, endless = self.scene.checker, dict[Key, int](), list[bytes]()
        for node in self._world.redis.primaries():
            admin = node.admin
            for name in admin.scan_iter(count=1000):
                if name.endswith((b":index", b":version")):
                    continue
                endless += [name] if admin.ttl(name) < 0 else []
                if name.startswith(b"telemetry:"):
                    stored: Any = admin.get(name)
                    update = decode_stored(stored)
                    found[update.room_id, update.platform] = update.tokens_count or 0
        require(not endless, f"keys without an expiry: {endless[:5]}")
        lacking = {key: found.get(key) for key in checker.posts if found.get(key, -1) < checker.last_stored(key)}
        require(not lacking, f"Redis lacks {lacking}")
        assert keys.REVOKED_TOKENS.encode() not in endless
