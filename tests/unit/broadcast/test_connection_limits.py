"""What the cap per address counts as one."""

import pytest

from broadcast_service.sessions.registry import ConnectionLimits, Sessions, counted_as
from shared.contract.problems import Problem


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_a_network_of_ipv6_counts_as_one_address(address: str, counted: str) -> None:
    """One client has all addresses of its /64."""
    assert counted_as(address) == counted


def test_the_limit_holds_for_all_addresses_of_a_network() -> None:
    """A place is free again when one of them disconnects."""
    sessions = Sessions(ConnectionLimits(0, 0, 2))
    first = sessions.admit("a", "2001:db8::1")
    sessions.admit("b", "2001:db8::2")
    sessions.admit("c", "2001:db8:0:1::3")
    with pytest.raises(Problem) as refusal:
        sessions.admit("d", "2001:db8::4")
    assert refusal.value.status == 429
    first.release()
    sessions.admit("d", "2001:db8::4")
