"""All sessions of this process: the limits on their number, stalled clients, revoked tokens, and draining."""

import asyncio
import functools
import ipaddress
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from broadcast_service import metrics
from broadcast_service.sessions.session import Session
from shared.contract.problems import CloseCode, Problem
from shared.web.address_budget import MAX_ADDRESS_LENGTH, MAX_REMEMBERED
from shared.web.jobs import sleep

STALL_SECONDS: Final = 10.0
SWEEP_SECONDS: Final = 0.5
DRAIN_SPREAD_MS: Final = 3000  # over which the clients of a draining server reconnect
DRAIN_SECONDS: Final = 5.0
RETRY_AFTER_SECONDS: Final = 5

log = structlog.get_logger()


class ConnectionLimits(NamedTuple):
    """The maximum numbers of sockets of this process, of a subject, and of an address; 0 is no limit."""

    process: int
    subject: int
    address: int


def _too_many(status: int, detail: str, setting: str) -> Problem:
    members = {"code": "too_many_connections", "setting": setting}
    return Problem(status, detail, retry_after_seconds=RETRY_AFTER_SECONDS, members=members)


class Slot:
    """One socket's slot within the limits, taken before the upgrade and released with the connection."""

    __slots__ = ("_sessions", "address", "subject")

    def __init__(self, sessions: "Sessions", subject: str, address: str) -> None:
        self._sessions = sessions
        self.subject = subject
        self.address = address

    def release(self) -> None:
        """Gives the slot back."""
        self._sessions.release(self)


def counted_as(address: str) -> str:
    """The key that an address counts under: the /64 of an IPv6 address, since a client has all of it, and a normalized IPv4 address."""
    return _counted_as(address) if len(address) <= MAX_ADDRESS_LENGTH else address


@functools.lru_cache(maxsize=MAX_REMEMBERED)
def _counted_as(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))


class Sessions:
    """The open sessions, and the limits on their number."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._open: dict[Session, Slot] = {}
        self._slots = 0
        self._by_subject: Counter[str] = Counter()
        self._by_address: Counter[str] = Counter()
        self.draining = False
        self.before_drain: Callable[[], None] = lambda: None

    def admit(self, subject: str, address: str) -> Slot:
        """Takes a slot for a socket about to be accepted; raises a 429 or 503 Problem."""
        address = counted_as(address)
        if self.draining:
            raise Problem(503, "the server is shutting down", retry_after_seconds=1)
        if 0 < self._limits.process <= self._slots:
            raise _too_many(503, "this server is full", "MAX_CONNECTIONS")
        if 0 < self._limits.subject <= self._by_subject[subject]:
            raise _too_many(429, "too many connections of this subject", "MAX_CONNECTIONS_PER_SUBJECT")
        if 0 < self._limits.address <= self._by_address[address]:
            raise _too_many(429, "too many connections from this address", "MAX_CONNECTIONS_PER_ADDRESS")
        self._slots += 1
        self._by_subject[subject] += 1
        self._by_address[address] += 1
        return Slot(self, subject, address)

    def release(self, slot: Slot) -> None:
        """Takes a slot back."""
        self._slots -= 1
        for counter, key in ((self._by_subject, slot.subject), (self._by_address, slot.address)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]

    def add(self, session: Session, slot: Slot) -> None:
        """A session has started."""
        self._open[session] = slot
        metrics.clients.set(len(self._open))

    def remove(self, session: Session) -> None:
        """A session's connection is gone."""
        slot = self._open.pop(session, None)
        if slot is not None:
            slot.release()
        metrics.clients.set(len(self._open))

    def end_tokens(self, token_ids: set[str]) -> None:
        """Closes the sessions whose token or screen, or the token that it came from, has been revoked."""
        for session in list(self._open):
            if session.claims.is_ended(token_ids):
                session.close(CloseCode.TOKEN_ENDED, "token revoked")

    async def run(self) -> None:
        """Periodically aborts clients that make no progress and ends expired tokens. One timer for all costs less than one per session."""
        loop = asyncio.get_running_loop()
        while True:
            await sleep(SWEEP_SECONDS)
            now, now_seconds = loop.time(), time.time()
            for session in [s for s in self._open if s.blocked_since is not None or s.due_at <= now_seconds]:
                session.cut_if_stalled(now, STALL_SECONDS)
                if session.due_at <= now_seconds:
                    session.on_due(now_seconds)

    async def drain(self) -> None:
        """Sends pending changes, closes all sessions and waits until the clients have left; the others are aborted."""
        log.info("drain.started", sessions=len(self._open))
        self.draining = True
        self.before_drain()
        for position, session in enumerate(list(self._open)):
            if session in self._open:  # it may have left in the meantime
                session.drain(retry_after_ms=random.randrange(100, DRAIN_SPREAD_MS))
            if position % 256 == 255:
                await asyncio.sleep(0)
        deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while self._open and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        for session in list(self._open):
            session.abort()
        log.info("drain.ended", aborted=len(self._open))
