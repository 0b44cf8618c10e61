"""What the deployment's tests share: the shipped store, and the whole chain behind the shipped front."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator

import pytest

from tests.deploy.front import Front, Replicas
from tests.deploy.store import Store
from tools.stack import Stack

Chain = tuple[Replicas, Front]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The shipped store, for tests that leave it as they found it."""
    with Store(tmp_path_factory.mktemp("store")).running() as store:
        yield store


@contextlib.contextmanager
def chain(directory: pathlib.Path, *, secure: bool = True, **broadcast: str) -> Iterator[Chain]:
    """Two of each service behind the front, on the shipped store; its certificate's authority is the one that clients trust."""
    with contextlib.ExitStack() as open_now:
        store = open_now.enter_context(Store(directory).running())
        stack = open_now.enter_context(Stack(directory, redis_url=store.url("tokens")))
        replicas = Replicas(stack, store)
        open_now.enter_context(replicas.names.running())
        for _ in range(2):
            replicas.add_ingest()
            replicas.add_broadcast(**broadcast)
        front = replicas.front(secure=secure)
        open_now.enter_context(pytest.MonkeyPatch.context()).setenv("SSL_CERT_FILE", str(front.authority))
        stack.services.append(front)
        front.start()
        yield replicas, front


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The chain over HTTPS, for tests that leave it whole."""
    with chain(tmp_path_factory.mktemp("production")) as whole:
        yield whole


@pytest.fixture
def own_chain(tmp_path: pathlib.Path) -> Iterator[Callable[..., Chain]]:
    """Makes a chain that a test may break."""
    with contextlib.ExitStack() as open_now:
        yield lambda **settings: open_now.enter_context(chain(tmp_path, **settings))
