"""What a dashboard may know about the studio, as `GET /api/studio` sends it. Pure.

A caller that does not see a room sees neither its name nor its target, nor the accounts that work only there.
"""

from collections.abc import Collection
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from shared.auth.scope import Scope
from shared.studio.calendar import Span, span_at
from shared.studio.config import AccountId, Studio
from shared.studio.faults import WORDS, Fault
from shared.studio.shifts import Occurrence, occurrences

_DAY: Final = 86400

Start = Annotated[int, Meta(description="Unix seconds")]
End = Annotated[int, Meta(description="Unix seconds, the first that is not part of it")]
Tokens = Annotated[int, Meta(description="tokens to earn in a shift")]


class TimeSpan(Struct, frozen=True):
    """A span of time."""

    from_: Start = field(name="from")
    to: End


class Periods(Struct, frozen=True):
    """The current periods of the studio's time zone. A week begins on Monday, a half-month on the 1st or the 16th."""

    yesterday: TimeSpan
    today: TimeSpan
    week: TimeSpan
    half_month: TimeSpan
    month: TimeSpan


class ShiftView(Struct, frozen=True):
    """A shift on one day. `rooms` are those that work it, as ids or prefixes ending in `*`."""

    name: str
    from_: Start = field(name="from")
    to: End
    rooms: list[str]
    target: Annotated[int | None, Meta(description="tokens for each room or account without a target of its own")]


class RoomView(Struct, frozen=True):
    """What the file says about a room."""

    room_id: str
    name: str | None
    target: Tokens | None


class AccountView(Struct, frozen=True):
    """What the file says about an account."""

    platform: str
    account: str
    name: str | None
    target: Tokens | None


class CurrencyView(Struct, frozen=True):
    """What the studio receives for a token, in the currency of an ISO 4217 code."""

    code: str
    per_token: float


class FaultView(Struct, frozen=True):
    """A fault of the studio file: where it is, its code, and a line of text in each language of the page."""

    file: str
    line: int | None
    key: str | None
    code: str
    text: dict[str, str]


class StudioView(Struct, frozen=True):
    """The studio. Without a studio file `configured` is false and only the periods, in UTC, say something.

    `shifts` are those of yesterday, today and tomorrow, in order. The most specific target applies: account, room, shift. `problems` are
    those of a changed file that is not used, in English, and `faults` the same for words in other languages; both are reported to callers
    that see all rooms.
    """

    configured: bool
    timezone: str
    locale: Annotated[str | None, Meta(description="whose forms numbers and times have, as es-CO")]
    currency: CurrencyView | None
    periods: Periods
    shifts: list[ShiftView]
    rooms: list[RoomView]
    accounts: list[AccountView]
    problems: list[str]
    faults: list[FaultView]


def view_of(
    studio: Studio, scope: Scope, *, now_seconds: int, accounts: Collection[AccountId], faults: list[Fault], configured: bool
) -> StudioView:
    """The part of the studio inside a scope. `accounts` are those that were read in its rooms; a scope of everything sees all."""
    zone = studio.zone
    today = span_at("day", zone, now_seconds)
    yesterday = span_at("day", zone, today.start - 1)
    found = occurrences(studio, yesterday.start, span_at("day", zone, today.end).end)
    reported = faults if scope.is_everything else []
    shifts = [view for each in found if (view := _shift(studio, each, scope)) is not None]
    return StudioView(
        configured=configured,
        timezone=studio.timezone,
        locale=studio.locale,
        currency=CurrencyView(studio.currency.code, studio.currency.per_token) if studio.currency else None,
        periods=Periods(
            yesterday=_span(yesterday),
            today=_span(today),
            week=_span(span_at("week", zone, now_seconds)),
            half_month=_span(span_at("half_month", zone, now_seconds)),
            month=_span(span_at("month", zone, now_seconds)),
        ),
        shifts=shifts,
        rooms=_rooms(studio, scope),
        accounts=_accounts(studio, scope, accounts),
        problems=[fault.text() for fault in reported],
        faults=[
            FaultView(fault.file, fault.line, fault.key, fault.code, {language: fault.text(language) for language in WORDS})
            for fault in reported
        ],
    )


def _span(span: Span) -> TimeSpan:
    return TimeSpan(span.start, span.end)


def _shift(studio: Studio, each: Occurrence, scope: Scope) -> ShiftView | None:
    """A shift for the rooms in scope that work it; None without such a room, because a shift may be named after its rooms."""
    rooms = common_rooms(each.shift.rooms, scope)
    if not rooms:
        return None
    target = studio.targets.shifts.get(each.shift.name, studio.targets.default)
    return ShiftView(each.shift.name, each.start, each.end, rooms, target)


def common_rooms(one: Scope, other: Scope) -> list[str]:
    """The rooms in both, as patterns."""
    common = {room for room in one.rooms if _covers_room(other, room)} | {room for room in other.rooms if _covers_room(one, room)}
    prefixes = {
        max(first, second, key=len) + "*"
        for first in one.prefixes
        for second in other.prefixes
        if first.startswith(second) or second.startswith(first)
    }
    return Scope.of(common | prefixes).patterns()


def _covers_room(scope: Scope, room_id: str) -> bool:
    """Whether a room is in scope on some platform."""
    return Scope(scope.rooms, scope.prefixes).allows(room_id, "")


def _rooms(studio: Studio, scope: Scope) -> list[RoomView]:
    ids = sorted({*studio.rooms, *studio.targets.rooms})
    return [RoomView(room, studio.rooms.get(room), studio.targets.rooms.get(room)) for room in ids if _covers_room(scope, room)]


def _accounts(studio: Studio, scope: Scope, read: Collection[AccountId]) -> list[AccountView]:
    ids = sorted({*studio.accounts, *studio.targets.accounts})
    return [
        AccountView(*each, studio.accounts.get(each), studio.targets.accounts.get(each))
        for each in ids
        if scope.is_everything or each in read
    ]
