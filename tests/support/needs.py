"""Programs that some tests need and a machine may lack. Without one a test is skipped; in CI, which installs them, it fails."""

import os
import pathlib
import shutil
from typing import NoReturn

import pytest

from tools.processes import ROOT

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
HEADLESS = shutil.which("chromium-headless-shell") or ""
NODE = shutil.which("node") or ""
CADDY = os.environ.get("CADDY") or shutil.which("caddy") or ""
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool") or ""
NGINX = shutil.which("nginx") or next(filter(os.path.exists, ("/usr/sbin/nginx",)), "")
JAVA = shutil.which("java") or ""
CURL = shutil.which("curl") or ""
FAKETIME = next(map(str, pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "")
REDIS_SERVER = shutil.which("redis-server") or ""
POSTGRESQL = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), default=None)
SHARED_MEMORY = pathlib.Path("/dev/shm")
BROWSERS_SHARED_MEMORY_BYTES = 2**30
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def lacking(what: str) -> NoReturn:
    """Skips the test, or fails it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed, and CI must run every test")
    pytest.skip(f"{what} is not installed")


def chromium() -> str:
    """The browser's path."""
    return CHROMIUM or lacking("Chromium")


def headless_chromium() -> str:
    """The path of the same Chromium without windows of its own, else of Chromium.

    Chromium draws a window with tabs and buttons around every page, headless too; that takes two thirds of the CPU time of opening a page.
    """
    if not HEADLESS and os.environ.get("CI"):
        lacking("chromium-headless-shell")
    return HEADLESS or chromium()


def unwanted_switches(shared_memory: pathlib.Path = SHARED_MEMORY) -> list[str]:
    """Switches that Playwright gives a browser and that this machine does not need.

    A browser crashes in a container with little shared memory, so Playwright has it keep what its processes share in files. That takes 6 %
    of the CPU time of opening a page.
    """
    has_room = shared_memory.is_dir() and shutil.disk_usage(shared_memory).free >= BROWSERS_SHARED_MEMORY_BYTES
    return ["--disable-dev-shm-usage"] if has_room else []


def node() -> str:
    """The path of Node.js 20 or later."""
    return NODE or lacking("Node.js")


def redis_server() -> str:
    """The path of Debian's redis-server."""
    return REDIS_SERVER or lacking("redis-server")


def caddy() -> str:
    """The path of Debian's Caddy, or of a later one."""
    return CADDY or lacking("Caddy")


def faketime(clock: pathlib.Path) -> dict[str, str]:
    """The environment in which a server's wall clock is off by what a file says, such as `+60`; other programs run on the true one."""
    if not FAKETIME:
        lacking("libfaketime")
    return {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_SKIP_CMDS": "python,python3,python3.11,python3.12,python3.13",
    }


def faketime_of_service(clock: pathlib.Path) -> dict[str, str]:
    """The same for one Python process, to be given to that process alone; a change is seen within a second.

    Without the last setting a timed wait on the monotonic clock ends at once, and two threads hand Python's lock to and fro for ever.
    """
    given = {
        **faketime(clock),
        "LD_PRELOAD": FAKETIME.replace("libfaketime.so", "libfaketimeMT.so"),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
    return {name: value for name, value in given.items() if name not in ("FAKETIME_NO_CACHE", "FAKETIME_SKIP_CMDS")}


def nginx() -> str:
    """The path of nginx."""
    return NGINX or lacking("nginx")


def curl() -> str:
    """The path of curl."""
    return CURL or lacking("curl")


def java() -> str:
    """The path of Java, which no part of the system needs: without it a test is skipped, in CI too."""
    return JAVA or pytest.skip("Java is not installed")


def promtool() -> str:
    """The path of the tool that comes with Prometheus."""
    return PROMTOOL or lacking("promtool")


def postgresql() -> pathlib.Path:
    """The directory of the programs of Debian's newest PostgreSQL."""
    return POSTGRESQL.parent if POSTGRESQL else lacking("PostgreSQL")


def axe() -> pathlib.Path:
    """The accessibility checker that `npm ci` installs."""
    return AXE if AXE.exists() else lacking("axe-core")
