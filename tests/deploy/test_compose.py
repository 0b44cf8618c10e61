"""compose.yaml keeps its promises: nothing runs with more than it needs, nothing is secret by default, everything named exists."""

import ipaddress
import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest

from broadcast_service.__main__ import SHUTDOWN_SECONDS as BROADCAST_SHUTDOWN_SECONDS
from broadcast_service.sessions.registry import DRAIN_SECONDS
from broadcast_service.settings import BroadcastSettings
from deploy.make_env import fill
from ingest_service.__main__ import SHUTDOWN_SECONDS as INGEST_SHUTDOWN_SECONDS
from ingest_service.settings import IngestSettings
from shared.settings import CommonSettings, ProcessSettings, SettingsError, for_audience, load
from shared.web.jobs import STOP_SECONDS
from tests.deploy import dockerfile
from tests.deploy.compose import EXAMPLE, FILE, PORTS, VARIABLE, Missing, interpolate, networks, parse_env, parsed_file, read_yaml, services
from tools.processes import ROOT
from worker_service.__main__ import SHUTDOWN_SECONDS as WORKER_SHUTDOWN_SECONDS
from worker_service.settings import WorkerSettings

SERVICES = services()
SETTINGS: dict[str, type[ProcessSettings]] = {
    "ingest": IngestSettings,
    "broadcast": BroadcastSettings,
    "worker": WorkerSettings,
    "tokens": CommonSettings,
}
FOR_ISSUING = {"INGEST_TOKEN_KEYS", "DASHBOARD_TOKEN_KEYS"}  # `tokens` alone reads them
SECRET = re.compile(r"PASSWORD|KEYS|TOKEN_KEYS|SECRET")
each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_a_container_can_do_little(name: str) -> None:
    """No root, no writing but to its own data, no capability, no way to gain any, bounded in everything it could use up."""
    service = SERVICES[name]
    assert int(service["user"].split(":")[0]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert not service.keys() & {"cap_add", "privileged", "network_mode", "pid", "ipc", "devices", "container_name"}


@each_service
def test_what_is_mounted_is_its_own_or_cannot_be_changed(name: str) -> None:
    """A named volume, or files of this checkout that exist, read-only."""
    for mount in SERVICES[name].get("volumes", []):
        source, _, *options = mount.split(":")
        if source.startswith("./"):
            assert options == ["ro"]
            assert (ROOT / source).exists()
        else:
            assert source in read_yaml(interpolate(FILE, parse_env(EXAMPLE) | dict.fromkeys(_secrets(), "x")))["volumes"]


@pytest.mark.parametrize("name", ["ingest", "broadcast", "worker"])
def test_services_scale(name: str) -> None:
    """Nothing of theirs can exist only once: no port of the host, no fixed address or name."""
    service = SERVICES[name]
    assert not service.keys() & {"ports", "container_name", "hostname"}
    assert isinstance(service["networks"], list)


def test_few_can_be_reached_from_outside() -> None:
    """The front and Grafana, of which without a domain each is for this host alone."""
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "caddy": ["127.0.0.1:3000:3000"],
        "grafana": ["127.0.0.1:3001:3000"],
    }
    inner = {name for name, network in networks().items() if network.get("internal")}
    assert {name for name, service in SERVICES.items() if set(service["networks"]) - inner} == {"caddy", "grafana"}


def test_a_domain_is_all_it_takes_for_https() -> None:
    """The front then serves that name, on the ports of the web."""
    front = services(DOMAIN="pulse.example.com")["caddy"]
    assert front["ports"] == ["80:80", "443:443"]
    assert front["environment"]["SITE_ADDRESS"] == "pulse.example.com"
    assert services(DOMAIN="pulse.example.com", HTTP_PORT="8080", HTTPS_PORT="8443")["caddy"]["ports"] == ["8080:80", "8443:443"]
    assert SERVICES["caddy"]["environment"]["SITE_ADDRESS"] == "http://:3000"


