"""`POST /api/tracking/telemetry` and `/batch`.

These two are plain ASGI callables below Starlette's router, because they are the service's whole load; everything else is ordinary
Starlette. `whole_posts` answers most of their requests before they get here. The order of refusals is fixed: method, credential, media
type, clock, size, syntax, meaning, scope, rate.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest_service import metrics
from ingest_service.answers import answer_of_batch, answer_of_one, problem_of
from ingest_service.budget import BYTES_PER_ITEM, TokenBudget
from ingest_service.commit_script import Result
from ingest_service.outcomes import Overloaded, StoreUnavailable
from ingest_service.validation import check, clock_offset_ms, judge, parse_batch, parse_reading, shift_seconds, shifted
from ingest_service.writer import Writer
from shared.auth.audit import CLAIMS
from shared.auth.revocations import Revocations
from shared.contract.problems import API_HEADERS, Problem, internal_error, unauthorized
from shared.contract.readings import Reading
from shared.tokens import Claims, TokenError, Verifier, bearer
from shared.web.address_budget import CHARGED
from shared.web.held_bodies import HeldBodies
from shared.web.response_fields import Fields
from shared.web.server import ClientGone, read_body

ITEMS_PER_SLICE: Final = 100
MAX_BODY_BYTES: Final = 1024 * 1024  # a thousand readings take a third of it
# What bodies hold while they arrive: a quarter of the container's memory, of which one token has a quarter.
HELD_BYTES: Final = 64 * 1024 * 1024
HELD_BYTES_OF_TOKEN: Final = 16 * 1024 * 1024

ANSWERED: Final = metrics.responses.labels("200")  # bound to its label once: looking it up costs more than counting

JSON_TYPES: Final = (b"application/json", b"application/json;charset=utf-8", b'application/json;charset="utf-8"')

Refused = Callable[[Scope, Problem], Awaitable[None]]
Verify = Callable[[bytes, float], Claims]  # of an `Authorization` field, at a Unix second; raises TokenError

log = structlog.get_logger()


class Telemetry:
    """The two endpoints and the objects that they use."""

    def __init__(
        self,
        writer: Writer,
        verifier: Verifier,
        revocations: Revocations,
        refused: Refused,
        *,
        budget: TokenBudget,
        retention_seconds: int,
        body_timeout_seconds: float,
    ) -> None:
        self._writer = writer
        self._budget = budget
        self._verifier = verifier
        self._revocations = revocations
        self._refused = refused
        self._retention_seconds = retention_seconds
        self._body_timeout_seconds = body_timeout_seconds
        self._held = HeldBodies(total_bytes=HELD_BYTES, sender_bytes=HELD_BYTES_OF_TOKEN)

    async def post_one(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        """One reading."""
        now = time.time()
        claims, offset_ms = self._authenticated(scope, now)
        self._budget.charge(claims.token_id, 1, time.monotonic())
        body = await self._body(receive, claims)
        self._check(claims)  # again: a body may take long to arrive
        with self._charging(claims, len(body) // BYTES_PER_ITEM):
            reading = parse_reading(body)
        reading = self.checked(reading, claims, offset_ms, now)
        try:
            outcome = await self._writer.write_one(reading, claims.token_id)
        except (StoreUnavailable, Overloaded) as error:
            raise problem_of(error) from None
        if outcome.result > Result.LATE:
            raise problem_of(outcome)
        return 200, answer_of_one(outcome, offset_ms)

    async def post_batch(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        """Up to 1,000 readings, each with its own outcome."""
        now = time.time()
        claims, offset_ms = self._authenticated(scope, now)
        body = await self._body(receive, claims)
        self._check(claims)  # again: a body may take long to arrive
        self._budget.check(claims.token_id, time.monotonic())  # again: many bodies may have been on their way at the same time
        with self._charging(claims, 1 + len(body) // BYTES_PER_ITEM):
            raw_items = parse_batch(body)
        self._budget.charge(claims.token_id, len(raw_items), time.monotonic())
        items = await self._judged(raw_items, claims, shift_seconds(offset_ms), now)
        good = [item for item in items if isinstance(item, Reading)]
        written = iter(await self._writer.write(good, claims.token_id))
        status, body, refusals = answer_of_batch([item if isinstance(item, Problem) else next(written) for item in items], offset_ms)
        await self.report(scope, refusals)
        return status, body

    async def _body(self, receive: Receive, claims: Claims) -> bytes:
        with self._held.of(claims.token_id) as count:
            return await read_body(receive, limit_bytes=MAX_BODY_BYTES, timeout_seconds=self._body_timeout_seconds, count=count)

    async def report(self, scope: Scope, refusals: Iterable[Problem]) -> None:
        """Reports what a batch was refused for."""
        for refusal in refusals:
            await self._refused(scope, refusal)

    def checked(self, reading: Reading, claims: Claims, offset_ms: int | None, now_seconds: float) -> Reading:
        """A reading by the server's clock; raises a Problem where the token may not write it."""
        if offset_ms is not None and (seconds := shift_seconds(offset_ms)):
            reading = shifted(reading, seconds)
        check(reading, claims.scope, now_seconds=now_seconds, retention_seconds=self._retention_seconds)
        return reading

    def _authenticated(self, scope: Scope, now_seconds: float) -> tuple[Claims, int | None]:
        """The claims of the request, and the offset of its clock if it has `Pulse-Sent-At`; raises a Problem."""
        if scope["method"] != "POST":
            raise Problem(405, "only POST is allowed on this path", headers={"Allow": "POST"})

        def verify(credential: bytes, now_seconds: float) -> Claims:
            """The claims of a token, also for the audit log; raises TokenError."""
            scope[CLAIMS] = claims = self._verifier.verify(bearer(credential.decode("latin-1")), now_seconds)
            return claims

        return self.admit(read_fields(scope["headers"]), verify, now_seconds)

    def admit(self, fields: "RequestFields", verify: Verify, now_seconds: float) -> tuple[Claims, int | None]:
        """The claims of a request with these fields, and the offset of its clock; raises a Problem. `verify` raises TokenError."""
        try:
            claims = verify(fields.credential, now_seconds)
        except TokenError:
            raise unauthorized() from None
        self._check(claims)
        self._budget.check(claims.token_id, time.monotonic())
        if not fields.is_json:
            raise Problem(415, "the body must be application/json in UTF-8, without Content-Encoding")
        return claims, clock_offset_ms(fields.sent_at, int(now_seconds * 1000)) if fields.sent_at else None

    @contextlib.contextmanager
    def _charging(self, claims: Claims, items: int) -> Iterator[None]:
        """Charges a token for a body that is refused as a whole."""
        try:
            yield
        except Problem:
            self._budget.charge(claims.token_id, items, time.monotonic())
            raise

    def _check(self, claims: Claims) -> None:
        """Raises a 401 Problem for a token that has ended."""
        if claims.expires_at <= time.time() or claims.token_id in self._revocations:
            raise unauthorized()

    async def _judged(
        self, raw_items: Sequence[Reading | msgspec.Raw], claims: Claims, shift: int, now_seconds: float
    ) -> list[Reading | Problem]:
        """The items of a batch, judged; other requests get a turn now and then."""
        judging = judge(raw_items, claims.scope, shift_seconds=shift, now_seconds=now_seconds, retention_seconds=self._retention_seconds)
        items: list[Reading | Problem] = []
        while slice_ := list(itertools.islice(judging, ITEMS_PER_SLICE)):
            items += slice_
            if len(items) < len(raw_items):
                await asyncio.sleep(0)
        return items


