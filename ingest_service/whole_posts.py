"""The shortcuts of the two POST paths, for requests that arrive whole.

They take plainly good requests: a token that was verified before, a body of readings that may be written. All others are declined without
an effect, and the endpoints of `routes` judge it from the beginning. What the commit refuses is answered by those endpoints too.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from starlette.types import ASGIApp, Receive, Scope

from ingest_service.answers import answer_of_batch, answer_of_one, answer_of_stored, problem_of
from ingest_service.budget import TokenBudget
from ingest_service.commit_script import Result
from ingest_service.known_names import KnownNames
from ingest_service.outcomes import Outcome, Overloaded, StoreUnavailable, known
from ingest_service.routes import (
    ANSWERED,
    ITEMS_PER_SLICE,
    Endpoint,
    Handler,
    RequestFields,
    Telemetry,
    read_fields,
)
from ingest_service.writer import Writer
from shared.auth.audit import CLAIMS
from shared.contract.codec import UNREADABLE
from shared.contract.problems import Problem, internal_error
from shared.contract.readings import Reading
from shared.tokens import Claims, TokenError, Verifier
from shared.web.response_fields import Fields
from shared.web.whole_requests import WholeRequest

log = structlog.get_logger()


class _Declined(Exception):
    """The ordinary way has to judge the request, for a reason that is no fault."""


MAX_SHORT_BYTES: Final = ITEMS_PER_SLICE * 256  # a longer body most likely holds more items, and would be decoded twice
DECLINED: Final = (_Declined, Problem, TokenError, Overloaded, *UNREADABLE)


async def _crash(_scope: Scope, _receive: Receive) -> tuple[int, bytes]:
    """Raises the Problem of an internal error, which has been logged."""
    raise internal_error()


def _fields_of(request: WholeRequest) -> RequestFields:
    """What the header says, read once for a head that comes again; raises a Problem for two credentials."""
    head = request.head
    if head is None:
        return read_fields(request.headers)
    fields: RequestFields | None = head.read
    if fields is None:
        fields = head.read = read_fields(request.headers)
    return fields


class _Posted:
    """A request whose readings are queued: the writer's waiter. It has no future, no task and no callback of its own."""

    __slots__ = ("_posts", "answer", "claims", "count", "offset_ms", "outcomes", "request")

    def __init__(self, posts: "WholePosts", request: WholeRequest, claims: Claims, offset_ms: int | None) -> None:
        self._posts = posts
        self.request = request
        self.claims = claims
        self.offset_ms = offset_ms
        self.count = 1  # of its readings
        self.outcomes: list[Outcome] | None = None  # empty: unknown
        self.answer: Callable[[_Posted], bool]

    def done(self) -> bool:
        """Whether the writer has resolved it."""
        return self.outcomes is not None

    def set_result(self, outcomes: list[Outcome], /) -> None:
        """Is answered soon."""
        self.outcomes = outcomes
        self._posts.answer_soon(self)

    def set_exception(self, _error: StoreUnavailable, /) -> None:
        """The same."""
        self.set_result([])


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
        self._names = KnownNames()
        self._resolved: list[_Posted] = []

    def post_one(self, request: WholeRequest) -> bool:
        """One reading; False where the request is declined."""
        try:
            now, posted = self._admit(request)
            reading = self._telemetry.checked(self._names.decode_reading(request.body), posted.claims, posted.offset_ms, now)
            posted.answer = self._answer_one
            self._submit((reading,), posted)
        except DECLINED:
            return False
        return True

    def post_batch(self, request: WholeRequest) -> bool:
        """A batch of few readings, of one shard; False where the request is declined."""
        try:
            now, posted = self._admit(request)
            readings = self._names.decode_readings(request.body)
            if len(readings) > ITEMS_PER_SLICE:
                return False
            checked = [self._telemetry.checked(reading, posted.claims, posted.offset_ms, now) for reading in readings]
            posted.count = len(readings)
            posted.answer = self._answer_batch
            self._submit(checked, posted)
        except DECLINED:
            return False
        return True

    def _admit(self, request: WholeRequest) -> tuple[float, _Posted]:
        """The time of the request, and the request with its claims; raises one of `DECLINED`."""
        now, fields = time.time(), _fields_of(request)
        if (fields.has_origin and self._has_cors) or len(request.body) > MAX_SHORT_BYTES:
            raise _Declined
        claims, offset_ms = self._telemetry.admit(fields, self._verifier.remembered, now)
        return now, _Posted(self, request, claims, offset_ms)

    def _submit(self, readings: Sequence[Reading], posted: _Posted) -> None:
        """Queues the readings and charges the token for them; raises Overloaded, or _Declined for several shards."""
        if not self._writer.submit_for(posted, readings, posted.claims.token_id):
            raise _Declined
        self._budget.charge(posted.claims.token_id, len(readings), time.monotonic())

    def answer_soon(self, posted: _Posted) -> None:
        """Answers a request in the loop's next iteration, after the writer has sent what gathered during the commit."""
        if not self._resolved:
            asyncio.get_running_loop().call_soon(self._answer_resolved)
        self._resolved.append(posted)

    def _answer_resolved(self) -> None:
        resolved, self._resolved = self._resolved, []
        answered = 0
        for posted in resolved:
            try:
                answered += posted.answer(posted)
            except Exception:
                log.exception("request.crashed")
                if not posted.request.response_complete:
                    self._hand_over(posted, self._one, _crash)
        ANSWERED.inc(answered)

    def _answer_one(self, posted: _Posted) -> bool:
        """Answers a reading; False if the endpoint does."""
        [outcome] = known(posted.outcomes) if posted.outcomes else [StoreUnavailable()]
        if isinstance(outcome, Outcome) and outcome.result <= Result.LATE:
            posted.request.answer(self._fields, answer_of_one(outcome, posted.offset_ms))
            return True

        async def refuse(scope: Scope, _receive: Receive) -> tuple[int, bytes]:
            """Raises what the commit refused the reading for."""
            scope[CLAIMS] = posted.claims
            raise problem_of(outcome)

        self._hand_over(posted, self._one, refuse)
        return False

    def _answer_batch(self, posted: _Posted) -> bool:
        """Answers a batch; False if the endpoint does."""
        outcomes = posted.outcomes
        if outcomes and max([outcome.result for outcome in outcomes]) <= Result.LATE:
            posted.request.answer(self._fields, answer_of_stored(outcomes, posted.offset_ms))
            return True
        found = known(outcomes) if outcomes else [StoreUnavailable()] * posted.count
        status, body, refusals = answer_of_batch(found, posted.offset_ms)

        async def refuse_some(scope: Scope, _receive: Receive) -> tuple[int, bytes]:
            """The answer, after its refusals have been reported."""
            scope[CLAIMS] = posted.claims
            await self._telemetry.report(scope, refusals)
            return status, body

        self._hand_over(posted, self._batch, refuse_some)
        return False

    def _hand_over(self, posted: _Posted, endpoint: Endpoint, handler: Handler) -> None:
        posted.request.hand_over(self._layered(functools.partial(endpoint.respond, handler)))
