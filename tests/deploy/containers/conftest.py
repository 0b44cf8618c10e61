"""The stack that most tests share, and the marker that keeps them apart from tests that need no engine."""

import os
import pathlib
from collections.abc import Iterator

import pytest

from tests.deploy.containers.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, and skips them where `make test-containers` does not run them."""
    for item in items:
        if pathlib.Path(__file__).parent in item.path.parents:
            item.add_marker("containers")
            item.add_marker(pytest.mark.timeout(600))
            if not os.environ.get("CONTAINERS"):
                item.add_marker(pytest.mark.skip(reason="make test-containers runs it"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of a new clone, started once from nothing. Each test leaves every container healthy."""
    directory = tmp_path_factory.mktemp("clone")
    stack = Stack(directory, COMPOSE_PROJECT_NAME="pulse-test", PORT="13000").clone()
    stack.down(volumes=True)
    try:
        stack.compose("build", "--quiet", "worker")  # has the layers of the others, which would be built side by side
        (directory / "printed").write_text(stack.make("up").stdout)
        yield stack
    finally:
        stack.down(volumes=True)
