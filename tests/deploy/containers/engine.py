"""The container engine of the tests: the one that can be reached, else Debian's, started in namespaces of its own.

Debian's engine runs in its own network, process and mount namespaces: its bridges, rules and ports do not touch the host's, its containers
reach no network but theirs, and all of it ends with the process that started it. Its parts are built once and kept in CACHE: Compose and
Caddy from their Go modules, a Debian root, and the locked packages of Python.
"""

import concurrent.futures
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Final

from tests.deploy import dockerfile
from tests.deploy.compose import services
from tools.processes import ROOT
from tools.waiting import wait_until

CACHE: Final = pathlib.Path(os.environ.get("CONTAINERS_CACHE") or pathlib.Path.home() / ".cache" / "studio-pulse-containers")
GO: Final = CACHE / "go"  # sources and objects, some gigabytes while programs are built
PROGRAMS: Final = ("dockerd", "docker", "ip", "unshare", "mmdebstrap", "go", "make", "git")
COMPOSE: Final = "github.com/docker/compose/v2/cmd@v2.40.3"
CADDY: Final = "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.2"
SUITE: Final = "bookworm"
# `usr-is-merged` replaces a package that needs all of Perl.
PACKAGES: Final = ("ca-certificates", "libcap2-bin", "python3", "python3-pip", "redis-server", "tzdata", "usr-is-merged", "wget")
MERGED: Final = "/usr/share/mmdebstrap/hooks/merged-usr"
LEFT_OUT: Final = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
PROGRAMS_OF_PACKAGES: Final = ("prometheus", "prometheus-redis-exporter")  # each alone, without the libraries of its pages
STANDINS: Final = ("redis", "prometheus", "redis-exporter")  # services whose image is not built here and has a stand-in
ROOT_IMAGE: Final = "studio-pulse-test-root"
MAX_IMAGE_BYTES: Final = 300 * 1000 * 1000
START_SECONDS: Final = 60
CGROUPS: Final = pathlib.Path("/sys/fs/cgroup")
# An address outside of the containers' networks, from the range for documentation, in a namespace of its own.
OUTSIDE: Final = "192.0.2.1"
LABEL: Final = "studio-pulse-test"


class NoEngine(Exception):
    """No engine can be reached or started; the text names the missing part."""


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


def prepare() -> None:
    """Builds the parts that the cache lacks, or waits for a process that builds them. Needs the network; runs outside of the namespaces."""
    (CACHE / "bin").mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock, concurrent.futures.ThreadPoolExecutor() as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        parts = [
            pool.submit(_build, CACHE / "config" / "cli-plugins" / "docker-compose", COMPOSE),
            pool.submit(_build, CACHE / "bin" / "caddy", CADDY),
            pool.submit(_debian_root),
            pool.submit(_wheels),
        ]
        for part in parts:
            part.result()
        shutil.rmtree(GO, ignore_errors=True)


def _once(target: pathlib.Path, *sources: str) -> bool:
    """Whether a target must be built, because it is missing or was built from other sources."""
    stamp = target.with_name(f"{target.name}.from")
    return not (target.exists() and stamp.exists() and stamp.read_text() == "\n".join(sources))


def _done(target: pathlib.Path, *sources: str) -> None:
    target.with_name(f"{target.name}.from").write_text("\n".join(sources))


def _build(target: pathlib.Path, module: str) -> None:
    """Builds a program from a Go module, whose content Go compares with its checksum database."""
    if not _once(target, module):
        return
    package, version = module.split("@")
    target.parent.mkdir(parents=True, exist_ok=True)
    directory = CACHE / f"go-{target.name}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "go.mod").write_text("module standin\n")
    (directory / "main.go").write_text(f'//go:build never\n\npackage standin\n\nimport _ "{package}"\n')
    flags = f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip()
    environment = {**os.environ, "CGO_ENABLED": "0", "GOPATH": str(GO), "GOCACHE": str(GO / "build"), "GOFLAGS": flags}
    for command in (
        ["go", "get", f"{package}@{version}"],
        ["go", "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", str(target), package],
    ):
        _run(command, cwd=directory, environment=environment)
    shutil.rmtree(directory)
    _done(target, module)


def _debian_root() -> None:
    """A tar file with the packages of all stand-ins, and beside it the programs of packages that are not installed."""
    target = CACHE / "root.tar"
    sources = (SUITE, *PACKAGES, *LEFT_OUT, *PROGRAMS_OF_PACKAGES)
    if not _once(target, *sources):
        return
    left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    with tempfile.TemporaryDirectory() as directory:
        download = f"cd {directory} && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq download {' '.join(PROGRAMS_OF_PACKAGES)}"
        options = ["--quiet", "--variant=essential", f"--include={','.join(PACKAGES)}", *left_out]
        options += ["--dpkgopt=force-unsafe-io", f"--hook-dir={MERGED}", f"--customize-hook={download}"]
        _run(["mmdebstrap", *options, SUITE, str(target)])
        for package in pathlib.Path(directory).glob("*.deb"):
            _run(["dpkg-deb", "--extract", str(package), directory])
        for name in PROGRAMS_OF_PACKAGES:
            shutil.copy(pathlib.Path(directory, "usr", "bin", name), CACHE / "bin" / name)
    _done(target, *sources)


