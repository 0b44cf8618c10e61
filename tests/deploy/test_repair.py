"""The runbook for a damaged append-only file, carried out on real files with the real server and its tools."""

import contextlib
import os
import pathlib
import re
import subprocess
from collections.abc import Callable, Iterator

import pytest
import redis

from tests.support import needs
from tools.processes import ROOT, Process, free_port
from tools.waiting import wait_until

KEYS = {f"key-{number}": str(number) for number in range(5)}


@contextlib.contextmanager
def server(directory: pathlib.Path) -> Iterator["redis.Redis | None"]:
    """The shipped configuration on a data directory; None where the server ends instead of starting."""
    port = free_port()
    command = [
        needs.redis_server(),
        str(ROOT / "deploy/redis/redis.conf"),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(directory),
    ]
    process = Process(command, log=directory / "log")
    process.launch()
    client = redis.Redis(port=port, decode_responses=True, protocol=2, driver_info=None)

    def state() -> str:
        with contextlib.suppress(redis.RedisError):
            return "answers" if client.ping() else ""
        return "ended" if process.poll() is not None else ""

    try:
        yield client if wait_until(state, "a start or an end") == "answers" else None
    finally:
        client.close()
        process.kill()


def newest(directory: pathlib.Path) -> pathlib.Path:
    """The file that commands are appended to."""
    return max((directory / "appendonlydir").glob("*.incr.aof"))


def append(data: bytes) -> Callable[[pathlib.Path], None]:
    """Leaves bytes behind the last command."""

    def damage(directory: pathlib.Path) -> None:
        with newest(directory).open("ab") as file:
            file.write(data)

    return damage


def empty_manifest(directory: pathlib.Path) -> None:
    """What a full disk may leave of it."""
    next((directory / "appendonlydir").glob("*.manifest")).write_text("")


def no_manifest(directory: pathlib.Path) -> None:
    """It is gone."""
    next((directory / "appendonlydir").glob("*.manifest")).unlink()


def both(directory: pathlib.Path) -> None:
    """An emptied manifest, and a tail of zeros."""
    append(b"\0" * 4096)(directory)
    empty_manifest(directory)


DAMAGE = {
    "one zero byte": append(b"\0"),
    "a page of zeros": append(b"\0" * 4096),
    "rubbish": append(b"rubbish\r\n"),
    "rubbish and a command": append(b"\xff\xff*1\r\n$4\r\nPING\r\n"),
    "an emptied manifest": empty_manifest,
    "both": both,
}


def documented() -> list[str]:
    """The commands of the runbook."""
    text = (ROOT / "docs" / "operations.md").read_text()
    return str(re.findall(r"## A damaged append-only file\n.*?```\n(.*?)```", text, re.DOTALL)[0]).strip().splitlines()


def repair(directory: pathlib.Path) -> "subprocess.CompletedProcess[str]":
    """The runbook's command within the container, whose /etc/pulse is deploy/redis and whose /data is this directory."""
    (line,) = (line for line in documented() if "repair.sh" in line)
    command = line.partition(" redis sh ")[2].replace("/etc/pulse", str(ROOT / "deploy/redis"))
    path = f"{pathlib.Path(needs.redis_server()).parent}:{os.environ['PATH']}"
    return subprocess.run(["sh", command, str(directory)], env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("rewritten", ["", "rewritten"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_the_runbook_brings_back_what_was_written(tmp_path: pathlib.Path, damage: Callable[[pathlib.Path], None], rewritten: str) -> None:
    """The server refuses the damaged file, and after the runbook it starts with every key; the damaged file is kept."""
    with server(tmp_path) as client:
        assert client is not None
        client.config_set("appendfsync", "always")
        for key, value in KEYS.items():
            client.set(key, value)
            if rewritten and key == "key-2":
                client.bgrewriteaof()
                wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the rewrite")
    damage(tmp_path)
    with server(tmp_path) as client:
        refused = client is None or client.dbsize() < len(KEYS)
    assert refused
    damaged = {path.name: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()}
    done = repair(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (kept,) = tmp_path.glob("appendonlydir.before-repair-*")
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == damaged
    with server(tmp_path) as client:
        assert client is not None
        assert {key: client.get(key) for key in KEYS} == KEYS
        client.set("after", "1")


def test_without_any_file_it_says_so(tmp_path: pathlib.Path) -> None:
    """Nothing is made up: a backup is needed."""
    (tmp_path / "appendonlydir").mkdir()
    done = repair(tmp_path)
    assert (done.returncode, "restore a backup" in done.stderr) == (1, True)


def test_the_runbook_stops_what_writes_before_it_repairs() -> None:
    """And starts everything afterwards."""
    first, second, last = documented()
    assert first == "docker compose stop ingest broadcast redis"
    assert second.startswith("docker compose run --rm --no-deps redis sh /etc/pulse/")
    assert last == "make up"