@each_service
def test_health_is_checked(name: str) -> None:
    """By compose.yaml or by the image; none depends on a service without a check."""
    service = SERVICES[name]
    own = service.get("healthcheck", {})
    image = "build" in service and "HEALTHCHECK" in dict(dockerfile.target(service["build"]["target"]))
    assert bool(own.get("disable")) == (name == "tokens")  # `docker compose up --wait` fails for a container whose check is disabled
    if name in ("tokens", "redis-exporter"):
        assert not any(name in other.get("depends_on", {}) for other in SERVICES.values())
    else:
        assert image or own["test"][0] == "CMD"
    assert all(wanted == {"condition": "service_healthy"} for wanted in service.get("depends_on", {}).values())


@each_service
def test_images_are_exact_versions(name: str) -> None:
    """Images are pinned to the patch; those built here have names that no registry has."""
    service = SERVICES[name]
    number = r"\d+\.\d+" if service["image"].startswith("postgres:") else r"v?\d+\.\d+\.\d+"  # PostgreSQL has two
    pattern = r"studio-pulse-(ingest|broadcast|worker|front)" if "build" in service else rf"[a-z0-9_/-]+:{number}(-alpine)?"
    assert re.fullmatch(pattern, service["image"])
    assert service.get("build", {}).get("target", "ingest") in dockerfile.stages()


@pytest.mark.parametrize("name", SETTINGS)
def test_services_are_given_their_settings(name: str) -> None:
    """Every variable is a setting, required ones are given, and all values are valid."""
    given = {key: str(value or "") for key, value in SERVICES[name]["environment"].items()}
    if name != "tokens":
        given = {key: value for key, value in dockerfile.environment(name).items() if not key.startswith(("PATH", "PYTHON"))} | given
    fields = {field.upper() for field in SETTINGS[name].__struct_fields__}
    assert given.keys() - fields == (FOR_ISSUING if name == "tokens" else set())
    load(SETTINGS[name], {**for_audience("ingest", given), "METRICS_HOST": "127.0.0.1"})


@pytest.mark.parametrize("name", ["ingest", "broadcast", "worker"])
def test_defaults_are_the_services_own(name: str) -> None:
    """What `.env` leaves out is as it would be without compose.yaml."""
    given = {key: str(value or "") for key, value in SERVICES[name]["environment"].items()}
    plain = {
        key: given[key] for key in ("REDIS_URL", "TOKEN_KEYS", "TOKEN_PUBLIC_KEYS", "FORWARDED_ALLOW_IPS", "DATABASE_URL") if key in given
    }
    ours, own = load(SETTINGS[name], given), load(SETTINGS[name], plain)
    apart = {*plain, "ALLOWED_ORIGINS", "METRICS_HOST", *(key for key in given if key.startswith("MAX_CONNECTIONS"))}
    names = [key.lower() for key in given if key.lower() in SETTINGS[name].__struct_fields__ and key not in apart]
    assert {key: getattr(ours, key) for key in names} == {key: getattr(own, key) for key in names}


@pytest.mark.parametrize("name", ["ingest", "broadcast", "worker"])
def test_metrics_are_served_on_the_network_of_prometheus_alone(name: str) -> None:
    """The address is the service's own in that network, and the front, which is not asked for it, has no way to the port."""
    (pool,) = networks()["monitoring"]["ipam"]["config"]
    assert SERVICES[name]["environment"]["METRICS_HOST"] == pool["subnet"]
    assert "METRICS_PORT" not in SERVICES[name]["environment"]
    caddyfile = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text()
    assert not re.search(r"\b910[123]\b", caddyfile)


KEYS = {f"{audience}_{kind}_KEYS" for audience in ("INGEST", "DASHBOARD") for kind in ("TOKEN", "PUBLIC")}


def _secrets() -> set[str]:
    return {name for name, _, _ in VARIABLE.findall(FILE) if SECRET.search(name)} - {"TOKEN_KEYS", *KEYS}


