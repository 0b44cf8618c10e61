"""The servers that `make bench BENCH=--peers` compares, each started in the same way and loaded by the same programs.

A server that relays has core 0 to itself. Its other processes (Redis, the process that takes its posts where that is another one) share
core 1 with the load, as for the services of this project.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from tools.bench import centrifugo, nchan
from tools.bench.lab import PATH, SNAPSHOT_END, Lab, Posts, listening_ports
from tools.bench.processes import LOAD_CORE, SERVER_CORE, Load, pinned
from tools.processes import Process, free_port

DESCRIPTORS: Final = 20_000
STAMPED: Final = ("-k", "viewers")  # the field of an event that holds the time when its post was due
JOINED_WRITES: Final = 20  # a second, for a floor that joins events because it cannot send each by itself
TELEMETRY: Final = "/api/tracking/telemetry"
READING: Final = (
    '{"room_id":"room-%r","platform":"chaturbate","timestamp":%s,"tokens_count":5000,"sequence":%m,"tips_count":7,"viewers_count":%u,'
    '"goal_tokens":null}'
)
# What this project's dashboards receive for that reading, so that every server delivers the same bytes.
RELAYED: Final = (
    '{"event_type":"TELEMETRY_UPDATE","room_id":"room-%r","data":{"platform":"chaturbate","tokens":5000,"tips":7,"viewers":%u,"goal":null,'
    '"timestamp":%s},"timestamp":%s,"version":%m000}'
)


class Sockets(NamedTuple):
    """Where and how a client of a server connects: options of `wsfan` beside the event's, and what makes a token for each client."""

    port: int
    path: str
    options: tuple[str, ...] = ()
    token: Callable[[int], str] | None = None


class Side(NamedTuple):
    """A running server: the processes that are measured, and how to reach it."""

    pids: tuple[int, ...]
    sockets: Sockets | None
    posts: Posts | None

    def fan(self, lab: Lab, clients: int, *options: object) -> Load:
        """So many clients, each with a token of its own where the server wants one."""
        assert self.sockets is not None
        port, path, own, token = self.sockets
        tokens = [token(number) for number in range(clients)] if token else []
        return lab.fan(port, clients, *own, *options, tokens=tokens, path=path)

    def poster(self, lab: Lab, *, rate: float, seconds: float, connections: int, rooms: int) -> Load:
        """Posts at a pace, or as fast as is answered for a rate of 0."""
        assert self.posts is not None
        return lab.paced(self.posts, rate=rate, seconds=seconds, connections=connections, rooms=rooms)


class Entrant(NamedTuple):
    """One server of the comparison.

    `relaying` measures what sends to clients; its number is how often a server sends that takes no posts. `accepting` measures what answers
    posts.
    """

    name: str
    version: str
    relaying: Callable[[Lab, float], AbstractContextManager[Side]] | None = None
    accepting: Callable[[Lab], AbstractContextManager[Side]] | None = None


def _posts_of_ours(lab: Lab, port: int) -> Posts:
    return Posts(port, TELEMETRY, READING, '"accepted"', (f"Authorization: Bearer {lab.token('ingest')}",))


@contextlib.contextmanager
def _ours_relaying(lab: Lab, _rate: float) -> Iterator[Side]:
    broadcast, ingest = lab.broadcast(), lab.ingest(core=LOAD_CORE)
    options = (*STAMPED, "-H", "Sec-WebSocket-Protocol: pulse.v1", "-r", SNAPSHOT_END)
    yield Side((broadcast.pid,), Sockets(broadcast.port, PATH, options, lambda _: lab.token("dashboard")), _posts_of_ours(lab, ingest.port))


@contextlib.contextmanager
def _ours_accepting(lab: Lab) -> Iterator[Side]:
    ingest = lab.ingest()
    lab.touch_rooms(per_second=1500)
    yield Side((ingest.pid,), None, _posts_of_ours(lab, ingest.port))


@contextlib.contextmanager
def _obvious(lab: Lab) -> Iterator[Side]:
    service = lab.obvious()
    sockets = Sockets(service.port, PATH, STAMPED, lambda _: lab.token("dashboard"))
    yield Side((service.pid,), sockets, _posts_of_ours(lab, service.port))


@contextlib.contextmanager
def _floor(lab: Lab, rate: float) -> Iterator[Side]:
    """One send() for each event up to 200 a second, and beyond that one for all events of a twentieth of a second."""
    writes = rate if rate <= 10 * JOINED_WRITES else JOINED_WRITES
    with lab.floor(writes, max(1, round(rate / writes))) as (port, pid):
        yield Side((pid,), Sockets(port, PATH), None)


