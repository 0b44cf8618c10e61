"""The Dockerfile's steps run without an engine: the files it installs and copies are enough to run read-only and without privileges."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import httpx
import pytest

from tests.deploy import dockerfile
from tests.support import needs
from tools.processes import ROOT, Service, free_port
from tools.stack import Stack
from tools.waiting import wait_until

SERVICES = ("ingest", "broadcast", "worker")
UID = "10001"
# It may read everywhere because the interpreter of a checkout may be in a home directory.
CAPABILITIES = "-all,+dac_read_search"
UNPRIVILEGED = [
    "/usr/bin/setpriv",
    f"--reuid={UID}",
    f"--regid={UID}",
    "--clear-groups",
    "--no-new-privs",
    f"--bounding-set={CAPABILITIES}",
]
UNPRIVILEGED += [f"--inh-caps={CAPABILITIES}", f"--ambient-caps={CAPABILITIES}"]


class Contained(Service):
    """A service as its image runs it: these files, this environment, this command, this user."""

    def __init__(self, stack: Stack, kind: str, tree: pathlib.Path) -> None:
        self.kind, self.tree, port = kind, tree, free_port()
        given = {
            **dockerfile.environment(kind),
            f"{kind.upper()}_HOST": "127.0.0.1",
            f"{kind.upper()}_PORT": str(port),
            "METRICS_PORT": "0",
        }
        if kind == "worker":  # the volume, which belongs to the image's user
            archive = pathlib.Path(tempfile.mkdtemp(prefix="pulse-archive-", dir=tree.parent))
            archive.chmod(0o777)
            given["DATABASE_URL"] = given["DATABASE_URL"].replace("/archive/", f"{archive}/")
        environment = {**given, "PATH": f"{tree}/opt/venv/bin", "REDIS_URL": stack.redis_url, "TOKEN_KEYS": stack.token_keys}
        super().__init__(f"{kind}_service", environment, host="127.0.0.1", port=port, log=stack.directory / f"{kind}.log")
        stack.services.append(self)

    def command(self) -> list[str]:
        """The image's command."""
        return self.inside(dockerfile.command(self.kind))

    def inside(self, command: list[str]) -> list[str]:
        """A command as it runs in the container. Only root can change the user."""
        return [*(UNPRIVILEGED if os.geteuid() == 0 else []), "/usr/bin/env", "-C", f"{self.tree}/app", *command]

    def health(self) -> list[str]:
        """The image's health check, on the port of this test."""
        port = dockerfile.environment(self.kind)[f"{self.kind.upper()}_PORT"]
        return [str(self.port) if word == port else word for word in dockerfile.command(self.kind, "HEALTHCHECK")]

    def run(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        """Runs another command beside it."""
        environment = self.environment
        return subprocess.run(self.inside(command), env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def venvs() -> Iterator[dict[str, pathlib.Path]]:
    """What the stages with packages make, by their own RUN instructions. It lies where another user may look."""
    with tempfile.TemporaryDirectory(prefix="pulse-image-") as name:
        root = pathlib.Path(name)
        root.chmod(0o755)
        services = made(root / "packages", dockerfile.stages()["packages"][1])
        shutil.copytree(root / "packages", root / "worker-packages", symlinks=True)
        with_archive = made(root / "worker-packages", dockerfile.stages()["worker-packages"][1])
        yield {"ingest": services, "broadcast": with_archive, "worker": with_archive}


def made(root: pathlib.Path, stage: list[dockerfile.Instruction]) -> pathlib.Path:
    """The virtual environment of a stage, whose RUN instructions are carried out in order on what the stage below it has made."""
    (root / "opt").mkdir(parents=True, exist_ok=True)
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    given = dict(instruction.rest.split("=") for instruction in stage if instruction.keyword == "ARG")
    for instruction in stage:
        if instruction.keyword == "COPY":
            shutil.copy(ROOT / instruction.rest.split()[0], root)
        elif instruction.keyword == "RUN":
            steps, environment = instruction.rest.replace("/opt/", f"{root}/opt/"), {**os.environ, **given, "PATH": path}
            done = subprocess.run(steps, shell=True, cwd=root, env=environment, capture_output=True, text=True, check=False)
            if done.returncode and "connection" in done.stderr.lower():
                needs.lacking("a package index")
            assert done.returncode == 0, done.stderr
    return root / "opt" / "venv"


def tree(root: pathlib.Path, kind: str, venv: pathlib.Path) -> pathlib.Path:
    """Exactly the files that a target copies, none of them writable."""
    (root / "opt").mkdir(parents=True)
    (root / "opt" / "venv").symlink_to(venv)
    for source, destination in dockerfile.copied(kind):
        copy(ROOT / source, root / "app" / destination)
    for path in (root, *(root / "app").rglob("*"), root / "app"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return root


def copy(source: pathlib.Path, destination: pathlib.Path) -> None:
    """As COPY does, but with the compiled files, as after the first start: every start would take a second of CPU to compile."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, destination, ignore=shutil.ignore_patterns("*.pyc.*"))  # what others are writing now
    else:
        shutil.copy(source, destination)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", SERVICES)
def test_an_image_holds_all_it_needs(tmp_path: pathlib.Path, venvs: dict[str, pathlib.Path], kind: str) -> None:
    """Ready on a read-only tree as a user that owns nothing, healthy by its own check, and stopped by SIGTERM."""
    with Stack(tmp_path) as stack:
        venv = venvs[kind]
        service = Contained(stack, kind, tree(venv.parents[1] / kind, kind, venv))
        service.start()
        health = service.health()
        # A new worker is not ready until it has copied what Redis has.
        wait_until(lambda: service.run(health).returncode == 0, "the health check's consent", seconds=60)
        if kind != "worker":
            audience = kind.replace("broadcast", "dashboard")
            command = ["python", "-m", "shared.tokens", "issue", "--audience", audience, "--subject", "x", "--rooms", "*"]
            assert service.run(command).stdout.count(".") == 2
        assert httpx.get(f"{service.url}/openapi.json").json()["info"]["version"]
        if kind == "broadcast":
            assert "<title>" in httpx.get(service.url).text
        assert stack.redis is not None
        stack.redis.kill()
        wait_until(lambda: service.run(health).returncode, "the health check's refusal")
        reason = "too few subscriptions are confirmed" if kind == "broadcast" else "Redis does not respond"
        assert reason in service.run(health).stderr
        service.signal(signal.SIGTERM)
        assert service.wait(10) in (0, -signal.SIGTERM)


def test_the_images_stand_on_exact_versions() -> None:
    """Down to the patch, and the system beneath it."""
    assert dockerfile.images() == {"python:3.11.15-slim-bookworm", "caddy:2.11.2-alpine"}


@pytest.mark.parametrize("kind", [*SERVICES, "front"])
def test_an_image_runs_as_no_known_user(kind: str) -> None:
    """A number that is not root, as an orchestrator wants it."""
    assert dockerfile.only(kind, "USER") == f"{UID}:{UID}"


@pytest.mark.parametrize("kind", SERVICES)
def test_an_image_stops_in_good_order(kind: str) -> None:
    """SIGTERM reaches the service itself, because no shell stands between."""
    assert dockerfile.only(kind, "STOPSIGNAL") == "SIGTERM"
    assert dockerfile.command(kind) == ["python", "-m", f"{kind}_service"]


def test_only_what_is_copied_is_sent_to_the_engine() -> None:
    """.dockerignore shuts out everything and lets in what the targets copy: no secret, no history, no tests."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    wanted = {source for stage in dockerfile.stages() for source, _ in dockerfile.copied(stage)}
    assert ignored[0] == "*"
    assert let_in == wanted
