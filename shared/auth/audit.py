"""The audit log: refusals and revocations, rate-limited per event name so that a flood neither fills the log nor hides other lines.

A line has an event name and fields that identify the client as far as they are known: subject, `jti`, address. It never holds a token or
raw input. In each interval, lines without a subject share one limit, each subject has its own limit, and so have the sessions that it
starts and ends. Repeated lines and lines over a limit are counted, and `audit.suppressed` lines report the counts at the end of the
interval. Addresses of one IPv6 network (/64) count as one, because one client usually controls all of them. Revocations are always
written: only an operator can cause them.
"""

import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared.contract.problems import Problem
from shared.tokens import Claims
from shared.web.jobs import sleep

INTERVAL_SECONDS: Final = 60.0
LINES: Final = 20  # of an event, without a subject
SUBJECT_LINES: Final = 5  # of an event, for one subject
SESSION_LINES: Final = 20  # the same for sessions that start and end
ALL_LINES: Final = 200  # of an event, for all subjects together
COUNTED_SUBJECTS: Final = 20  # that are named with a number of their own, those with the highest
JTIS_PER_LINE: Final = 20
MAX_COUNTED: Final = 10_000  # pairs of event and subject
CLAIMS: Final = "studio_pulse.claims"  # where a request's scope keeps the claims of its token, once they are verified
PROBLEM: Final = "studio_pulse.problem"  # why it was refused, on its way through the proxies' middleware
EVENTS: Final[dict[int | str, str]] = {
    401: "token.refused",
    403: "scope.refused",
    429: "rate.limited",
    "upgrade_dropped": "upgrade.dropped",
}

log = structlog.get_logger()


class Audit:
    """The audit log of one process; `run` is the task that reports the counts."""

    def __init__(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._interval_seconds = interval_seconds
        self._written: dict[tuple[str, str | None], set[tuple[Any, ...]]] = {}
        self._sessions: Counter[tuple[str, str | None]] = Counter()
        self._lines: Counter[str] = Counter()
        self._counted: Counter[tuple[str, str | None]] = Counter()

    def record(self, event: str, **fields: Any) -> None:
        """Writes an event, or counts it if its limit for the interval is reached."""
        subject = fields.get("subject")
        line = tuple(_network(value) if name == "address" else value for name, value in fields.items())
        share = LINES if subject is None else SUBJECT_LINES
        written = self._written.get((event, subject), set())
        if line in written or len(written) >= share or not self._has_room(event, subject):
            self._count(event, subject)
            return
        self._written[event, subject] = written | {line}
        log.warning(event, audit=True, **{name: value for name, value in fields.items() if value is not None})

    def record_session(self, event: str, *, subject: str, **fields: Any) -> None:
        """Writes that a session has started or ended, or counts it: a client that reconnects in a loop must not fill the log."""
        if self._sessions[event, subject] >= SESSION_LINES or not self._has_room(event, subject):
            self._count(event, subject)
            return
        self._sessions[event, subject] += 1
        log.info(event, subject=subject, **fields)

    def record_revoked(self, token_ids: set[str]) -> None:
        """Writes every token that was revoked, many per line."""
        ordered = sorted(token_ids)
        for first in range(0, len(ordered), JTIS_PER_LINE):
            some = ordered[first : first + JTIS_PER_LINE]
            log.warning("token.revoked", audit=True, **({"jti": some[0]} if len(some) == 1 else {"jtis": some}))

    def _has_room(self, event: str, subject: str | None) -> bool:
        """Whether the lines of all subjects together leave room for another one; those without a subject do not take part."""
        if subject is not None:
            self._lines[event] += 1
        return subject is None or self._lines[event] <= ALL_LINES

    def _count(self, event: str, subject: str | None) -> None:
        known = (event, subject) in self._counted or len(self._counted) < MAX_COUNTED
        self._counted[event, subject if known else None] += 1

    def report_counts(self) -> None:
        """Ends an interval: reports the lines that were only counted, and resets all limits."""
        counted, self._counted = self._counted, Counter()
        for shares in (self._written, self._sessions, self._lines):
            shares.clear()
        rest: Counter[str] = Counter()
        named = 0
        for (event, subject), times in counted.most_common():
            if subject is None or named >= COUNTED_SUBJECTS:
                rest[event] += times
            else:
                named += 1
                log.warning("audit.suppressed", audit=True, suppressed=event, count=times, subject=subject)
        for event, times in rest.items():
            log.warning("audit.suppressed", audit=True, suppressed=event, count=times)

    def record_refusal(self, connection: HTTPConnection, problem: Problem) -> None:
        """Records a refusal that says something about its sender, and every refused socket. Other faults of a request are not recorded."""
        event = EVENTS.get(problem.members.get("code", problem.status)) or EVENTS.get(problem.status)
        event = event or ("session.refused" if connection.scope["type"] == "websocket" else None)
        if event is None:
            return
        claims: Claims | None = connection.scope.get(CLAIMS)
        self.record(
            event,
            detail=problem.detail,
            reason="revoked" if claims and problem.status == 401 else None,
            subject=claims and claims.subject,
            jti=claims and claims.token_id,
            address=address_of(connection),
            **problem.logged,
        )

    async def run(self) -> None:
        """Reports the counts at the end of every interval, and once more when cancelled."""
        try:
            while True:
                await sleep(self._interval_seconds)
                self.report_counts()
        finally:
            self.report_counts()

    async def answer_problem(self, request: Request, problem: Exception) -> Response:
        """Starlette's handler for `Problem`."""
        assert isinstance(problem, Problem)
        self.record_refusal(request, problem)
        return problem.response()


def _network(address: Any) -> Any:
    """An IPv6 address as its /64, which is what one customer has; anything else as it is."""
    if not isinstance(address, str) or ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        return address


def address_of(connection: HTTPConnection) -> str | None:
    """Where a request came from. A proxy passes on what its own client says, which need not be an address."""
    try:
        return str(ipaddress.ip_address((connection.client.host if connection.client else "").partition("%")[0]))
    except ValueError:
        return None


def behind_proxies(audit: Audit, trusted: list[str]) -> Callable[[Scope, Problem], Awaitable[None]]:
    """Records refusals with the address that a trusted proxy reports, which is looked up for refusals only."""

    async def record(scope: Any, _receive: Any, _send: Any) -> None:
        """Records the refusal that the scope carries, with the address that the middleware has put into it."""
        audit.record_refusal(HTTPConnection(scope), scope[PROBLEM])

    through = ProxyHeadersMiddleware(record, trusted)

    async def refused(scope: Scope, problem: Problem) -> None:
        """Records a refusal."""
        await through({**scope, PROBLEM: problem}, _silent, _silent)  # type: ignore[arg-type]

    return refused


async def _silent(*_: Any) -> Any:
    """Receives and sends nothing: the refusal is only recorded."""