@contextlib.contextmanager
def _started(lab: Lab, name: str, command: Sequence[object], port: int, *, core: int = SERVER_CORE) -> Iterator[Process]:
    process = Process([str(word) for word in command], log=lab.file(f"{name}.log"), cwd=lab.file("."))
    try:
        with pinned(core):
            process.launch_until(lambda: port in listening_ports())
        yield process
    finally:
        process.stop()


@contextlib.contextmanager
def _nchan(lab: Lab, found: nchan.Found, path: str) -> Iterator[Side]:
    port, directory = free_port(), lab.file("nginx")
    directory.mkdir(exist_ok=True)
    settings = directory / "nginx.conf"
    settings.write_text(nchan.configuration(found, directory, port, DESCRIPTORS))
    with _started(lab, "nchan", [found.program, "-p", directory, "-c", settings], port) as process:
        pids = (process.pid, *nchan.children(process.pid))
        yield Side(pids, Sockets(port, "/wall", STAMPED), Posts(port, path, RELAYED, "HTTP/1.1 20"))


@contextlib.contextmanager
def _centrifugo_node(lab: Lab, found: centrifugo.Found, secret: str, *, core: int) -> Iterator[tuple[Process, int]]:
    """One node on the stack's Redis; `secret` is its API key and signs the tokens of its clients."""
    port = free_port()
    settings = lab.file(f"centrifugo-{port}.json")
    centrifugo.write(settings, centrifugo.configuration(port=port, redis_url=lab.redis_url, api_key=secret, token_secret=secret))
    with _started(lab, f"centrifugo-{port}", [found.program, "--config", settings], port, core=core) as process:
        yield process, port


def _posts_of_centrifugo(port: int, secret: str, channel: str) -> Posts:
    return Posts(port, centrifugo.POST_PATH, centrifugo.publication(RELAYED, channel=channel), '"result"', (f"X-API-Key: {secret}",))


@contextlib.contextmanager
def _centrifugo_relaying(lab: Lab, found: centrifugo.Found) -> Iterator[Side]:
    """Two nodes that meet in Redis: one takes the posts, one has the clients and is measured."""
    secret, now = secrets.token_urlsafe(32), int(time.time())
    with (
        _centrifugo_node(lab, found, secret, core=SERVER_CORE) as (relay, port),
        _centrifugo_node(lab, found, secret, core=LOAD_CORE) as (_, posting_port),
    ):
        options = (*STAMPED, "-s", centrifugo.FIRST_TEXT, "-r", centrifugo.CONNECTED)

        def token(number: int) -> str:
            return centrifugo.connection_token(secret, number=number, now_seconds=now)

        sockets = Sockets(port, centrifugo.SOCKET_PATH, options, token)
        yield Side((relay.pid,), sockets, _posts_of_centrifugo(posting_port, secret, centrifugo.CHANNEL))


@contextlib.contextmanager
def _centrifugo_accepting(lab: Lab, found: centrifugo.Found, channel: str) -> Iterator[Side]:
    secret = secrets.token_urlsafe(32)
    with _centrifugo_node(lab, found, secret, core=SERVER_CORE) as (node, port):
        yield Side((node.pid,), None, _posts_of_centrifugo(port, secret, channel))


def entrants(
    find_nchan: Callable[[], nchan.Found | None] = nchan.find, find_centrifugo: Callable[[], centrifugo.Found | None] = centrifugo.find
) -> tuple[list[Entrant], list[str]]:
    """All servers that can be measured here, and a sentence about each that is not installed."""
    found = [
        Entrant("floor", "wslimit.c", _floor),
        Entrant("ours", "this checkout", _ours_relaying, _ours_accepting),
        Entrant("obvious", "obvious.py", lambda lab, _rate: _obvious(lab), _obvious),
    ]
    missing = []
    if module := find_nchan():
        found.append(_entrant_of_nchan(module))
    else:
        missing.append(nchan.MISSING)
    if program := find_centrifugo():
        found += _entrants_of_centrifugo(program)
    else:
        missing.append(centrifugo.MISSING)
    return found, missing


def _entrant_of_nchan(found: nchan.Found) -> Entrant:
    return Entrant(
        "nchan", found.version, lambda lab, _rate: _nchan(lab, found, "/post/wall"), lambda lab: _nchan(lab, found, "/post/room-%r")
    )


def _entrants_of_centrifugo(found: centrifugo.Found) -> list[Entrant]:
    """Centrifugo as it is, and with a history of one value for each room, which is nearer to what this project does with a post."""
    kept = f"{centrifugo.KEPT}:room-%r"
    return [
        Entrant(
            "centrifugo",
            f"{found.version} with Redis",
            lambda lab, _rate: _centrifugo_relaying(lab, found),
            lambda lab: _centrifugo_accepting(lab, found, centrifugo.CHANNEL),
        ),
        Entrant(
            "centrifugo, history", f"{found.version}, a history of one value", None, lambda lab: _centrifugo_accepting(lab, found, kept)
        ),
    ]
