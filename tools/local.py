"""`make run`: the embedded server, all three services and a simulated studio, with a dashboard link ready to click.

Keys are made once and kept in `.local/token-keys`, readable by their owner alone. With REDIS_URL set that server is used instead of
the embedded one, and with DATABASE_URL that database instead of `.local/archive.db`; ROOMS=0 runs without the simulated studio, which
otherwise has a past of two weeks, unless the server or the archive knows one already: the archive gets all of it within seconds, and the
last day is posted too, as late readings of an extension are.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import os
import pathlib
import secrets
import signal
import socket
import sys
import time
import types
import urllib.request
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from broadcast_service.settings import BroadcastSettings
from ingest_service.settings import IngestSettings
from shared.auth.screens import CODE_SECONDS, Grant, add_code, extend_code
from shared.auth.studio_code import account_key, room_id, studio_code
from shared.contract.readings import Reading
from shared.store.redis import RedisError, RedisUrl, Store
from shared.tokens.keys import ED25519, SecretKeys
from tools.demo import DemoPage
from tools.processes import ROOT, Process, Service, StackError
from tools.simulator.facts import studio_file
from tools.simulator.past import SEED, archived_days, post_past, posted_minutes, recent_past
from tools.simulator.past_in_reports import seconds_until_reported
from tools.simulator.poster import post_for_ever
from tools.simulator.studio import Room, studio
from tools.stack import Stack
from worker_service.settings import WorkerSettings

DIRECTORY = ROOT / ".local"
DEFAULT_ROOMS = 36
PORTS = {
    "INGEST_PORT": 8001,
    "BROADCAST_PORT": 8002,
    "DEMO_PORT": 8003,
    "WORKER_PORT": 8004,
    "INGEST_METRICS_PORT": 9101,
    "BROADCAST_METRICS_PORT": 9102,
    "WORKER_METRICS_PORT": 9103,
}
TOKEN_SECONDS = 30 * 86400
DESK_TOKEN_SECONDS = 90 * 86400
EXAMPLE_ROOM = "Sala 3"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def token_keys(path: pathlib.Path) -> str:
    """The keys in a file, which is made with mode 600 if it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"local:{ED25519}{secrets.token_urlsafe(32)}")
    return path.read_text().strip()


def _int_variable(name: str, default: int) -> int:
    """A variable that is a whole number; raises StackError if it is not."""
    text = os.environ.get(name) or str(default)
    if not text.isdecimal():
        raise StackError(f"{name} should be a whole number")
    return int(text)


def _ports() -> dict[str, int]:
    """The port of each setting; raises StackError if one cannot be listened on. Nothing has been started then."""
    ports: dict[str, int] = {}
    for name, default in PORTS.items():
        port = _int_variable(name, default)
        if not 0 < port < 2**16:
            raise StackError(f"{name} should be a port, from 1 to 65535")
        if port in ports.values():
            other = next(other for other, taken in ports.items() if taken == port)
            raise StackError(f"{other} and {name} are both {port}; choose another with {name}=…")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except PermissionError:
                raise StackError(f"port {port} is for administrators; choose one above 1023 with {name}=…") from None
            except OSError:
                raise StackError(f"port {port} is taken; choose another with {name}=…") from None
        ports[name] = port
    return ports


