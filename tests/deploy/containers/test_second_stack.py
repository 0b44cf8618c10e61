"""A second clone on the same host, with a domain, Caddy's own certificate authority, and volumes that are small enough to be filled."""

import pathlib
import ssl
from collections.abc import Iterator
from typing import Final

import httpx
import pytest

from tests.deploy.containers.stack import ANSWER_SECONDS, Stack, docker, run
from tools.waiting import wait_until

HTTPS_PORT: Final = 14443
URL: Final = f"https://localhost:{HTTPS_PORT}"
# Volumes in memory, as small as a test can fill: of whom, and how large.
VOLUMES: Final = {"redis": ("uid=999,gid=1000", "24m"), "archive": ("uid=10001,gid=10001", "8m"), "caddy": ("uid=10001,gid=10001", "4m")}
ROOT_CERTIFICATE: Final = "/data/caddy/pki/authorities/local/root.crt"


class Second(Stack):
    """The second stack, over HTTPS."""

    url = URL


@pytest.fixture(scope="module")
def second(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """Started beside the first one. Clients trust the authority that Caddy has made."""
    directory = tmp_path_factory.mktemp("second")
    own = {
        "COMPOSE_PROJECT_NAME": "pulse-second",
        "FRONT_NETWORK": "10.213.67",
        "MONITORING_NETWORK": "10.213.68",
        "DOMAIN": "localhost",
        "HTTP_PORT": "14080",
        "HTTPS_PORT": str(HTTPS_PORT),
    }
    second = Second(directory, **own).clone()
    second.down(volumes=True)
    for name, (owner, size) in VOLUMES.items():
        options = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", f"o=size={size},mode=0755,{owner}"]
        labels = ["--label", "com.docker.compose.project=pulse-second", "--label", f"com.docker.compose.volume={name}"]
        docker("volume", "create", *labels, *options, f"pulse-second_{name}")
    try:
        second.make("up")
        certificate = directory / "root.crt"
        read = wait_until(lambda: second.inside("caddy", "cat", ROOT_CERTIFICATE, check=False).stdout, "the authority", seconds=30)
        certificate.write_text(read)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(certificate))
            yield second
    finally:
        second.down(volumes=True)
        assert all(stack.healthy(name) for name in ("redis", "ingest", "broadcast", "worker", "caddy"))


def test_both_stacks_work_and_share_nothing(stack: Stack, second: Second) -> None:
    """A reading of one is not seen in the other, and neither accepts the other's tokens."""
    assert not set(stack.containers()) & set(second.containers())
    with second.producer() as producer, stack.producer() as other:
        producer.deliver("of-the-second", 3)
        assert other.deliver("of-the-first", 4).json()["result"] == "accepted"
    wait_until(lambda: second.value("of-the-second") == 3, "the value")
    assert second.value("of-the-first") == stack.value("of-the-second") == -1
    assert httpx.get(f"{URL}/api/tracking/telemetry", headers={"Authorization": f"Bearer {stack.token('dashboard')}"}).status_code == 401


def test_a_checkout_does_not_take_over_the_stack_of_another(stack: Stack, second: Second) -> None:
    """It says whose it is, and which settings a second one needs."""
    refused = second.make("up", check=False, COMPOSE_PROJECT_NAME=stack.project)
    assert refused.returncode != 0
    assert (
        f"the stack '{stack.project}' on this host belongs to {stack.directory}. For a second one set COMPOSE_PROJECT_NAME"
        in refused.stderr
    )


