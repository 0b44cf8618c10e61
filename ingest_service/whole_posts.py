"""The shortcuts of the two POST paths, for requests that arrive whole.

They take plainly good requests: a token that was verified before, a body of readings that may be written. All others are declined without
an effect, and the endpoints of `routes` judge it from the beginning. What the commit refuses is answered by those endpoints too.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Receive, Scope

from ingest_service.answers import answer_of_batch, answer_of_one, problem_of
from ingest_service.budget import TokenBudget
from ingest_service.commit_script import Result
from ingest_service.routes import (
    ANSWERED,
    ITEMS_PER_SLICE,
    MAX_BODY_BYTES,
    Endpoint,
    Telemetry,
    read_fields,
)
from ingest_service.writer import Outcome, Overloaded, Writer, outcomes_of
from shared.auth.audit import CLAIMS
from shared.contract.codec import UNREADABLE
from shared.contract.problems import Problem
from shared.contract.readings import Reading, decode_reading, decode_readings
from shared.tokens import Claims, TokenError, Verifier
from shared.web.whole_requests import Fields, WholeRequest


class _Declined(Exception):
    """The ordinary way has to judge the request, for a reason that is no fault."""


DECLINED: Final = (_Declined, Problem, TokenError, Overloaded, *UNREADABLE)


class _Admitted(NamedTuple):
    """A request that its token and its header allow."""

    request: WholeRequest
    claims: Claims
    offset_ms: int | None


class WholePosts:
    """The two shortcuts and the objects that they use, which are those of the endpoints.

    `fields` are on every answer. `layered` puts the layers around an application through which the service answers. `has_cors`: one of
    them answers requests with `Origin`, which are then declined.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        writer: Writer,
        verifier: Verifier,
        budget: TokenBudget,
        *,
        one: Endpoint,
        batch: Endpoint,
        fields: Fields,
        layered: Callable[[ASGIApp], ASGIApp],
        has_cors: bool,
    ) -> None:
        self._telemetry = telemetry
        self._writer = writer
        self._verifier = verifier
        self._budget = budget
        self._one = one
        self._batch = batch
        self._fields = fields
        self._layered = layered
        self._has_cors = has_cors

    def post_one(self, request: WholeRequest) -> bool:
        """One reading; False where the request is declined."""
        try:
            now, admitted = self._admit(request)
            reading = self._telemetry.checked(decode_reading(request.body), admitted.claims, admitted.offset_ms, now)
            done = self._submit((reading,), admitted)
        except DECLINED:
            return False
        done.add_done_callback(functools.partial(self._answer_one, admitted))
        return True

    def post_batch(self, request: WholeRequest) -> bool:
        """A batch of few readings, of one shard; False where the request is declined."""
        try:
            now, admitted = self._admit(request)
            readings = decode_readings(request.body)
            if len(readings) > ITEMS_PER_SLICE:
                return False
            checked = [self._telemetry.checked(reading, admitted.claims, admitted.offset_ms, now) for reading in readings]
            done = self._submit(checked, admitted)
        except DECLINED:
            return False
        done.add_done_callback(functools.partial(self._answer_batch, admitted, len(readings)))
        return True

    def _admit(self, request: WholeRequest) -> tuple[float, _Admitted]:
        """The time of the request, and its claims and clock offset; raises one of `DECLINED`."""
        now, fields = time.time(), read_fields(request.headers)
        if (fields.has_origin and self._has_cors) or len(request.body) > MAX_BODY_BYTES:
            raise _Declined
        claims, offset_ms = self._telemetry.admit(fields, self._verifier.remembered, now)
        return now, _Admitted(request, claims, offset_ms)

    def _submit(self, readings: Sequence[Reading], admitted: _Admitted) -> asyncio.Future[list[Outcome]]:
        """Queues the readings and charges the token for them; raises Overloaded, or _Declined for several shards."""
        done = self._writer.submit(readings, admitted.claims.token_id)
        if done is None:
            raise _Declined
        self._budget.charge(admitted.claims.token_id, len(readings), time.monotonic())
        return done

    def _answer_one(self, admitted: _Admitted, done: asyncio.Future[list[Outcome]]) -> None:
        [outcome] = outcomes_of(done, 1)
        if isinstance(outcome, Outcome) and outcome.result <= Result.LATE:
            ANSWERED.inc()
            admitted.request.answer(self._fields, answer_of_one(outcome, admitted.offset_ms))
            return

        async def refuse(scope: Scope, _receive: Receive) -> tuple[int, bytes]:
            """Raises what the commit refused the reading for."""
            scope[CLAIMS] = admitted.claims
            raise problem_of(outcome)

        admitted.request.hand_over(self._layered(functools.partial(self._one.respond, refuse)))

    def _answer_batch(self, admitted: _Admitted, count: int, done: asyncio.Future[list[Outcome]]) -> None:
        status, body, refusals = answer_of_batch(outcomes_of(done, count), admitted.offset_ms)
        if not refusals:
            ANSWERED.inc()
            admitted.request.answer(self._fields, body)
            return

        async def refuse_some(scope: Scope, _receive: Receive) -> tuple[int, bytes]:
            """The answer, after its refusals have been reported."""
            scope[CLAIMS] = admitted.claims
            await self._telemetry.report(scope, refusals)
            return status, body

        admitted.request.hand_over(self._layered(functools.partial(self._batch.respond, refuse_some)))
