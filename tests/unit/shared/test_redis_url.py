"""Where a REDIS_URL leads, and which of several answers about a key's owner is believed."""

import asyncio
from typing import Any

import pytest

from shared.store.redis import NoOwner, RedisUrl, Store, Topology


def test_a_plain_url_is_one_node() -> None:
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


def test_options_of_tls_hold_for_every_node() -> None:
    """They follow as a query in every form."""
    cluster = RedisUrl.parse("rediss+cluster://u:p@a:1,b:2?ssl_ca_certs=/etc/pulse/ca.pem&ssl_check_hostname=true")
    options = "?ssl_ca_certs=%2Fetc%2Fpulse%2Fca.pem&ssl_check_hostname=true"
    assert (cluster.seeds, cluster.node("c", 3)) == (
        [f"rediss://u:p@a:1{options}", f"rediss://u:p@b:2{options}"],
        f"rediss://u:p@c:3{options}",
    )
    sentinel = RedisUrl.parse("rediss+sentinel://u:p@a:1/main/4?ssl_ca_certs=/ca")
    assert (sentinel.seeds, sentinel.node("c", 3)) == (["rediss://a:1?ssl_ca_certs=%2Fca"], "rediss://u:p@c:3/4?ssl_ca_certs=%2Fca")
    assert Store(cluster)._node(cluster.node("c", 3)).connection_pool.connection_kwargs["ssl_ca_certs"] == "/etc/pulse/ca.pem"


def test_sentinels_have_a_credential_of_their_own() -> None:
    """With any characters in it, and no other server is sent it."""
    url = RedisUrl.parse("redis+sentinel://u:p@a:1/main?sentinel_username=s&sentinel_password=x%2F%40%3F")
    assert (url.seeds, url.node("c", 3)) == (["redis://s:x%2F%40%3F@a:1"], "redis://u:p@c:3")
    assert Store(url)._node(url.seeds[0]).connection_pool.connection_kwargs["password"] == "x/@?"
    assert RedisUrl.parse("redis+sentinel://a:1/main?sentinel_password=x").seeds == ["redis://:x@a:1"]


def test_over_tls_a_node_is_reached_by_the_name_that_it_announces() -> None:
    """Its certificate has that name; in clear text the address is used, which needs no name resolution."""
    nodes: dict[str, dict[str, Any]] = {
        "10.0.0.1:7001": {"hostname": "one.example", "epoch": "1", "slots": [["0", "5"]]},
        "10.0.0.2:7002": {"hostname": "", "epoch": "2", "slots": [["6", "9"]]},
        "10.0.0.3:7003": {"hostname": "shard-id=ab", "epoch": "3", "slots": []},
        ":7004": {"epoch": "4", "slots": [["10", "11"]]},
    }
    for scheme, first in (("rediss", "one.example"), ("redis", "10.0.0.1")):
        owned = Store(RedisUrl.parse(f"{scheme}+cluster://seed:1"))._parse(nodes, f"{scheme}://seed:1")
        assert [one.url for one in owned] == [f"{scheme}://{first}:7001", f"{scheme}://10.0.0.2:7002", f"{scheme}://seed:1"]


@pytest.mark.parametrize(
    "text",
    [
        "redis+cluster://a:1?db=1",
        "redis+sentinel://a:1/main?db=1",
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
    with pytest.raises(ValueError, match=r"each node is|no databases|master's name|sentinel_password") as refusal:
        RedisUrl.parse(text)
    assert text not in str(refusal.value)


def test_a_cluster_of_which_nothing_is_known_owns_nothing() -> None:
    """Asking for a key's owner fails as an unreachable Redis does."""

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
        "redis+cluster://a:1?canary=1",
        "redis+cluster://a:1?sentinel_password=canary",
        "redis+sentinel://a:1/main?socket_timeout=canary",
    ],
)
def test_an_address_that_the_library_cannot_read_is_refused_without_repeating_it(text: str) -> None:
    """Its own error would come later, from inside, and hold a part of the password."""
    with pytest.raises(ValueError, match="percent-encoded") as refusal:
        RedisUrl.parse(text)
    assert "canary" not in f"{refusal.value}{refusal.value.__cause__}"
