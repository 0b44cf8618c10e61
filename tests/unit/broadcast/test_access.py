"""The handshake's decision: any request is an agreement or a Problem."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers, QueryParams

from broadcast_service.http.access import Agreement, agree
from broadcast_service.websocket.frames import Encoding
from shared.auth.scope import Scope
from shared.contract.problems import Problem
from shared.tokens import Claims, TokenError

ORIGINS = frozenset({"https://studio.example"})
CLAIMS = Claims("ada", "dashboard", "id", 2**33, Scope.of(["a", "vip-*"], ["p"]))


def known(token: str) -> Claims:
    """A verifier that knows one token."""
    if token != "good":
        raise TokenError
    return CLAIMS


def ask(headers: list[tuple[str, str]], query: str, offered: list[str]) -> Agreement | int:
    """What comes of a request: an agreement, or the status of its refusal."""
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
    try:
        return agree(Headers(raw=raw), QueryParams(query), offered, origins=ORIGINS, verify=known)
    except Problem as problem:
        return problem.status


names = st.sampled_from(["authorization", "origin", "host", "cookie"])
values = st.text() | st.sampled_from(["Bearer good", "https://studio.example", "null"])
protocols = st.lists(st.text() | st.sampled_from(["pulse.v1", "bearer.good", "bearer."]))
queries = st.text() | st.lists(st.sampled_from(["rooms=a", "rooms=b", "since=1", "platforms=p", "token=x", "since=%FF"])).map("&".join)


@given(st.lists(st.tuples(names, values)), queries, protocols)
def test_no_request_raises_anything_but_a_problem(headers: list[tuple[str, str]], query: str, offered: list[str]) -> None:
    """A request that is let in has shown a token once, and its scope is no wider than the token's."""
    agreed = ask(headers, query, offered)
    if isinstance(agreed, int):
        assert agreed in (400, 401, 403)
    else:
        assert [*offered, *(value for _, value in headers)].count("bearer.good") <= 1
        assert agreed.claims is CLAIMS
        assert CLAIMS.scope.narrow(agreed.scope.patterns(), ["p"]) == agreed.scope


@pytest.mark.parametrize(
    ("offered", "encoding"), [([], Encoding.SINGLE), (["pulse.v1"], Encoding.LINES), (["other", "pulse.v1"], Encoding.LINES)]
)
def test_the_protocol_chooses_the_encoding(offered: list[str], encoding: Encoding) -> None:
    """A client that offers no subprotocol gets the encoding of old clients."""
    agreed = ask([("authorization", "Bearer good")], "", offered)
    assert isinstance(agreed, Agreement)
    assert (agreed.encoding, agreed.subprotocol) == (encoding, "pulse.v1" if offered else None)


@pytest.mark.parametrize(
    ("text", "since"), [("1764000000123456", 1764000000123456), ("", None), ("-1", None), ("1" * 17, None), ("\u0661", None)]
)
def test_since_is_a_version_or_nothing(text: str, since: int | None) -> None:
    """Any other text leads to a full snapshot, not to a refusal."""
    agreed = ask([("authorization", "Bearer good")], f"since={text}", [])
    assert isinstance(agreed, Agreement)
    assert agreed.since == since
