"""What runs is what compose.yaml says: seen from inside of the containers and from the engine."""

import json
import os
import re
import socket
from typing import Final

import httpx
import pytest

from tests.deploy.compose import services
from tests.deploy.containers.engine import OUTSIDE
from tests.deploy.containers.stack import SERVICES, Stack, docker, link_of, run
from tests.support.clients import Dashboard, OldClient
from tools.waiting import wait_until

each_service = pytest.mark.parametrize("name", SERVICES)
PORTS: Final = {"redis": 6379, "ingest": 8001, "broadcast": 8002, "worker": 8004, "caddy": 2020}
METRICS: Final = {"ingest": 9101, "broadcast": 9102, "worker": 9103}
# A connection from inside of a container, in the words of the Python that every image but Caddy's has.
CONNECT: Final = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)"


def test_a_clone_under_umask_077_starts_from_nothing_and_prints_where_to_click(stack: Stack) -> None:
    """The containers' users can read the mounted files, no other user can read the secrets, and the link leads to the page."""
    assert all(stack.healthy(name) for name in SERVICES)
    assert (stack.directory / ".env").stat().st_mode & 0o777 == 0o600
    link = link_of((stack.directory / "printed").read_text())
    assert link.startswith("http://localhost:13000/#code=")
    assert "<title>" in httpx.get(link.split("#")[0].replace("localhost", "127.0.0.1")).text


def test_the_smoke_check_passes(stack: Stack) -> None:
    """Five of five, through the front."""
    done = stack.make("smoke", f"URL={stack.url}")
    assert len(re.findall(r"(?m)^\d\. ok", done.stdout)) == 5, done.stdout


def test_a_client_of_the_old_system_works_through_the_front(stack: Stack) -> None:
    """Its header, one event per frame, the old shape."""
    with stack.producer() as producer:
        assert producer.post("old-shape", 1).status_code == 200
        with OldClient(stack.url, stack.token("dashboard")) as old:
            event = wait_until(lambda: (e := old.next_event())["room_id"] == "old-shape" and e, "the event of old")
    assert set(event) == {"event_type", "room_id", "data", "timestamp", "version"}
    assert (event["event_type"], event["data"]["tokens"]) == ("TELEMETRY_UPDATE", 1)


@each_service
def test_a_container_can_do_little(stack: Stack, name: str) -> None:
    """No root, no capability, no way to gain any, a read-only root, and the limits that compose.yaml names, as the kernel has them."""
    inspected = stack.inspect(name)
    host, declared = inspected["HostConfig"], services()[name]
    assert (host["ReadonlyRootfs"], host["Privileged"], host["CapDrop"], host["CapAdd"] or []) == (True, False, ["ALL"], [])
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    status = dict(re.findall(r"(?m)^(\w+):\s+(.+)$", stack.inside(name, "cat", "/proc/1/status").stdout))
    assert status["Uid"].split()[0] == declared["user"].split(":")[0] != "0"
    assert {int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    for path in ("/probe", "/etc/probe", "/usr/bin/probe", "/etc/pulse/probe"):
        refused = stack.inside(name, "sh", "-c", f"echo x >{path}", check=False)
        assert refused.returncode != 0
        assert re.search("Read-only file system|Permission denied|nonexistent|No such", refused.stderr)
    assert "Read-only file system" in stack.inside(name, "sh", "-c", "echo x >/probe", user="0", check=False).stderr
    limits = declared["deploy"]["resources"]["limits"]
    assert (host["NanoCpus"], host["PidsLimit"]) == (float(limits["cpus"]) * 1e9, limits["pids"])
    assert host["Memory"] == int(limits["memory"][:-1]) * {"m": 1024**2, "g": 1024**3}[limits["memory"][-1]]
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}


