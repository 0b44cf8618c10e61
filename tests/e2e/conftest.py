"""The topologies of the relay's end-to-end tests: one server; as faults a Cluster, Sentinels and a failover."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests.support.redis_topologies import Cluster, Sentinels, slot_of
from tests.support.studio import Studio, running_studio
from tools.processes import Service
from tools.stack import Stack

Pair = tuple[Stack, Service, Service]

SHARDS: Final = 16
NODE: Final = "node"
CLUSTER: Final = pytest.param("cluster", marks=pytest.mark.faults)
SENTINEL: Final = pytest.param("sentinel", marks=pytest.mark.faults)
FAILOVER: Final = pytest.param("cluster that loses a primary", marks=pytest.mark.faults)
on_one_node: Final = pytest.mark.parametrize("topology", [NODE], indirect=True)
amid_a_failover_too: Final = pytest.mark.parametrize("topology", [NODE, CLUSTER, SENTINEL, FAILOVER], indirect=True)


@dataclass
class Topology:
    """The Redis that a stack uses; without a URL the stack starts its own. `failing` is the Cluster that loses a primary in every test."""

    url: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    failing: Cluster | None = None


@pytest.fixture(scope="session", params=[NODE, CLUSTER])
def topology(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    """Servers of one kind, shared by the tests that do not break them."""
    directory = tmp_path_factory.mktemp("servers")
    if request.param == NODE:
        yield Topology()
    elif request.param == "sentinel":
        with Sentinels(directory).running() as sentinels:
            yield Topology(sentinels.url)
    else:
        losing = "loses" in request.param
        with Cluster(directory, replicas=3 if losing else 0).running() as cluster:
            yield Topology(cluster.url, {"TELEMETRY_SHARDS": str(SHARDS)}, cluster if losing else None)


@pytest.fixture(autouse=True)
def _failover(request: pytest.FixtureRequest) -> Iterator[None]:
    """Kills the primary of the test's room as the test begins; by its end the replica must have been promoted."""
    failing = request.getfixturevalue("topology").failing if "topology" in request.fixturenames else None
    if failing is None:
        yield
    else:
        room = request.node.get_closest_marker("room").args[0]
        with failing.losing_the_owner(slot_of(room, SHARDS)):
            yield


@pytest.fixture(scope="module")
def pair(topology: Topology, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One stack for the tests that break nothing."""
    with Stack(tmp_path_factory.mktemp("stack"), redis_url=topology.url, **topology.settings) as stack:
        yield stack, stack.ingest(), stack.broadcast()


@pytest.fixture
def own_stack(topology: Topology, tmp_path: pathlib.Path) -> Iterator[Callable[..., Pair]]:
    """A stack of the test's own, to break or to set up differently."""
    with contextlib.ExitStack() as exit_stack:

        def start(**settings: str) -> Pair:
            stack = exit_stack.enter_context(Stack(tmp_path, redis_url=topology.url, **topology.settings, **settings))
            return stack, stack.ingest(), stack.broadcast()

        yield start


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A stack without rate limits, for the tests of reports; each uses rooms and accounts of its own."""
    with running_studio(tmp_path_factory.mktemp("studio")) as running:
        yield running
