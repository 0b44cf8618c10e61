"""The bench of one scenario: a stack of its own, pinned, and the loads that press on it."""

import contextlib
import os
import pathlib
import resource
import sys
import time
import types
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

from shared.contract import keys
from tools.bench.processes import LOAD_CORE, SERVER_CORE, BenchError, Load, compiled, cpu_seconds, pinned
from tools.processes import Process, Service, free_port
from tools.stack import Stack

PATH = "/ws/dashboard"
SNAPSHOT_END = '"SYNC"'
EVENT = '"TELEMETRY_UPDATE"'
# Caps on connections and the rates of addresses, subjects and tokens are raised: one machine plays a whole studio. The checks stay on.
SETTINGS = {
    "ADDRESS_SHARE": "0",
    "READ_SHARE": "0",
    "MAX_CONNECTIONS_PER_SUBJECT": "100000",
    "MAX_CONNECTIONS_PER_ADDRESS": "100000",
    "RATE_LIMIT_TOKEN_PER_SECOND": "1000000",
    "RATE_LIMIT_NEW_FEEDS_PER_SECOND": "0",
    "MAX_FEEDS_PER_DAY": "1000000",
    "LOG_LEVEL": "warning",
}


class Posts(NamedTuple):
    """How a reading is posted to a server: templates of `paced`, headers, and the text that an answer has for each accepted reading."""

    port: int
    path: str
    body: str
    good: str
    headers: tuple[str, ...] = ()


