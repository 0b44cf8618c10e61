"""Each background job of every service is killed, in each way in which a job can die: readiness falls within five seconds."""

import concurrent.futures
import pathlib
import time
import urllib.error
import urllib.request
from typing import Final

import pytest

from tests.faults.catalogue import record
from tests.support.redis_topologies import wait_for_redis
from tools.processes import ROOT, Service
from tools.stack import Stack

pytestmark = pytest.mark.faults

SHARDS: Final = 2
WITHIN_SECONDS: Final = 5.0
JOBS: Final = {
    "ingest": {"store", "revocations", "audit", "watch", "writer-0", "writer-1"},
    "broadcast": {
        *("store", "revocations", "audit", "watch", "relay", "sessions", "ended-screens", "reports", "studio-file"),
        *(f"listener-{shard}" for shard in range(SHARDS)),
    },
    "worker": {"store", "watch", "lease", "archive"},
}
# A listener waits for the jobs that it runs side by side; the probe is the one whose turns everything rests on.
HANGING: Final = {f"listener-{shard}": "ShardListener._probe" for shard in range(SHARDS)}


def start(stack: Stack, kind: str, order: pathlib.Path) -> Service:
    """A service that kills one of its jobs on request."""
    settings = {"PYTHONPATH": str(ROOT / "tests" / "faults" / "killing"), "KILL_FILE": str(order), "TELEMETRY_SHARDS": str(SHARDS)}
    starts = {"ingest": stack.ingest, "broadcast": stack.broadcast, "worker": stack.worker}
    return starts[kind](None, **settings)


def write(order: pathlib.Path, text: str) -> None:
    """Gives an order at once, not half of it first."""
    draft = order.with_suffix(".draft")
    draft.write_text(text)
    draft.rename(order)


def is_ready(service: Service) -> bool:
    """Whether a proxy would send it anything."""
    try:
        with urllib.request.urlopen(service.url + "/readyz", timeout=1) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def unready_after(stack: Stack, kind: str, job: str, how: str) -> float:
    """How many seconds after a job's death the service says that it is not ready, or says nothing any more."""
    order = stack.directory / f"{kind}-{job}-{how}"
    service = start(stack, kind, order)
    write(order, f"{how} {HANGING.get(job, job) if how == 'hang' else job}")
    killed_at = time.monotonic()
    while is_ready(service) and time.monotonic() - killed_at < 3 * WITHIN_SECONDS:
        time.sleep(0.05)
    seconds = time.monotonic() - killed_at
    if how == "hang":
        assert service.poll() is None
    else:
        assert service.wait(10) == 1
        assert f'"{job}"' in service.log.read_text()
    service.stop()
    return seconds


@pytest.mark.parametrize("how", ["cancel", "raise", "hang"])
@pytest.mark.parametrize("kind", JOBS)
def test_no_service_is_ready_without_each_of_its_jobs(tmp_path: pathlib.Path, kind: str, how: str) -> None:
    """A job that ends takes its process with it; one that hangs makes the process unready, and is named in the reason."""
    with Stack(tmp_path) as stack, concurrent.futures.ThreadPoolExecutor(3) as threads:
        seconds = dict(zip(JOBS[kind], threads.map(lambda job: unready_after(stack, kind, job, how), JOBS[kind]), strict=True))
    assert {job: took for job, took in seconds.items() if took > WITHIN_SECONDS} == {}
    record(34, f"{kind}: each of {len(seconds)} jobs killed ({how})", f"not ready within {max(seconds.values()):.1f} s", None)


@pytest.mark.parametrize("kind", JOBS)
def test_the_jobs_that_are_killed_are_all_there_are(tmp_path: pathlib.Path, kind: str) -> None:
    """A job that is added must be added here."""
    order = tmp_path / "order"
    with Stack(tmp_path) as stack:
        start(stack, kind, order)
        write(order, "list nothing")
        assert set(wait_for_redis(lambda: order.with_suffix(".jobs").read_text().split(), "the jobs are listed")) == JOBS[kind]
