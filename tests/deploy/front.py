"""The shipped Caddyfile, run by a real Caddy on ports of its own, in front of real services on addresses of their own."""

import functools
import os
import pathlib
import re
import subprocess
from typing import Final

from tests.deploy.names import Names
from tests.deploy.store import Store
from tests.support import needs
from tools.processes import ROOT, Service, free_port
from tools.stack import Stack

CADDYFILE: Final = ROOT / "deploy" / "caddy" / "Caddyfile"
ADDRESSES: Final = ("127.0.0.2", "127.0.0.3", "127.0.0.4")  # loopback has room for a replica each, all on the same port
PROXY: Final = "127.0.0.1"


@functools.cache
def is_debians() -> bool:
    """Whether Caddy is as old as Debian's, which cannot keep bodies for a retry, nor sockets over a reload; the image's can."""
    text = subprocess.run([needs.caddy(), "version"], capture_output=True, text=True, check=True).stdout
    return re.match(r"v?2\.[0-6]\.", text) is not None


class Front(Service):
    """Caddy with the shipped configuration. `authority` is the certificate that signs its own; SSL_CERT_FILE should name it."""

    def __init__(self, directory: pathlib.Path, names: Names, *, ingest_port: int, broadcast_port: int, secure: bool = True) -> None:
        port, home = free_port(), directory / "caddy"
        home.mkdir()
        self.authority = home / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        self.http_port, self.metrics_port, self.admin = free_port(), free_port(), f"127.0.0.1:{free_port()}"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_DATA_HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "SITE_ADDRESS": f"https://localhost:{port}" if secure else f"http://:{port}",
            "HTTPS_PORT": str(port if secure else free_port()),
            "HTTP_PORT": str(self.http_port),
            "METRICS_PORT": str(self.metrics_port),
            "CADDY_ADMIN": self.admin,
            "REFRESH": f"100ms\nresolvers udp/127.0.0.1:{names.port}",
            "INGEST_PORT": str(ingest_port),
            "BROADCAST_PORT": str(broadcast_port),
        }
        if is_debians():
            environment |= {"REQUEST_BUFFERS": "buffer_requests\nmax_buffer_size 64KiB", "STREAM_CLOSE_DELAY": ""}
        super().__init__("caddy", environment, host="localhost", port=port, log=directory / "caddy.log")
        self.url = f"{'https' if secure else 'http'}://localhost:{port}"

    def command(self) -> list[str]:
        """As the image runs it."""
        return [needs.caddy(), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]

    def start(self, *, until: str = "/health") -> None:
        """Readiness is not public, whether anything answers is."""
        super().start(until=until)

    def reload(self) -> None:
        """Loads the configuration again, as an operator does after a change."""
        command = [needs.caddy(), "reload", "--force", "--address", self.admin, "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        subprocess.run(command, env=self.environment, capture_output=True, check=True, timeout=60)


class Replicas:
    """Services of a stack behind names, one port for all of a kind, as in a network of containers; each as its own user of the store."""

    def __init__(self, stack: Stack, store: Store) -> None:
        self.stack = stack
        self.store = store
        self.names = Names(ingest=[], broadcast=[])
        self.ingests: list[Service] = []
        self.broadcasts: list[Service] = []
        self._ports = {"ingest": free_port(), "broadcast": free_port()}

    def _address(self, kind: str) -> tuple[int, str]:
        """The port of a kind, and an address for one more of it."""
        taken = self.names.addresses[kind]
        self.names.addresses[kind] = [*taken, ADDRESSES[len(taken)]]
        return self._ports[kind], ADDRESSES[len(taken)]

    def add_ingest(self, **settings: str) -> Service:
        """Starts one more ingest service, and names it."""
        port, host = self._address("ingest")
        self.ingests.append(self.stack.ingest(port, INGEST_HOST=host, REDIS_URL=self.store.url("ingest"), **settings))
        return self.ingests[-1]

    def add_broadcast(self, **settings: str) -> Service:
        """Starts one more broadcast service, and names it."""
        port, host = self._address("broadcast")
        settings = {"BROADCAST_HOST": host, "REDIS_URL": self.store.url("broadcast"), "FORWARDED_ALLOW_IPS": PROXY, **settings}
        self.broadcasts.append(self.stack.broadcast(port, **settings))
        return self.broadcasts[-1]

    def kill(self, service: Service) -> None:
        """Ends one as a power cut would; a network of containers then forgets its address."""
        service.kill()
        for kind, addresses in self.names.addresses.items():
            self.names.addresses[kind] = [
                address for address in addresses if (kind, address) != (service.module.split("_")[0], service.host)
            ]

    def front(self, *, secure: bool = True) -> Front:
        """A front for them, not yet started."""
        ports = {f"{kind}_port": port for kind, port in self._ports.items()}
        return Front(self.stack.directory, self.names, secure=secure, **ports)
