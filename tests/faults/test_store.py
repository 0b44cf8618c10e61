"""What Redis may do to us: die, freeze, fill up, refuse, forget, cut us off."""

import asyncio
import pathlib
import threading
import time
from typing import Final

import pytest
import redis

from shared.contract import keys
from shared.contract.readings import decode_stored
from tests.faults.catalogue import after, record
from tests.faults.scene import ROOMS, Scene, play
from tests.support.readings import PLATFORM

pytestmark = pytest.mark.faults

FROZEN_SECONDS: Final = 10.0
LATEST = keys.latest(0, ROOMS[0], PLATFORM)


async def outage(scene: Scene, since: float) -> float:
    """Producers receive 503 in time, and dashboards receive `degraded`; returns how long the dashboards took."""
    known = await scene.all_know_of_it(since)
    await scene.until(lambda: 503 in scene.producer.statuses(since), "producers are asked to retry")
    assert scene.producer.statuses(since) <= {200, 503}
    assert scene.producer.slowest(since) < 2
    return known


def test_killed_and_restarted_empty(tmp_path: pathlib.Path) -> None:
    """503 immediately; dashboards keep their values, mark them as old, and show new ones without reloading."""

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        scene.redis.kill()
        known = await outage(scene, broken_at)
        await asyncio.to_thread(scene.redis.start)
        healed = await scene.mended()
        assert not any(dashboard.received("TELEMETRY_EXPIRED") for dashboard in scene.dashboards)
        assert scene.connections == {1}
        slowest = scene.producer.slowest(broken_at)
        record(1, "Redis kill -9, restarted empty", f"503 within {slowest:.1f} s; `degraded` {after(known)}; same sockets", healed)

    play(tmp_path, story, ingests=2, broadcasts=2, dashboards=6)


def test_killed_and_restarted_with_its_log(tmp_path: pathlib.Path) -> None:
    """With the append-only file a process killed mid-traffic has lost nothing that was confirmed."""

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        scene.redis.kill()
        known = await outage(scene, broken_at)
        confirmed = {room: scene.checker.last_stored((room, PLATFORM)) for room in ROOMS}
        await asyncio.to_thread(scene.redis.start)
        values = scene.redis.admin.mget([keys.latest(0, room, PLATFORM) for room in ROOMS])
        stored = {reading.room_id: reading.tokens_count or 0 for reading in map(decode_stored, values)}  # type: ignore[arg-type]
        healed = await scene.mended()
        assert all(stored[room] >= confirmed[room] for room in ROOMS)
        assert scene.connections == {1}
        record(2, "Redis kill -9, restarted with AOF", f"503; `degraded` {after(known)}; nothing confirmed was lost", healed)

    play(tmp_path, story, redis={"appendonly": "yes"})


def test_frozen(tmp_path: pathlib.Path) -> None:
    """Sockets stay open and nothing answers for ten seconds: 503 within one, `degraded` within five, and no reading is published twice."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        broken_at = time.monotonic()
        with scene.redis.frozen():
            known = await outage(scene, broken_at)
            assert await scene.status(scene.broadcasts[0]) == 503
            await scene.unready(scene.ingests[0])
            await scene.until(lambda: time.monotonic() - broken_at > FROZEN_SECONDS, "time passes", within=FROZEN_SECONDS)
        slowest = scene.producer.slowest(broken_at)
        healed = await scene.mended()
        assert slowest < 2
        assert scene.connections == {1}
        seen = f"503 within {slowest:.1f} s; `degraded` {after(known)}; published once each"
        record(3, f"Redis frozen for {FROZEN_SECONDS:.0f} s (SIGSTOP)", seen, healed)

    play(tmp_path, story)


def test_pauses_around_the_timeout(tmp_path: pathlib.Path) -> None:
    """Whether a pause is just shorter or just longer than the timeout, each reading is published once, also when it is sent again."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        for pause_seconds in (0.85, 0.9, 0.95, 1.0):
            with scene.redis.frozen():
                await asyncio.sleep(pause_seconds)
            healed = await scene.mended()
        record(4, "Redis paused for 0.9 to 1.1 times the timeout", "200 or 503; published once each", healed)

    play(tmp_path, story)


