"""Alerts and dashboard use metrics and labels that exist: each expression is checked against the metrics of real processes."""

import json
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import Final, NamedTuple

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from broadcast_service import metrics as broadcast
from broadcast_service.settings import BroadcastSettings
from ingest_service import metrics as ingest
from ingest_service.settings import IngestSettings
from shared.settings import ProcessSettings
from shared.store import listener_metrics
from tests.deploy.compose import read_yaml, services
from tests.deploy.conftest import Chain
from tests.deploy.store import Store
from tests.support import needs
from tests.support.clients import Dashboard, Producer
from tools.processes import ROOT
from worker_service import lease
from worker_service.archive import job as archive_job
from worker_service.settings import WorkerSettings

PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
SERVICES: Final = services()
CONFIG: Final = read_yaml((PROMETHEUS / "prometheus.yml").read_text())
GROUPS: Final = read_yaml((PROMETHEUS / "alerts.yml").read_text())["groups"]
RULES: Final = [rule for group in GROUPS for rule in group["rules"]]
BOARD: Final = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "studio-pulse.json").read_text())
EXPRESSIONS: Final = [rule["expr"] for rule in RULES] + [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]

FUNCTIONS: Final = {"absent", "sum", "min", "max", "by", "rate", "changes", "histogram_quantile", "and", "or"}
ADDED: Final = {"job", "instance"}  # by Prometheus, to everything
# What the Redis exporter makes of a field of INFO.
EXPORTED: Final = {
    "redis_memory_used_bytes": "used_memory",
    "redis_memory_max_bytes": "maxmemory",
    "redis_aof_last_write_status": "aof_last_write_status",
    "redis_aof_last_bgrewrite_status": "aof_last_bgrewrite_status",
    "redis_cpu_user_seconds_total": "used_cpu_user",
    "redis_cpu_sys_seconds_total": "used_cpu_sys",
}


class Use(NamedTuple):
    """A metric in an expression, with the labels it is asked for."""

    metric: str
    labels: frozenset[str]


def uses(expression: str) -> Iterator[Use]:
    """The metrics of an expression. Labels that it groups by are looked for in all of them."""
    grouped = {label.strip() for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for label in labels.split(",")}
    bare = re.sub(r"\b(?:by|on) \([^)]*\)|\[[^\]]*\]", "", expression)
    for name, _, matchers in re.findall(r"\b([a-z_]{2,})\b(?!\()({([^}]*)})?", re.sub(r'"[^"]*"', '""', bare)):
        if name not in FUNCTIONS:
            yield Use(name, frozenset(re.findall(r"(\w+)\s*[=!]", matchers)) | grouped)


@pytest.fixture(scope="module")
def exported(production: Chain) -> dict[str, set[str]]:
    """The metrics of the running chain with their labels."""
    replicas, front = production
    with (
        Producer(front.url, replicas.stack.token("ingest")) as producer,
        Dashboard(front.url, replicas.stack.token("dashboard")) as dashboard,
    ):
        assert producer.post("monitored", 1).status_code == 200
        dashboard.wait_for_tokens("monitored", 1)
    worker = replicas.stack.worker(REDIS_URL=replicas.store.url("worker"))
    urls = [replicas.ingests[0].metrics_url, replicas.broadcasts[0].metrics_url, worker.metrics_url]
    urls.append(f"http://127.0.0.1:{front.metrics_port}/metrics")
    found: dict[str, set[str]] = {"up": set(), "redis_up": set()}
    for url in urls:
        for family in text_string_to_metric_families(httpx.get(url).text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
            if family.type == "counter":  # one with labels has no sample before its first event
                found.setdefault(f"{family.name}_total", set())
    return found


def declared() -> dict[str, set[str]]:
    """The labels of our own metrics, as the services declare them."""
    modules = (ingest, broadcast, listener_metrics, lease, archive_job)
    metrics = [metric for module in modules for metric in vars(module).values() if hasattr(metric, "_labelnames")]
    return {metric._name: set(metric._labelnames) for metric in metrics}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_exists_with_its_labels(exported: dict[str, set[str]], store: Store, expression: str) -> None:
    """A name that no process exports would be an alert that never fires or a panel that stays empty."""
    found = list(uses(expression))
    assert found
    with store.client(store.credential("monitor")) as monitor:
        info = monitor.info("all")
    for metric, labels in found:
        if metric in EXPORTED:
            assert EXPORTED[metric] in info
        else:
            assert metric in exported
            assert labels - ADDED - exported[metric] - declared().get(metric.removesuffix("_total"), set()) - {"le"} == set()


def test_the_walk_finds_what_expressions_name() -> None:
    """Names, matched labels and groupings, but neither functions nor values."""
    found = list(uses('sum by (le, x) (rate(a_bucket{b=~"c|d", e!="f"}[5m])) / abc > 0.5 and up{job="g"} == 0'))
    grouped = {"le", "x"}
    assert found == [
        Use("a_bucket", frozenset({"b", "e"} | grouped)),
        Use("abc", frozenset(grouped)),
        Use("up", frozenset({"job"} | grouped)),
    ]


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    """The alert names its meaning and the first step for the person on call."""
    assert {rule["labels"]["severity"] for rule in RULES} == {"critical", "warning"}
    assert all(rule["annotations"].keys() == {"summary", "action"} for rule in RULES)
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_what_is_scraped_are_services_on_their_ports() -> None:
    """Names and ports are those of compose.yaml; the replicas' are asked for by name."""
    kinds: dict[str, type[ProcessSettings]] = {"ingest": IngestSettings, "broadcast": BroadcastSettings, "worker": WorkerSettings}
    ports = {name: field.default for name, kind in kinds.items() for field in msgspec.structs.fields(kind) if field.name == "metrics_port"}
    for job in CONFIG["scrape_configs"]:
        for dns in job.get("dns_sd_configs", []):
            assert dns["names"] == [job["job_name"]]
            assert dns["port"] == ports[job["job_name"]]
            assert "monitoring" in SERVICES[job["job_name"]]["networks"]
        for target in (target for static in job.get("static_configs", []) for target in static["targets"]):
            name = target.partition(":")[0]
            assert name == "127.0.0.1" or "monitoring" in SERVICES[name]["networks"]
    assert {job["job_name"] for job in CONFIG["scrape_configs"]} >= set(
        re.findall(r"job=~?\"([a-z|]+)\"", " ".join(EXPRESSIONS))[0].split("|")
    )


def test_the_dashboard_has_its_source() -> None:
    """Panels name the source that is provisioned, none lies on another, and each has a number of its own."""
    (source,) = read_yaml((ROOT / "deploy" / "grafana" / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert {target["datasource"]["uid"] for panel in BOARD["panels"] for target in panel["targets"]} == {source["uid"]}
    cells = [
        (x, y)
        for position in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(position["x"], position["x"] + position["w"])
        for y in range(position["y"], position["y"] + position["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_prometheus_itself_takes_the_files(tmp_path: pathlib.Path) -> None:
    """Its own tool reads the configuration and every rule."""
    (tmp_path / "prometheus.yml").write_text((PROMETHEUS / "prometheus.yml").read_text().replace("/etc/prometheus/", ""))
    (tmp_path / "alerts.yml").write_text((PROMETHEUS / "alerts.yml").read_text())
    subprocess.run([needs.promtool(), "check", "config", "prometheus.yml"], cwd=tmp_path, check=True, capture_output=True)
