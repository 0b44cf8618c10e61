"""What Redis may do to us: die, freeze, fill up, refuse, forget, cut us off."""

import asyncio
import pathlib
import threading
import time

import pytest
import redis

from shared import keys
from shared.messages import decode_stored
from tests.faults.actors import PLATFORM
from tests.faults.scene import ROOMS, Scene, play

pytestmark = pytest.mark.faults

LATEST = keys.latest(0, ROOMS[0], PLATFORM)


async def outage(scene: Scene, since: float) -> float:
    """Producers hear 503, in time, and dashboards hear `degraded`; returns how long the dashboards took."""
    known = await scene.all_know_of_it(since)
    await scene.until(lambda: 503 in scene.producer.statuses(since), "producers are told to come back")
    assert scene.producer.statuses(since) <= {200, 503}
    assert scene.producer.slowest(since) < 2
    return known


def test_killed_and_restarted_empty(tmp_path: pathlib.Path) -> None:
    """503 at once; dashboards keep what they saw, know that it may be old, and show new values without reloading."""

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        scene.redis.kill()
        known = await outage(scene, broken_at)
        await asyncio.to_thread(scene.redis.start)
        healed = await scene.mended()
        scene.note("Redis kill -9, restarted empty", f"503; `degraded` after {known:.1f} s", healed)

    play(tmp_path, story)


def test_killed_and_restarted_with_its_log(tmp_path: pathlib.Path) -> None:
    """With the append-only file a killed process has lost nothing that was confirmed."""

    async def story(scene: Scene) -> None:
        await scene.leave(scene.producer)
        confirmed = scene.checker.last_stored((ROOMS[0], PLATFORM))
        broken_at = time.monotonic()
        scene.redis.kill()
        known = await scene.all_know_of_it(broken_at)
        await asyncio.to_thread(scene.redis.start)
        value = scene.redis.admin.get(LATEST)
        assert isinstance(value, bytes)
        assert decode_stored(value).tokens_count == confirmed
        scene.start(scene.producer)
        healed = await scene.mended()
        scene.note("Redis kill -9, restarted with AOF", f"`degraded` after {known:.1f} s; nothing confirmed was lost", healed)

    play(tmp_path, story, redis={"appendonly": "yes"})


def test_frozen(tmp_path: pathlib.Path) -> None:
    """Sockets stay open and nothing answers: 503 within the second, `degraded` within five, and no reading is published twice after."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        broken_at = time.monotonic()
        with scene.redis.frozen():
            known = await outage(scene, broken_at)
            assert await scene.status(scene.broadcasts[0]) == 503
            assert await scene.status(scene.ingests[0]) == 503
        healed = await scene.mended()
        scene.note(
            "Redis frozen (SIGSTOP)", f"503 within {scene.producer.slowest(broken_at):.1f} s; `degraded` after {known:.1f} s", healed
        )

    play(tmp_path, story)


def test_pauses_around_the_timeout(tmp_path: pathlib.Path) -> None:
    """Whether a pause is just shorter or just longer than the timeout, each reading is published once, also when it is sent again."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        for pause_seconds in (0.85, 0.9, 0.95, 1.0):
            with scene.redis.frozen():
                await asyncio.sleep(pause_seconds)
            healed = await scene.mended()
        scene.note("Redis paused for 0.9 to 1.1 times the timeout", "200 or 503; published once each", healed)

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
        scene.note("Redis out of memory (noeviction)", "503; nothing published", await scene.mended())

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
        scene.note("A key of the wrong type", "500 for its room alone", await scene.mended())

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
        scene.note("Password rotated away", f"503; `degraded` after {known:.1f} s", await scene.mended())

    play(tmp_path, story, redis={"requirepass": "first-password"})


