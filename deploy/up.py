"""Starts the stack and waits until its containers are healthy. `make up` and `make scale` run it; it uses only the standard library.

A container that is not healthy is reported with its reason and its last log lines, each reason once, and the wait goes on, because most
reasons pass: Redis reads a large file first, a full disk is emptied. Compose alone gives up at the first one.

Arguments are those of `docker compose up`. `--build` builds the images first. `--report` alone prints the reports and starts nothing.
UP_WAIT_SECONDS is the longest wait, 300 by default.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

WAIT_SECONDS: Final = float(os.environ.get("UP_WAIT_SECONDS") or 300)
POLL_SECONDS: Final = 1.0
LOG_LINES: Final = 5
REPORT_SECONDS: Final = 15.0
WORKING_DIRECTORY: Final = "com.docker.compose.project.working_dir"
SERVICE: Final = "com.docker.compose.service"
REFUSED: Final = """
make: Compose could not start the stack; its error is above. If a port of this host is taken, set PORT in .env to another one, with DOMAIN
HTTP_PORT and HTTPS_PORT, with the profile `monitoring` GRAFANA_PORT. If addresses overlap with those of another network, set
FRONT_NETWORK or MONITORING_NETWORK.
"""


class Container(NamedTuple):
    """A container, and why it is not healthy; the reason is empty while there is none."""

    identity: str
    name: str
    service: str
    running: bool
    waiting: bool
    reason: str


def parse(inspected: dict[str, Any]) -> Container:
    """A container as `docker inspect` describes it."""
    state = inspected["State"]
    health = state.get("Health") or {}
    status, code = state["Status"], state["ExitCode"]
    reason = ""
    if status in ("restarting", "exited", "dead"):
        reason = "was killed because it reached its memory limit" if state.get("OOMKilled") else f"ended with status {code}"
        reason += ", and the engine restarts it" if status == "restarting" else ", and is not restarted"
    elif health.get("Status") == "starting" and (restarts := inspected.get("RestartCount", 0)):
        reason = f"ended, and the engine has restarted it (times: {restarts})"
    elif health.get("Status") == "unhealthy":
        outputs = [probe["Output"] for probe in health.get("Log") or [] if probe["ExitCode"] and probe["Output"].strip()]
        reason = "fails its health check" + (f": {outputs[-1].strip().splitlines()[-1]}" if outputs else "")
    return Container(
        identity=inspected["Id"],
        name=inspected["Name"].lstrip("/"),
        service=inspected["Config"]["Labels"].get(SERVICE, ""),
        running=status == "running",
        waiting=status == "restarting" or (status == "running" and health.get("Status") in ("starting", "unhealthy")),
        reason=reason,
    )


def report(container: Container, log: str) -> str:
    """What a person needs to know of a container that is not healthy."""
    lines = [line for line in log.splitlines() if line.strip()][-LOG_LINES:]
    shown = "".join(f"    {line}\n" for line in lines) or "    It has logged nothing.\n"
    return f"make: {container.service} ({container.name}) {container.reason}. Its last log lines:\n{shown}"


class Reporter:
    """Reports each reason of a container once."""

    def __init__(self, log_of: Callable[[str], str], write: Callable[[str], object]) -> None:
        self._log_of = log_of
        self._write = write
        self._reported: set[tuple[str, str]] = set()

    def see(self, containers: Iterable[Container]) -> bool:
        """Reports those that have a new reason; returns whether any has a reason."""
        troubled = [container for container in containers if container.reason]
        for container in troubled:
            kind = (container.identity, re.split(r"[:,]| with status", container.reason)[0])
            if kind not in self._reported:
                self._reported.add(kind)
                self._write(report(container, self._log_of(container.identity)))
        return bool(troubled)


def start(
    up: Callable[[], int],
    containers: Callable[[], list[Container]],
    reporter: Reporter,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], object],
    seconds: float = WAIT_SECONDS,
) -> int:
    """Runs `up` until it succeeds, and returns its exit code, 0 unless it fails without a container that has a reason, or time is over.

    A container can heal between Compose's look and this one, so `up` has to fail twice in a row without a reason.
    """
    ends = clock() + seconds
    without_reason = 0
    while code := up():
        seen = containers()
        is_explained = reporter.see(seen) or any(container.waiting for container in seen)
        without_reason = 0 if is_explained else without_reason + 1
        if without_reason > 1:
            return code
        sleep(POLL_SECONDS)
        while any(container.waiting for container in seen) and clock() < ends:
            sleep(POLL_SECONDS)
            seen = containers()
            reporter.see(seen)
        if clock() >= ends:
            return code
    return 0


def call(*command: str) -> int:
    """Runs a command on this terminal."""
    return subprocess.run(command, check=False).returncode


def output(*command: str) -> str:
    """What a command prints, errors included."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False).stdout


def current() -> list[Container]:
    """The containers of this stack. Those that are removed at this moment are left out."""
    identities = subprocess.run(["docker", "compose", "ps", "--all", "--quiet"], capture_output=True, text=True, check=False).stdout.split()
    if not identities:
        return []
    printed = subprocess.run(["docker", "inspect", *identities], capture_output=True, text=True, check=False).stdout
    try:
        return [parse(inspected) for inspected in json.loads(printed or "[]")]
    except (ValueError, KeyError):
        return []


def project() -> str:
    """The name of the stack, from the environment or `.env`."""
    file = pathlib.Path(".env")
    named = re.findall(r"(?m)^COMPOSE_PROJECT_NAME=(\S+)", file.read_text("utf-8")) if file.exists() else []
    return os.environ.get("COMPOSE_PROJECT_NAME") or (named[-1] if named else "studio-pulse")


def owner() -> str:
    """The other checkout whose stack has this one's name; empty if there is none."""
    labels = output(
        "docker",
        "ps",
        "--all",
        "--filter",
        f"label=com.docker.compose.project={project()}",
        "--format",
        f'{{{{.Label "{WORKING_DIRECTORY}"}}}}',
    )
    here = pathlib.Path.cwd().resolve()
    others = [path for path in dict.fromkeys(labels.splitlines()) if path.startswith("/") and pathlib.Path(path).resolve() != here]
    return next((path for path in others if pathlib.Path(path, "compose.yaml").exists()), "")


def main(arguments: list[str]) -> int:
    """Starts the stack, or reports on it."""
    reporter = Reporter(lambda identity: output("docker", "logs", "--tail", str(LOG_LINES), identity), sys.stderr.write)
    if arguments == ["--report"]:
        ends = time.monotonic() + REPORT_SECONDS  # one that is restarted again and again has no reason while it starts
        while not reporter.see(current()) and time.monotonic() < ends:
            time.sleep(POLL_SECONDS)
        return 0
    if other := owner():
        print(
            f"make: the stack {project()!r} on this host belongs to {other}. For a second one set COMPOSE_PROJECT_NAME, PORT, "
            "FRONT_NETWORK and MONITORING_NETWORK in .env to values of its own, with the profile `monitoring` GRAFANA_PORT too.",
            file=sys.stderr,
        )
        return 1
    if "--build" in arguments and (code := call("docker", "compose", "build")):
        return code
    rest = [argument for argument in arguments if argument != "--build"]
    up = ("docker", "compose", "up", "--detach", "--wait", *rest)
    if code := start(lambda: call(*up), current, reporter, clock=time.monotonic, sleep=time.sleep):
        troubled = ", ".join(container.service for container in current() if container.reason or container.waiting)
        sys.stderr.write(f"make: not healthy: {troubled}. The containers go on; run make up again.\n" if troubled else REFUSED)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