def test_out_of_memory(tmp_path: pathlib.Path) -> None:
    """503, and nothing is published that was not stored; it heals by itself."""

    async def story(scene: Scene) -> None:
        wiretap = await scene.tap()
        scene.redis.admin.config_set("maxmemory", "1")
        since = time.monotonic()
        await scene.until(lambda: len([1 for at, _, status in scene.producer.answers if at > since and status == 503]) > 6, "503")
        published = len(wiretap.published)
        await scene.until(lambda: len([1 for at, _, _ in scene.producer.answers if at > since]) > 30, "more posts")
        assert len(wiretap.published) == published
        scene.redis.admin.config_set("maxmemory", "0")
        record(5, "Redis out of memory (noeviction)", "503; nothing published", await scene.mended())

    play(tmp_path, story)


def test_a_key_of_the_wrong_type(tmp_path: pathlib.Path) -> None:
    """Its room gets a 500 and is not half-written; all other rooms go on; once the key is gone so does this one."""

    async def story(scene: Scene) -> None:
        scene.redis.admin.delete(LATEST)
        scene.redis.admin.lpush(LATEST, "wrong")
        since = time.monotonic()
        await scene.until(lambda: len(scene.producer.statuses(since)) > 1, "the damaged room is refused")
        assert scene.producer.statuses(since) == {200, 500}
        assert scene.redis.admin.type(LATEST) == b"list"
        scene.redis.admin.delete(LATEST)
        record(6, "A key of the wrong type", "500 for its room alone", await scene.mended())

    play(tmp_path, story)


def test_a_rotated_password(tmp_path: pathlib.Path) -> None:
    """New connections fail closed: not ready, 503, `degraded`; the right password heals it."""

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        scene.redis.admin.config_set("requirepass", "another-password")
        scene.redis.password = "another-password"
        for kind in ("normal", "pubsub"):
            scene.redis.admin.client_kill_filter(_type=kind, skipme=True)
        known = await outage(scene, broken_at)
        scene.redis.admin.config_set("requirepass", "first-password")
        scene.redis.password = "first-password"
        record(7, "Password rotated away and back", f"503; `degraded` {after(known)}", await scene.mended())

    play(tmp_path, story, redis={"requirepass": "first-password"})


def test_a_user_that_may_no_longer_subscribe(tmp_path: pathlib.Path) -> None:
    """The refusal shows in readiness, metrics and to the dashboards: never silence."""

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        scene.redis.admin.execute_command("ACL", "SETUSER", "default", "-subscribe")  # type: ignore[no-untyped-call]
        scene.redis.admin.client_kill_filter(_type="pubsub")
        known = await scene.all_know_of_it(broken_at)
        assert await scene.status(scene.broadcasts[0]) == 503
        await scene.counted(scene.broadcasts[0], 'pulse_subscriptions_lost_total{error="NoPermissionError"}')
        scene.redis.admin.execute_command("ACL", "SETUSER", "default", "+subscribe")  # type: ignore[no-untyped-call]
        record(8, "ACL without SUBSCRIBE", f"not ready; `degraded` {after(known)}", await scene.mended())

    play(tmp_path, story)


def test_killed_connections(tmp_path: pathlib.Path) -> None:
    """CLIENT KILL of the subscriptions is noticed at once and healed by a resynchronisation."""

    async def story(scene: Scene) -> None:
        before = await scene.metric(scene.broadcasts[0], 'pulse_reconciliations_total{kind="full"}')
        scene.redis.admin.client_kill_filter(_type="pubsub")
        healed = await scene.mended()
        await scene.counted(scene.broadcasts[0], 'pulse_reconciliations_total{kind="full"}', before + 1)
        record(11, "CLIENT KILL on the subscription", "`degraded`, then `ok`", healed)

    play(tmp_path, story)


