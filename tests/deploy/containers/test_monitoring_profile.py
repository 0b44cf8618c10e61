"""Prometheus and the exporter of Redis with the files of this checkout. Grafana has no stand-in."""

import json
import urllib.parse
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from tests.deploy.compose import services
from tests.deploy.containers.stack import SERVICES, Stack
from tests.deploy.test_memory import limit
from tools.processes import ROOT
from tools.waiting import wait_until

PROFILE: Final = ("prometheus", "redis-exporter")
DIRECTORY: Final = ROOT / "deploy" / "prometheus"
JOBS: Final = {job["job_name"] for job in yaml.safe_load((DIRECTORY / "prometheus.yml").read_text())["scrape_configs"]}
RULES: Final = {rule["alert"] for group in yaml.safe_load((DIRECTORY / "alerts.yml").read_text())["groups"] for rule in group["rules"]}


class Prometheus:
    """The HTTP API of the container, which is published nowhere."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def read(self, path: str, **query: str) -> Any:
        """The data of one answer."""
        url = f"http://127.0.0.1:9090/api/v1/{path}?{urllib.parse.urlencode(query)}"
        return json.loads(self.stack.inside("prometheus", "wget", "-q", "-O", "-", url).stdout)["data"]

    def health(self) -> dict[str, set[str]]:
        """What Prometheus says of the targets of each job."""
        targets = self.read("targets", state="active")["activeTargets"]
        return {job: {target["health"] for target in targets if target["labels"]["job"] == job} for job in JOBS}

    def rules(self) -> dict[str, str]:
        """Whether each alert could be evaluated."""
        return {rule["name"]: rule["health"] for group in self.read("rules")["groups"] for rule in group["rules"]}


@pytest.fixture(scope="module")
def prometheus(stack: Stack) -> Iterator[Prometheus]:
    """Started beside the running stack, as docs/deployment.md says."""
    try:
        stack.compose("--profile", "monitoring", "up", "--detach", "--wait", *PROFILE)
        yield Prometheus(stack)
    finally:
        stack.compose("--profile", "monitoring", "rm", "--stop", "--force", *PROFILE)


def test_prometheus_scrapes_every_service_and_evaluates_every_alert(prometheus: Prometheus) -> None:
    """Over the network of the profile and by the names of the services; none of the alerts fires on a stack that works."""
    wait_until(lambda: all(health == {"up"} for health in prometheus.health().values()), "all targets", seconds=60, poll_seconds=0.5)
    wait_until(lambda: set(prometheus.rules().values()) == {"ok"}, "all rules", seconds=60, poll_seconds=0.5)
    assert set(prometheus.rules()) == RULES
    assert [alert for alert in prometheus.read("alerts")["alerts"] if alert["state"] == "firing"] == []
    assert prometheus.read("query", query="redis_up")["result"][0]["value"][1] == "1"


@pytest.mark.parametrize("name", PROFILE)
def test_the_profile_is_as_confined_as_the_services(prometheus: Prometheus, name: str) -> None:
    """Its own user, no capability, a read-only root, nothing published, and within its memory."""
    stack = prometheus.stack
    inspected = stack.inspect(name)
    host = inspected["HostConfig"]
    assert inspected["Config"]["User"] == services()[name]["user"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["PortBindings"] or {}) == (True, ["ALL"], {})
    assert host["Memory"] == limit(name)
    if name == "prometheus":  # the exporter's image has no shell
        assert "Read-only file system" in stack.inside(name, "sh", "-c", "echo x >/probe", user="0", check=False).stderr
        assert stack.used(name) < 0.5 * limit(name)
    assert all(stack.healthy(other) for other in SERVICES)