class Lab:
    """What a scenario needs; `seconds` is how long it should measure, `scale` shrinks its crowds for a quick look."""

    def __init__(self, directory: pathlib.Path, *, seconds: float, scale: float) -> None:
        self.seconds = seconds
        self.scale = scale
        self.directory = directory
        self._bin = directory / "bin"
        self._stack = Stack(directory / f"stack-{os.getpid()}-{time.monotonic_ns()}", **SETTINGS)

    def __enter__(self) -> Self:
        with pinned(LOAD_CORE):
            self._stack.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many processes share a load, in turn; a quick look leaves out the most."""
        return (1, 2, 4) if self.scale == 1 else (1, 2)

    @property
    def redis_pid(self) -> int:
        """The embedded server's process id."""
        assert self._stack.redis is not None
        return self._stack.redis.pid

    @property
    def redis_url(self) -> str:
        """The embedded server's address."""
        return self._stack.redis_url

    @property
    def database_url(self) -> str:
        """Where an archive of this stack is."""
        return self._stack.database_url

    def broadcast(self, **settings: str) -> Service:
        """The broadcast service on the server core."""
        with pinned(SERVER_CORE):
            return self._stack.broadcast(None, **settings)

    def ingest(self, *, core: int = SERVER_CORE, **settings: str) -> Service:
        """The ingest service, on the server core unless it is part of the load."""
        with pinned(core):
            return self._stack.ingest(None, **settings)

    def obvious(self) -> Service:
        """The obvious implementation on the server core."""
        port = free_port()
        environment = self._stack.environment(OBVIOUS_PORT=str(port), PYTHONWARNINGS="default")
        log = self._stack.directory / "obvious.log"
        service = Service("tools.bench.obvious", environment, host="127.0.0.1", port=port, log=log)
        self._stack.services.append(service)
        with pinned(SERVER_CORE):
            service.start()
        return service

    @contextlib.contextmanager
    def floor(self, rate: float, events_per_write: int) -> Iterator[tuple[int, int]]:
        """The bare C server; gives its port and process id."""
        port = free_port()
        command = [str(compiled("wslimit", self._bin)), str(port), str(rate), str(events_per_write)]
        process = Process(command, log=self._stack.directory / "floor.log")
        try:
            with pinned(SERVER_CORE):
                process.launch_until(lambda: port in listening_ports(), seconds=5)
            yield port, process.pid
        finally:
            process.kill()

    @contextlib.contextmanager
    def bare_relay(self) -> Iterator[int]:
        """The bare relay in C, which sends what Redis publishes to one client; gives its port."""
        port, url = free_port(), urllib.parse.urlsplit(self._stack.redis_url)
        command = [str(compiled("wsrelay", self._bin)), str(port), str(url.hostname), str(url.port), keys.events_channel(0)]
        process = Process(command, log=self._stack.directory / "bare-relay.log")
        try:
            with pinned(SERVER_CORE):
                process.launch_until(lambda: port in listening_ports(), seconds=5)
            yield port
        finally:
            process.kill()

    def fan(self, port: int, clients: int, *options: object, tokens: Sequence[str] | None = None, path: str = PATH) -> Load:
        """So many dashboards with these tokens in turn: one for all if none are given, and no token at all for an empty list."""
        file = self.file(f"tokens-{time.monotonic_ns()}")
        file.write_text("\n".join([self.token("dashboard")] if tokens is None else tokens))
        return Load([compiled("wsfan", self._bin), port, path, clients, "-t", file, "-e", EVENT, *options])

    def dashboards(self, service: Service, clients: int, *options: object, tokens: Sequence[str] | None = None) -> Load:
        """So many dashboards that speak `pulse.v1` and count as up when they have their snapshot."""
        return self.fan(service.port, clients, "-H", "Sec-WebSocket-Protocol: pulse.v1", "-r", SNAPSHOT_END, *options, tokens=tokens)

    def pinger(self, service: Service) -> Load:
        """A connection that measures how long the server's loop keeps it waiting."""
        token = self.token("dashboard", rooms=("no-such-room",))
        return Load([compiled("wsping", self._bin), service.port, PATH, token])

    def inflating(self, service: Service) -> Load:
        """A dashboard that takes compressed payloads and reads them."""
        url = f"ws://127.0.0.1:{service.port}{PATH}"
        return Load([sys.executable, "-m", "tools.bench.inflating", url, self.token("dashboard")])

    def subscriber(self) -> Load:
        """A subscriber that only receives."""
        url = urllib.parse.urlsplit(self._stack.redis_url)
        return Load([sys.executable, "-m", "tools.bench.subscriber", url.hostname, url.port, keys.events_channel(0)])

    def publisher(self, rate: float, *, seconds: float | None = None, rooms: int = 1000, shards: int = 1) -> Load:
        """Commits readings at an even pace."""
        return Load([sys.executable, "-m", "tools.bench.publisher", self._stack.redis_url, rate, seconds or self.seconds, rooms, shards])

    def touch_rooms(self, per_second: float = 5000) -> None:
        """Lets each of the 10,000 rooms (fewer for a quick look) post once: to make their arrays is the work of a day's first reading."""
        with self.publisher(per_second, seconds=self.rooms / per_second, rooms=self.rooms) as publisher:
            publisher.wait(60)

    @property
    def rooms(self) -> int:
        """How many rooms the posts of a scenario are about: 10,000, fewer for a quick look."""
        return int(10_000 * self.scale)

    def poster(self, port: int, *, connections: int = 64, batch: int = 1, arrays: bool = False) -> Load:
        """Posts as fast as the server answers; `arrays` of one where a batch has one reading."""
        command = [compiled("postload", self._bin), port, self.token("ingest"), connections, self.seconds, self.rooms, batch]
        return Load([*command, "array"] if arrays else command)

    def paced(
        self,
        posts: Posts,
        *,
        rate: float,
        seconds: float,
        connections: int,
        rooms: int,
        batch: int = 0,
        interval: float = 0,
        core: int = LOAD_CORE,
    ) -> Load:
        """Posts `rate` times a second, or as fast as the server answers for 0; with an `interval` it reports on stderr meanwhile."""
        headers = self.file(f"headers-{time.monotonic_ns()}")
        headers.write_text("\n".join(posts.headers))
        command = [compiled("paced", self._bin), posts.port, posts.path, connections, seconds, rate, posts.body, posts.good]
        return Load([*command, "-h", headers, "-r", rooms, "-b", batch, "-i", interval], core=core)

    def file(self, name: str) -> pathlib.Path:
        """A path in the directory of this stack, which is removed after the run."""
        return self._stack.directory / name

    def token(self, audience: str, *, rooms: tuple[str, ...] = ("*",), subject: str = "tester") -> str:
        """A token of this stack."""
        return self._stack.token(audience, rooms=rooms, subject=subject)

    def tokens(self, count: int) -> list[str]:
        """As many different tokens, so that each has to be verified."""
        return [self.token("dashboard") for _ in range(count)]

    def crowd(self, clients: int) -> int:
        """The size of a crowd, shrunk for a quick look; raises BenchError if the machine allows fewer descriptors."""
        wanted = int(clients * self.scale)
        if wanted + 100 > resource.getrlimit(resource.RLIMIT_NOFILE)[1]:
            raise BenchError(f"{wanted} connections need a higher limit of open files (ulimit -Hn)")
        return wanted


class Meter:
    """The CPU time of a process since the meter was made, in microseconds."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = cpu_seconds(pid)
        self._since = time.monotonic()

    def microseconds(self) -> float:
        """CPU time used since."""
        return (cpu_seconds(self._pid) - self._start) * 1e6

    @staticmethod
    def since_start(pid: int) -> float:
        """CPU time of a process since it was started."""
        return cpu_seconds(pid) * 1e6

    def load(self) -> float:
        """The part of its core that the process used, in percent."""
        return self.microseconds() / (time.monotonic() - self._since) / 1e4


def listening_ports() -> set[int]:
    """The loopback ports that something listens on."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A"}


Figures = dict[str, Any]