def test_what_is_taken_on_this_host_is_named_with_its_setting(stack: Stack, second: Second, tmp_path: pathlib.Path) -> None:
    """Networks and ports of another stack: Compose names the taken one, a sentence the setting to change, and nothing is waited for."""
    own = {"COMPOSE_PROJECT_NAME": "pulse-third", "PORT": "13900", "FRONT_NETWORK": "10.213.77", "MONITORING_NETWORK": "10.213.78"}
    with_domain = {"DOMAIN": "localhost", "HTTP_PORT": "14900", "HTTPS_PORT": "14901"}
    overlap, allocated = "Pool overlaps", "port is already allocated"
    third = Stack(tmp_path, **own).clone()
    run("sh", "deploy/modes.sh", cwd=third.directory)
    for name in ("ingest", "broadcast", "worker", "front"):
        docker("tag", f"{stack.project}-{name}", f"{third.project}-{name}")
    try:
        for taken, error, named in (
            ({"FRONT_NETWORK": stack.settings["FRONT_NETWORK"]}, overlap, "set FRONT_NETWORK or MONITORING_NETWORK"),
            ({"MONITORING_NETWORK": stack.settings["MONITORING_NETWORK"]}, overlap, "set FRONT_NETWORK or MONITORING_NETWORK"),
            ({"PORT": stack.settings["PORT"]}, allocated, "set PORT in .env to another one"),
            (with_domain | {"HTTP_PORT": second.settings["HTTP_PORT"]}, allocated, "with DOMAIN HTTP_PORT and HTTPS_PORT"),
            (with_domain | {"HTTPS_PORT": second.settings["HTTPS_PORT"]}, allocated, "with DOMAIN HTTP_PORT and HTTPS_PORT"),
        ):
            refused = run("python3", "deploy/up.py", cwd=third.directory, check=False, **taken)  # `make up` would build images first
            assert refused.returncode != 0
            assert error in refused.stderr, refused.stderr[-2000:]
            assert named in " ".join(refused.stderr.split())
    finally:
        third.down(volumes=True)


def test_a_domain_is_served_over_https_with_a_certificate_of_the_internal_authority(second: Second) -> None:
    """The smoke check verifies it, HTTP leads to HTTPS, and a client that does not know the authority is refused."""
    second.make("smoke", f"URL={URL}")
    redirect = httpx.get("http://localhost:14080/")
    assert (redirect.status_code, redirect.headers["Location"].split(":")[0]) == (308, "https")
    assert httpx.get(URL).headers["Strict-Transport-Security"] == "max-age=31536000"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(URL, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def test_a_full_volume_of_redis_refuses_readings_and_heals(second: Second) -> None:
    """Ingest answers 503 rather than accept a reading that is not stored, values stay readable, and room on the volume is enough."""
    with second.producer() as producer:
        producer.deliver("full", 1)
        started = second.inspect("redis")["State"]["StartedAt"]
        second.fill("redis", "/data")
        wait_until(lambda: producer.post("full", 2).status_code == 503, "a refusal", seconds=30, poll_seconds=0.3)
        wait_until(lambda: second.value("full") >= 1, "the value", ignoring=(Exception,))
        second.empty("redis", "/data")
        wait_until(lambda: producer.post("full", 3).status_code == 200, "an accepted reading", seconds=30, poll_seconds=0.3)
    wait_until(lambda: second.value("full") == 3, "the value", ignoring=(Exception,))
    assert second.inspect("redis")["State"]["StartedAt"] == started


def test_a_full_volume_of_the_archive_stops_no_service(second: Second) -> None:
    """The worker starts all the same, waits and reports it; dashboards and reports go on, and the copy succeeds when there is room."""
    (worker,) = second.containers("worker")
    docker("stop", worker)  # it leaves no file behind that still has room
    second.fill_volume("archive", "/archive")
    with second.producer() as producer:
        producer.deliver("archived", 5)
    docker("start", worker)
    wait_until(lambda: '"archive.waits"' in second.logs("worker"), "a report", seconds=60, poll_seconds=0.5)
    with second.dashboard() as dashboard:
        dashboard.wait_for_tokens("archived", 5)
    token = second.token("dashboard")
    report = httpx.get(f"{URL}/api/tracking/analytics", headers={"Authorization": f"Bearer {token}"}, timeout=ANSWER_SECONDS)
    assert report.status_code == 200, report.text
    second.wait_until_healthy("worker")
    assert {name: second.inspect(name)["RestartCount"] for name in ("worker", "broadcast")} == {"worker": 0, "broadcast": 0}
    second.empty("worker", "/archive")
    wait_until(lambda: '"archive.recovered"' in second.logs("worker"), "a recovery", seconds=90, poll_seconds=0.5)
    second.wait_until_healthy("worker", "broadcast")


def test_a_full_volume_of_the_front_does_not_stop_it(second: Second) -> None:
    """It serves with the certificates that it has."""
    second.fill("caddy", "/data")
    assert httpx.get(URL).status_code == 200
    run("docker", "restart", "--time", "5", second.containers("caddy")[0])
    wait_until(lambda: second.healthy("caddy"), "a healthy front", seconds=60)