def test_a_service_has_what_verifies_its_own_audience_and_nothing_that_signs() -> None:
    """On a new stack: a compromised broadcast service can issue no token and does not accept those of ingest."""
    made = parse_env(fill(EXAMPLE))
    read = services(**made)
    for name, audience in (("ingest", "INGEST"), ("broadcast", "DASHBOARD")):
        environment = read[name]["environment"]
        held = {key: environment[key] or "" for key in environment if "KEYS" in key}
        assert held == {"TOKEN_KEYS": "", "TOKEN_PUBLIC_KEYS": made[f"{audience}_PUBLIC_KEYS"]}
    private = {made["INGEST_TOKEN_KEYS"], made["DASHBOARD_TOKEN_KEYS"]}
    holders = {name for name, service in read.items() if private & set(service.get("environment", {}).values())}
    assert holders == {"tokens"}


def test_a_stack_with_shared_secrets_goes_on() -> None:
    """A `.env` with one key for both audiences needs no change; without any key a service names the missing setting."""
    old = parse_env(fill(EXAMPLE)) | dict.fromkeys(KEYS, "") | {"TOKEN_KEYS": "k1:" + "x" * 32}
    for name in ("ingest", "broadcast"):
        given = {key: str(value or "") for key, value in services(**old)[name]["environment"].items()}
        settings = load(SETTINGS[name], given)
        assert isinstance(settings, CommonSettings)
        assert settings.keyring.signing_kid == "k1"
        with pytest.raises(SettingsError, match="TOKEN_KEYS is not set"):
            load(SETTINGS[name], given | {"TOKEN_KEYS": ""})


def test_nothing_starts_without_its_secrets() -> None:
    """Each one that is missing, or empty, is named with what to do about it."""
    whole = dict.fromkeys(_secrets(), "x")
    interpolate(FILE, whole)
    for name in whole:
        with pytest.raises(Missing, match=rf"{name}: set it in \.env"):
            interpolate(FILE, whole | {name: ""})


def test_no_secret_is_written_down() -> None:
    """Not in compose.yaml, where it comes from a variable without a default, and not in the example."""
    environments = read_yaml(re.sub(r"\$\{[A-Z_]+[^}]*\}", "VARIABLE", FILE))["services"]
    values = {(n, k): str(v) for n, s in environments.items() for k, v in s.get("environment", {}).items() if SECRET.search(k)}
    assert set(values.values()) == {"VARIABLE"}
    assert {word for name, operator, word in VARIABLE.findall(FILE) if name in {"TOKEN_KEYS", *KEYS}} == {""}
    assert not [name for name, operator, _ in VARIABLE.findall(FILE) if name in _secrets() and operator == ":-"]
    assert {name: value for name, value in parse_env(EXAMPLE).items() if value} == {}


def test_the_example_names_every_variable() -> None:
    """Those that are required, and, commented out with their defaults, those that are not."""
    used = {name: word for text in (FILE, *PORTS.values()) for name, operator, word in VARIABLE.findall(text) if operator in (":-", ":+")}
    optional = dict(line[1:].split("=", 1) for line in EXAMPLE.splitlines() if re.match(r"#[A-Z_]+=", line))
    assert parse_env(EXAMPLE).keys() == _secrets() | KEYS
    assert optional.keys() == used.keys() - KEYS
    apart = {"DOMAIN", *KEYS}
    assert {name: word for name, word in optional.items() if name not in apart} == {n: w for n, w in used.items() if n not in apart}


def test_stopping_leaves_time_to_say_goodbye() -> None:
    """The engine kills a service no sooner than its own drain and shutdown can take."""
    given = {name: float(SERVICES[name]["stop_grace_period"].removesuffix("s")) for name in ("ingest", "broadcast", "worker")}
    assert given["worker"] > WORKER_SHUTDOWN_SECONDS + STOP_SECONDS
    assert given["broadcast"] > DRAIN_SECONDS + BROADCAST_SHUTDOWN_SECONDS + STOP_SECONDS
    assert given["ingest"] > INGEST_SHUTDOWN_SECONDS + STOP_SECONDS


