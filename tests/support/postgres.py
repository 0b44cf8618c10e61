"""A PostgreSQL server of one's own on a free port of loopback, started from Debian's programs as a user without privileges."""

import atexit
import contextlib
import fcntl
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import Final

import psycopg
from psycopg import sql

from tests.support import needs
from tools.processes import Process, free_port
from tools.waiting import wait_until

HOST: Final = "127.0.0.1"
USER: Final = "pulse"
SYSTEM_USER: Final = "nobody"  # for tests that run as root, which the server refuses to
SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",  # tests end processes, never the machine
    "full_page_writes": "off",
    "max_wal_size": "64MB",
    "shared_buffers": "16MB",
    "autovacuum": "off",
}


# An empty cluster, which every server of a test run begins with a copy of; also processes that are forked from this one make it only once.
_CLUSTER: Final = pathlib.Path(tempfile.gettempdir(), f"pulse-cluster-{secrets.token_hex(8)}")
_LOCK: Final = _CLUSTER.with_suffix(".lock")
_PASSWORD: Final = secrets.token_urlsafe(12)


class PostgresServer(Process):
    """One server in a directory of its own, with one superuser and a password. It can be stopped, frozen and started again."""

    def __init__(self, directory: pathlib.Path, prefix: Sequence[str] = (), **settings: str) -> None:
        """`directory` is created by `create`; `settings` are lines of the configuration, and `prefix` begins the server's command line."""
        self.directory = directory
        self.data = directory / "data"
        self.port = free_port()
        self.password = _PASSWORD
        self._used: list[str] = []
        self._programs = needs.postgresql()
        options = [f"-c{name}={value}" for name, value in {**SETTINGS, **settings}.items()]
        super().__init__(
            [*prefix, *_unprivileged(), str(self._programs / "postgres"), "-D", str(self.data), "-p", str(self.port), *options],
            log=directory / "server.log",
            cwd=directory,
        )

    @property
    def name(self) -> str:
        """What an error calls it."""
        return "PostgreSQL"

    def add_tablespace(self, name: str, directory: pathlib.Path, seen_from_here: pathlib.Path) -> None:
        """Adds a place for databases: a new directory, as the server and as the caller sees it."""
        seen_from_here.mkdir()
        if os.geteuid() == 0:
            shutil.chown(seen_from_here, SYSTEM_USER)
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(sql.Identifier(name), sql.Literal(str(directory))))

    def create(self) -> None:
        """Makes an empty cluster."""
        if os.geteuid() == 0:
            shutil.chown(self.directory, SYSTEM_USER)
        subprocess.run(["cp", "--archive", "--reflink=auto", _made_once(self._programs), self.data], check=True, capture_output=True)

    def start(self) -> None:
        """Starts the process and waits until it accepts queries; raises StackError."""
        self.launch_until(self._answers, seconds=60)

    def _answers(self) -> bool:
        try:
            with self.connect():
                return True
        except psycopg.OperationalError as error:
            raise ConnectionError from error

    def connect(self, database: str = "postgres") -> "psycopg.Connection":
        """A connection for commands of the caller's own; each command commits."""
        return psycopg.connect(
            host=HOST, port=self.port, user=USER, password=self.password, dbname=database, connect_timeout=60, autocommit=True
        )

    def url(self, database: str = "postgres", *, user: str = USER, password: str | None = None) -> str:
        """A DATABASE_URL."""
        return f"postgresql+psycopg://{user}:{password or self.password}@{HOST}:{self.port}/{database}"

    def new_database(self, tablespace: str = "pg_default") -> str:
        """The DATABASE_URL of a new empty database."""
        name = f"test_{secrets.token_hex(6)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 TABLESPACE {} {}")
        with self.connect() as connection:
            # Files are copied in half the CPU time that their pages take through the log.
            strategy = sql.SQL("STRATEGY FILE_COPY" if connection.info.server_version >= 150_000 else "")
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(tablespace), strategy))
        return self.url(name)

    def used_database(self) -> str:
        """The DATABASE_URL of an empty database, one that was given back if there is any: to empty it costs less than to make another."""
        if not self._used:
            return self.new_database()
        url = self._used.pop()
        with self.connect(url.rpartition("/")[2]) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return url

    def give_back(self, url: str) -> None:
        """Takes a database that `used_database` gave, whose user has closed all connections."""
        self._used.append(url)

    def kill(self) -> None:
        """Ends the server as a crash would, and waits until the processes that it had started have seen that and ended."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split() if self.poll() is None else []
        super().kill()
        wait_until(lambda: not any(map(_runs, children)), "the end of the server's processes")


@contextlib.contextmanager
def postgres(prefix: Sequence[str] = (), **settings: str) -> Iterator[PostgresServer]:
    """A running server. Its data lie outside pytest's directory, which only the user of the tests may enter."""
    needs.postgresql()
    with tempfile.TemporaryDirectory(prefix="pulse-postgres-") as name:
        server = PostgresServer(pathlib.Path(name), prefix, **settings)
        server.create()
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _runs(pid: str) -> bool:
    """Whether a process runs; one that has ended may wait for its parent to notice."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _unprivileged() -> list[str]:
    """The start of a command line that runs without privileges; the caller may have none already."""
    return ["setpriv", f"--reuid={SYSTEM_USER}", "--clear-groups", "--"] if os.geteuid() == 0 else []


def _made_once(programs: pathlib.Path) -> pathlib.Path:
    """The empty cluster, made by the first process that needs it."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _CLUSTER.exists():
            with tempfile.TemporaryDirectory(prefix="pulse-cluster-") as name:
                made = pathlib.Path(name) / "data"
                password = pathlib.Path(name) / "password"
                password.write_text(_PASSWORD)
                password.chmod(0o644)
                if os.geteuid() == 0:
                    shutil.chown(name, SYSTEM_USER)
                options = ["-U", USER, "-A", "scram-sha-256", "--pwfile", str(password), "-E", "UTF8", "--locale", "C", "--no-sync"]
                command = [*_unprivileged(), str(programs / "initdb"), "-D", str(made), *options]
                subprocess.run(command, check=True, capture_output=True, cwd=name)
                made.rename(_CLUSTER)
    return _CLUSTER


def _remove() -> None:
    shutil.rmtree(_CLUSTER, ignore_errors=True)
    _LOCK.unlink(missing_ok=True)


atexit.register(_remove)
