"""The shape of the code: who may import whom, who knows Redis, what waits, and that every public name says what it is."""

import ast
import inspect
import pathlib
import re
from collections.abc import Iterator

import pytest

from tests.stack import ROOT

PACKAGES = ("shared", "ingest_service", "broadcast_service")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
KNOW_REDIS = {
    "shared/redis.py",
    "shared/redis_connection.py",
    "ingest_service/writer.py",
    "broadcast_service/listener.py",
    "broadcast_service/subscription.py",
}
KNOW_THE_STORE = KNOW_REDIS | {
    "shared/revocations.py",
    "shared/screens.py",
    "shared/settings.py",  # REDIS_URL
    "shared/token_commands.py",
    "ingest_service/__main__.py",
    "ingest_service/app.py",
    "broadcast_service/__main__.py",
    "broadcast_service/app.py",
    "broadcast_service/analytics.py",
    "broadcast_service/feeds.py",
    "broadcast_service/history.py",
    "broadcast_service/answers.py",
    "broadcast_service/routes.py",
    "broadcast_service/signin/access.py",
    "broadcast_service/signin/ended.py",
    "broadcast_service/signin/endpoints.py",
}
NEVER_WAIT = [
    "broadcast_service/signin/cookies.py",
    "broadcast_service/budget.py",
    "broadcast_service/earnings.py",
    "broadcast_service/hub.py",
    "broadcast_service/log.py",
    "broadcast_service/frames.py",
    "broadcast_service/handshake.py",
]
NEVER_WAIT += ["ingest_service/validation.py", "shared/messages.py", "shared/scope.py", "shared/tokens.py", "shared/history.py"]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def name(path: pathlib.Path) -> str:
    """A file as the checkout names it."""
    return path.relative_to(ROOT).as_posix()


def tree(path: pathlib.Path) -> ast.Module:
    """A parsed file."""
    return ast.parse(path.read_text(), name(path))


def imports(path: pathlib.Path) -> set[str]:
    """All modules that a file imports, in full."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def packages(path: pathlib.Path) -> set[str]:
    """The top-level packages that a file imports."""
    return {module.partition(".")[0] for module in imports(path)}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_dependencies_point_one_way(path: pathlib.Path) -> None:
    """Services import shared, never each other; shared imports neither; nothing imports the tests."""
    own = path.relative_to(ROOT).parts[0]
    assert packages(path) & {*PACKAGES, "tests"} <= {own, "shared"}


def test_few_modules_know_redis() -> None:
    """The client library has one door for each direction, and what asks the store for something is on a list."""
    assert {name(path) for path in MODULES if "redis" in packages(path)} == KNOW_REDIS
    assert {name(path) for path in MODULES if "shared.redis" in imports(path)} | KNOW_REDIS == KNOW_THE_STORE


@pytest.mark.parametrize("module", NEVER_WAIT)
def test_decisions_never_wait(module: str) -> None:
    """What decides does no I/O: no await, no asyncio, no Redis, no sockets."""
    path = ROOT / module
    waiting = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
    assert [node for node in ast.walk(tree(path)) if isinstance(node, waiting)] == []
    assert packages(path) & {"asyncio", "anyio", "redis", "socket", "threading"} == set()


def public(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """The public classes and functions of a body, and what is public inside the classes."""
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_public_name_is_documented(path: pathlib.Path) -> None:
    """Modules, classes, functions and methods say what they are for."""
    module = tree(path)
    assert ast.get_docstring(module)
    assert [full_name for full_name, node in public(module.body, "") if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_every_test_is_a_sentence(path: pathlib.Path) -> None:
    """A test's docstring, where its name does not say everything, is one sentence: what holds, and where it helps why."""
    tests = [node for node in ast.walk(tree(path)) if isinstance(node, FUNCTIONS) and node.name.startswith("test_")]
    docstrings = {node.name: inspect.cleandoc(ast.get_docstring(node) or "") for node in tests}
    said = {test: text for test, text in docstrings.items() if text}
    assert [test for test, text in said.items() if not re.fullmatch(r"[^\n]+[.!?]", text) or re.search(r"\w[.!?] [A-Z]", text)] == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_module_is_long(path: pathlib.Path) -> None:
    """A file that has grown past 320 lines has two subjects."""
    assert len(path.read_text().splitlines()) <= 320
