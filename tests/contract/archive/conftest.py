"""A store and an empty archive for each test."""

import pathlib
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from shared.archive.database import Database
from tests.contract import servers
from tests.contract.committing import empty_store
from tests.support.archiving import new_archive
from tests.support.postgres import PostgresServer, postgres

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="module")
def shared_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for all tests of a file."""
    with postgres() as running:
        yield running


@pytest.fixture
def server(shared_server: PostgresServer) -> PostgresServer:
    """It runs, also after a test that ended it and failed before it started it again."""
    if shared_server.poll() is not None:
        shared_server.start()
    return shared_server


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/archive.db"
    else:
        running: PostgresServer = request.getfixturevalue("server")
        yield (address := running.used_database())
        running.give_back(address)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """An empty archive on each database."""
    opened = new_archive(url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Redis-protocol server; what the archive reads is the same on every one."""
    with servers.embedded(tmp_path_factory.mktemp("redis")) as running:
        yield running.url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """An empty store."""
    async with empty_store(redis_url) as client:
        yield client
