"""The parts of the tests' own engine: Compose, Caddy, a Debian root, programs of packages, and the locked packages of Python.

They are made once and kept in CACHE. Compose and Caddy come from Debian's testing suite, and from their Go modules where that suite no
longer has the wanted versions; a build of both takes minutes.
"""

import concurrent.futures
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from tools.processes import ROOT

CACHE: Final = pathlib.Path(os.environ.get("CONTAINERS_CACHE") or pathlib.Path.home() / ".cache" / "studio-pulse-containers")
GO: Final = CACHE / "go"  # sources and objects, some gigabytes while programs are built
NEWER_SUITE: Final = "testing"
SUITE: Final = "bookworm"
# Debian's mirrors may lag behind the date until which a suite's index is valid. Signatures are checked all the same.
STALE_INDEX: Final = '--aptopt=Acquire::Check-Valid-Until "false"'
LIBRARIES_OF_POSTGRES: Final = ("libicu72", "libldap-2.5-0", "libpq5", "libxml2")
# `usr-is-merged` replaces a package that needs all of Perl.
PACKAGES: Final = (
    "ca-certificates",
    "libcap2-bin",
    "python3",
    "python3-pip",
    "redis-server",
    "tzdata",
    "usr-is-merged",
    "wget",
    *LIBRARIES_OF_POSTGRES,
)
MERGED: Final = "/usr/share/mmdebstrap/hooks/merged-usr"
LEFT_OUT: Final = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
PROGRAMS_OF_PACKAGES: Final = ("prometheus", "prometheus-redis-exporter")  # each alone, without the libraries of its pages
POSTGRES_PACKAGES: Final = ("postgresql-15", "postgresql-client-15")
POSTGRES: Final = CACHE / "postgresql"
# Of its packages: no compiler of queries, which has half of the size and is left out by the server where it is missing.
POSTGRES_LEFT_OUT: Final = ("bitcode", "llvmjit*", "*.a", "*.mo")


class NoEngine(Exception):
    """No engine can be reached or started; the text names the missing part."""


class Program(NamedTuple):
    """Where a program is kept, what Debian calls it, the versions that are wanted, and the Go module of one of them."""

    target: pathlib.Path
    package: str
    path: str
    versions: str
    module: str


COMPOSE: Final = Program(
    CACHE / "config" / "cli-plugins" / "docker-compose",
    "docker-compose",
    "usr/libexec/docker/cli-plugins/docker-compose",
    "2.40.",
    "github.com/docker/compose/v2/cmd@v2.40.3",
)
CADDY: Final = Program(CACHE / "bin" / "caddy", "caddy", "usr/bin/caddy", "2.11.", "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.2")


def prepare() -> None:
    """Makes the parts that the cache lacks, or waits for a process that makes them. Needs the network; runs outside of the namespaces."""
    (CACHE / "bin").mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock, concurrent.futures.ThreadPoolExecutor() as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        parts = [pool.submit(part) for part in (_programs, _debian_root, _wheels)]
        for part in parts:
            part.result()
        shutil.rmtree(GO, ignore_errors=True)


def stamps() -> list[str]:
    """What the parts of the images were made from."""
    return [path.read_text() for path in sorted([*CACHE.glob("*.from"), *CACHE.glob("bin/*.from")])]


def _is_due(target: pathlib.Path, *sources: str) -> bool:
    """Whether a target must be made, because it is missing or was made from other sources."""
    stamp = target.with_name(f"{target.name}.from")
    return not (target.exists() and stamp.exists() and stamp.read_text() == "\n".join(sources))


def _done(target: pathlib.Path, *sources: str) -> None:
    target.with_name(f"{target.name}.from").write_text("\n".join(sources))


def _programs() -> None:
    """Compose and Caddy."""
    due = [program for program in (COMPOSE, CADDY) if _is_due(program.target, program.module)]
    if not due:
        return
    for program in set(due) - _packaged(due):
        _build(program)
    for program in due:
        _done(program.target, program.module)