def test_a_user_that_may_no_longer_subscribe(tmp_path: pathlib.Path) -> None:
    """The refusal shows in readiness, metrics and to the dashboards: never silence."""

    async def story(scene: Scene) -> None:
        broken_at = time.monotonic()
        scene.redis.admin.execute_command("ACL", "SETUSER", "default", "-subscribe")  # type: ignore[no-untyped-call]
        scene.redis.admin.client_kill_filter(_type="pubsub")
        known = await scene.all_know_of_it(broken_at)
        assert await scene.status(scene.broadcasts[0]) == 503
        assert await scene.metric(scene.broadcasts[0], 'pulse_subscriptions_lost_total{error="NoPermissionError"}') > 0
        scene.redis.admin.execute_command("ACL", "SETUSER", "default", "+subscribe")  # type: ignore[no-untyped-call]
        scene.note("ACL without SUBSCRIBE", f"not ready; `degraded` after {known:.1f} s", await scene.mended())

    play(tmp_path, story)


def test_killed_connections(tmp_path: pathlib.Path) -> None:
    """CLIENT KILL of the subscriptions is noticed at once and healed by a resynchronisation."""

    async def story(scene: Scene) -> None:
        before = await scene.metric(scene.broadcasts[0], 'pulse_resyncs_total{kind="full"}')
        scene.redis.admin.client_kill_filter(_type="pubsub")
        healed = await scene.mended()
        assert await scene.metric(scene.broadcasts[0], 'pulse_resyncs_total{kind="full"}') > before
        scene.note("CLIENT KILL on the subscription", "`degraded`, then `ok`", healed)

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
        scene.note("Subscriber's output buffer overflows", "a reconnect and a snapshot", healed)

    play(tmp_path, story)


def flooded(admin: redis.Redis) -> bool:
    """Publishes ten megabytes of what is no reading; whether Redis has had enough of the subscriber that takes none of it."""
    pipeline = admin.pipeline(transaction=False)
    for _ in range(1000):
        pipeline.publish(keys.events_channel(0), b"x" * 10_000)
    pipeline.execute()
    return not admin.client_list(_type="pubsub")


def test_a_primary_turned_replica(tmp_path: pathlib.Path) -> None:
    """READONLY is a 503; when writes are taken again, versions have only grown."""

    async def story(scene: Scene) -> None:
        await scene.tap()
        since = time.monotonic()
        scene.redis.admin.replicaof("127.0.0.1", 1)
        await scene.until(lambda: 503 in scene.producer.statuses(since), "READONLY is a 503")
        assert scene.producer.statuses(since) <= {200, 503}
        scene.redis.admin.replicaof("NO", "ONE")
        scene.note("Primary turned replica (READONLY)", "503", await scene.mended())

    play(tmp_path, story)


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
        scene.note("Redis at maxclients", f"503; `degraded` after {known:.1f} s", await scene.mended())

    play(tmp_path, story)


def test_a_script_that_never_ends(tmp_path: pathlib.Path) -> None:
    """Somebody's endless script makes Redis answer BUSY; when it is killed everything flows again."""

    async def story(scene: Scene) -> None:
        scene.redis.admin.config_set("lua-time-limit", "100")
        endless = threading.Thread(target=run_endless_script, args=(scene.redis.admin,))
        since = time.monotonic()
        endless.start()
        known = await outage(scene, since)
        scene.redis.admin.script_kill()
        healed = await scene.mended()
        endless.join()
        scene.note("A script that never ends (BUSY)", f"503; `degraded` after {known:.1f} s", healed)

    play(tmp_path, story)


def run_endless_script(client: redis.Redis) -> None:
    """Runs until it is killed, which is an error to whoever sent it."""
    with pytest.raises((redis.ResponseError, redis.TimeoutError)):
        client.eval("while true do end", 0)


def test_a_clock_that_was_ahead(tmp_path: pathlib.Path) -> None:
    """After Redis' clock steps back by five minutes versions still only grow, and resuming dashboards miss nothing."""

    async def story(scene: Scene) -> None:
        wiretap = await scene.tap()
        ahead = wiretap.published[-1].version + 300_000_000
        scene.redis.admin.set(keys.last_version(0), ahead)
        healed = await scene.mended()
        await scene.until(lambda: wiretap.published[-1].version > ahead, "versions go on from there")
        late_comer = await scene.dashboard("late-comer")
        scene.broadcasts[0].kill()
        await asyncio.to_thread(scene.broadcasts[0].start)
        await scene.until(lambda: late_comer.connections == 2, "the dashboard is back")
        await scene.mended()
        scene.note("Redis' clock steps back by 5 min", "nothing", healed)

    play(tmp_path, story)
