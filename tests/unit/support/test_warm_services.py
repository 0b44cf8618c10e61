"""A forked service behaves as one that an interpreter of its own runs."""

import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Final

import pytest

from tests.support import warm_services
from tools.processes import ROOT, Service, free_port, start_process
from tools.stack import Stack
from tools.waiting import wait_until

STARTS: Final = [pytest.param(start_process, id="interpreter"), pytest.param(warm_services.start, id="forked")]
SERVICE: Final = [sys.executable, "-m", "ingest_service"]


@pytest.fixture
def service(stack: Stack, tmp_path: pathlib.Path) -> Service:
    """An ingest service that was not started yet."""
    port = free_port()
    environment = stack.environment(INGEST_PORT=str(port))
    return Service("ingest_service", environment, host="127.0.0.1", port=port, log=tmp_path / "ingest.log")


@pytest.mark.parametrize("start", STARTS)
def test_it_has_an_id_a_session_and_files_of_its_own_and_ends_by_signals(
    service: Service, start: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "start_process", staticmethod(start))
    service.start()
    assert os.getsid(service.pid) == service.pid
    files = pathlib.Path(f"/proc/{service.pid}/fd")
    assert (files / "1").readlink() == (files / "2").readlink() == service.log
    assert pathlib.Path(f"/proc/{service.pid}/cwd").readlink() == ROOT
    assert service.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        service.wait(0.01)
    first = service.pid
    service.stop()
    assert service.poll() == service.wait(1) == -signal.SIGTERM
    service.start()
    assert service.pid != first
    service.kill()
    assert service.poll() == -signal.SIGKILL
    service.signal(signal.SIGTERM)  # of a process that has ended, nothing happens


@pytest.mark.parametrize("start", STARTS)
def test_a_refused_start_has_its_reason_in_the_log_and_the_same_exit_status(
    service: Service, start: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "start_process", staticmethod(start))
    service.environment["TOKEN_KEYS"] = ""
    service.launch()
    assert service.wait(15) == 2
    assert "TOKEN_KEYS" in service.log.read_text()


def test_a_service_has_nothing_of_the_environment_of_an_earlier_one(service: Service) -> None:
    service.start()
    service.stop()
    with service.log.open("ab") as log:
        without = warm_services.start(SERVICE, ROOT, {"PATH": os.environ["PATH"]}, log)
    assert without.wait(15) == 2
    assert "REDIS_URL" in service.log.read_text()


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        (SERVICE, {"LD_PRELOAD": "libfaketime.so.1"}),
        (SERVICE, {"PYTHONHASHSEED": "0"}),
        (SERVICE, {"LC_ALL": "C"}),
        (["taskset", "-c", "0", *SERVICE], {}),
        ([sys.executable, "-m", "tools.smoke"], {}),
        ([sys.executable, "-X", "dev", "-m", "ingest_service"], {}),
    ],
)
def test_an_interpreter_of_its_own_is_started_where_it_reads_the_environment_or_options(
    command: list[str], environment: dict[str, str]
) -> None:
    assert warm_services.needs_interpreter(command, environment)
    assert not warm_services.needs_interpreter(SERVICE, {"REDIS_URL": "redis://127.0.0.1:1"})


def test_services_end_with_the_test_run_that_started_them_even_if_it_is_killed(service: Service) -> None:
    script = f"""
import pathlib, sys, time
from tests.support import warm_services
running = warm_services.start({SERVICE!r}, pathlib.Path({str(ROOT)!r}), {service.environment!r}, open({str(service.log)!r}, "ab"))
print(running.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        wait_until(service.accepts_connections, "the service", ignoring=(OSError,))
        run.kill()
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the end of the service")