def test_an_overflowing_subscription(tmp_path: pathlib.Path) -> None:
    """A service that did not read is cut by Redis; it comes back once, with a snapshot, and does not loop."""

    async def story(scene: Scene) -> None:
        broadcast, admin = scene.broadcasts[0], scene.redis.admin
        admin.config_set("client-output-buffer-limit", "pubsub 1mb 1mb 1")
        with broadcast.frozen():
            await scene.until(lambda: flooded(admin), "Redis cuts the subscription")
        healed = await scene.mended()
        await scene.until(lambda: admin.client_list(_type="pubsub"), "the subscription is back")
        assert await scene.metric(broadcast, 'pulse_subscriptions_lost_total{error="ConnectionError"}') <= 2
        record(12, "10 MB at once to a subscriber that does not read", "a reconnect and a snapshot", healed)

    play(tmp_path, story)


def flooded(admin: redis.Redis) -> bool:
    """Publishes ten megabytes of invalid readings; returns whether Redis disconnected the subscriber that reads none."""
    pipeline = admin.pipeline(transaction=False)
    for _ in range(1000):
        pipeline.publish(keys.events_channel(0), b"x" * 10_000)
    pipeline.execute()
    return not admin.client_list(_type="pubsub")


def test_too_many_connections(tmp_path: pathlib.Path) -> None:
    """At its connection limit Redis refuses; producers get a 503, and all heals when there is room again."""

    async def story(scene: Scene) -> None:
        since = time.monotonic()
        with scene.redis.admin.client() as kept:  # type: ignore[no-untyped-call]
            kept.config_set("maxclients", "1")
            kept.client_kill_filter(_type="normal", skipme=True)
            kept.client_kill_filter(_type="pubsub")
            known = await outage(scene, since)
            kept.config_set("maxclients", "1000")
        record(15, "Redis at maxclients", f"503; `degraded` {after(known)}", await scene.mended())

    play(tmp_path, story)


def test_a_server_that_still_loads(tmp_path: pathlib.Path) -> None:
    """LOADING is a 503 and `degraded` for as long as it takes, and no reason to give up."""

    async def story(scene: Scene) -> None:
        admin, ingest = scene.redis.admin, scene.ingests[0]
        admin.mset({f"ballast-{number}": b"x" * 100 for number in range(2000)})
        admin.save()
        broken_at = time.monotonic()
        scene.redis.kill()
        await asyncio.to_thread(scene.redis.start, until=b"-LOADING")
        known = await outage(scene, broken_at)
        await scene.counted(ingest, 'pulse_commit_failures_total{error="BusyLoadingError"}')
        assert await scene.status(scene.broadcasts[0]) == 503
        await scene.until(lambda: answers(admin), "everything is loaded", within=30)
        healed = await scene.mended()
        assert scene.connections == {1}
        record(15, "Redis restarts and loads for seconds (LOADING)", f"503; `degraded` {after(known)}", healed)

    # A pause of 4 ms for each key makes small data load like much.
    play(tmp_path, story, redis={"key_load_delay": 4000, "loading_process_events_interval_bytes": 1024})


def answers(admin: redis.Redis) -> bool:
    """Whether a server has loaded its data."""
    try:
        return bool(admin.ping())
    except redis.BusyLoadingError:
        return False


def test_a_script_that_never_ends(tmp_path: pathlib.Path) -> None:
    """An endless script makes Redis answer BUSY; when it is killed everything flows again."""

    async def story(scene: Scene) -> None:
        scene.redis.admin.config_set("lua-time-limit", "100")
        endless = threading.Thread(target=run_endless_script, args=(scene.redis.admin,))
        since = time.monotonic()
        endless.start()
        known = await outage(scene, since)
        scene.redis.admin.script_kill()
        healed = await scene.mended()
        endless.join()
        record(15, "A script that never ends (BUSY)", f"503; `degraded` {after(known)}", healed)

    play(tmp_path, story)


def run_endless_script(client: redis.Redis) -> None:
    """Runs until it is killed, which is an error to its caller."""
    with pytest.raises((redis.ResponseError, redis.TimeoutError)):
        client.eval("while true do end", 0)
