"""Sends large answers in slices, so that other work can run between them, and bounds the bytes that clients have not received yet.

The server's buffer of a connection is not bounded, so it is given at most one slice more than the client has taken.
"""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator
from typing import Final, TypeVar

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.contract.problems import API_HEADERS, Problem
from shared.store.redis import RedisError

SLICE_BYTES: Final = 64 * 1024
LINES_PER_SLICE: Final = 500
STALL_SECONDS: Final = 15.0  # in which a client must take a slice
MAX_BYTES: Final = 192_000_000  # of all answers in progress
MAX_SUBJECT_BYTES: Final = 64_000_000

T = TypeVar("T")

log = structlog.get_logger()


class Outgoing:
    """Counts the bytes of large answers in progress, in total and per subject."""

    def __init__(self, limit_bytes: int = MAX_BYTES, subject_bytes: int = MAX_SUBJECT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._subject_bytes = subject_bytes
        self._held = 0
        self._by_subject = Counter[str]()

    @contextlib.contextmanager
    def hold(self, subject: str, size: int) -> Iterator[None]:
        """Counts an answer while it is sent; raises a 429 or 503 Problem beyond the limits."""
        if self._by_subject[subject] and self._by_subject[subject] + size > self._subject_bytes:
            raise Problem(429, "earlier responses for this subject are still being received", retry_after_seconds=5)
        if self._held and self._held + size > self._limit_bytes:
            raise Problem(503, "too many responses are still being received", retry_after_seconds=5)
        self._held += size
        self._by_subject[subject] += size
        try:
            yield
        finally:
            self._held -= size
            self._by_subject[subject] -= size
            if not self._by_subject[subject]:
                del self._by_subject[subject]


class Sliced(Response):
    """A body in parts. Sending stops when the client disconnects or takes nothing for `STALL_SECONDS`; the answer stays incomplete."""

    def __init__(self, parts: Iterable[bytes], *, size: int, subject: str, outgoing: Outgoing, media_type: str, name: str = "") -> None:
        headers = {**API_HEADERS, **({"Content-Disposition": f'attachment; filename="{name}"'} if name else {})}
        super().__init__(None, headers=headers, media_type=media_type)
        del self.headers["content-length"]
        self._parts = parts
        self._size = size
        self._subject = subject
        self._outgoing = outgoing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as every response
        """Sends the parts; raises a Problem before the first one when too many bytes are in progress."""
        with self._outgoing.hold(self._subject, self._size), _watching(receive) as gone:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for part in self._parts:
                try:
                    async with asyncio.timeout(STALL_SECONDS):
                        await send({"type": "http.response.body", "body": part, "more_body": True})
                except TimeoutError:
                    log.info("response.stalled", subject=self._subject)
                    return
                await asyncio.sleep(0)
                if gone.done():
                    return
            await send({"type": "http.response.body", "body": b""})


def sliced(body: bytes, subject: str, outgoing: Outgoing) -> Response:
    """A JSON body as an answer; a small one is not sliced."""
    if len(body) <= SLICE_BYTES:
        return Response(body, headers=API_HEADERS, media_type="application/json")
    view = memoryview(body)
    parts = (bytes(view[first : first + SLICE_BYTES]) for first in range(0, len(body), SLICE_BYTES))
    return Sliced(parts, size=len(body), subject=subject, outgoing=outgoing, media_type="application/json")


def in_slices(lines: Iterator[str]) -> Iterator[bytes]:
    """The lines of a file in parts of `LINES_PER_SLICE`."""
    while slice_ := list(itertools.islice(lines, LINES_PER_SLICE)):
        yield "".join(slice_).encode()


@contextlib.contextmanager
def _watching(receive: Receive) -> Iterator["asyncio.Task[None]"]:
    """A task that ends when the client disconnects."""

    async def gone() -> None:
        """Returns when the client disconnects."""
        while (await receive())["type"] != "http.disconnect":
            pass

    task = asyncio.create_task(gone(), name="disconnect")
    try:
        yield task
    finally:
        task.cancel()


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the client disconnects; raises ClientDisconnect then."""
    job = asyncio.ensure_future(work)
    try:
        with _watching(request.receive) as gone:
            await asyncio.wait({job, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            raise ClientDisconnect
        return job.result()
    finally:
        job.cancel()


async def answer_client_gone(_request: Request, _error: Exception) -> Response:
    """Starlette's handler for a client that disconnected before its answer; the server drops the response."""
    return Response(status_code=499)


@contextlib.contextmanager
def store_answers() -> Iterator[None]:
    """Turns an error of the store into a 503 Problem."""
    try:
        yield
    except (RedisError, OSError, TimeoutError):
        raise Problem(503, "the store does not respond", retry_after_seconds=1) from None
