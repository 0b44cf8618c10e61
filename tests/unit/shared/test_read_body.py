"""A request's body is read to its end or to a bound, and one that is too large is refused where the client can still see it."""

import asyncio
from typing import Any, Final

import pytest

from shared.contract.problems import Problem
from shared.web.server import DROPPED, ClientGone, Receive, read_body

pytestmark = pytest.mark.anyio
LIMIT: Final = 100


class Arriving:
    """A body that arrives in pieces; it stalls after the last one where `ends` is false."""

    def __init__(self, pieces: list[bytes], *, ends: bool = True) -> None:
        self.left = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        if ends:
            self.left[-1]["more_body"] = False

    async def __call__(self) -> Any:
        """The next piece."""
        if not self.left:
            await asyncio.sleep(60)
        return self.left.pop(0)


async def read(receive: Receive) -> bytes:
    """The body, with a deadline that no test waits long for."""
    return await read_body(receive, limit_bytes=LIMIT, timeout_seconds=0.05)


@pytest.mark.parametrize("pieces", [[b""], [b"x" * LIMIT], [b"x" * 99, b"", b"x"], [b"x"] * LIMIT])
async def test_a_body_up_to_the_limit_is_read(pieces: list[bytes]) -> None:
    """In however many pieces."""
    assert await read(Arriving(pieces)) == b"".join(pieces)


@pytest.mark.parametrize("pieces", [[b"x" * 101], [b"x" * 60] * 2, [b"x" * 50] * 2 * DROPPED], ids=["one piece", "two", "to the bound"])
async def test_a_large_body_is_read_to_its_end_before_it_is_refused(pieces: list[bytes]) -> None:
    """A client that writes everything before it reads sees the 413: nothing that it sent is left unread."""
    arriving = Arriving(pieces)
    with pytest.raises(Problem) as refused:
        await read(arriving)
    assert (refused.value.status, arriving.left) == (413, [])


async def test_a_body_without_end_is_refused_at_a_bound() -> None:
    """What one request can make the service read is limited."""
    arriving = Arriving([b"x" * 10] * 1000)
    with pytest.raises(Problem) as refused:
        await read(arriving)
    assert refused.value.status == 413
    assert 1000 - len(arriving.left) == DROPPED * LIMIT // 10 + 1


@pytest.mark.parametrize(("pieces", "status"), [([], 408), ([b"x"], 408), ([b"x" * 101], 413), ([b"x" * 60] * 3, 413)])
async def test_a_body_that_stalls_is_refused_for_what_is_known_of_it(pieces: list[bytes], status: int) -> None:
    """408 where it could still have been read, 413 where it was too large already."""
    with pytest.raises(Problem) as refused:
        await read(Arriving(pieces, ends=False))
    assert refused.value.status == status


@pytest.mark.parametrize("pieces", [[b"x"], [b"x" * 101]])
async def test_a_client_that_leaves_gets_no_answer(pieces: list[bytes]) -> None:
    """However much it had sent."""
    arriving = Arriving(pieces, ends=False)
    arriving.left.append({"type": "http.disconnect"})
    with pytest.raises(ClientGone):
        await read(arriving)


async def test_what_is_held_of_a_body_is_counted_and_what_is_dropped_is_not() -> None:
    """Each piece before the limit, in the order in which they arrive."""
    counted: list[int] = []
    with pytest.raises(Problem):
        await read_body(Arriving([b"x" * 60, b"x" * 40, b"x" * 60]), limit_bytes=LIMIT, timeout_seconds=0.05, count=counted.append)
    assert counted == [60, 40]


async def test_a_body_that_may_not_be_held_is_read_no_further() -> None:
    """The refusal is the one of the bound."""

    def refuse(_size: int) -> None:
        raise Problem(503, "too many bodies arrive at the same time")

    arriving = Arriving([b"x", b"x"])
    with pytest.raises(Problem) as refused:
        await read_body(arriving, limit_bytes=LIMIT, timeout_seconds=0.05, count=refuse)
    assert (refused.value.status, len(arriving.left)) == (503, 1)
