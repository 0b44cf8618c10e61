"""A clone of this checkout whose stack runs in containers, and clients of it."""

import contextlib
import datetime as dt
import functools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any, Final, Self

from websockets.exceptions import ConnectionClosed, InvalidStatus

from shared.settings import TokenSettings, load
from shared.tokens import issue
from tests.deploy.compose import parse_env
from tests.support.clients import Dashboard, Producer
from tools.processes import ROOT
from tools.waiting import DeadlineExceeded, wait_until

SERVICES: Final = ("redis", "ingest", "broadcast", "worker", "caddy")
PROFILES: Final = {"postgres": ("postgres", "postgres-backup"), "monitoring": ("prometheus", "redis-exporter")}  # Grafana has no stand-in
CHECKED: Final = (*SERVICES, "postgres", "postgres-backup", "prometheus")  # by a health check
HEALTHY_SECONDS: Final = 90.0
COMMAND_SECONDS: Final = 400.0
ANSWER_SECONDS: Final = 30.0  # for a client: the containers of all stacks share the CPU with what else runs on the machine
# The health checks are those of the images and of compose.yaml, more often: every start waits for one. `tests/deploy/test_compose.py` and
# `tests/deploy/test_image.py` check the intervals of production.
HEALTH_SECONDS: Final = 2
# In the archive that the settings of the container name.
FORGET_PASSES: Final = """
import os, sqlalchemy
with sqlalchemy.create_engine(os.environ["DATABASE_URL"]).begin() as connection:
    connection.execute(sqlalchemy.text("UPDATE archive_passes SET copied_at = 0"))
"""


