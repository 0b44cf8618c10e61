"""What each container holds at its cap fits the limit that compose.yaml gives it: measured in the containers."""

import concurrent.futures
import contextlib
import os
import socket
import time
from typing import Any, Final

import httpx

from shared.contract.readings import MAX_BATCH_ITEMS
from tests.deploy.compose import services
from tests.deploy.containers.stack import ANSWER_SECONDS, SERVICES, Stack
from tests.deploy.test_memory import ALLOWED, cap, limit
from tests.support.raw_http import head
from tests.support.raw_websocket import UPGRADE, carried
from tests.support.readings import make_body
from tools.waiting import wait_until

# What MAX_CONNECTIONS allows is multiplied out. CONTAINERS_SOCKETS=2500 opens half of it, near to what one address may open in a moment.
SOCKETS: Final = int(os.environ.get("CONTAINERS_SOCKETS") or 400)
# Stores chunks, one script each, because Redis checks its memory when a script begins.
FILL: Final = 'n=0; while [ $n -lt 100 ]; do sh /etc/pulse/cli.sh EVAL "$0" 0 $n || exit 0; n=$((n + 1)); done 2>&1'
UPLOADS: Final = 800  # of nearly a megabyte each
UPLOAD_TOKENS: Final = 100
CAP: Final = cap("MAX_CONNECTIONS")
FEEDS: Final = int(os.environ.get("CONTAINERS_FEEDS") or 500)
COUNT: Final = """
import sqlite3
archive = sqlite3.connect("file:/archive/archive.db?mode=ro", uri=True)
print(*archive.execute("SELECT count(*) FROM archive_days JOIN archive_series ON id = series_id WHERE room_id LIKE 'copied-%'").fetchone())
"""


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


def test_days_of_many_feeds_fit_the_worker_and_their_report_fits_broadcast(stack: Stack) -> None:
    """Copied into the archive as the worker starts, and reported feed by feed."""
    yesterday = int(time.time()) // 86400 * 86400 - 43200
    rooms = [f"copied-{number}" for number in range(FEEDS)]
    items = [make_body(room_id=room, timestamp=(at := yesterday + 60 * n), tokens_count=n, sequence=at) for n in range(2) for room in rooms]
    with httpx.Client(headers={"Authorization": f"Bearer {stack.token('ingest')}"}, timeout=ANSWER_SECONDS) as client:
        for first in range(0, len(items), MAX_BATCH_ITEMS):
            batch = items[first : first + MAX_BATCH_ITEMS]
            wait_until(lambda: _is_taken(client, stack, batch), "room for a batch", seconds=30, poll_seconds=0.5)  # noqa: B023 - at once
    stack.forget_passes()
    stack.restart_worker()
    highest = {"worker": 0, "broadcast": 0}

    def is_copied() -> bool:
        """Whether the archive has all feeds; the worker is measured on the way."""
        highest["worker"] = max(highest["worker"], stack.used("worker"))
        counted = stack.inside("worker", "python", "-c", COUNT, check=False).stdout.strip()
        return counted == str(FEEDS)

    wait_until(is_copied, "the copy", seconds=120, poll_seconds=0.5)
    span = {"from": str(yesterday), "to": str(yesterday + 3600), "step": "3600", "by": "feed"}
    headers = {"Authorization": f"Bearer {stack.token('dashboard')}"}
    report = httpx.get(f"{stack.url}/api/tracking/analytics", params=span, headers=headers, timeout=ANSWER_SECONDS)
    assert report.status_code == 200, report.text
    assert {row["room_id"] for row in report.json()["feeds"]} >= set(rooms)
    highest["broadcast"] = stack.used("broadcast")
    for name, bytes_ in highest.items():
        print(f"{name}: at most {bytes_ / 1e6:.0f} of {limit(name) / 1e6:.0f} MB with {FEEDS} feeds")
        assert bytes_ < ALLOWED * limit(name)
    stack.wait_until_healthy()


def _is_taken(client: httpx.Client, stack: Stack, batch: list[dict[str, Any]]) -> bool:
    """Whether all of a batch is; beyond the rate of a token some of it, or all, is refused."""
    answer = client.post(f"{stack.url}/api/tracking/telemetry/batch", json=batch)
    return answer.status_code == 200 and "rejected" not in {item["result"] for item in answer.json()["results"]}


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