def test_only_the_fronts_word_about_addresses_is_believed() -> None:
    """Its address is fixed, and none that a replica could be dealt."""
    (pool,) = networks()["front"]["ipam"]["config"]
    address = ipaddress.ip_address(SERVICES["caddy"]["networks"]["front"]["ipv4_address"])
    assert SERVICES["broadcast"]["environment"]["FORWARDED_ALLOW_IPS"] == str(address)
    assert address in ipaddress.ip_network(pool["subnet"])
    assert address not in ipaddress.ip_network(pool["ip_range"])
    assert "front" not in SERVICES["grafana"]["networks"]


def test_a_second_stack_on_the_same_host_shares_nothing_with_the_first() -> None:
    """With values of its own in `.env` it has other names, other networks, whose addresses the services know, and other ports."""
    own = {
        "COMPOSE_PROJECT_NAME": "second",
        "FRONT_NETWORK": "172.30.1",
        "MONITORING_NETWORK": "172.30.2",
        "PORT": "3100",
        "GRAFANA_PORT": "3101",
    }
    first, second = parsed_file(), parsed_file(**own)
    assert (first["name"], second["name"]) == ("studio-pulse", "second")
    images = {
        name: (service["image"], second["services"][name]["image"]) for name, service in first["services"].items() if "build" in service
    }
    assert {theirs.replace("studio-pulse-", "second-") for theirs, _ in images.values()} == {ours for _, ours in images.values()}
    for name in ("front", "monitoring"):
        pools = [ipaddress.ip_network(read["networks"][name]["ipam"]["config"][0]["subnet"]) for read in (first, second)]
        assert not pools[0].overlaps(pools[1])
    assert second["services"]["caddy"]["networks"]["front"] == {"ipv4_address": "172.30.1.2"}
    assert second["services"]["broadcast"]["environment"]["FORWARDED_ALLOW_IPS"] == "172.30.1.2"
    assert second["services"]["ingest"]["environment"]["METRICS_HOST"] == "172.30.2.0/24"
    published = [port for service in services(**own).values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:3100:3000", "127.0.0.1:3101:3000"]
    assert not re.search(r"10\.213", json.dumps(second))


@each_service
def test_a_container_asks_for_no_more_descriptors_than_the_host_has(name: str) -> None:
    """A limit above the host's hard one is an error of the runtime; the services raise their soft limit themselves."""
    assert "ulimits" not in SERVICES[name]


def is_compose(command: list[str]) -> bool:
    """Whether this runs Compose, of a version with a specification: the first one had none."""
    if shutil.which(command[0]) is None:
        return False
    version = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False).stdout
    return re.match(r"v?[2-9]\.", version) is not None


@pytest.mark.parametrize("domain", ["", "pulse.example.com"])
def test_compose_itself_reads_it_the_same(domain: str) -> None:
    """Where Compose is installed, which needs no engine for that, it sees the services that these tests see."""
    compose = next(filter(is_compose, (["docker", "compose"], ["docker-compose"])), None) or pytest.skip("Compose is not installed")
    secrets = dict.fromkeys(_secrets(), "x" * 40) | {"DOMAIN": domain}
    command = [*compose, "--project-directory", str(ROOT), "--env-file", os.devnull, "--profile", "*", "config", "--format", "json"]
    environment = {**{name: os.environ[name] for name in ("PATH", "HOME")}, **secrets}
    read: dict[str, Any] = json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)[
        "services"
    ]
    ours = services(**secrets)
    assert {name: service.get("environment") or {} for name, service in read.items()} == {
        name: {key: str(value) for key, value in service.get("environment", {}).items()} for name, service in ours.items()
    }
    published = [f"{port['published']}:{port['target']}" for port in read["caddy"]["ports"]]
    assert published == [":".join(port.split(":")[-2:]) for port in ours["caddy"]["ports"]]
