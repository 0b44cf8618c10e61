"""What runs is what compose.yaml says: seen from inside of the containers and from the engine."""

import json
import os
import re
import socket
from typing import Final

import httpx
import pytest

from tests.deploy.compose import services
from tests.deploy.containers.confinement import addresses, check_confinement, reached, secrets, secrets_shown
from tests.deploy.containers.engine import DESCRIPTORS, OUTSIDE
from tests.deploy.containers.stack import SERVICES, Stack, docker, link_of, run
from tests.support.clients import OldClient
from tools.waiting import wait_until

each_service = pytest.mark.parametrize("name", SERVICES)
PORTS: Final = {"redis": 6379, "ingest": 8001, "broadcast": 8002, "worker": 8004, "caddy": 2020}
METRICS: Final = {"ingest": 9101, "broadcast": 9102, "worker": 9103}


def test_a_clone_under_umask_077_starts_from_nothing_and_prints_where_to_click(stack: Stack) -> None:
    """The containers' users can read the mounted files, no other user can read the secrets, and the link leads to the page."""
    assert all(stack.healthy(name) for name in SERVICES)
    assert (stack.directory / ".env").stat().st_mode & 0o777 == 0o600
    link = link_of((stack.directory / "printed").read_text())
    assert link.startswith(f"http://localhost:{stack.settings['PORT']}/#code=")
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
    """As the kernel has it, not only as compose.yaml says."""
    check_confinement(stack, name)


@each_service
def test_a_container_starts_under_a_low_limit_of_descriptors(stack: Stack, name: str) -> None:
    """It has all that its engine has, and compose.yaml asks for no more, which the engine would refuse."""
    if os.environ["CONTAINERS"] != "own":
        pytest.skip("an engine of our own has a low limit")
    limits = stack.inside(name, "cat", "/proc/1/limits").stdout
    assert re.findall(r"Max open files +\d+ +(\d+)", limits) == [str(DESCRIPTORS)]


@each_service
def test_a_container_reaches_the_containers_of_its_networks_alone(stack: Stack, name: str) -> None:
    """Two services reach one another if they share a network, which Redis and the front do not; by name, and by none of its addresses."""
    networks = {service: set(declared["networks"]) for service, declared in services().items()}
    others = [other for other in SERVICES if other != name]
    shared = {other for other in others if networks[name] & networks[other]}
    by_address = {(address, PORTS[other]): other for other in others for address in addresses(stack, other).values()}
    found = reached(stack, name, *((other, PORTS[other]) for other in others), *by_address)
    assert {address for address, _ in found} & set(SERVICES) == shared
    assert {by_address[target] for target in found if target in by_address} == shared
    assert ("redis" in shared) == (name in ("ingest", "broadcast", "worker"))


@each_service
def test_only_the_front_reaches_the_outside(stack: Stack, name: str) -> None:
    """A host outside answers the front, and no other container has a way to it."""
    if os.environ["CONTAINERS"] != "own":
        pytest.skip("a host outside is made with an engine of our own")
    assert run("wget", "-q", "-T", "2", "-O", "/dev/null", f"http://{OUTSIDE}/", check=False).returncode == 0, "the outside does not answer"
    assert reached(stack, name, (OUTSIDE, 80)) == ({(OUTSIDE, 80)} if name == "caddy" else set())


def test_only_the_front_is_published(stack: Stack) -> None:
    """On the loopback address of this host, and no path of it leads to internal pages."""
    port = stack.settings["PORT"]
    published = {name: stack.inspect(name)["HostConfig"]["PortBindings"] or {} for name in SERVICES}
    assert {name for name, bindings in published.items() if bindings} == {"caddy"}
    assert published["caddy"] == {"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]}
    for path in ("/metrics", "/readyz", "/openapi.json"):
        assert httpx.get(stack.url + path).status_code == 404
    for closed in (*PORTS.values(), *METRICS.values()):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", closed)) != 0


def test_metrics_are_served_on_the_network_of_prometheus_alone(stack: Stack) -> None:
    """Each service answers on its address in that network, and on no other of its addresses."""
    asked = {(address, port): network for name, port in METRICS.items() for network, address in addresses(stack, name).items()}
    found = reached(stack, "worker", *asked)
    assert found == {target for target, network in asked.items() if network.endswith("_monitoring")}


@each_service
def test_a_secret_is_in_no_other_service(stack: Stack, name: str) -> None:
    """`docker inspect` of a container shows only the secrets that compose.yaml gives it."""
    every = secrets(stack)
    assert len(every) >= 9
    expected = {
        "redis": {key for key in every if key.startswith("REDIS_")},
        "ingest": {"REDIS_INGEST_PASSWORD"},
        "broadcast": {"REDIS_BROADCAST_PASSWORD"},
        "worker": {"REDIS_WORKER_PASSWORD"},
        "caddy": set(),
    }
    assert secrets_shown(stack, name) == expected[name]


def test_the_command_line_of_tokens_is_as_confined_as_the_services(stack: Stack) -> None:
    """It alone has the keys that sign; it reaches Redis, and nothing else."""
    identity = stack.compose("run", "--detach", "--no-deps", "--entrypoint=sleep", "tokens", "60").split()[-1]
    try:
        check_confinement(stack, "tokens", identity)
        assert secrets_shown(stack, "tokens", identity) == {"INGEST_TOKEN_KEYS", "DASHBOARD_TOKEN_KEYS", "REDIS_TOKENS_PASSWORD"}
        (inspected,) = json.loads(docker("inspect", identity))
        assert list(inspected["NetworkSettings"]["Networks"]) == [f"{stack.project}_store"]
        assert inspected["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
    finally:
        docker("rm", "--force", identity)


def test_no_log_has_a_secret_or_a_token(stack: Stack) -> None:
    """Also after a client has put its token into a URL, and after a wrong one."""
    with stack.dashboard() as dashboard:
        dashboard.snapshot()
    token = stack.token("dashboard")
    httpx.get(f"{stack.url}/api/tracking/telemetry?token={token}", headers={"Authorization": "Bearer wrong"})
    logs = stack.logs()
    assert not [key for key, value in secrets(stack).items() if value in logs or value.split(":")[-1] in logs]
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}\.", logs)