class RequestFields(NamedTuple):
    """What the header of a request says."""

    credential: bytes
    is_json: bool  # the media type is JSON in UTF-8, and the body is not encoded
    sent_at: Sequence[bytes]
    has_origin: bool


def read_fields(headers: Sequence[tuple[bytes, bytes]]) -> RequestFields:
    """Reads the header; raises a Problem for two credentials."""
    fields = dict(headers)
    media_type, encoding = fields.get(b"content-type", b""), fields.get(b"content-encoding", b"identity")
    credential, sent_at = fields.get(b"authorization", b""), fields.get(b"pulse-sent-at")
    moments: Sequence[bytes] = () if sent_at is None else (sent_at,)
    is_plain = encoding.lower() == b"identity"
    if len(fields) < len(headers):  # a field came twice
        if len(_values(headers, b"authorization")) > 1:
            raise Problem(400, "more than one credential")
        moments = _values(headers, b"pulse-sent-at")
        is_plain = all(value.lower() == b"identity" for value in _values(headers, b"content-encoding"))
    is_json = is_plain and (media_type in JSON_TYPES or media_type.lower().replace(b" ", b"") in JSON_TYPES)
    return RequestFields(credential, is_json, moments, b"origin" in fields)


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


Handler = Callable[[Scope, Receive], Awaitable[tuple[int, bytes]]]


def answer_fields(headers: Mapping[str, str], last: Mapping[str, str] | None = None) -> Fields:
    """The header fields of an answer that is no problem."""
    return Fields({"Content-Type": "application/json", **API_HEADERS, **headers}, last)


class Endpoint:
    """A handler as an ASGI application. A refusal is sent as its problem; a client that left gets nothing.

    `headers` are on every answer; `refused` is called with every refusal before it is sent.
    """

    def __init__(self, handler: Handler, headers: Mapping[str, str], refused: Refused) -> None:
        self._handler = handler
        self._headers = dict(headers)
        self._refused = refused
        self._fields = answer_fields(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the handler and sends its answer."""
        await self.respond(self._handler, scope, receive, send)

    async def respond(self, handler: Handler, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs this or another handler and sends its answer."""
        try:
            status, body = await handler(scope, receive)
        except ClientGone:
            metrics.responses.labels("disconnected").inc()
            return
        except Problem as problem:
            metrics.responses.labels(str(problem.status)).inc()
            if problem.status >= 500:
                scope[CHARGED] = True
            await self._refused(scope, problem)
            response = problem.response()
            response.headers.update(self._headers)
            await response(scope, receive, send)
            return
        except Exception:
            metrics.responses.labels("500").inc()
            log.exception("request.crashed")
            await internal_error().response()(scope, receive, send)
            return
        scope[CHARGED] = True
        (ANSWERED if status == 200 else metrics.responses.labels(str(status))).inc()
        headers = self._fields.listed(len(body))
        if status == 503:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Paths:
    """Sends the requests for a few paths to their own application, and all others to the ordinary one, with its layers and its router."""

    def __init__(self, own: Mapping[str, ASGIApp], ordinary: ASGIApp) -> None:
        self._own = own
        self._ordinary = ordinary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatches; a lifespan has no path."""
        await self._own.get(scope.get("path", ""), self._ordinary)(scope, receive, send)
