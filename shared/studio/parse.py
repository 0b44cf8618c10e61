"""`studio.toml` to a `Studio`, or all that is wrong with it. Pure.

Every problem names the file, the line, the key and a correct value. Nothing is guessed: an unknown key is an error, since a typing
error must not become a missing target.
"""

import contextlib
import difflib
import itertools
import json
import re
import tomllib
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from shared.auth.scope import Scope, ScopeError
from shared.contract.readings import ACCOUNT_PATTERN, MAX_COUNT, PLATFORM_PATTERN, ROOM_PATTERN
from shared.studio.calendar import DAY_MINUTES, zone_named
from shared.studio.config import EVERY_DAY, EVERY_ROOM, WEEK, AccountId, Currency, Shift, Studio, Targets
from shared.studio.faults import Fault, StudioError
from shared.studio.lines import Path, key_lines, line_of
from shared.studio.overlaps import may_share_room, shared_time
from shared.studio.spelling import given, shortened, shown, spelled

MAX_BYTES: Final = 512 * 1024
MAX_NAME: Final = 64  # characters
MAX_SHIFTS: Final = 50
MAX_PROBLEMS: Final = 20  # that are listed

_TIME: Final = re.compile(r"\A([0-9]{2}):([0-9]{2})\Z")
_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)\Z")
_CURRENCY: Final = re.compile(r"\A[A-Z]{3}\Z")
_LOCALE: Final = re.compile(r"\A[a-z]{2,3}-(?:[A-Z]{2}|[0-9]{3})\Z")
_ROOM, _PLATFORM, _ACCOUNT = (re.compile(pattern) for pattern in (ROOM_PATTERN, PLATFORM_PATTERN, ACCOUNT_PATTERN))


def parse_studio(content: bytes, file: str) -> Studio:
    """The studio that a file describes; raises StudioError. `file` is its name in the problems."""
    text = _text(content, file)
    table = _table(text, file)
    found: list[_Found] = []
    studio = _Reader(found).studio(table)
    if found:
        lines = key_lines(text)
        faults = [Fault(file, each.code, each.values, line_of(lines, each.path), spelled(each.path)) for each in found]
        faults.sort(key=lambda fault: (fault.line or 0, fault.text()))
        hidden = len(faults) - MAX_PROBLEMS
        raise StudioError(faults[:MAX_PROBLEMS] + ([Fault(file, "more", {"count": str(hidden)})] if hidden > 0 else []))
    return studio


