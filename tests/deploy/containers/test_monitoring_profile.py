"""Prometheus and the exporter of Redis with the files of this checkout. Grafana has no stand-in."""

import json
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.deploy.compose import read_yaml, services
from tests.deploy.containers.confinement import check_confinement, reached, secrets_shown
from tests.deploy.containers.engine import OUTSIDE
from tests.deploy.containers.stack import HEALTH_SECONDS, PROFILES, SERVICES, Stack, docker
from tests.deploy.test_memory import limit
from tools.processes import ROOT
from tools.waiting import wait_until

PROFILE: Final = PROFILES["monitoring"]
DIRECTORY: Final = ROOT / "deploy" / "prometheus"
JOBS: Final = {job["job_name"] for job in read_yaml((DIRECTORY / "prometheus.yml").read_text())["scrape_configs"]}
BOARD: Final = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "studio-pulse.json").read_text())
PANELS: Final = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
RULES: Final = {rule["alert"] for group in read_yaml((DIRECTORY / "alerts.yml").read_text())["groups"] for rule in group["rules"]}
RANGES: Final = r"\$__\w+"  # Grafana's own variables
# Prints the status that Prometheus answers to each address.
ASK: Final = """
import json, sys, urllib.request
for url in sys.argv[1:]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        print(json.load(answer)["status"])
"""


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

    def firing(self) -> set[str]:
        """The alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self.read("alerts")["alerts"] if alert["state"] == "firing"}

    def rules(self) -> dict[str, str]:
        """Whether each alert could be evaluated."""
        return {rule["name"]: rule["health"] for group in self.read("rules")["groups"] for rule in group["rules"]}


@pytest.fixture(scope="module")
def prometheus(stack: Stack) -> Iterator[Prometheus]:
    """Started beside the running stack, as docs/deployment.md says. It scrapes and evaluates more often than in production."""
    file = stack.directory / "deploy" / "prometheus" / "prometheus.yml"
    file.write_text(re.sub(r"(?m)^(  (?:scrape|evaluation)_interval): 10s$", rf"\1: {HEALTH_SECONDS}s", file.read_text()))
    try:
        stack.compose("--profile", "monitoring", "up", "--detach", "--wait", *PROFILE)
        yield Prometheus(stack)
    finally:
        docker("start", *stack.containers(running=False))
        stack.compose("--profile", "monitoring", "rm", "--stop", "--force", *PROFILE)


def test_prometheus_scrapes_every_service_and_evaluates_every_alert(prometheus: Prometheus) -> None:
    """Over the network of the profile and by the names of the services; none of the alerts fires on a stack that works."""
    wait_until(lambda: all(health == {"up"} for health in prometheus.health().values()), "all targets", seconds=60, poll_seconds=0.5)
    wait_until(lambda: set(prometheus.rules().values()) == {"ok"}, "all rules", seconds=60, poll_seconds=0.5)
    assert set(prometheus.rules()) == RULES
    assert prometheus.firing() == set()
    assert prometheus.read("query", query="redis_up")["result"][0]["value"][1] == "1"


def test_grafana_is_answered_every_panel_over_its_network(prometheus: Prometheus) -> None:
    """What the panels of its dashboard ask, of the address of its data source, from a container of its networks."""
    stack = prometheus.stack
    networks = services()["grafana"]["networks"]
    (source,) = read_yaml((ROOT / "deploy" / "grafana" / "datasources" / "prometheus.yml").read_text())["datasources"]
    questions = [f"{source['url']}/api/v1/query?{urllib.parse.urlencode({'query': re.sub(RANGES, '1m', panel)})}" for panel in PANELS]
    assert "monitoring" in networks
    network = f"--network={stack.project}_monitoring"
    answers = docker("run", "--rm", network, "--entrypoint=python", stack.tools, "-c", ASK, *questions).splitlines()
    assert answers == ["success"] * len(PANELS)


@pytest.mark.parametrize("name", PROFILE)
def test_the_profile_is_as_confined_as_the_services(prometheus: Prometheus, name: str) -> None:
    """Nothing is published, it reaches nothing outside, it has no secret but its own, and is within its memory."""
    stack = prometheus.stack
    check_confinement(stack, name)
    assert stack.inspect(name)["HostConfig"]["PortBindings"] in ({}, None)
    assert secrets_shown(stack, name) == ({"REDIS_MONITOR_PASSWORD"} if name == "redis-exporter" else set())
    assert reached(stack, name, (OUTSIDE, 80)) == set()
    print(f"{name}: {stack.used(name) / 1e6:.0f} of {limit(name) / 1e6:.0f} MB")
    assert stack.used(name) < 0.5 * limit(name)
    assert all(stack.healthy(other) for other in SERVICES)


@pytest.mark.parametrize("name", PROFILE)
def test_a_process_of_the_profile_that_dies_is_restarted_by_the_engine(prometheus: Prometheus, name: str) -> None:
    """Prometheus has its targets again, with all samples from before."""
    stack = prometheus.stack
    before = stack.inspect(name)["RestartCount"]
    stack.kill_process(name)
    wait_until(lambda: stack.inspect(name)["RestartCount"] > before, f"a restart of {name}", seconds=60)
    wait_until(
        lambda: all(health == {"up"} for health in prometheus.health().values()),
        "all targets",
        seconds=60,
        poll_seconds=0.5,
        ignoring=(AssertionError,),
    )
    (series,) = prometheus.read("query", query='count_over_time(up{job="caddy"}[1h])')["result"]
    assert int(series["value"][1]) > 1


def test_alerts_fire_for_services_that_are_stopped_and_end_with_the_fault(prometheus: Prometheus) -> None:
    """Each for its own: of Redis, of the service that is not connected to it, and of ingest."""
    stack = prometheus.stack
    stopped = [*stack.containers("redis"), *stack.containers("ingest")]
    docker("stop", "--time", "5", *stopped)
    wait_until(lambda: {"RedisDown", "UpstreamDegraded", "IngestDown"} <= prometheus.firing(), "the alerts", seconds=120, poll_seconds=0.5)
    assert not {"BroadcastDown", "ArchiveDatabaseFailing"} & prometheus.firing()
    docker("start", *stopped)
    stack.wait_until_healthy()
    wait_until(lambda: not {"RedisDown", "UpstreamDegraded", "IngestDown"} & prometheus.firing(), "their end", seconds=60, poll_seconds=0.5)