def reaches(stack: Stack, name: str, address: str, port: int) -> bool:
    """Whether a connection from a service's container is accepted."""
    if name != "caddy":
        return stack.inside(name, "python3", "-c", CONNECT, address, str(port), check=False).returncode == 0
    done = stack.inside(name, "wget", "-T", "2", "-t", "1", "-O", "/dev/null", f"http://{address}:{port}/", check=False)
    return done.returncode == 0 or re.search(r"ERROR 404|HTTP/1.1 404", done.stderr) is not None


@each_service
def test_a_container_reaches_the_containers_of_its_networks_alone(stack: Stack, name: str) -> None:
    """Two services reach one another if they share a network, which Redis and the front do not."""
    networks = {service: set(declared["networks"]) for service, declared in services().items()}
    shared = {other for other in SERVICES if other != name and networks[name] & networks[other]}
    addresses = {other: next(iter(stack.inspect(other)["NetworkSettings"]["Networks"].values()))["IPAddress"] for other in SERVICES}
    reached = {other for other in SERVICES if other != name and reaches(stack, name, other, PORTS[other])}
    assert reached == shared
    assert ("redis" in reached) == (name in ("ingest", "broadcast", "worker"))
    for other in set(SERVICES) - shared - {name}:
        assert not reaches(stack, name, addresses[other], PORTS[other]), f"{name} reaches {other} by its address"


@each_service
def test_only_the_front_reaches_the_outside(stack: Stack, name: str) -> None:
    """A host outside answers the front, and no other container has a way to it."""
    if os.environ["CONTAINERS"] != "own":
        pytest.skip("a host outside is made with an engine of our own")
    assert run("wget", "-q", "-T", "2", "-O", "/dev/null", f"http://{OUTSIDE}/", check=False).returncode == 0, "the outside does not answer"
    assert reaches(stack, name, OUTSIDE, 80) == (name == "caddy")


def test_only_the_front_is_published(stack: Stack) -> None:
    """On the loopback address of this host, and no path of it leads to internal pages."""
    published = {name: stack.inspect(name)["HostConfig"]["PortBindings"] or {} for name in SERVICES}
    assert {name for name, bindings in published.items() if bindings} == {"caddy"}
    assert published["caddy"] == {"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "13000"}]}
    for path in ("/metrics", "/readyz", "/openapi.json"):
        assert httpx.get(stack.url + path).status_code == 404
    for port in (*PORTS.values(), *METRICS.values()):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_metrics_are_served_on_the_network_of_prometheus_alone(stack: Stack) -> None:
    """Each service answers on its address in that network, and on no other of its addresses."""
    for name, port in METRICS.items():
        networks = stack.inspect(name)["NetworkSettings"]["Networks"]
        for network, given in networks.items():
            assert reaches(stack, "worker", given["IPAddress"], port) == network.endswith("_monitoring"), (name, network)


@each_service
def test_a_secret_is_in_no_other_service_and_in_no_log(stack: Stack, name: str) -> None:
    """`docker inspect` of a container shows only the secrets that compose.yaml gives it."""
    secrets = {key: value for key, value in stack.secrets.items() if re.search("PASSWORD|TOKEN_KEYS", key)}
    assert len(secrets) >= 9
    inspected = json.dumps(stack.inspect(name)) + docker("image", "history", "--no-trunc", stack.inspect(name)["Config"]["Image"])
    found = {key for key, value in secrets.items() if value in inspected or value.split(":")[-1] in inspected}
    expected = {
        "redis": {key for key in secrets if key.startswith("REDIS_")},
        "ingest": {"REDIS_INGEST_PASSWORD"},
        "broadcast": {"REDIS_BROADCAST_PASSWORD"},
        "worker": {"REDIS_WORKER_PASSWORD"},
        "caddy": set(),
    }
    assert found == expected[name]
    with Dashboard(stack.url, stack.token("dashboard")) as dashboard:
        dashboard.snapshot()
    token = stack.token("dashboard")
    httpx.get(f"{stack.url}/api/tracking/telemetry?token={token}", headers={"Authorization": "Bearer wrong"})
    logs = stack.logs()
    assert not [key for key, value in secrets.items() if value in logs or value.split(":")[-1] in logs]
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}\.", logs)