def _packaged(programs: Iterable[Program]) -> set[Program]:
    """Takes programs from packages of Debian's newer suite; returns those that it has in a wanted version and that run here."""
    taken = set()
    with tempfile.TemporaryDirectory() as directory:
        names = ",".join(program.package for program in programs)
        copy = " && ".join(f'cp "$1/{program.path}" {directory}/{program.package}' for program in programs)
        options = ["--quiet", "--variant=extract", f"--include={names}", STALE_INDEX, "--format=null", f"--extract-hook={copy}"]
        try:
            run(["mmdebstrap", *options, NEWER_SUITE, "/dev/null"])
            for program in programs:
                found = pathlib.Path(directory, program.package)
                if run([str(found), "version"]).split()[-1].lstrip("v").startswith(program.versions):
                    program.target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(found, program.target)
                    taken.add(program)
        except NoEngine as problem:
            print(f"Not taken from Debian, so it is built: {problem}", file=sys.stderr)
    return taken


def _build(program: Program) -> None:
    """Builds a program from its Go module, whose content Go compares with its checksum database."""
    package, version = program.module.split("@")
    program.target.parent.mkdir(parents=True, exist_ok=True)
    directory = CACHE / f"go-{program.package}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "go.mod").write_text("module standin\n")
    (directory / "main.go").write_text(f'//go:build never\n\npackage standin\n\nimport _ "{package}"\n')
    flags = f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip()
    environment = {**os.environ, "CGO_ENABLED": "0", "GOPATH": str(GO), "GOCACHE": str(GO / "build"), "GOFLAGS": flags}
    for command in (
        ["go", "get", f"{package}@{version}"],
        ["go", "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", str(program.target), package],
    ):
        run(command, cwd=directory, environment=environment)
    shutil.rmtree(directory)


def _debian_root() -> None:
    """A tar file with the packages of all stand-ins, and beside it the programs of packages that are not installed."""
    target = CACHE / "root.tar"
    sources = (SUITE, *PACKAGES, *LEFT_OUT, *PROGRAMS_OF_PACKAGES, *POSTGRES_PACKAGES, *POSTGRES_LEFT_OUT)
    if not _is_due(target, *sources):
        return
    left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    with tempfile.TemporaryDirectory() as directory:
        fetched = " ".join((*PROGRAMS_OF_PACKAGES, *POSTGRES_PACKAGES))
        download = f"cd {directory} && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq download {fetched}"
        options = ["--quiet", "--variant=essential", f"--include={','.join(PACKAGES)}", *left_out]
        options += ["--dpkgopt=force-unsafe-io", f"--hook-dir={MERGED}", f"--customize-hook={download}"]
        run(["mmdebstrap", *options, SUITE, str(target)])
        for package in pathlib.Path(directory).glob("*.deb"):
            run(["dpkg-deb", "--extract", str(package), directory])
        for name in PROGRAMS_OF_PACKAGES:
            shutil.copy(pathlib.Path(directory, "usr", "bin", name), CACHE / "bin" / name)
        shutil.rmtree(POSTGRES, ignore_errors=True)
        ignored = shutil.ignore_patterns(*POSTGRES_LEFT_OUT)
        for part in ("lib", "share"):
            shutil.copytree(
                pathlib.Path(directory, "usr", part, "postgresql"), POSTGRES / part / "postgresql", symlinks=True, ignore=ignored
            )
    _done(target, *sources)


def _wheels() -> None:
    """The locked packages of the images, also those that only Debian's older Python 3.11 needs."""
    target = CACHE / "wheels"
    locks = [(ROOT / name).read_text() for name in ("requirements.txt", "requirements-worker.txt")]
    digest = hashlib.sha256("".join(locks).encode()).hexdigest()
    if not _is_due(target, digest):
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    lines = [
        line.split(" ; python_full_version")[0] + " \\" if " ; python_full_version" in line else line for line in locks[1].splitlines()
    ]
    (CACHE / "requirements.txt").write_text("\n".join(lines) + "\n")
    options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version=3.11"]
    pip = [sys.executable, "-m", "pip", "download", *options]
    run([*pip, "--dest", str(target), "--requirement", str(CACHE / "requirements.txt")])
    _done(target, digest)


def run(command: list[str], *, cwd: pathlib.Path = ROOT, environment: Mapping[str, str] | None = None) -> str:
    """Runs a command; returns its output, and raises NoEngine with the end of it if it fails or is missing."""
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError as error:
        raise NoEngine(f"{command[0]} is missing") from error
    if done.returncode:
        raise NoEngine(f"{' '.join(command)} ended with status {done.returncode}: {done.stdout[-2000:]}")
    return done.stdout
