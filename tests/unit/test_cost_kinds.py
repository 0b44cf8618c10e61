"""The cost table has a row for each kind of request that the services' documents describe."""

import json
import re
from typing import Any, cast

from starlette.routing import Route

from broadcast_service.http.openapi import openapi as of_broadcast
from broadcast_service.signin.endpoints import SignIn
from ingest_service.openapi import openapi as of_ingest
from shared.contract.events import ClientMessage
from shared.web.server import common_routes
from tools.bench.costs import READS, SOCKETS, attacks
from tools.bench.hostile import GROUP_SECONDS, group_starts
from tools.bench.lab import Lab

METHODS = {"get", "post", "put", "patch", "delete"}


class FakeLab:
    """Issues tokens that nothing verifies."""

    def token(self, _audience: str, **_options: object) -> str:
        """A token of the length of a real one."""
        return "x" * 300


KINDS = list(attacks(cast("Lab", FakeLab())))


COMMON = {route.path for route in common_routes(dict, list)}  # the same in both services


def routes() -> set[tuple[str, str, str]]:
    """The service, method and path template of every kind of request over HTTP."""
    found = {
        (service, method.upper(), path)
        for service, document in (("broadcast", of_broadcast()), ("ingest", of_ingest()))
        for path, described in document["paths"].items()
        for method in METHODS & described.keys()
        if path not in COMMON
    }
    unused = cast("Any", None)
    signing_in = SignIn(store=unused, screens=unused, claims_of=unused, audit=unused).routes()
    for route in (*signing_in, *common_routes(dict, list)):
        assert isinstance(route, Route)
        found |= {("broadcast", method, route.path) for method in (route.methods or set()) - {"HEAD"}}
    return found


def test_each_route_has_a_row() -> None:
    """A route without one could cost anything."""
    requests = [(kind.to, *text.split(" ", 2)[:2]) for kind in KINDS for text in {kind.opening, *kind.requests[:1]} if " HTTP/1.1" in text]
    for service, method, template in routes():
        pattern = re.compile(re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(template)) + r"\Z")
        hit = [one for one in requests if one[:2] == (service, method) and pattern.match(one[2].partition("?")[0])]
        assert hit, f"no kind of the cost table is a {method} {template}"


def test_each_client_message_has_a_row() -> None:
    """Over the socket."""
    sent = {found for kind in KINDS if kind.opening for text in kind.requests for found in re.findall(r'"type": ?"([a-z]+)"', text)}
    described = {json.loads(json.dumps(member.__struct_config__.tag)) for member in ClientMessage.__args__}
    assert described <= sent


def test_no_kind_has_two_rows_and_none_is_misspelt() -> None:
    names = [kind.name for kind in KINDS]
    assert len(names) == len(set(names))
    assert {*names} >= READS | SOCKETS


def test_a_group_begins_after_a_pause_alone() -> None:
    """The requests admitted first may be the end of a group."""
    pause = 2 * GROUP_SECONDS
    assert group_starts([0.0, 0.1, pause, pause + 0.1, 2 * pause + 0.1]) == [pause, 2 * pause + 0.1]
    assert group_starts([]) == []
