"""A read of the HTTP API: its credentials, its cost, and how its answer is sent."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope as RequestScope

from broadcast_service.http.access import narrowed
from broadcast_service.http.answers import Outgoing, Sliced, in_slices, sliced
from broadcast_service.http.authentication import Authenticator
from broadcast_service.http.budget import LINES_PRICE, REQUEST, ROWS_PRICE, Budget
from broadcast_service.http.parameters import filter_of
from broadcast_service.http.read_turns import ReadTurns
from broadcast_service.reports.workbook import MEDIA_TYPE
from shared.auth.scope import Scope, is_room
from shared.contract.problems import Problem, unauthorized
from shared.tokens import Claims
from shared.web.address_budget import CHARGED, EXTRA, REFUSED_READ

ROOM_PATH: Final = "/api/tracking/telemetry/{room_id}/{platform}"


class Reads:
    """Admits the reads of all subjects; each subject has a budget and a bound on the answers that it has not received yet."""

    def __init__(self, authenticator: Authenticator, budget: Budget) -> None:
        self._authenticator = authenticator
        self._budget = budget
        self._outgoing = Outgoing()
        self._turns = ReadTurns()

    def admit(self, request: Request) -> "Read":
        """Authenticates a request and charges its base price; raises a 401 Problem, or a 429 Problem when the budget is used up."""
        claims = self._authenticator.claims_of(request)
        read = Read(request.scope, claims, self._authenticator, self._budget, outgoing=self._outgoing, turns=self._turns)
        with read.charging_for_refusals():
            read.admit()
        read.charge(REQUEST)
        request.scope[CHARGED] = True
        return read

    def admit_room(self, request: Request) -> tuple["Read", str, str]:
        """The same for a room on a platform, which the path names; raises also a 403 Problem. No token covers an invalid name."""
        read = self.admit(request)
        room_id, platform = request.path_params["room_id"], request.path_params["platform"]
        if not is_room(room_id, platform) or not read.claims.scope.allows(room_id, platform):
            raise Problem(403, "the token does not cover this room on this platform")
        return read, room_id, platform


class Read:
    """One admitted read."""

    def __init__(
        self, scope: RequestScope, claims: Claims, authenticator: Authenticator, budget: Budget, *, outgoing: Outgoing, turns: ReadTurns
    ) -> None:
        self._scope = scope
        self._turns = turns
        self.claims = claims
        self._authenticator = authenticator
        self._budget = budget
        self._outgoing = outgoing

    def scope(self, request: Request) -> Scope:
        """The part of the token's scope that the query asks for; raises a 400 or 403 Problem."""
        return narrowed(self.claims, filter_of(request.query_params))

    def admit(self) -> None:
        """Raises a 429 Problem when the subject's budget is used up."""
        self._budget.admit(self.claims.subject, time.monotonic())

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for a turn among the subject's reads; raises a 429 Problem when they have used up the budget by then."""
        with self.charging_for_refusals():
            async with self._turns.turn(self.claims.subject):
                self.admit()
                yield

    @contextlib.contextmanager
    def charging_for_refusals(self) -> Iterator[None]:
        """Charges the client's address, and with an extra price, for a read that ends with a 429 Problem."""
        try:
            yield
        except Problem as problem:
            if problem.status == 429:
                self._scope.pop(CHARGED, None)
                self._scope[EXTRA] = REFUSED_READ
            raise

    def charge(self, price: float) -> None:
        """Charges the subject's budget, in milliseconds of CPU."""
        self._budget.charge(self.claims.subject, price, time.monotonic())

    def check_valid(self) -> None:
        """Raises a 401 Problem when the token has ended since the read was admitted; called before the answer is sent."""
        if not self._authenticator.is_valid(self.claims):
            raise unauthorized()

    def json(self, body: bytes) -> Response:
        """An encoded JSON answer; a large one is sent in slices."""
        return sliced(body, self.claims.subject, self._outgoing)

    def csv(self, lines: Iterator[str], size: int, name: str) -> Response:
        """A CSV file of about `size` bytes in memory; each slice is charged when it is sent."""
        return self._file(in_slices(lines), LINES_PRICE, size, "text/csv", f"{name}.csv")

    def xlsx(self, parts: Iterator[bytes], size: int, name: str) -> Response:
        """An XLSX file of about `size` bytes in memory; each part is charged when it is sent."""
        return self._file(parts, ROWS_PRICE, size, MEDIA_TYPE, f"{name}.xlsx")

    def _file(self, parts: Iterator[bytes], price: float, size: int, media_type: str, name: str) -> Response:
        return Sliced(
            self._charged(parts, price), size=size, subject=self.claims.subject, outgoing=self._outgoing, media_type=media_type, name=name
        )

    def _charged(self, parts: Iterator[bytes], price: float) -> Iterator[bytes]:
        for part in parts:
            self.charge(price)
            yield part
