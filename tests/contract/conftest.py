"""A store for each test: the double and the real servers in turn."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from broadcast_service.reports import audience, report_queue
from ingest_service import writer
from shared.store import connection, listener, subscription
from shared.store import redis as store
from tests.contract import servers
from tests.contract.committing import empty_store

REAL = {"valkey": servers.embedded, "redis7": servers.debian}
PATIENCE_SECONDS = 60.0
DEADLINES = {  # after which the services give up, by module
    connection: ("OPERATION_TIMEOUT_SECONDS", "CONNECT_TIMEOUT_SECONDS", "MAX_WAIT_SECONDS"),
    store: ("OPERATION_TIMEOUT_SECONDS",),
    subscription: ("SUBSCRIBE_TIMEOUT_SECONDS",),
    listener: ("PROBE_TIMEOUT_SECONDS",),
    writer: ("DEADLINE_SECONDS",),
    report_queue: ("DEADLINE_SECONDS",),
    audience: ("DEADLINE_SECONDS",),
}


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes a command or a report slow, which is no finding: only a test of a deadline has the services' own."""
    if request.node.get_closest_marker("own_deadlines"):
        return
    for module, names in DEADLINES.items():
        for name in names:
            monkeypatch.setattr(module, name, PATIENCE_SECONDS)


@pytest.fixture(scope="session", params=REAL)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """Each real server."""
    with REAL[request.param](tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(scope="session", params=["double", *REAL])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Each real server's address, and an empty one for the double."""
    if request.param == "double":
        yield ""
    else:
        with REAL[request.param](tmp_path_factory.mktemp(request.param)) as server:
            yield server.url


@pytest.fixture(scope="module")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded server that a module has for itself."""
    with servers.embedded(tmp_path_factory.mktemp("embedded")) as server:
        yield server.url


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Redis]:
    """An empty store."""
    async with empty_store(url) as client:
        yield client


@pytest.fixture
async def real(server: servers.Server) -> AsyncIterator[Redis]:
    """An empty store on a real server."""
    async with empty_store(server.url) as client:
        yield client
