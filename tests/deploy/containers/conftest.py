"""The stack that most tests of a worker share, and the marker that keeps them apart from tests that need no engine."""

import fcntl
import os
import pathlib
import re
from collections.abc import Iterator

import pytest

from tests.deploy.containers.stack import Stack, run
from tests.deploy.test_memory import cap


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, and skips them where `make test-containers` does not run them."""
    for item in items:
        if pathlib.Path(__file__).parent in item.path.parents:
            item.add_marker("containers")
            item.add_marker(pytest.mark.timeout(600))
            if not os.environ.get("CONTAINERS"):
                item.add_marker(pytest.mark.skip(reason="make test-containers runs it"))


def build_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One worker builds the images, so that the stacks of all find every layer. The clone is another one: theirs stay as they were made."""
    with pathlib.Path(tmp_path_factory.getbasetemp().parent, "build.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if lock.read():
            return
        builder = Stack(tmp_path_factory.mktemp("builder"), COMPOSE_PROJECT_NAME="pulse-test-0").clone()
        run("sh", "deploy/modes.sh", cwd=builder.directory)
        builder.compose("build", "--quiet", "worker")  # it has the layers of the others, which Compose would build side by side
        lock.write("built")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of a new clone, started once from nothing. Each test leaves every container healthy.

    Every worker has one, with names, ports and networks of its own; one address may have all sockets, so that they can be measured.
    """
    directory = tmp_path_factory.mktemp("clone")
    number = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    sockets = str(cap("MAX_CONNECTIONS"))
    stack = Stack(
        directory,
        COMPOSE_PROJECT_NAME=f"pulse-test-{number}",
        PORT=str(13000 + number),
        FRONT_NETWORK=f"10.213.{100 + number}",
        MONITORING_NETWORK=f"10.213.{120 + number}",
        MAX_CONNECTIONS_PER_ADDRESS=sockets,
        MAX_CONNECTIONS_PER_SUBJECT=sockets,
    ).clone()
    stack.down(volumes=True)
    try:
        build_once(tmp_path_factory)
        (directory / "printed").write_text(stack.make("up").stdout)
        yield stack
    finally:
        stack.down(volumes=True)
