"""Decides whether a body is a reading, and whether this token may post it now. No I/O; the clock is an argument.

Syntax comes before meaning: a body that is not JSON is a 400, whether or not it has other faults; JSON that is not a reading is a 422 that
names the field.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from shared.auth.scope import Scope
from shared.contract.codec import UNREADABLE
from shared.contract.problems import Problem
from shared.contract.readings import (
    MAX_BATCH_ITEMS,
    MAX_SEQUENCE,
    METRICS,
    Reading,
    decode_raw_items,
    decode_reading,
    decode_readings,
    values_of,
)

MAX_AHEAD_SECONDS: Final = 300
MAX_REFUSED: Final = 50  # items of a batch; the rest is not checked
NOT_JUDGED: Final = Problem(429, "not processed, because too many items before it were refused; send it again", retry_after_seconds=1)
MIN_UNIX_MILLISECONDS: Final = 10**12  # September 2001; a smaller number is no time in milliseconds
MAX_OFFSET_MS: Final = 86_400_000  # a clock that is a day off is not read as a clock
TOLERATED_OFFSET_MS: Final = 2000  # includes the time that a request takes to arrive
SENT_AT: Final = "Pulse-Sent-At"

ALL_UNKNOWN: Final = (None,) * len(METRICS)

_FIELD_PATH = re.compile(r"at `\$\.([a-z_]+)")
_MISSING = re.compile(r"\AObject missing required field `([a-z_]+)`")
_MILLISECONDS = re.compile(rb"\A[0-9]{1,16}\Z")
_EXPECTED = re.compile(r"Expected `[a-z0-9 |]+`(, got `[a-z]+`| [<>]=? \d+)?")


def parse_reading(body: bytes | msgspec.Raw, *, is_json: bool = False) -> Reading:
    """One reading; raises a 400 or 422 Problem. `is_json` where the body is known to be JSON."""
    try:
        return decode_reading(body)
    except UNREADABLE as error:
        if "got `float`" not in str(error):
            raise _problem(body, error) from None
    try:
        return decode_reading(_with_integers(body))
    except UNREADABLE as error:
        raise _problem(body, error, is_json=is_json) from None


def _with_integers(body: bytes | msgspec.Raw) -> bytes:
    """The same object with its whole floats as integers: JSON has one kind of number, and 5000.0 and 5e3 are integers to its schemas."""
    fields = msgspec.json.decode(body)
    if not isinstance(fields, dict):
        return bytes(body)
    return msgspec.json.encode({k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in fields.items()})


def parse_batch(body: bytes) -> Sequence[Reading | msgspec.Raw]:
    """The items of a batch: readings, or raw JSON where one of them is none. Raises a Problem when the body as a whole is no batch."""
    try:
        readings: list[Reading] = decode_readings(body)
    except UNREADABLE:
        return _items(body)
    return readings


def judge(
    items: Iterable[Reading | msgspec.Raw], scope: Scope, *, shift_seconds: int, now_seconds: float, retention_seconds: int
) -> Iterator[Reading | Problem]:
    """Each item as a reading that may be written, or the Problem it has.

    After `MAX_REFUSED` refusals the rest is not checked: to check costs much more than to send, and the producer sends the rest again.
    """
    refused = 0
    for item in items:
        if refused >= MAX_REFUSED:
            yield NOT_JUDGED
            continue
        try:
            reading = item if isinstance(item, Reading) else parse_reading(item, is_json=True)
            if shift_seconds:
                reading = shifted(reading, shift_seconds)
            check(reading, scope, now_seconds=now_seconds, retention_seconds=retention_seconds)
        except Problem as problem:
            refused += 1
            yield problem
        else:
            yield reading


def _items(body: bytes) -> list[msgspec.Raw]:
    try:
        items = decode_raw_items(body)
    except UNREADABLE as error:
        raise _problem(body, error) from None
    if not 0 < len(items) <= MAX_BATCH_ITEMS:
        raise Problem(422, f"a batch holds 1 to {MAX_BATCH_ITEMS} readings")
    return items


def clock_offset_ms(values: Sequence[bytes], received_ms: int) -> int | None:
    """Received minus sent, from the values of `Pulse-Sent-At`; None without the header. Raises a 400 Problem."""
    if not values:
        return None
    if len(values) > 1:
        raise _bad_sent_at("stands twice")
    if not _MILLISECONDS.match(values[0]):
        raise _bad_sent_at("should be the Unix time in milliseconds")
    offset = received_ms - int(values[0])
    if abs(offset) > MAX_OFFSET_MS:
        raise _bad_sent_at("lies more than a day off")
    return offset


def _bad_sent_at(detail: str) -> Problem:
    return Problem(400, f"{SENT_AT} {detail}", errors=[{"field": SENT_AT, "detail": detail}])


def shift_seconds(offset_ms: int | None) -> int:
    """By how much a producer's readings are shifted: whole seconds, so that their order among themselves stays as it is."""
    return 0 if offset_ms is None or abs(offset_ms) <= TOLERATED_OFFSET_MS else round(offset_ms / 1000)


