"""`make up` reports why a container is not healthy, and goes on waiting."""

import pathlib
from typing import Any

import pytest

from deploy.up import Container, Reporter, owner, parse, report, start


def inspected(
    status: str = "running", health: str = "", *, code: int = 0, output: str = "", oom: bool = False, restarts: int = 0
) -> dict[str, Any]:
    """A container as `docker inspect` describes it."""
    log = [{"ExitCode": 0, "Output": "fine"}, {"ExitCode": 1, "Output": output}] if output else []
    state: dict[str, Any] = {"Status": status, "ExitCode": code, "OOMKilled": oom}
    if health:
        state["Health"] = {"Status": health, "Log": log}
    return {
        "Id": "1",
        "Name": "/pulse-redis-1",
        "Config": {"Labels": {"com.docker.compose.service": "redis"}},
        "State": state,
        "RestartCount": restarts,
    }


@pytest.mark.parametrize(
    ("container", "reason", "waiting"),
    [
        (inspected(), "", False),
        (inspected(health="healthy"), "", False),
        (inspected(health="starting"), "", True),
        (inspected(health="starting", restarts=3), "ended, and the engine has restarted it (times: 3)", True),
        (inspected(health="healthy", restarts=3), "", False),
        (inspected("created"), "", False),
        (inspected(health="unhealthy"), "fails its health check", True),
        (inspected(health="unhealthy", output="noise\nLOADING Redis\n"), "fails its health check: LOADING Redis", True),
        (inspected("restarting", "unhealthy", code=1), "ended with status 1, and the engine restarts it", True),
        (inspected("exited", code=137), "ended with status 137, and is not restarted", False),
        (inspected("exited", code=137, oom=True), "was killed because it reached its memory limit, and is not restarted", False),
    ],
)
def test_each_state_has_its_reason(container: dict[str, Any], reason: str, *, waiting: bool) -> None:
    """None while the container is healthy or starting."""
    assert (parse(container).reason, parse(container).waiting) == (reason, waiting)


def test_a_report_names_the_container_the_reason_and_the_last_lines_of_its_log() -> None:
    """A container without a log is named too."""
    container = parse(inspected("restarting", code=1))
    log = "".join(f"line {number}\n\n" for number in range(9))
    written = "make: redis (pulse-redis-1) ended with status 1, and the engine restarts it. Its last log lines:\n"
    assert report(container, log) == written + "".join(f"    line {number}\n" for number in range(4, 9))
    assert report(container, "") == written + "    It has logged nothing.\n"


class Engine:
    """Containers that change with every look, and Compose, which succeeds only while none has a reason."""

    def __init__(self, *looks: dict[str, Any], code: int = 1) -> None:
        self.looks = [parse(look) for look in looks]
        self.code = code
        self.written: list[str] = []
        self.seconds = 0.0
        self.starts = 0

    def up(self) -> int:
        """The exit code of Compose."""
        self.starts += 1
        return self.code if self.looks[0].reason or self.looks[0].waiting else 0

    def containers(self) -> list[Container]:
        """The next look; the last one stays."""
        return [self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]]

    def sleep(self, seconds: float) -> None:
        """Lets time pass."""
        self.seconds += seconds

    def run(self, seconds: float = 300) -> int:
        """Starts the stack."""
        reporter = Reporter(lambda identity: f"log of {identity}", self.written.append)
        return start(self.up, self.containers, reporter, clock=lambda: self.seconds, sleep=self.sleep, seconds=seconds)


def test_a_container_that_heals_is_reported_once_and_awaited() -> None:
    """Compose alone would end with the first failure."""
    ill = inspected("restarting", "unhealthy", code=1)
    engine = Engine(ill, ill, inspected(health="starting"), ill, inspected(health="healthy"))
    assert engine.run() == 0
    assert len(engine.written) == 1
    assert "redis (pulse-redis-1) ended with status 1" in engine.written[0]
    assert engine.starts == 2


def test_a_container_that_was_stopped_by_hand_is_started_again() -> None:
    """It needs another start, and no wait."""
    engine = Engine(inspected("exited", code=137), inspected(health="healthy"))
    assert engine.run() == 0
    assert engine.starts == 2


def test_the_wait_ends_with_the_exit_code_of_compose() -> None:
    """A container that never heals is no success, however it changes."""
    engine = Engine(inspected(health="unhealthy"), code=7)
    assert engine.run(seconds=20) == 7
    assert 20 <= engine.seconds < 30


def test_a_failure_without_an_unhealthy_container_is_repeated_once() -> None:
    """Such as a port that is taken: the second try ends as the first one."""

    class Refused(Engine):
        def up(self) -> int:
            self.starts += 1
            return 1

    engine = Refused(inspected("created"))
    assert (engine.run(), engine.starts, engine.written) == (1, 2, [])


def test_a_container_that_heals_before_it_is_looked_at_ends_no_start() -> None:
    """Compose saw it unhealthy and gave up; a moment later no container has a reason."""

    class Late(Engine):
        def up(self) -> int:
            self.starts += 1
            return 1 if self.starts == 1 else 0

    engine = Late(inspected(health="healthy"))
    assert (engine.run(), engine.starts, engine.written) == (0, 2, [])


def test_another_checkout_keeps_its_stack(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack of the same name is not taken over, unless its checkout is gone or was moved here."""
    other, here = tmp_path / "other", tmp_path / "here"
    for directory in (other, here, tmp_path / "bin"):
        directory.mkdir()
    (other / "compose.yaml").touch()
    (here / ".env").write_text("COMPOSE_PROJECT_NAME=first\n#COMPOSE_PROJECT_NAME=no\nCOMPOSE_PROJECT_NAME=mine\n")
    docker = tmp_path / "bin" / "docker"
    docker.write_text(f'#!/bin/sh\necho "$*" >{tmp_path}/asked\necho {here}\necho {tmp_path}/gone\necho {other}\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    monkeypatch.chdir(here)
    assert owner() == str(other)
    assert "label=com.docker.compose.project=mine" in (tmp_path / "asked").read_text()
    (other / "compose.yaml").unlink()
    assert owner() == ""