def run(*command: str, cwd: pathlib.Path = ROOT, check: bool = True, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a command; its output is part of the error if it fails."""
    environment = {**os.environ, **settings}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done


def docker(*arguments: str, check: bool = True) -> str:
    """The output of docker."""
    return run("docker", *arguments, check=check).stdout


class Stack:
    """One clone and its containers."""

    def __init__(self, directory: pathlib.Path, **settings: str) -> None:
        self.directory = directory
        self.settings = settings

    def clone(self) -> Self:
        """Copies what version control knows of this checkout, readable for its owner alone, as a clone under `umask 077` is."""
        names = run("git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.splitlines()
        for name in names:
            if (ROOT / name).is_file():
                target = self.directory / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, target)
        run("chmod", "-R", "u=rwX,go=", str(self.directory))
        (self.directory / ".env.more").write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))
        run("python3", "deploy/make_env.py", cwd=self.directory)
        with (self.directory / ".env").open("a") as file:
            file.write((self.directory / ".env.more").read_text())
        checks = "".join(f"  {name}: {{healthcheck: {{interval: {HEALTH_SECONDS}s}}}}\n" for name in CHECKED)
        (self.directory / "compose.override.yaml").write_text(f"services:\n{checks}")
        return self

    @property
    def secrets(self) -> dict[str, str]:
        """The variables of `.env`."""
        return parse_env((self.directory / ".env").read_text())

    @property
    def project(self) -> str:
        """The name of the stack."""
        return self.settings.get("COMPOSE_PROJECT_NAME", "studio-pulse")

    @property
    def url(self) -> str:
        """Where the front listens."""
        return f"http://127.0.0.1:{self.settings.get('PORT', '3000')}"

    def make(self, *arguments: str, check: bool = True, **settings: str) -> subprocess.CompletedProcess[str]:
        """Runs make in the clone."""
        return run("make", "--no-print-directory", *arguments, cwd=self.directory, check=check, **settings)

    def compose(self, *arguments: str, check: bool = True) -> str:
        """The output of Compose in the clone."""
        return run("docker", "compose", *arguments, cwd=self.directory, check=check).stdout

    def containers(self, service: str = "", *, running: bool = True) -> list[str]:
        """The identities of the containers of a service, or of all services. The engine answers sooner than Compose."""
        filters = [f"project={self.project}", "oneoff=False", *([f"service={service}"] if service else [])]
        wanted = [word for name in filters for word in ("--filter", f"label=com.docker.compose.{name}")]
        return docker("ps", "--quiet", "--no-trunc", *([] if running else ["--all"]), *wanted).split()

    def inspect(self, service: str) -> dict[str, Any]:
        """The only container of a service, running or not."""
        (identity,) = self.containers(service, running=False)
        (inspected,) = json.loads(docker("inspect", identity))
        return dict(inspected)

    def healthy(self, service: str) -> bool:
        """Whether the only container of a service is."""
        state = self.inspect(service)["State"]
        return bool(state["Status"] == "running" and state["Health"]["Status"] == "healthy")

    def wait_until_healthy(self, *names: str) -> None:
        """Waits for some services, or for all; the error has the end of the log of the one that did not become healthy."""
        for service in names or SERVICES:
            try:
                wait_until(functools.partial(self.healthy, service), f"a healthy {service}", seconds=HEALTHY_SECONDS, poll_seconds=0.3)
            except DeadlineExceeded as error:
                error.add_note(f"{self.inspect(service)['State']}\n{self.logs('--tail=20', service)}")
                raise

    def inside(self, service: str, *command: str, user: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command in the first container of a service."""
        who = ["--user", user] if user else []
        return run("docker", "exec", *who, self.containers(service)[0], *command, check=check)

    def kill_process(self, service: str) -> None:
        """Kills the first process of a container as the kernel would, not through the engine, which would take it for a stop by hand."""
        pid = self.inspect(service)["State"]["Pid"]
        if os.environ["CONTAINERS"] == "own":
            os.kill(pid, signal.SIGKILL)
        else:
            docker("run", "--rm", "--pid=host", "--user=0", "--entrypoint=sh", self.tools, "-c", "kill -9 $0", str(pid))

    @contextlib.contextmanager
    def exhausting(self, service: str) -> Iterator[None]:
        """Meanwhile a process in a container takes memory until the kernel ends the container's first process."""
        # The kernel is asked to choose the first process, which a user may ask for its own. `tail` keeps a line that does not end.
        self.inside(service, "sh", "-c", "echo 1000 >/proc/1/oom_score_adj")
        hog = ["docker", "exec", self.containers(service)[0], "sh", "-c", "head -c 4000m /dev/zero | tail >/dev/null"]
        with subprocess.Popen(hog, stderr=subprocess.DEVNULL) as process:
            try:
                yield
            finally:
                process.kill()

    def wait_for_restart(self, service: str, before: int) -> None:
        """Waits until the engine has restarted a container more often than before, and it is healthy."""
        wait_until(lambda: self.inspect(service)["RestartCount"] > before, f"a restart of {service}", seconds=120)
        self.wait_until_healthy(service)

    def fill(self, service: str, directory: str) -> None:
        """Writes to a volume until it is full, as the container's own user."""
        assert "No space left" in self.inside(service, "sh", "-c", f"cat /dev/zero >{directory}/filler", check=False).stderr

    def fill_volume(self, volume: str, directory: str) -> None:
        """The same where no container that uses the volume is to do it; the volume belongs to the images' user."""
        script = f"! cat /dev/zero >{directory}/filler"
        docker("run", "--rm", f"--volume={self.project}_{volume}:{directory}", "--entrypoint=sh", self.tools, "-c", script)

    def empty(self, service: str, directory: str) -> None:
        """Removes what `fill` wrote."""
        self.inside(service, "rm", "-f", f"{directory}/filler")

    def forget_passes(self) -> None:
        """Lets the archive take its last copies for old ones, so that the worker copies as soon as it starts, and not within a minute."""
        forget = ("python", "-c", FORGET_PASSES)  # which fails before the archive has its tables
        wait_until(lambda: self.inside("worker", *forget, check=False).returncode == 0, "an archive", seconds=60, poll_seconds=0.5)

    def restart_worker(self) -> None:
        """Stops the worker, which gives up its lease, and starts it again."""
        docker("restart", "--time", "10", self.containers("worker")[0])

    def used(self, service: str) -> int:
        """What a container holds in memory, without files that the kernel can drop at any time."""
        script = (
            "cat /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory/memory.stat 2>/dev/null;"
            "echo current $(cat /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory/memory.usage_in_bytes 2>/dev/null)"
        )
        read: dict[str, str] = dict(re.findall(r"(?m)^(\w+) (\d+)$", self.inside(service, "sh", "-c", script, check=False).stdout))
        dropped = read["total_inactive_file"] if "total_inactive_file" in read else read["inactive_file"]
        return int(read["current"]) - int(dropped)

    @property
    def tools(self) -> str:
        """An image with a shell and Python."""
        return f"{self.project}-ingest"

    def token(self, audience: str, subject: str = "tester") -> str:
        """A token for all rooms, signed with the key of `.env`."""
        keyring = load(TokenSettings, {"TOKEN_KEYS": self.secrets[f"{audience.upper()}_TOKEN_KEYS"]}).keyring
        now = int(time.time())
        return issue(keyring, audience=audience, subject=subject, rooms=["*"], platforms=None, ttl_seconds=3600, now_seconds=now)

    @contextlib.contextmanager
    def producer(self) -> Iterator[Producer]:
        """A producer that posts through the front."""
        with Producer(self.url, self.token("ingest"), seconds=ANSWER_SECONDS) as producer:
            yield producer

    def dashboard(self, subject: str = "tester") -> Dashboard:
        """A dashboard behind the front."""
        return Dashboard(self.url, self.token("dashboard", subject), open_timeout=ANSWER_SECONDS)

    def value(self, room: str) -> int:
        """A room's balance as a new dashboard sees it; -1 if it sees none."""
        with self.dashboard() as dashboard:
            dashboard.snapshot()
            return next((tokens for (name, _), (_, tokens) in dashboard.values.items() if name == room), -1)

    def logs(self, *names: str) -> str:
        """What the containers of some services, or all containers, have logged."""
        return self.compose("logs", "--no-color", *names)

    def down(self, *, volumes: bool = False) -> None:
        """Stops everything; with volumes removes the stored data too."""
        if volumes:
            self.compose("--profile", "*", "down", "--volumes", "--timeout", "0")
        else:
            self.make("down")


class Load:
    """Posts to rooms one after the other, and keeps dashboards connected, until the end."""

    def __init__(self, stack: Stack, *, rooms: int = 6, dashboards: int = 8) -> None:
        self.posts = 0
        self.failures: list[str] = []  # an answer that is not 200, or an error, each with its moment for a look at the logs
        self.connections = [0] * dashboards
        self.values: list[dict[tuple[str, str], tuple[int, int]]] = [{} for _ in range(dashboards)]
        self.posted: dict[str, int] = {}
        self._stack = stack
        self._rooms = [f"load-{number}" for number in range(rooms)]
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._post), *(threading.Thread(target=self._watch, args=(n,)) for n in range(dashboards))]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        wait_until(lambda: min(self.connections) == 1 and self.posts > len(self._rooms), "the load", seconds=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(30)

    def converged(self) -> bool:
        """Whether every dashboard shows the last posted value of every room; posting stops for it."""
        return all({room: tokens for (room, _), (_, tokens) in seen.items() if room in self.posted} == self.posted for seen in self.values)

    def stop_posting(self) -> None:
        """The last value of every room stays."""
        self._paused = True
        self._threads[0].join(30)

    _paused = False

    def _post(self) -> None:
        with self._stack.producer() as producer:
            for number in range(1, 1_000_000):
                for room in self._rooms:
                    if self._ends.is_set() or self._paused:
                        return
                    self._post_one(producer, room, number)

    def _post_one(self, producer: Producer, room: str, number: int) -> None:
        self.posts += 1
        try:
            answer = producer.post(room, number)
        except Exception as error:  # noqa: BLE001 - any failure is what the test counts
            self.failures.append(f"{dt.datetime.now(dt.UTC):%T} {error!r}")
        else:
            if answer.status_code == 200:
                self.posted[room] = number
            else:
                seconds = answer.elapsed.total_seconds()
                self.failures.append(f"{dt.datetime.now(dt.UTC):%T} {answer.status_code} after {seconds:.2f} s: {answer.text}")
        self._ends.wait(0.05)  # fewer than the five readings of a room in a second that are allowed

    def _watch(self, number: int) -> None:
        while not self._ends.is_set():
            with contextlib.suppress(ConnectionClosed, InvalidStatus, OSError), self._stack.dashboard(f"viewer-{number}") as dashboard:
                self.connections[number] += 1
                self.values[number] = dashboard.values
                while not self._ends.is_set():
                    with contextlib.suppress(TimeoutError):
                        dashboard.next_event(0.5)
                    self.values[number] = dashboard.values
            self._ends.wait(0.2)


def link_of(printed: str) -> str:
    """The link that `make up` prints."""
    found = re.search(r"Dashboard +(\S+)", printed)
    assert found
    return found[1]
