"""Both services on Redis with TLS and passwords: a Cluster, Sentinels with credentials of their own, and what the log says."""

import functools
import json
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Final, Self

import pytest

from tests.support import needs
from tests.support.certificates import self_signed
from tests.support.clients import Dashboard, Producer
from tests.support.raw_http import exchange, request
from tools.processes import Service, free_port
from tools.redis_server import RedisServer
from tools.stack import Stack
from tools.waiting import wait_until

SLOTS: Final = 16384
ACL: Final = "user pulse on >sentinel-secret resetchannels -@all +sentinel|master +ping"


class TlsCluster:
    """Two nodes that speak TLS alone, with a certificate that names `localhost` and no address."""

    def __init__(self, directory: pathlib.Path, *, announce: bool = True) -> None:
        self.certificate = self_signed(directory, "localhost")
        self.ports = [free_port(), free_port()]
        tls = {"tls_cluster": "yes", "tls_auth_clients": "no", "tls_replication": "yes"}
        files = {f"tls_{name}_file": self.certificate for name in ("cert", "key", "ca_cert")}
        names = {"cluster_announce_hostname": "localhost"} if announce else {}
        self._servers = [
            RedisServer(
                directory / str(port),
                program=needs.redis_server(),
                tls_port=port,
                cluster_enabled="yes",
                cluster_port=free_port(),
                **tls,
                **files,
                **names,
            )
            for port in self.ports
        ]

    def __enter__(self) -> Self:
        for server in self._servers:
            server.start()
        for number, port in enumerate(self.ports):
            first = number * SLOTS // 2
            assert self.cli(port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(first + SLOTS // 2 - 1)) == "OK"
            self.cli(port, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        bus = self.cli(self.ports[1], "CONFIG", "GET", "cluster-port").split()[-1]
        self.cli(self.ports[0], "CLUSTER", "MEET", "127.0.0.1", str(self.ports[1]), bus)
        for port in self.ports:
            wait_until(functools.partial(self._prints, "cluster_state:ok", port, "CLUSTER", "INFO"), "the cluster is healthy")
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.kill()

    def _prints(self, words: str, port: int, *command: str) -> bool:
        return words in self.cli(port, *command)

    def cli(self, port: int, *command: str) -> str:
        """Runs a command on one node."""
        cli = [str(pathlib.Path(needs.redis_server()).with_name("redis-cli")), "-h", "localhost", "-p", str(port), "--tls"]
        done = subprocess.run([*cli, "--cacert", str(self.certificate), *command], capture_output=True, text=True, check=False, timeout=60)
        return done.stdout.strip()

    def url(self, options: str) -> str:
        """The REDIS_URL of the first node."""
        return f"rediss+cluster://localhost:{self.ports[0]}{options}"


def goes_through(stack: Stack, **settings: str) -> None:
    """Several rooms, so that every node has some, from a POST to a dashboard."""
    ingest, broadcast = stack.ingest(None, **settings), stack.broadcast(None, **settings)
    with Producer(ingest.url, stack.token("ingest")) as producer, Dashboard(broadcast.url, stack.token("dashboard")) as dashboard:
        for number in range(8):
            producer.deliver(f"secured-{number}", number)
        for number in range(8):
            dashboard.wait_for_tokens(f"secured-{number}", number)


def lines(log: pathlib.Path, event: str) -> list[dict[str, str]]:
    """The lines of an event in a log."""
    return [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == event]


SLOW = "no answer in time"  # which a busy machine may say first of any node


def log_of_a_start_that_fails(stack: Stack, event: str = "redis.no_response") -> pathlib.Path:
    """What a service that is alive and not ready says, once it has said why."""
    port = free_port()
    service = Service(
        "ingest_service", stack.environment(INGEST_PORT=str(port)), host="127.0.0.1", port=port, log=stack.directory / "failing.log"
    )
    stack.services.append(service)
    service.start(until="/livez")
    wait_until(lambda: [line for line in lines(service.log, event) if line.get("reason") != SLOW], "the reason")
    assert exchange(port, request("GET", "/readyz", ())).status == 503
    return service.log


def test_a_cluster_with_certificates_that_name_hosts_alone(tmp_path: pathlib.Path) -> None:
    """The names that its nodes announce lead to them, with the authority given as an option."""
    with TlsCluster(tmp_path) as cluster:
        options = f"?ssl_ca_certs={cluster.certificate}"
        with Stack(tmp_path / "stack", redis_url=cluster.url(options), TELEMETRY_SHARDS="8") as stack:
            goes_through(stack)


def test_a_certificate_that_is_not_accepted_is_named(tmp_path: pathlib.Path) -> None:
    """An unknown authority, and a node that announces no name; the log says which it is, and no more than once."""
    with TlsCluster(tmp_path, announce=False) as cluster:
        with Stack(tmp_path / "unknown", redis_url=cluster.url("")) as stack:
            reasons = [line["reason"] for line in lines(log_of_a_start_that_fails(stack), "redis.no_response")]
            assert [reason for reason in reasons if reason != SLOW] == ["the certificate is not accepted: self-signed certificate"]
        with Stack(tmp_path / "nameless", redis_url=cluster.url(f"?ssl_ca_certs={cluster.certificate}")) as stack:
            reports = lines(log_of_a_start_that_fails(stack), "redis.no_response")
            assert {line["reason"] for line in reports} - {SLOW} == {"the certificate is not accepted: IP address mismatch"}
            assert {line["node"] for line in reports} <= {f"127.0.0.1:{port}" for port in cluster.ports}


@pytest.fixture(params=["password", "user"])
def guarded(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[tuple[RedisServer, str]]:
    """A primary with a password behind a Sentinel that wants a credential; gives the Sentinel and the options that have it."""
    primary = RedisServer(tmp_path / "primary", requirepass="data-secret")
    sentinel = RedisServer(tmp_path / "sentinel", "--sentinel")
    with sentinel.config.open("a") as config:
        config.write(f"sentinel monitor pulse 127.0.0.1 {primary.port} 1\nsentinel auth-pass pulse data-secret\n")
        config.write("requirepass sentinel-secret\n" if request.param == "password" else f"{ACL}\nuser default off\n")
    options = "?sentinel_password=sentinel-secret" + ("&sentinel_username=pulse" if request.param == "user" else "")
    try:
        primary.start()
        sentinel.start()
        yield sentinel, options
    finally:
        sentinel.kill()
        primary.kill()


def test_sentinels_with_a_credential_of_their_own(guarded: tuple[RedisServer, str], tmp_path: pathlib.Path) -> None:
    """A password, or a user with the one command that is needed; the data's own password is another."""
    sentinel, options = guarded
    with Stack(tmp_path / "stack", redis_url=f"redis+sentinel://:data-secret@127.0.0.1:{sentinel.port}/pulse{options}") as stack:
        goes_through(stack)


@pytest.mark.parametrize("options", ["", "?sentinel_password=wrong"])
def test_a_sentinel_that_refuses_is_named(guarded: tuple[RedisServer, str], tmp_path: pathlib.Path, options: str) -> None:
    """The log has its address and the reason, and neither password."""
    sentinel, _ = guarded
    url = f"redis+sentinel://:data-secret@127.0.0.1:{sentinel.port}/pulse{options}"
    with Stack(tmp_path / "stack", redis_url=url) as stack:
        log = log_of_a_start_that_fails(stack)
    reports = lines(log, "redis.no_response")
    assert [(line["node"], line["reason"]) for line in reports] == [(f"127.0.0.1:{sentinel.port}", "a password is missing or wrong")]
    assert "secret" not in log.read_text()
    assert lines(log, "revocations.unavailable")[0]["reason"] == "no node is known to own the key"


def test_a_master_that_no_sentinel_knows_is_named(guarded: tuple[RedisServer, str], tmp_path: pathlib.Path) -> None:
    """A slip in the name looks like an outage otherwise."""
    sentinel, options = guarded
    with Stack(tmp_path / "stack", redis_url=f"redis+sentinel://127.0.0.1:{sentinel.port}/other{options}") as stack:
        log = log_of_a_start_that_fails(stack)
    assert [line["reason"] for line in lines(log, "redis.no_response")] == ["the Sentinels know no such master"]


def test_a_server_that_wants_a_password_is_named(tmp_path: pathlib.Path) -> None:
    """One node alone says it in the events that it always had."""
    node = RedisServer(tmp_path / "node", requirepass="data-secret")
    try:
        node.start()
        with Stack(tmp_path / "stack", redis_url=node.url) as stack:
            log = log_of_a_start_that_fails(stack, "revocations.unavailable")
        assert lines(log, "revocations.unavailable")[0]["reason"] == "a password is missing or wrong"
    finally:
        node.kill()
