"""A whole local stack of real processes: Redis, ingest, broadcast. `make run` and the end-to-end tests start the same one."""

import os
import pathlib
import secrets
import time
import types
from collections.abc import Mapping
from typing import Self

from shared.settings import TokenSettings, load
from shared.tokens import issue
from shared.tokens.keys import ED25519, SecretKeys
from tools.processes import Service, free_port
from tools.redis_server import RedisServer


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

    def environment(self, **more: str) -> dict[str, str]:
        """What a service of this stack is started with. All tests come from one address, so it may use a whole core."""
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        given = {**keep, "REDIS_URL": self.redis_url, "TOKEN_KEYS": self.token_keys, "ADDRESS_SHARE": "1", **self.settings, **more}
        for kind in ("INGEST", "BROADCAST", "WORKER"):
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

    def worker(self, port: int | None = None, **settings: str) -> Service:
        """Starts a worker service; its archive is a file in the stack's directory unless DATABASE_URL is given."""
        own = {"TOKEN_KEYS": "", "TOKEN_PUBLIC_KEYS": "", "DATABASE_URL": self.database_url}
        return self._service("worker", port, own | settings)

    @property
    def database_url(self) -> str:
        """Where the archive is."""
        return self.settings.get("DATABASE_URL") or f"sqlite:///{self.directory / 'archive.db'}"

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
