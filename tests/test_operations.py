"""docs/operations.md is true: every setting with its default and bounds, every event and every metric, and no others."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from broadcast_service.settings import BroadcastSettings
from ingest_service.settings import IngestSettings
from shared.auth import audit
from shared.settings import CommonSettings, Origins, Proxies, describe
from shared.tokens.keys import Keyring
from tests.test_layout import MODULES, tree
from tools.processes import ROOT, Service
from worker_service.settings import WorkerSettings

TEXT = (ROOT / "docs/operations.md").read_text()
HEADINGS = {"Both services": CommonSettings, "Ingest": IngestSettings, "Broadcast": BroadcastSettings, "Worker": WorkerSettings}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    section = re.split(r"\n#+ ", TEXT.split(f"# {heading}\n", 1)[1], maxsplit=1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def default(field: msgspec.structs.FieldInfo) -> str:
    """A setting's default as the table has it."""
    value = field.default
    if field.required:
        return "required"
    if isinstance(value, Keyring | Origins | Proxies) or value == "":
        return "none"
    return f"`{str(value).lower()}`"


def settings(kind: Any) -> list[list[str]]:
    """Name, default and bounds of the settings that a struct has of its own."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    own = [name for name in fields if kind is CommonSettings or name not in CommonSettings.__struct_fields__]
    return [[f"`{name.upper()}`", default(fields[name]), describe(fields[name].type)] for name in own]


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_setting_is_listed_as_it_is(heading: str) -> None:
    """Name, default and right values come from the code, word for word; only the meaning is written by hand."""
    listed = [row[:3] for row in rows(heading)]
    expected = settings(HEADINGS[heading])
    assert sorted(listed) == sorted(expected), "\n".join(f"| {' | '.join(row)} |  |" for row in expected)
    assert [row[0] for row in rows(heading) if not row[3]] == []


def events() -> Iterator[str]:
    """The name of every event that the code logs, also through the audit log."""
    yield from (*audit.EVENTS.values(), "session.refused")
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOGGING and node.args:
                name = node.args[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value


LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "record", "record_session", "_report"}


def test_every_event_is_listed() -> None:
    """The manual explains every log event."""
    assert sorted({row[0].strip("`") for row in rows("Events")}) == sorted(set(events()))


def metrics(service: Service) -> set[tuple[str, str]]:
    """Our metrics as a running service shows them, with their types."""
    found = re.findall(r"^# TYPE (pulse_\w+) (\w+)$", httpx.get(service.metrics_url).text, re.MULTILINE)
    return {(name, kind) for name, kind in found if not name.endswith("_created")}


def test_every_metric_is_listed(ingest: Service, broadcast: Service, worker: Service) -> None:
    """With its type and the services that have it."""
    listed = {(row[0].strip("`"), row[1], service) for row in rows("Metrics") for service in row[2].split(", ")}
    services = {"ingest": ingest, "broadcast": broadcast, "worker": worker}
    exported = {(*metric, name) for name, service in services.items() for metric in metrics(service)}
    assert listed == exported, sorted(exported ^ listed)
