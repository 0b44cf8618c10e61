"""The structure of the code: allowed imports, the modules that use Redis or wait, and documented public names."""

import ast
import functools
import graphlib
import inspect
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from tools.processes import ROOT

PACKAGES = ("shared", "ingest_service", "broadcast_service", "worker_service")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
KNOW_REDIS = {
    "shared/store/redis.py",
    "shared/store/connection.py",
    "ingest_service/writer.py",
    "shared/store/listener.py",
    "shared/store/subscription.py",
}
KNOW_THE_STORE = KNOW_REDIS | {
    "shared/auth/revocations.py",
    "shared/auth/screens.py",
    "shared/settings.py",  # REDIS_URL
    "shared/tokens/__main__.py",
    "ingest_service/__main__.py",
    "ingest_service/app.py",
    "broadcast_service/__main__.py",
    "broadcast_service/app.py",
    "broadcast_service/reports/days.py",
    "broadcast_service/reports/feeds.py",
    "broadcast_service/reports/history.py",
    "broadcast_service/http/answers.py",
    "broadcast_service/http/telemetry.py",
    "broadcast_service/signin/access.py",
    "broadcast_service/signin/ended.py",
    "broadcast_service/signin/endpoints.py",
    "worker_service/__main__.py",
    "worker_service/app.py",
    "worker_service/leader.py",
    "worker_service/lease.py",
    "worker_service/registry.py",
    "worker_service/archive/job.py",
    "worker_service/archive/redis_history.py",
}
NEVER_WAIT = [
    "broadcast_service/signin/cookies.py",
    "broadcast_service/http/access.py",
    "broadcast_service/http/budget.py",
    "broadcast_service/http/parameters.py",
    "broadcast_service/relay/audiences.py",
    "broadcast_service/relay/hub.py",
    "broadcast_service/relay/latest_values.py",
    "broadcast_service/relay/shard_states.py",
    "shared/income/account_scan.py",
    "broadcast_service/reports/coverage.py",
    "shared/income/entries.py",
    "shared/income/evidence.py",
    "shared/income/rules.py",
    "broadcast_service/reports/report.py",
    "broadcast_service/reports/tally.py",
    "broadcast_service/websocket/frames.py",
    "ingest_service/budget.py",
    "ingest_service/limits.py",
    "ingest_service/validation.py",
    "shared/archive/blocks.py",
    "shared/archive/packed_day.py",
    "shared/archive/rollup.py",
    "shared/auth/scope.py",
    "shared/contract/feeds.py",
    "shared/contract/history_day.py",
    "shared/contract/history_record.py",
    "shared/contract/codec.py",
    "shared/contract/events.py",
    "shared/contract/readings.py",
    "shared/store/database_url.py",
    "shared/store/reading_sink.py",
    "shared/studio/calendar.py",
    "shared/studio/config.py",
    "shared/studio/lines.py",
    "shared/studio/overlaps.py",
    "shared/studio/parse.py",
    "shared/studio/shifts.py",
    "shared/studio/spelling.py",
    "ingest_service/answers.py",
    "ingest_service/known_names.py",
    "shared/tokens/__init__.py",
    "shared/tokens/keys.py",
    "shared/web/address_budget.py",
    "worker_service/archive/plan.py",
]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
WAITING = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)


def name(path: pathlib.Path) -> str:
    """A file as the checkout names it."""
    return path.relative_to(ROOT).as_posix()


def module_name(path: pathlib.Path) -> str:
    """The module as an import names it."""
    return name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def tree(path: pathlib.Path) -> ast.Module:
    """A parsed file."""
    return ast.parse(path.read_text(), name(path))


class Facts(NamedTuple):
    """What the tests ask of a file."""

    imports: frozenset[str]
    waits: bool
    undocumented: list[str]


