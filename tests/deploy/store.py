"""The shipped Redis: its configuration, its start script and its users, run by Debian's server."""

import contextlib
import os
import pathlib
import secrets
import subprocess
from collections.abc import Iterator
from typing import Final

import redis

from tests.support import needs
from tools.processes import ROOT, Process, free_port

SCRIPT: Final = ROOT / "deploy" / "redis" / "start.sh"
SERVICES: Final = ("ingest", "broadcast", "worker", "tokens", "monitor")  # who may do no more than they need
USERS: Final = (*SERVICES, "admin")


class Store:
    """One running server; each user has a password of its own."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.passwords = {user: secrets.token_urlsafe(24) for user in USERS}

    def url(self, user: str) -> str:
        """REDIS_URL for a user."""
        return f"redis://{self.credential(user)}127.0.0.1:{self.port}/0"

    def credential(self, user: str) -> str:
        """What stands before the host in a user's URL."""
        return f"{user}:{self.passwords[user]}@"

    def client(self, credential: str) -> "redis.Redis":
        """A connection with a credential, or without one."""
        return redis.Redis.from_url(f"redis://{credential}127.0.0.1:{self.port}/0", protocol=2, driver_info=None)

    @contextlib.contextmanager
    def running(self) -> Iterator["Store"]:
        """Serves until the end."""
        passwords = {f"REDIS_{user.upper()}_PASSWORD": password for user, password in self.passwords.items()}
        path = f"{pathlib.Path(needs.redis_server()).parent}:{os.environ['PATH']}"
        environment = {"PATH": path, "TMPDIR": str(self.directory), "REDIS_DIRECTORY": str(self.directory), **passwords}
        command = ["sh", str(SCRIPT), "--port", str(self.port), "--bind", "127.0.0.1"]
        process = Process(command, log=self.directory / "redis.log", environment=environment)
        try:
            process.launch_until(self._answers)
            yield self
        finally:
            process.stop()

    def _answers(self) -> bool:
        """Asks as the health check of compose.yaml does."""
        health = ["-e", "--no-auth-warning", "--user", "health", "--pass", "-", "ping"]
        command = ["redis-cli", "-p", str(self.port), *health]
        return subprocess.run(command, capture_output=True, check=False, timeout=5).returncode == 0
