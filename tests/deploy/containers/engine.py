"""The container engine of the tests: the one that can be reached, else Debian's, started in namespaces of its own.

Debian's engine runs in its own network, process and mount namespaces: its bridges, rules and ports do not touch the host's, its containers
reach no network but theirs, and all of it ends with the process that started it.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

from tests.deploy.containers.parts import CACHE, NoEngine, run
from tests.deploy.containers.standins import load_images
from tools.waiting import wait_until

PROGRAMS: Final = ("dockerd", "docker", "ip", "unshare", "mmdebstrap", "make", "git")
START_SECONDS: Final = 60
CGROUPS: Final = pathlib.Path("/sys/fs/cgroup")
# An address outside of the containers' networks, from the range for documentation, in a namespace of its own.
OUTSIDE: Final = "192.0.2.1"
# The hard limit of every container, as low as rootless engines often have it, unless more sockets are measured. The engine itself has more:
# its proxy of a published port takes six for each connection, and ends for good where it has none left.
DESCRIPTORS: Final = max(4096, 4 * int(os.environ.get("CONTAINERS_SOCKETS") or 0))


def reachable() -> bool:
    """Whether there are an engine and Compose already."""
    commands = (["docker", "version"], ["docker", "compose", "version"])
    return shutil.which("docker") is not None and all(subprocess.run(c, capture_output=True, check=False).returncode == 0 for c in commands)


def check() -> None:
    """Raises NoEngine if Debian's engine cannot be started here."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise NoEngine(f"no container engine can be reached, and to start one these programs are missing: {', '.join(missing)}")
    if os.geteuid() != 0:
        raise NoEngine("no container engine can be reached, and only root can start one")


def inside_namespaces(module: str) -> list[str]:
    """The command that runs a module of Python as the first process of new namespaces, with which all its children end."""
    flags = ["--net", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["unshare", *flags, sys.executable, "-m", module]


def environment() -> dict[str, str]:
    """What reaches the engine that `running` starts."""
    return {
        "DOCKER_HOST": f"unix://{CACHE}/docker.sock",
        "DOCKER_CONFIG": str(CACHE / "config"),
        "DOCKER_BUILDKIT": "0",
        "BUILDKIT_PROGRESS": "plain",
    }


@contextlib.contextmanager
def running() -> Iterator[None]:
    """Debian's engine with the stand-ins, until the end. The environment of this process leads to it. Runs inside of the namespaces."""
    _outside()
    _weigh()
    pathlib.Path("/run/docker").mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "tmpfs", "none", "/run/docker"])
    command = [
        "dockerd",
        f"--default-ulimit=nofile={DESCRIPTORS}:{DESCRIPTORS}",
        "--data-root",
        str(CACHE / "data"),
        "--exec-root=/run/docker/exec",
        "--pidfile=/run/docker/pid",
    ]
    command += ["--host", f"unix://{CACHE}/docker.sock", "--log-level=warn"]
    with (CACHE / "dockerd.log").open("wb") as log:
        engine = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        os.environ.update(environment())

        def answers() -> bool:
            """Whether it responds; raises NoEngine if it has ended."""
            if engine.poll() is not None:
                raise NoEngine(f"dockerd ended with status {engine.returncode}: {(CACHE / 'dockerd.log').read_text()[-2000:]}")
            return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0

        wait_until(answers, "an answer of dockerd", seconds=START_SECONDS)
        load_images()
        yield
        subprocess.run(["docker", "image", "prune", "--force", "--filter", "until=48h"], capture_output=True, check=False)
    finally:
        engine.terminate()
        try:
            engine.wait(30)
        except subprocess.TimeoutExpired:
            engine.kill()
            engine.wait()


def _weigh() -> None:
    """Gives all containers together the weight of several processes: otherwise they share that of one with what runs beside them."""
    for path, weight in (("cpu/docker/cpu.shares", 4096), ("docker/cpu.weight", 400)):
        file = CGROUPS / path
        with contextlib.suppress(OSError):
            file.parent.mkdir(exist_ok=True)
            file.write_text(str(weight))


def _outside() -> None:
    """A host that is outside of the containers' networks, and reachable from this namespace."""
    for words in (
        "link set lo up",
        "link add outside type veth peer name gateway",
        "address add 192.0.2.2/24 dev gateway",
        "link set gateway up",
    ):
        run(["ip", *words.split()])
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])  # ends with the process namespace
    time.sleep(0.2)
    run(["ip", "link", "set", "outside", "netns", str(holder.pid)])
    enter = ["nsenter", "--net", "--target", str(holder.pid)]
    for words in (f"address add {OUTSIDE}/24 dev outside", "link set outside up", "link set lo up", "route add default via 192.0.2.2"):
        run([*enter, "ip", *words.split()])
    served = CACHE / "outside"
    served.mkdir(exist_ok=True)
    subprocess.Popen(
        [*enter, sys.executable, "-m", "http.server", "80", "--directory", str(served)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
