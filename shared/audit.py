"""Who was refused and what was revoked, told in a volume that no flood can swell.

An event has a name, and fields that say who as far as that is known: subject, `jti`, address, never a token and never raw input. Of each
name at most `LINES` different lines are written per interval. What repeats a line, or comes after them, is counted, and one
`audit.counted` line tells the number when the interval is over. So a flood of any kind costs the disk a few kilobytes a minute, and still
shows its size.
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

from shared.jobs import sleep
from shared.problems import Problem
from shared.tokens import Claims

INTERVAL_SECONDS: Final = 60.0
LINES: Final = 20
CLAIMS: Final = "studio_pulse.claims"  # where a request's scope keeps what its token said, once that is known
PROBLEM: Final = "studio_pulse.problem"  # why it was refused, on its way through the proxies' middleware
EVENTS: Final[dict[int | str, str]] = {
    401: "token.refused",
    403: "scope.refused",
    429: "rate.limited",
    "upgrade_dropped": "upgrade.dropped",
}

log = structlog.get_logger()


class Audit:
    """The audit log of one process; `run` is the task that tells the counts."""

    def __init__(self, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._interval_seconds = interval_seconds
        self._written: dict[str, set[tuple[Any, ...]]] = {}
        self._counted: Counter[str] = Counter()

    def note(self, event: str, **who: Any) -> None:
        """Writes an event, or counts it where its share of the interval is used up."""
        written = self._written.setdefault(event, set())
        line = tuple(who.values())
        if line in written or len(written) >= LINES:
            self._counted[event] += 1
            return
        written.add(line)
        log.warning(event, audit=True, **{name: value for name, value in who.items() if value is not None})

    def tell(self) -> None:
        """Ends an interval: tells what was only counted, and everyone has a share again."""
        counted, self._counted = self._counted, Counter()
        self._written.clear()
        for event, times in counted.items():
            log.warning("audit.counted", audit=True, counted=event, times=times)

    def refusal(self, connection: HTTPConnection, problem: Problem) -> None:
        """Notes a refusal that says something about its sender, and every refused socket; what else a request got wrong is between us."""
        event = EVENTS.get(problem.members.get("code", problem.status)) or EVENTS.get(problem.status)
        event = event or ("session.refused" if connection.scope["type"] == "websocket" else None)
        if event is None:
            return
        claims: Claims | None = connection.scope.get(CLAIMS)
        self.note(
            event,
            detail=problem.detail,
            reason="revoked" if claims and problem.status == 401 else None,
            subject=claims and claims.subject,
            jti=claims and claims.token_id,
            address=address_of(connection),
            **problem.logged,
        )

    async def run(self) -> None:
        """Tells the counts at the end of every interval, and once more when cancelled."""
        try:
            while True:
                await sleep(self._interval_seconds)
                self.tell()
        finally:
            self.tell()

    async def answer_problem(self, request: Request, problem: Exception) -> Response:
        """Starlette's handler for `Problem`."""
        assert isinstance(problem, Problem)
        self.refusal(request, problem)
        return problem.response()


def address_of(connection: HTTPConnection) -> str | None:
    """Where a request came from. A proxy passes on what its own client says, which need not be an address."""
    try:
        return str(ipaddress.ip_address((connection.client.host if connection.client else "").partition("%")[0]))
    except ValueError:
        return None


def behind_proxies(audit: Audit, trusted: list[str]) -> Callable[[Scope, Problem], Awaitable[None]]:
    """Notes refusals where the server itself does not look for the address that a trusted proxy reports: only a refusal pays for it."""

    async def note(scope: Any, _receive: Any, _send: Any) -> None:
        audit.refusal(HTTPConnection(scope), scope[PROBLEM])

    through = ProxyHeadersMiddleware(note, trusted)

    async def refused(scope: Scope, problem: Problem) -> None:
        await through({**scope, PROBLEM: problem}, _silent, _silent)  # type: ignore[arg-type]

    return refused


async def _silent(*_: Any) -> Any:
    """Neither asked nor answered: noting is all that happens."""