def shifted(reading: Reading, seconds: int) -> Reading:
    """The reading as a clock shows it that is so many seconds later.

    A sequence in Unix milliseconds moves along. Which one is, is decided by its size alone: so any two readings stay in their order.
    """
    sequence = reading.sequence
    if sequence >= MIN_UNIX_MILLISECONDS:
        sequence = min(max(sequence + 1000 * seconds, MIN_UNIX_MILLISECONDS), MAX_SEQUENCE)
    return msgspec.structs.replace(reading, timestamp=reading.timestamp + seconds, sequence=sequence)


def check(reading: Reading, scope: Scope, *, now_seconds: float, retention_seconds: int) -> None:
    """Raises a Problem unless a number is known, the token covers the room and the observation is of a believable time."""
    if reading.tokens_count is None and values_of(reading) == ALL_UNKNOWN:
        raise _unprocessable("tokens_count", "is unknown, and so is every other number")
    if not scope.allows(reading.room_id, reading.platform):
        raise Problem(403, "the token does not cover this room on this platform")
    if reading.timestamp > now_seconds + MAX_AHEAD_SECONDS:
        raise _unprocessable("timestamp", f"lies more than {MAX_AHEAD_SECONDS} s ahead")
    if reading.timestamp < now_seconds - retention_seconds:
        raise _unprocessable("timestamp", "is older than the history that is kept")


def _unprocessable(field: str, detail: str) -> Problem:
    return Problem(422, f"{field} {detail}", errors=[{"field": field, "detail": detail}])


def _problem(body: bytes | msgspec.Raw, error: Exception, *, is_json: bool = False) -> Problem:
    """The fault of a body that did not decode. The text repeats nothing of the body."""
    if not isinstance(error, msgspec.ValidationError) or not (is_json or _is_json(body)):
        return Problem(400, "the body is not valid JSON in UTF-8")
    text = str(error)
    if text.startswith("Object contains unknown field"):  # first, since the rest of the text is the producer's
        return Problem(422, "the body has a field that a reading does not have")
    if missing := _MISSING.search(text):
        return _unprocessable(missing[1], "is missing")
    path = _FIELD_PATH.search(text)
    if path and path[1] in Reading.__struct_fields__:
        return _unprocessable(path[1], _rule(path[1], text))
    return Problem(422, "the body is not an object with the fields of a reading")


def _is_json(body: bytes | msgspec.Raw) -> bool:
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        return True  # a number beyond what JSON readers hold is still JSON
    except UNREADABLE:
        return False
    return True


def _rule(field: str, text: str) -> str:
    """The rule that a field broke: msgspec's own words where they are about types or bounds."""
    expected = _EXPECTED.search(text)
    if expected and "regex" not in text:
        return expected[0].replace("`", "").replace("Expected", "should be")
    return "is out of range" if "range" in text else RULES.get(field, "has a wrong value")


RULES: Final = {
    "room_id": "should be 1-64 letters, digits, spaces, . _ -, without a space at either end, not dots alone",
    "platform": "should be 1-32 of a-z 0-9 - _, starting with a letter or digit",
    "account": "should be 1-64 letters, digits, . _ -",
}
