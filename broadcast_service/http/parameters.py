"""Query parameters of the HTTP endpoints and of the handshake. Pure: each function raises a Problem for a value that it does not accept."""

from typing import Final

from starlette.datastructures import QueryParams

from shared.contract.events import MAX_PATTERNS, FilterMessage
from shared.contract.problems import Problem

MAX_DIGITS: Final = 11  # of Unix seconds: dates after the year 5138 have no name


def int_parameter(query: QueryParams, name: str, default: int) -> int:
    """A parameter in whole seconds; raises a 422 Problem."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise invalid_parameter(name, "should be a whole number of seconds")
    return int(text)


def invalid_parameter(name: str, detail: str) -> Problem:
    """The 422 Problem of a parameter that is not accepted."""
    return Problem(422, f"{name} {detail}", errors=[{"field": name, "detail": detail}])


def wants_csv(query: QueryParams) -> bool:
    """Whether `format` is `csv`; the default is JSON. Raises a 422 Problem for any other format."""
    wanted = query.get("format", "json")
    if wanted not in ("json", "csv"):
        raise invalid_parameter("format", "should be json or csv")
    return wanted == "csv"


def filter_of(query: QueryParams) -> FilterMessage:
    """The filter that `rooms=` and `platforms=` name; an empty one does not narrow. Raises a 400 Problem."""
    return FilterMessage(_list(query, "rooms"), _list(query, "platforms"))


def since_of(query: QueryParams) -> int | None:
    """The version to resume from; None, also for a value that is not a version, asks for a full snapshot."""
    text = query.get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None


def _list(query: QueryParams, name: str) -> list[str] | None:
    values = [part.strip() for value in query.getlist(name) for part in value.split(",") if part.strip()]
    if len(values) > MAX_PATTERNS:
        raise Problem(400, f"{name} holds more than {MAX_PATTERNS} names")
    return values or None