def _text(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise StudioError([Fault(file, "too_large", {"most": str(MAX_BYTES // 1024)})])
    try:
        text = content.decode("utf-8-sig")  # an editor may mark UTF-8 by a BOM, which TOML does not know
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StudioError([Fault(file, "not_utf8", line=line)]) from None
    return text.replace("\r\n", "\n")


def _table(text: str, file: str) -> Mapping[str, Any]:
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise StudioError([Fault(file, "nested")]) from None
    except ValueError as error:
        raise StudioError([_syntax(error, text, file)]) from None
    if not table:
        raise StudioError([Fault(file, "empty", line=1)])
    return table


def _syntax(error: ValueError, text: str, file: str) -> Fault:
    """The fault of a file that is not TOML, with the line and its key."""
    rows = text.split("\n")
    at = _LINE.search(str(error))
    line = int(at[1]) if at else len(text.rstrip("\n").split("\n"))
    row = rows[min(line, len(rows)) - 1].strip()
    detail = _LINE.sub("", str(error)).removesuffix(" (at end of document)")
    detail = detail[:1].lower() + detail[1:]
    return Fault(file, "syntax", {"row": shortened(row.partition("=")[0].strip() or row), "detail": detail}, line)


class _Found(NamedTuple):
    """A fault of a key."""

    path: Path
    code: str
    values: dict[str, str]


class _Reader:
    """Reads a parsed file. It adds each fault to `found`, with the path of its key, and continues with the next key."""

    def __init__(self, found: list[_Found]) -> None:
        self._found = found

    def studio(self, table: Mapping[str, Any]) -> Studio:
        """The whole file."""
        self._known((), table, ("timezone", "locale", "currency", "shift", "room", "account", "target"), "a studio file")
        if "timezone" not in table:
            self._report(("timezone",), "missing_timezone")
        listed = table.get("shift", [])
        shifts = self._shifts(listed)
        return Studio(
            timezone=self._zone(table.get("timezone", "UTC")),
            locale=self._locale(table["locale"]) if "locale" in table else None,
            currency=self._currency(table["currency"]) if "currency" in table else None,
            shifts=shifts,
            rooms=self._names("room", table.get("room", {}), self._room),
            accounts=self._names("account", table.get("account", {}), self._account),
            targets=self._targets(table.get("target", {}), _named(listed)),
        )

    def _report(self, path: Path, code: str, **values: str) -> None:
        self._found.append(_Found(path, code, values))

    def _known(self, path: Path, table: Mapping[str, Any], known: Iterable[str], of: str) -> None:
        for name in table:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                code, guess = ("unknown_key_near", {"near": near[0]}) if near else ("unknown_key", {})
                self._report((*path, name), code, of=of, known=", ".join(known), **guess)

    def _is_table(self, path: Path, value: object, example: str) -> bool:
        if isinstance(value, dict):
            return True
        self._report(path, "not_table", example=example, value=shown(value))
        return False

    def _zone(self, value: object) -> str:
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                zone_named(value)
                return value
        near = difflib.get_close_matches(str(value)[:MAX_NAME], sorted(zoneinfo.available_timezones()), 1, cutoff=0.7)
        code, guess = ("zone_near", {"near": near[0]}) if near else ("zone", {})
        self._report(("timezone",), code, value=shown(value), **guess)
        return "UTC"

    def _locale(self, value: object) -> str | None:
        if isinstance(value, str) and _LOCALE.match(value):
            return value
        self._report(("locale",), "locale", value=shown(value))
        return None

    def _currency(self, value: object) -> Currency | None:
        path: Path = ("currency",)
        if not self._is_table(path, value, '[currency] with code = "USD" and per_token = 0.05') or not isinstance(value, dict):
            return None
        self._known(path, value, ("code", "per_token"), "currency")
        code, per_token = value.get("code"), value.get("per_token")
        if not (isinstance(code, str) and _CURRENCY.match(code)):
            self._report((*path, "code"), "currency_code", value=given(code))
        if isinstance(per_token, bool) or not isinstance(per_token, int | float) or not 0 < per_token <= MAX_COUNT:
            self._report((*path, "per_token"), "per_token", value=given(per_token))
            return None
        return Currency(str(code), float(per_token))

    def _shifts(self, value: object) -> tuple[Shift, ...]:
        if not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
            self._report(("shift",), "shift_list", value=shown(value))
            return ()
        if len(value) > MAX_SHIFTS:
            self._report(("shift", MAX_SHIFTS), "too_many_shifts", most=str(MAX_SHIFTS))
            return ()
        read = [(number, self._shift(("shift", number), item)) for number, item in enumerate(value)]
        shifts = [(number, shift) for number, shift in read if shift is not None]
        for (first, one), (second, other) in itertools.combinations(shifts, 2):
            if one.name.casefold() == other.name.casefold():
                self._report(("shift", second, "name"), "same_shift", number=str(first + 1))
            elif may_share_room(one, other) and (time := shared_time(one, other)):
                day, _, clock = time.partition(" from ")
                self._report(("shift", second, "start"), "overlap", name=shown(one.name), day=day, time=clock)
        return tuple(shift for _, shift in shifts)

    def _shift(self, path: Path, item: Mapping[str, Any]) -> Shift | None:
        before = len(self._found)
        self._known(path, item, ("name", "start", "end", "days", "rooms"), "a shift")
        name = self._name((*path, "name"), item.get("name"))
        start = self._time((*path, "start"), item.get("start"), "23:59")
        end = self._time((*path, "end"), item.get("end"), "24:00")
        days = self._days((*path, "days"), item["days"]) if "days" in item else EVERY_DAY
        rooms = self._patterns((*path, "rooms"), item["rooms"]) if "rooms" in item else EVERY_ROOM
        if start is not None and start == end:
            self._report((*path, "end"), "no_length")
        if len(self._found) > before or start is None or end is None:
            return None
        return Shift(name=name, start=start, end=end if end > start else end + DAY_MINUTES, days=days, rooms=rooms)

    def _time(self, path: Path, value: object, last: str) -> int | None:
        match = _TIME.match(value) if isinstance(value, str) else None
        if match and int(match[2]) < 60 and str(value) <= last:
            return int(match[1]) * 60 + int(match[2])
        first = "06:00" if path[-1] == "start" else "14:00"
        self._report(path, "time", last=last, example=first, value=given(value))
        return None

    def _days(self, path: Path, value: object) -> frozenset[int]:
        if isinstance(value, list) and value and all(day in WEEK for day in value):
            if len(set(value)) == len(value):
                return frozenset(WEEK.index(day) for day in value)
            self._report(path, "day_twice")
        else:
            self._report(path, "days", known=json.dumps(WEEK), value=given(value))
        return EVERY_DAY

    def _patterns(self, path: Path, value: object) -> Scope:
        try:
            if isinstance(value, list) and value and all(isinstance(room, str) for room in value):
                return Scope.of(value)
        except ScopeError:
            pass
        self._report(path, "patterns", value=given(value))
        return EVERY_ROOM

    def _name(self, path: Path, value: object) -> str:
        if isinstance(value, str) and 0 < len(value) <= MAX_NAME and value == value.strip() and value.isprintable():
            return value
        self._report(path, "name", most=str(MAX_NAME), value=given(value))
        return ""

    def _names(self, kind: str, value: object, id_of: Callable[[Path, str], Any]) -> dict[Any, str]:
        """The display names of rooms or of accounts. Two of them on one platform may not look the same."""
        example = '[room."room-03"] with name = "Sala 3"' if kind == "room" else '[account."chaturbate:3fa9"] with name = "Ana"'
        names: dict[Any, str] = {}
        if not self._is_table((kind,), value, example) or not isinstance(value, dict):
            return names
        owners: dict[tuple[str, str], str] = {}
        for key, item in value.items():
            path: Path = (kind, key)
            id_ = id_of(path, key)
            if not self._is_table(path, item, example):
                continue
            self._known(path, item, ("name",), f"{'a room' if kind == 'room' else 'an account'}")
            name = self._name((*path, "name"), item.get("name"))
            place = (id_.platform if isinstance(id_, AccountId) else "", name.casefold())
            if name and place in owners:
                self._report((*path, "name"), "same_name", owner=shown(owners[place]))
            owners[place] = key
            if id_ is not None:
                names[id_] = name
        return names

    def _room(self, path: Path, key: str) -> str | None:
        if _ROOM.match(key):
            return key
        self._report(path, "room_id", value=shown(key))
        return None

    def _account(self, path: Path, key: str) -> AccountId | None:
        platform, _, account = key.partition(":")
        if _PLATFORM.match(platform) and _ACCOUNT.match(account):
            return AccountId(platform, account)
        self._report(path, "account_id", value=shown(key))
        return None

    def _targets(self, value: object, shifts: set[str]) -> Targets:
        path: Path = ("target",)
        default: int | None = None
        of_shifts: dict[str, int] = {}
        rooms: dict[str, int] = {}
        accounts: dict[AccountId, int] = {}
        if not self._is_table(path, value, "[target] with default = 1500") or not isinstance(value, dict):
            return Targets()
        for key, tokens in value.items():
            if not (isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens <= MAX_COUNT):
                self._report((*path, key), "tokens", most=str(MAX_COUNT), value=shown(tokens))
                continue
            kind, _, name = key.partition(":")
            if key == "default":
                default = tokens
            elif kind == "shift" and name in shifts:
                of_shifts[name] = tokens
            elif kind == "shift":
                self._report((*path, key), "no_shift", known=", ".join(sorted(shifts)) or "none")
            elif kind == "room" and (room := self._room((*path, key), name)):
                rooms[room] = tokens
            elif kind == "account" and (account := self._account((*path, key), name)):
                accounts[account] = tokens
            elif kind not in ("room", "account"):
                self._report((*path, key), "target_key", value=shown(key))
        return Targets(default=default, shifts=of_shifts, rooms=rooms, accounts=accounts)


def _named(shifts: object) -> set[str]:
    """The names of all shifts, also of those that have another fault."""
    items = shifts if isinstance(shifts, list) else []
    names = (item.get("name") for item in items if isinstance(item, dict))
    return {name for name in names if isinstance(name, str)}
