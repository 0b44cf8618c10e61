"""Two workers on one Redis: one works, and what happens to the lease when processes, Redis or clocks fail."""

import contextlib
import pathlib
import sqlite3
import time
from collections.abc import Iterator

import httpx
import pytest

from shared.contract import keys
from shared.store.connection import OPERATION_TIMEOUT_SECONDS
from shared.store.database_url import DatabaseUrl
from tests.support import needs
from tests.support.clients import metric
from tests.support.freezing import is_locked, is_stopped
from tools.processes import Service
from tools.redis_server import RedisServer
from tools.stack import Stack
from tools.waiting import wait_until
from worker_service.app import LEASE
from worker_service.lease import RETRY_SECONDS, TERM_SECONDS

pytestmark = pytest.mark.faults
WITHIN_SECONDS = 40.0  # on a busy machine
REPLACED_WITHIN_SECONDS = 10.0


@pytest.fixture
def stack(tmp_path: pathlib.Path) -> Iterator[Stack]:
    """A Redis and two workers."""
    with Stack(tmp_path) as stack:
        stack.worker()
        stack.worker()
        yield stack


def redis_of(stack: Stack) -> RedisServer:
    """The stack's Redis."""
    assert stack.redis is not None
    return stack.redis


def lease_of(worker: Service) -> str:
    """What a worker says of its lease; empty while it does not answer or is not ready."""
    try:
        return str(httpx.get(f"{worker.url}/readyz", timeout=1).json().get("lease", ""))
    except httpx.HTTPError:
        return ""


def holder_of(stack: Stack) -> Service:
    """The worker that works, once exactly one does."""

    def only() -> Service | None:
        found = [worker for worker in stack.services if worker.poll() is None and lease_of(worker) == "held"]
        return found[0] if len(found) == 1 else None

    return wait_until(only, "a worker with the lease", seconds=WITHIN_SECONDS)


def other(stack: Stack, worker: Service) -> Service:
    """The second worker."""
    (found,) = (service for service in stack.services if service is not worker)
    return found


def token_of(stack: Stack) -> int:
    """The last fencing token."""
    return int(redis_of(stack).admin.get(keys.lease_token(LEASE)) or 0)


def archived_token(stack: Stack) -> int:
    """The fencing token that wrote to the archive last; 0 before there is one."""
    path = DatabaseUrl.parse(stack.database_url).path
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
        try:
            return int(connection.execute("SELECT token FROM archive_state").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def wait_for_lease(worker: Service, lease: str) -> None:
    """Waits until a worker says that it holds the lease, or that it stands by."""
    wait_until(lambda: lease_of(worker) == lease, f"a worker that says {lease}", seconds=WITHIN_SECONDS)


def test_the_constants_replace_a_killed_holder_in_time() -> None:
    """The key expires, and the next attempt gets it even if an earlier one had timed out."""
    assert TERM_SECONDS + 2 * (RETRY_SECONDS + OPERATION_TIMEOUT_SECONDS) < REPLACED_WITHIN_SECONDS


def test_a_killed_or_stopped_holder_is_replaced(stack: Stack) -> None:
    holder = holder_of(stack)
    standby, token = other(stack, holder), token_of(stack)
    assert lease_of(standby) == "standby"
    assert (metric(holder.url, "pulse_worker_lease_held"), metric(standby.url, "pulse_worker_lease_held")) == (1, 0)
    holder.kill()
    wait_for_lease(standby, "held")
    assert token_of(stack) > token
    holder.start()
    wait_for_lease(holder, "standby")
    standby.stop()
    assert redis_of(stack).admin.get(keys.lease(LEASE)) is None or lease_of(holder) == "held"
    wait_for_lease(holder, "held")
    assert "lease.not_released" not in standby.log.read_text()


def test_a_frozen_holder_gives_up_as_soon_as_it_runs_again(stack: Stack) -> None:
    holder = holder_of(stack)
    standby, token = other(stack, holder), token_of(stack)
    wait_until(lambda: archived_token(stack) >= token, "a write of the holder", seconds=WITHIN_SECONDS)
    with frozen_between_writes(stack, holder):
        wait_for_lease(standby, "held")
        newer = token_of(stack)
        assert newer > token
        wait_until(lambda: archived_token(stack) >= newer, "a write of its successor", seconds=WITHIN_SECONDS)
    wait_until(lambda: '"lease.lost"' in holder.log.read_text(), "a holder that gives up", seconds=WITHIN_SECONDS)
    wait_for_lease(other(stack, holder_of(stack)), "standby")  # a slow machine may have changed the holder once more
    wait_until(lambda: archived_token(stack) >= newer, "an archive that kept its token", seconds=WITHIN_SECONDS)


@contextlib.contextmanager
def frozen_between_writes(stack: Stack, worker: Service) -> Iterator[None]:
    """Stops a worker where it holds no lock of the archive, which its successor would wait for (see test_archive.py)."""
    while True:
        with worker.frozen():
            wait_until(lambda: is_stopped(worker.pid), "the stop")
            if not is_locked(stack.database_url):
                yield
                return


def test_redis_is_killed_and_flushed_and_one_worker_works_afterwards(stack: Stack) -> None:
    holder_of(stack)
    token = token_of(stack)
    redis_of(stack).kill()
    for worker in stack.services:
        wait_for_lease(worker, "")
    assert all(worker.poll() is None for worker in stack.services)
    redis_of(stack).start()
    holder_of(stack)
    redis_of(stack).admin.flushall()
    wait_until(lambda: token_of(stack) > token, "a new lease", seconds=WITHIN_SECONDS)
    holder = holder_of(stack)
    wait_for_lease(other(stack, holder), "standby")
    assert token_of(stack) > token


@pytest.mark.parametrize("step", ["+3600", "-3600"])
def test_a_clock_of_redis_that_is_set_leaves_one_worker_at_work(tmp_path: pathlib.Path, step: str) -> None:
    """Set back, the key of a killed holder would stay for an hour; set forward, it is gone at once."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    server = RedisServer(tmp_path / "redis")
    server.environment |= needs.faketime(clock)
    server.start()
    try:
        with Stack(tmp_path, redis_url=server.url) as stack:
            stack.redis = server
            first, second = stack.worker(), stack.worker()
            holder = holder_of(stack)
            standby = other(stack, holder)
            draft = clock.with_suffix(".draft")
            draft.write_text(step)
            draft.rename(clock)
            wait_until(lambda: abs(int(server.admin.time()[0]) - time.time()) > 1000, "the other clock")
            token = token_of(stack)
            holder.kill()
            wait_for_lease(standby, "held")
            assert token_of(stack) > token
            assert {first, second} == {holder, standby}
    finally:
        server.stop()
