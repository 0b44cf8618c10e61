"""Containers are added, replaced and stopped by hand, and stored data and connected clients survive it."""

import contextlib
import pathlib
import subprocess
import time

from tests.deploy.containers.stack import SERVICES, Load, Stack, docker
from tools.waiting import wait_until


def test_more_containers_and_a_new_version_under_load_lose_no_post(stack: Stack) -> None:
    """`make scale` disconnects no dashboard, `make update` each one once at most; in the end all show the last values."""
    with Load(stack) as load:
        stack.make("scale", "BROADCAST=2", "INGEST=2")
        assert (len(stack.containers("broadcast")), len(stack.containers("ingest"))) == (2, 2)
        assert set(load.connections) == {1}
        before = {identity for name in ("ingest", "broadcast", "worker") for identity in stack.containers(name)}
        stack.make("update")
        after = {identity for name in ("ingest", "broadcast", "worker") for identity in stack.containers(name)}
        assert (len(after), after & before) == (5, set())
        load.stop_posting()
        wait_until(load.converged, "the last values on all dashboards", seconds=30)
        assert max(load.connections) <= 2
    assert load.failures == [], (load.posts, stack.logs("redis", "caddy")[-3000:])
    stack.make("scale")
    assert len(stack.containers()) == len(SERVICES)
    stack.wait_until_healthy()


def test_down_keeps_what_is_stored_and_up_finds_it(stack: Stack) -> None:
    """The next start over the volumes of the one before it."""
    with stack.producer() as producer:
        producer.deliver("kept", 11)
    wait_until(lambda: stack.value("kept") == 11, "the value")
    stack.down()
    assert stack.containers(running=False) == []
    stack.make("up")
    wait_until(lambda: stack.value("kept") == 11, "the value that was stored", seconds=30)


def test_a_container_that_was_killed_by_hand_stays_down_until_make_up(stack: Stack) -> None:
    """`docker kill` counts as a stop, so the engine does not restart it; the other services wait for it, and `make up` brings it back."""
    identity = stack.containers("redis")[0]
    started = stack.inspect("ingest")["State"]["StartedAt"]
    docker("kill", identity)
    wait_until(lambda: stack.inspect("redis")["State"]["Status"] == "exited", "the end")
    time.sleep(2)  # longer than the engine takes to restart one that died by itself
    assert stack.inspect("redis")["State"]["Status"] == "exited"
    stack.make("up")
    assert (stack.containers("redis"), stack.inspect("ingest")["State"]["StartedAt"]) == ([identity], started)
    stack.wait_until_healthy()
    with stack.producer() as producer:
        producer.deliver("killed", 12)


def test_up_reports_why_redis_is_unhealthy_and_waits_until_it_is(stack: Stack) -> None:
    """Its volume cannot be written at first, with which Compose alone ends: `dependency failed to start`."""
    docker("stop", stack.containers("redis")[0])
    volume = f"{stack.project}_redis:/data"

    def owner(of: str) -> None:
        docker("run", "--rm", "--user=0", "--volume", volume, "--entrypoint=chown", stack.tools, "-R", of, "/data")

    owner("0:0")
    log = pathlib.Path(stack.directory, "up.log")
    with log.open("w") as file, contextlib.ExitStack() as ends:
        up = subprocess.Popen(["make", "up"], cwd=stack.directory, stdout=file, stderr=subprocess.STDOUT)
        ends.callback(up.wait)
        ends.callback(up.terminate)
        wait_until(lambda: "make: redis (" in log.read_text() and "Permission denied" in log.read_text(), "a report", seconds=120)
        owner("999:1000")
        assert up.wait(200) == 0, log.read_text()[-3000:]
    stack.wait_until_healthy()


def test_an_update_that_does_not_become_ready_leaves_the_old_containers(stack: Stack) -> None:
    """The new container is reported and removed; the stack answers as before."""
    before = {name: stack.containers(name) for name in SERVICES}
    environment = stack.directory / ".env"
    whole = environment.read_text()
    environment.write_text(whole + "HISTORY_STEP_SECONDS=7\n")
    try:
        failed = stack.make("update", check=False)
    finally:
        environment.write_text(whole)
    assert failed.returncode != 0
    assert "HISTORY_STEP_SECONDS" in failed.stderr, failed.stderr[-3000:]
    assert {name: stack.containers(name, running=False) for name in SERVICES} == before
    stack.make("smoke", f"URL={stack.url}")