@functools.cache
def facts(path: pathlib.Path) -> Facts:
    """Several tests ask for each file, so it is parsed once."""
    module, found, waits = tree(path), set[str](), False
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, WAITING):
            waits = True
    undocumented = [] if ast.get_docstring(module) else ["the module"]
    undocumented += [full_name for full_name, node in public(module.body, "") if not ast.get_docstring(node)]
    return Facts(frozenset(found), waits, undocumented)


def imports(path: pathlib.Path) -> frozenset[str]:
    """All modules that a file imports, in full."""
    return facts(path).imports


def packages(path: pathlib.Path) -> set[str]:
    """The top-level packages that a file imports."""
    return {module.partition(".")[0] for module in imports(path)}


def test_dependencies_point_one_way() -> None:
    """Services import shared, never each other; shared imports neither; neither imports tools or tests."""
    foreign = {name(path): packages(path) & {*PACKAGES, "tools", "tests"} - {path.relative_to(ROOT).parts[0], "shared"} for path in MODULES}
    assert len(foreign) > 100
    assert {module: found for module, found in foreign.items() if found} == {}


def test_tools_never_import_tests() -> None:
    """Tests import tools, tools import services."""
    assert len(TOOLS) > 20
    assert [name(path) for path in TOOLS if "tests" in packages(path)] == []


def test_imports_have_no_circle() -> None:
    """Modules of the services and tools can be ordered so that each imports only earlier ones."""
    named = {module_name(path): path for path in [*MODULES, *TOOLS]}
    needed = {module: imports(path) & (named.keys() - {module}) for module, path in named.items()}
    assert list(graphlib.TopologicalSorter(needed).static_order())


def test_few_modules_know_redis() -> None:
    """The client library has one door for each direction, and what asks the store for something is on a list."""
    assert {name(path) for path in MODULES if "redis" in packages(path)} == KNOW_REDIS
    assert {name(path) for path in MODULES if "shared.store.redis" in imports(path)} | KNOW_REDIS == KNOW_THE_STORE


def test_only_the_relay_knows_hub_and_flush_scheduler() -> None:
    """Others change the hub through the relay, which requests the flush."""
    behind_the_relay = {"broadcast_service.relay.hub", "broadcast_service.relay.flush_scheduler"}
    assert {name(path) for path in MODULES if imports(path) & behind_the_relay} == {
        "broadcast_service/relay/flush_scheduler.py",
        "broadcast_service/relay/relay.py",
    }


def test_decisions_never_wait() -> None:
    """What decides does no I/O: no await, no asyncio, no Redis, no sockets."""
    paths = [ROOT / module for module in NEVER_WAIT]
    assert [name(path) for path in paths if facts(path).waits] == []
    assert [name(path) for path in paths if packages(path) & {"asyncio", "anyio", "redis", "socket", "threading"}] == []


def public(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """The public classes and functions of a body, and the public methods of the classes."""
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


def test_every_public_name_is_documented() -> None:
    """Modules, classes, functions and methods have a docstring."""
    assert {name(path): undocumented for path in MODULES if (undocumented := facts(path).undocumented)} == {}


def test_every_test_is_a_sentence() -> None:
    """A test's docstring, where its name does not say everything, is one sentence: what holds, and where it helps why."""
    found = dict[str, list[str]]()
    for path in TESTS:
        tests = [node for node in ast.walk(tree(path)) if isinstance(node, FUNCTIONS) and node.name.startswith("test_")]
        docstrings = {node.name: inspect.cleandoc(ast.get_docstring(node) or "") for node in tests}
        said = {test: text for test, text in docstrings.items() if text}
        if others := [test for test, text in said.items() if not re.fullmatch(r"[^\n]+[.!?]", text) or re.search(r"\w[.!?] [A-Z]", text)]:
            found[name(path)] = others
    assert len(TESTS) > 200
    assert found == {}


def test_no_module_is_long() -> None:
    """A file that has grown past 320 lines has two subjects."""
    assert [name(path) for path in MODULES if len(path.read_text().splitlines()) > 320] == []
