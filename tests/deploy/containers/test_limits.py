"""What each container holds at its cap fits the limit that compose.yaml gives it: measured in the containers."""

import concurrent.futures
import contextlib
import os
import socket
from typing import Final

from tests.deploy.compose import services
from tests.deploy.containers.stack import SERVICES, Stack
from tests.deploy.test_memory import ALLOWED, cap, limit
from tests.support.raw_http import head
from tests.support.raw_websocket import UPGRADE, carried
from tools.waiting import wait_until

# What MAX_CONNECTIONS allows is multiplied out. CONTAINERS_SOCKETS=2500 opens half of it, near to what one address may open in a moment.
SOCKETS: Final = int(os.environ.get("CONTAINERS_SOCKETS") or 400)
# Stores chunks, one script each, because Redis checks its memory when a script begins.
FILL: Final = 'n=0; while [ $n -lt 100 ]; do sh /etc/pulse/cli.sh EVAL "$0" 0 $n || exit 0; n=$((n + 1)); done 2>&1'
UPLOADS: Final = 800  # of nearly a megabyte each
UPLOAD_TOKENS: Final = 100
CAP: Final = cap("MAX_CONNECTIONS")


def test_all_sockets_that_are_allowed_fit_the_front_and_broadcast(stack: Stack) -> None:
    """The memory of a socket in each, multiplied by the cap."""
    port = int(stack.settings["PORT"])
    token = stack.token("dashboard")
    asked = head("GET", "/ws/dashboard", (*UPGRADE, carried("pulse.v1", f"bearer.{token}")))

    def connect(_: int) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        connection.sendall(asked)
        assert b" 101 " in connection.recv(64)
        return connection

    with contextlib.ExitStack() as open_now, concurrent.futures.ThreadPoolExecutor(16) as pool:
        for connection in pool.map(connect, range(50)):
            open_now.enter_context(connection)
        before = {name: stack.used(name) for name in ("caddy", "broadcast")}
        for connection in pool.map(connect, range(SOCKETS)):
            open_now.enter_context(connection)
        after = {name: stack.used(name) for name in before}
    for name, base in before.items():
        each = (after[name] - base) / SOCKETS
        print(f"{name}: {base / 1e6:.0f} MB, and {each / 1e3:.0f} kB for each of {SOCKETS} sockets")
        assert base + each * CAP < ALLOWED * limit(name), name


def test_bodies_that_never_end_fit_ingest(stack: Stack) -> None:
    """Three times what its memory holds is on its way, from many tokens; it holds a bounded part, and takes readings meanwhile."""
    port, started = int(stack.settings["PORT"]), stack.inspect("ingest")["State"]["StartedAt"]
    piece = b"[" + b" " * 900_000

    def upload(number: int) -> socket.socket:
        token = stack.token("ingest", f"sender-{number % UPLOAD_TOKENS}")
        fields = (("Authorization", f"Bearer {token}"), ("Content-Type", "application/json"), ("Content-Length", str(len(piece) + 1)))
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        with contextlib.suppress(OSError):  # it may be refused before it has sent all
            connection.sendall(head("POST", "/api/tracking/telemetry/batch", fields) + piece)
        return connection

    before, highest = stack.used("ingest"), 0
    with contextlib.ExitStack() as open_now, concurrent.futures.ThreadPoolExecutor(16) as pool:
        for number, connection in enumerate(pool.map(upload, range(UPLOADS))):
            open_now.enter_context(connection)
            if number % 50 == 49:
                highest = max(highest, stack.used("ingest"))
        highest = max(highest, stack.used("ingest"))
        with stack.producer() as producer:
            producer.deliver("amid-uploads", 1)
    print(f"ingest: {before / 1e6:.0f} MB, and at most {highest / 1e6:.0f} MB with {UPLOADS * len(piece) / 1e6:.0f} MB on their way")
    assert highest < ALLOWED * limit("ingest")
    assert stack.inspect("ingest")["State"]["StartedAt"] == started


def test_a_full_redis_rewrites_its_file_within_its_limit(stack: Stack) -> None:
    """It is filled to maxmemory, refuses more, and copies all of it; the container holds both."""
    chunk = "for i = 1, 20 do redis.call('SET', 'fill:' .. ARGV[1] .. ':' .. i, string.rep('x', 262144)) end return 'stored'"
    refused = stack.inside("redis", "sh", "-c", FILL, chunk).stdout
    assert "OOM" in refused
    stored = 5 * 1024 * 1024 * refused.count("stored")
    assert stored > 300 * 1024 * 1024
    try:
        stack.inside("redis", "sh", "/etc/pulse/cli.sh", "BGREWRITEAOF")
        highest = 0

        def rewritten() -> bool:
            nonlocal highest
            highest = max(highest, stack.used("redis"))
            information = stack.inside("redis", "sh", "/etc/pulse/cli.sh", "INFO", "persistence").stdout
            return "aof_rewrite_in_progress:0" in information and "aof_rewrite_scheduled:0" in information

        wait_until(rewritten, "the rewritten file", seconds=120, poll_seconds=0.2)
        print(f"redis: at most {highest / 1e6:.0f} MB while it rewrote {stored / 1e6:.0f} MB")
        assert highest < ALLOWED * limit("redis")
        assert stack.healthy("redis")
    finally:
        delete = "for n = 0, 99 do for i = 1, 20 do redis.call('DEL', 'fill:' .. n .. ':' .. i) end end"
        stack.inside("redis", "sh", "/etc/pulse/cli.sh", "EVAL", delete, "0")
    with stack.producer() as producer:
        producer.deliver("after-full", 1)


def test_every_container_holds_a_part_of_its_limits_at_rest(stack: Stack) -> None:
    """Of memory and of processes."""
    for name in SERVICES:
        held = stack.used(name)
        tasks = len([entry for entry in stack.inside(name, "sh", "-c", "echo /proc/1/task/*").stdout.split() if entry])
        print(f"{name}: {held / 1e6:.0f} of {limit(name) / 1e6:.0f} MB, {tasks} tasks")
        assert held < 0.5 * limit(name)
        assert tasks < 0.5 * services()[name]["deploy"]["resources"]["limits"]["pids"]
