"""The bodies of sign-in requests, which are small JSON objects, and the budget of each address."""

from collections import OrderedDict
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request

from shared.auth.screens import PAIRING_ALPHABET, PAIRING_LETTERS
from shared.contract.codec import UNREADABLE
from shared.contract.problems import Problem
from shared.web.server import ClientGone, read_body

MAX_BODY_BYTES: Final = 4096
BODY_TIMEOUT_SECONDS: Final = 5.0
REQUESTS_PER_MINUTE: Final = 120  # of one address: three screens that wait, and people beside them
MAX_ADDRESSES: Final = 10_000

Code = Annotated[str, Meta(min_length=1, max_length=64)]
Letters = Annotated[str, Meta(pattern=rf"\A[{PAIRING_ALPHABET}]{{{PAIRING_LETTERS}}}\Z")]
Name = Annotated[str, Meta(max_length=64)]

T = TypeVar("T")


class Empty(Struct, forbid_unknown_fields=True):
    """A request without parameters."""


class CodeBody(Struct, forbid_unknown_fields=True):
    """A single-use code from a link."""

    code: Code
    keep: bool = True


class TokenBody(Struct, forbid_unknown_fields=True):
    """Whether the browser keeps a screen that is signed in with a token after it closes."""

    keep: bool = True


class ClaimBody(Struct, forbid_unknown_fields=True):
    """A screen that asks for the result of its pairing."""

    letters: Letters
    claim: Code


class DecisionBody(Struct, forbid_unknown_fields=True):
    """What a signed-in person decides about a pairing."""

    approve: bool
    name: Name = ""
    rooms: list[str] | None = None
    platforms: list[str] | None = None
    days: Annotated[int, Meta(ge=1, le=366)] | None = None


class RequestBudget:
    """At most so many requests per minute and address. Addresses are bounded; the one not seen for the longest is forgotten."""

    def __init__(self, per_minute: int = REQUESTS_PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._ready_at: OrderedDict[str, float] = OrderedDict()

    def take(self, address: str, now: float) -> None:
        """Takes one request from an address' budget (GCRA); raises a 429 Problem. `now` is a monotonic second."""
        interval = 60 / self._per_minute
        ready_at = max(self._ready_at.pop(address, now), now)
        wait = ready_at - now - 60
        self._ready_at[address] = ready_at if wait > 0 else ready_at + interval
        while len(self._ready_at) > MAX_ADDRESSES:
            self._ready_at.popitem(last=False)
        if wait > 0:
            raise Problem(429, "too many sign-in requests from this address", retry_after_seconds=max(1, round(wait)))


def is_letters(text: str) -> bool:
    """Whether a text can be the letters of a pairing."""
    return len(text) == PAIRING_LETTERS and set(text) <= set(PAIRING_ALPHABET)


async def read_object(request: Request, kind: type[T]) -> T:
    """The JSON object that a request holds; raises a Problem."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "the body must be application/json")
    try:
        body = await read_body(request.receive, limit_bytes=MAX_BODY_BYTES, timeout_seconds=BODY_TIMEOUT_SECONDS)
        return msgspec.json.decode(body, type=kind)
    except ClientGone:
        raise Problem(400, "the request ended before its body") from None
    except msgspec.ValidationError:
        raise Problem(422, "the body is not an object with the fields of this request") from None
    except UNREADABLE:
        raise Problem(400, "the body is not valid JSON in UTF-8") from None
