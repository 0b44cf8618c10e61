"""Where a REDIS_URL leads, and which of several answers about a key's owner is believed."""

import asyncio

import pytest

from shared.redis import NoOwner, RedisUrl, Store, Topology


def test_a_plain_url_is_one_node() -> None:
    """It owns every key without being asked."""
    url = "redis://user:secret@host:6379/3"
    assert RedisUrl.parse(url).seeds == [url]
    assert Store(RedisUrl.parse(url)).owner("a").connection_pool.connection_kwargs["db"] == 3


def test_sentinels_are_asked_without_the_credentials_of_the_data_nodes() -> None:
    """The password and the database belong to the nodes that hold the data."""
    url = RedisUrl.parse("rediss+sentinel://u:p@a:1,[::1]:2/main/4")
    assert (url.topology, url.seeds, url.master) == (Topology.SENTINEL, ["rediss://a:1", "rediss://[::1]:2"], "main")
    assert url.node("::1", 7) == "rediss://u:p@[::1]:7/4"


def test_the_nodes_of_a_cluster_share_the_credentials() -> None:
    """Any of them may be asked for the others."""
    url = RedisUrl.parse("redis+cluster://:p@a:1,b:2")
    assert (url.topology, url.seeds, url.node("c", 3)) == (Topology.CLUSTER, ["redis://:p@a:1", "redis://:p@b:2"], "redis://:p@c:3")


@pytest.mark.parametrize(
    "text",
    [
        "http://a:1",
        "redis+cluster://a",
        "redis+cluster://a:1/0",
        "redis+sentinel://a:1",
        "redis+sentinel://a:1/",
        "redis+cluster://a:1,,b:2",
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    """A URL may hold a password, so the error holds nothing of it."""
    with pytest.raises(ValueError, match=r"each node is|no databases|master's name") as refusal:
        RedisUrl.parse(text)
    assert text not in str(refusal.value)


def test_a_cluster_of_which_nothing_is_known_owns_nothing() -> None:
    """Asking for a key's owner fails as Redis' absence does."""

    async def ask() -> None:
        async with Store(RedisUrl.parse("redis+cluster://127.0.0.1:1")) as store:
            store.owner("a")

    with pytest.raises(NoOwner):
        asyncio.run(ask())


@pytest.mark.parametrize(
    "text",
    [
        "redis://u:canary#x@host:1",
        "redis://u:canary/x@host:1/0",
        "redis://host:canary",
        "redis://host:999999",
        "redis://host:1?socket_timeout=canary",
        "redis://host:1?canary=1",
        "redis+cluster://u:canary#x@a:1",
        "redis+sentinel://u:canary?x@a:1/main",
    ],
)
def test_an_address_that_the_library_cannot_read_is_refused_without_repeating_it(text: str) -> None:
    """Its own error would come later, from inside, and hold a part of the password."""
    with pytest.raises(ValueError, match="percent-encoded") as refusal:
        RedisUrl.parse(text)
    assert "canary" not in f"{refusal.value}{refusal.value.__cause__}"