def _wheels() -> None:
    """The locked packages of the images, also those that only Debian's older Python 3.11 needs."""
    target = CACHE / "wheels"
    locks = [(ROOT / name).read_text() for name in ("requirements.txt", "requirements-worker.txt")]
    digest = hashlib.sha256("".join(locks).encode()).hexdigest()
    if not _once(target, digest):
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    lines = [
        line.split(" ; python_full_version")[0] + " \\" if " ; python_full_version" in line else line for line in locks[1].splitlines()
    ]
    (CACHE / "requirements.txt").write_text("\n".join(lines) + "\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--python-version=3.11",
    ]
    _run([*pip, "--dest", str(target), "--requirement", str(CACHE / "requirements.txt")])
    _done(target, digest)


def _run(command: list[str], *, cwd: pathlib.Path = ROOT, environment: Mapping[str, str] | None = None) -> None:
    """Runs a command; raises NoEngine with the end of its output if it fails."""
    done = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise NoEngine(f"{' '.join(command)} ended with status {done.returncode}: {done.stdout[-2000:]}")


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
    _run(["mount", "-t", "tmpfs", "none", "/run/docker"])
    command = ["dockerd", "--data-root", str(CACHE / "data"), "--exec-root=/run/docker/exec", "--pidfile=/run/docker/pid"]
    command += ["--host", f"unix://{CACHE}/docker.sock", "--log-level=warn"]
    with (CACHE / "dockerd.log").open("wb") as log:
        engine = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        os.environ.update(environment())

        def answers() -> bool:
            if engine.poll() is not None:
                raise NoEngine(f"dockerd ended with status {engine.returncode}: {(CACHE / 'dockerd.log').read_text()[-2000:]}")
            return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0

        wait_until(answers, "an answer of dockerd", seconds=START_SECONDS)
        _load_images()
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
        _run(["ip", *words.split()])
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])  # ends with the process namespace
    time.sleep(0.2)
    _run(["ip", "link", "set", "outside", "netns", str(holder.pid)])
    enter = ["nsenter", "--net", "--target", str(holder.pid)]
    for words in (f"address add {OUTSIDE}/24 dev outside", "link set outside up", "link set lo up", "route add default via 192.0.2.2"):
        _run([*enter, "ip", *words.split()])
    served = CACHE / "outside"
    served.mkdir(exist_ok=True)
    subprocess.Popen(
        [*enter, sys.executable, "-m", "http.server", "80", "--directory", str(served)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def images() -> set[str]:
    """The images that are not built here."""
    return dockerfile.images() | {service["image"] for name, service in services().items() if name in STANDINS}


def _load_images() -> None:
    """Builds the stand-ins under the names that are pinned, unless they are there from the same parts."""
    file = ROOT / "tests" / "deploy" / "containers" / "standins.dockerfile"
    stamps = [path.read_text() for path in sorted([*CACHE.glob("*.from"), *CACHE.glob("bin/*.from")])]
    digest = hashlib.sha256("".join([file.read_text(), *stamps]).encode()).hexdigest()
    there = [_labels(name).get(LABEL) == digest for name in images()]
    if all(there):
        return
    context = CACHE / "context"
    shutil.rmtree(context, ignore_errors=True)
    (context / "bin").mkdir(parents=True)
    for name in ("caddy", *PROGRAMS_OF_PACKAGES):
        os.link(CACHE / "bin" / name, context / "bin" / name)
    shutil.copytree(CACHE / "wheels", context / "wheels", copy_function=os.link)
    _run(["docker", "import", str(CACHE / "root.tar"), ROOT_IMAGE])
    for name in sorted(images()):
        kind = name.split(":")[0].split("/")[-1]
        _run(
            [
                "docker",
                "build",
                "--quiet",
                "--target",
                kind,
                "--label",
                f"{LABEL}={digest}",
                "--tag",
                name,
                "--file",
                str(file),
                str(context),
            ]
        )
        size = int(
            subprocess.run(["docker", "image", "inspect", "--format", "{{.Size}}", name], capture_output=True, text=True, check=True).stdout
        )
        if size > MAX_IMAGE_BYTES:
            raise NoEngine(f"the stand-in {name} has {size} bytes, and at most {MAX_IMAGE_BYTES} are allowed")
    shutil.rmtree(context)


def _labels(image: str) -> dict[str, str]:
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image], capture_output=True, text=True, check=False
    )
    return dict(json.loads(done.stdout) or {}) if done.returncode == 0 else {}
