"""compose.yaml as Compose reads it: anchors and merges resolved, variables put in, the front's ports joined."""

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from deploy.make_env import fill
from tools.processes import ROOT

FILE: Final = (ROOT / "compose.yaml").read_text()
PORTS: Final = {name: (ROOT / "deploy" / "caddy" / name).read_text() for name in ("ports.yaml", "ports.domain.yaml")}
EXAMPLE: Final = (ROOT / ".env.example").read_text()
VARIABLE: Final = re.compile(r"\$\{([A-Z_]+)(?:(:[-?+])([^}]*))?\}")


def read_yaml(text: str) -> Any:
    """The value of a YAML document, by libyaml where PyYAML has it: a seventh of the CPU time."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class Missing(Exception):
    """Compose would refuse to start, with this text."""


def parse_env(text: str) -> dict[str, str]:
    """The variables of a `.env`."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Puts variables in as Compose does; raises Missing."""

    def value(match: re.Match[str]) -> str:
        """The text that replaces one variable."""
        name, operator, word = match.groups()
        given = variables.get(name, "")
        if operator == ":?" and not given:
            raise Missing(f"{name}: {word}")
        if operator == ":+":
            return word if given else ""
        return given or (word if operator == ":-" else "")

    return VARIABLE.sub(value, text)


def parsed_file(**variables: str) -> dict[str, Any]:
    """The file, with secrets as `make up` would make them and these variables besides."""
    read: dict[str, Any] = read_yaml(interpolate(FILE, {**parse_env(fill(EXAMPLE)), **variables}))
    return read


def networks() -> dict[str, dict[str, Any]]:
    """All networks."""
    return {name: network or {} for name, network in parsed_file()["networks"].items()}


def services(**variables: str) -> dict[str, dict[str, Any]]:
    """All services, with the ports of the front."""
    given = {**parse_env(fill(EXAMPLE)), **variables}
    read: dict[str, dict[str, Any]] = parsed_file(**variables)["services"]
    ports = PORTS[read["caddy"].pop("extends")["file"].removeprefix("deploy/caddy/")]
    front = read_yaml(interpolate(ports, given))["services"]["caddy"]
    read["caddy"]["environment"] |= front.pop("environment")
    read["caddy"] |= front
    return read
