"""A store for each test: the double and the real servers in turn."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from tests.contract import servers
from tests.contract.committing import empty_store

REAL = {"valkey": servers.embedded, "redis7": servers.debian}


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
