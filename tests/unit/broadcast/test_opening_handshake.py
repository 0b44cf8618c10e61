"""What makes a request an upgrade, and the answer to it."""

import contextlib

import pytest
from hypothesis import given, strategies

from broadcast_service.websocket.opening_handshake import Headers, read_upgrade
from shared.contract.problems import Problem

GOOD: tuple[tuple[bytes, bytes], ...] = (
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"sec-websocket-version", b"13"),
)


def extended(value: bytes) -> Headers:
    """A good request that offers extensions."""
    return (*GOOD, (b"sec-websocket-extensions", value))


def test_the_example_of_the_standard() -> None:
    """RFC 6455 section 1.3 gives a key and its answer."""
    upgrade = read_upgrade("GET", b"/chat", GOOD, compression=False)
    assert upgrade.response(None) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )


def test_subprotocols_are_split_and_one_is_echoed() -> None:
    """Also where the header is sent twice."""
    headers = (*GOOD, (b"sec-websocket-protocol", b"pulse.v1 ,bearer.x"), (b"sec-websocket-protocol", b"other"))
    upgrade = read_upgrade("GET", b"/", headers, compression=False)
    assert upgrade.subprotocols == ["pulse.v1", "bearer.x", "other"]
    assert b"\r\nSec-WebSocket-Protocol: pulse.v1\r\n" in upgrade.response("pulse.v1")


@pytest.mark.parametrize(
    ("offer", "answer", "deflates"),
    [
        (b"permessage-deflate", b"permessage-deflate; server_no_context_takeover; client_no_context_takeover", True),
        (
            b"permessage-deflate; client_max_window_bits",
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            True,
        ),
        (
            b"permessage-deflate; server_max_window_bits=10",
            b"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
            False,
        ),
        (b"x-other, permessage-deflate; nonsense=1", None, False),
    ],
)
def test_compression_is_agreed_without_context(offer: bytes, answer: bytes | None, deflates: bool) -> None:  # noqa: FBT001
    """A shared payload needs the largest window; a client with a smaller one gets no compression."""
    upgrade = read_upgrade("GET", b"/", extended(offer), compression=True)
    assert upgrade.deflates is deflates
    assert (answer is None) == (b"Extensions" not in upgrade.response(None))
    assert answer is None or b"\r\nSec-WebSocket-Extensions: " + answer + b"\r\n" in upgrade.response(None)


def test_compression_that_is_off_is_not_agreed() -> None:
    """Every offer is ignored."""
    assert read_upgrade("GET", b"/", extended(b",,;"), compression=False).extension is None


def test_a_malformed_offer_is_a_problem() -> None:
    """Where compression is on."""
    with pytest.raises(Problem) as refusal:
        read_upgrade("GET", b"/", extended(b",,;"), compression=True)
    assert refusal.value.status == 400


@given(
    strategies.text(max_size=5),
    strategies.binary(max_size=50),
    strategies.lists(strategies.tuples(strategies.sampled_from([name for name, _ in extended(b"")]), strategies.binary(max_size=40))),
)
def test_any_request_is_an_upgrade_or_a_problem(method: str, url: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    with contextlib.suppress(Problem):
        assert len(read_upgrade(method, url, (*GOOD[:2], *headers), compression=True).accept) == 28
