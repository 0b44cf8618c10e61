"""Where and how often metrics are made."""

import pytest

from shared.settings import SettingsError
from shared.web.metrics_listener import CACHE_SECONDS, Exposition, address_of


def test_metrics_are_made_at_most_once_a_second() -> None:
    """More frequent scrapes get the previous result."""
    now, made = [0.0], []

    def generate() -> bytes:
        made.append(now[0])
        return b"%d" % len(made)

    exposition = Exposition(lambda: now[0], generate)
    asked = []
    for now[0] in (0.0, 0.5, 0.99, CACHE_SECONDS, 1.5, 2.0):
        asked.append(exposition.text())
    assert (asked, made) == ([b"1", b"1", b"1", b"2", b"2", b"3"], [0.0, 1.0, 2.0])


def test_a_network_means_the_own_address_in_it() -> None:
    """A container gets its address when it starts."""
    assert address_of("127.0.0.0/8") == "127.0.0.1"
    assert [address_of(host) for host in ("127.0.0.1", "::1", "0.0.0.0")] == ["127.0.0.1", "::1", "0.0.0.0"]


@pytest.mark.parametrize("host", ["198.51.100.0/24", "2001:db8::/64", "127.0.0.1/8", "x/24", "10.0.0.0/33"])
def test_a_network_without_an_own_address_stops_the_start(host: str) -> None:
    """Listening on any other address would expose the metrics."""
    with pytest.raises(SettingsError, match="METRICS_HOST"):
        address_of(host)