class Links:
    """Sign-in links for the local dashboard. An unused link stays valid while this runs; once used, Enter prints another one."""

    def __init__(self, redis_url: str, address: str) -> None:
        self._url = RedisUrl.parse(redis_url)
        self._address = address

    async def _new(self, store: Store) -> str:
        grant = Grant("local-dashboard", ["*"], None, int(time.time()) + TOKEN_SECONDS, ["link-local"], manages=True)
        return await add_code(store, grant)

    def first(self) -> tuple[str, str]:
        """A new code, and the link that holds it."""

        async def new() -> str:
            async with Store(self._url) as store:
                return await self._new(store)

        code = asyncio.run(new())
        return code, f"{self._address}/#code={code}"

    async def run(self, code: str) -> None:
        """Keeps the unused link valid, and prints a new one for every line that is typed."""
        typed = asyncio.Event()

        def on_line() -> None:
            if not sys.stdin.readline():  # the terminal is gone
                asyncio.get_running_loop().remove_reader(sys.stdin)
            typed.set()

        if sys.stdin.isatty():
            asyncio.get_running_loop().add_reader(sys.stdin, on_line)
        async with Store(self._url) as store:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CODE_SECONDS / 3):
                        await typed.wait()
                with contextlib.suppress(RedisError, OSError, TimeoutError):
                    if typed.is_set():
                        typed.clear()
                        code = await self._new(store)
                        print(f"  Dashboard   {self._address}/#code={code}\n", flush=True)
                    else:
                        await extend_code(store, code)


def _greet(stack: Stack, ingest: Service, link: str, demo: str, rooms: int) -> None:
    room = room_id(EXAMPLE_ROOM)
    producer = stack.token("ingest", subject=room, rooms=(room,), ttl_seconds=DESK_TOKEN_SECONDS)
    code = studio_code(
        address=ingest.url, name=EXAMPLE_ROOM, token=producer, mark_key=account_key(SecretKeys.parse(stack.token_keys).signing_secret)
    )
    studio_line = f"{rooms} simulated rooms" if rooms else "no simulated rooms"
    print(
        f"\n  Studio Pulse runs: {studio_line}.\n\n"
        f"  Dashboard   {link}\n"
        f"              signs one browser in, once; press Enter here for another link\n\n"
        f"  Extension   studio code of the room {EXAMPLE_ROOM}, to paste into its settings (others: make room ROOM='Sala 4'):\n\n"
        f"  {code}\n\n"
        f"              a page to try it on: {demo} (development build: make extension)\n\n"
        f"  Logs in {DIRECTORY.relative_to(ROOT)}/. Ctrl-C stops everything.\n",
        flush=True,
    )


async def _run(jobs: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Runs until a signal, or until one of the jobs fails, and raises its exception."""
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(job) for job in jobs]
    stopped = asyncio.create_task(stop.wait())
    done, pending = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    while stopped not in done and not any(task.exception() for task in done):
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def _watch(services: Sequence[Service]) -> None:
    """Raises StackError when a service has ended by itself."""
    while True:
        for service in services:
            if service.poll() is not None:
                raise StackError(f"{service.module} has ended; see {service.log.relative_to(ROOT)}")
        await asyncio.sleep(0.5)


def _leave(number: int, _frame: types.FrameType | None) -> None:
    """Ends a start that is under way, so that all started parts are stopped."""
    raise SystemExit(128 + number)


def _has_past(stack: Stack, broadcast: Service) -> bool:
    """Whether any room reported anything in the last day."""
    token = stack.token("dashboard", subject="simulator")
    request = urllib.request.Request(f"{broadcast.url}/api/tracking/analytics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return bool(json.load(response)["feeds"])


def _live(count: int, now: int) -> tuple[list[Room], list[Reading]]:
    """The simulated studio at this moment, and the part of its past that is posted."""
    rooms, past = recent_past(count, now)
    first = now - 60 * posted_minutes(count)
    return rooms, [reading for reading in past if reading.timestamp >= first]


class ArchivedPast(Process):
    """The process that gives a new archive its past."""

    def __init__(self, stack: Stack, rooms: int, now: int) -> None:
        command = [sys.executable, "-m", "tools.simulator.archived_past", "--rooms", str(rooms), "--now", str(now)]
        environment = stack.environment(DATABASE_URL=stack.database_url)
        super().__init__(command, log=stack.directory / "archived-past.log", environment=environment)

    async def ended(self) -> None:
        """Returns once the past is archived, or cannot be."""
        while self.poll() is None:
            await asyncio.sleep(0.05)
        if self.poll():
            print(f"  The archive has no simulated past: see {self.log.relative_to(ROOT)}\n", file=sys.stderr, flush=True)


async def _archive(stack: Stack, port: int, past: ArchivedPast | None, **settings: str) -> None:
    """Starts the worker, once an empty archive has its past: to restore a past into an archive at work takes ten times as long."""
    if past is not None:
        await past.ended()
    await asyncio.to_thread(functools.partial(stack.worker, port, **settings))


async def _report_past(stack: Stack, broadcast: Service, days: int, began: float) -> None:
    """Prints when reports have the past that a new archive gets."""
    token = stack.token("dashboard", subject="simulator-past")
    seconds = await seconds_until_reported(broadcast.url, token, days, began)
    if seconds is not None:
        print(f"  Reports have the past of {days} days, {seconds:.1f} s after the start.\n", flush=True)


def _studio_file(rooms: int) -> str:
    """The path of the caller's studio file, or of that of the simulated studio."""
    if given := os.environ.get("STUDIO_FILE", "").strip():
        return given
    path = DIRECTORY / "studio.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(studio_file(studio(rooms, SEED, now_seconds=0)))
    return str(path)


def _settings() -> dict[str, str]:
    """The services' settings in the caller's environment."""
    apart = {"studio_file", "redis_url", "token_keys", "token_public_keys", "metrics_host", "metrics_port"}
    kinds = (IngestSettings, BroadcastSettings, WorkerSettings)
    fields = {field for kind in kinds for field in kind.__struct_fields__} - apart
    return {name.upper(): os.environ[name.upper()] for name in fields if name.upper() in os.environ}


def _metrics(port: int) -> dict[str, str]:
    """Where a service answers Prometheus: on loopback, which every system has."""
    return {"METRICS_HOST": "127.0.0.1", "METRICS_PORT": str(port)}


def main() -> int:
    """Runs until stopped; returns the exit status."""
    argparse.ArgumentParser(prog="make run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for number in STOP_SIGNALS:
        signal.signal(number, _leave)
    began = time.monotonic()
    try:
        rooms = _int_variable("ROOMS", DEFAULT_ROOMS)
        ports = _ports()
        keys = os.environ.get("TOKEN_KEYS") or token_keys(DIRECTORY / "token-keys")
        redis_url = os.environ.get("REDIS_URL")
        now = int(time.time())
        with (
            ThreadPoolExecutor() as aside,
            Stack(DIRECTORY, redis_url=redis_url, token_keys=keys, **_settings()) as stack,
            DemoPage(ports["DEMO_PORT"]) as demo,
            contextlib.ExitStack() as ending,
        ):
            living = aside.submit(_live, rooms, now)
            ingest = stack.ingest(ports["INGEST_PORT"], **_metrics(ports["INGEST_METRICS_PORT"]))
            broadcast = stack.broadcast(
                ports["BROADCAST_PORT"],
                STUDIO_FILE=_studio_file(rooms),
                DATABASE_URL=stack.database_url,
                **_metrics(ports["BROADCAST_METRICS_PORT"]),
            )
            links = Links(stack.redis_url, broadcast.url)
            code, link = links.first()
            _greet(stack, ingest, link, demo.url, rooms)
            is_new, archived = rooms > 0 and not _has_past(stack, broadcast), None
            if is_new and archived_days(rooms):
                archived = ArchivedPast(stack, rooms, now)
                ending.callback(archived.stop)
                archived.launch()
            worker = _archive(stack, ports["WORKER_PORT"], archived, **_metrics(ports["WORKER_METRICS_PORT"]))
            jobs = [_watch(stack.services), links.run(code), worker]
            if archived is not None:
                jobs.append(_report_past(stack, broadcast, archived_days(rooms), began))
            simulated, past = living.result()
            if is_new:
                jobs.append(post_past(past, url=ingest.url, token=stack.token("ingest", subject="simulator-past")))
            if rooms:
                token = stack.token("ingest", subject="simulator", ttl_seconds=TOKEN_SECONDS)
                jobs.append(post_for_ever(simulated, url=ingest.url, token=token))
            asyncio.run(_run(jobs))
    except StackError as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    print("  Stopped.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
