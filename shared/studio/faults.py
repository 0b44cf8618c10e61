"""The mistakes that a studio file can have: a code, the values that the words need, and the place. Pure.

The words are English here, for the log and the start; the page has words of its own for each code, in each of its languages.
"""

from typing import Final

from msgspec import Struct

# Codes and what they say. The words of a fault with a `value` end with it: the value in the file, empty where it has none.
TEXTS: Final = {
    "unknown_key": "is not a key of {of}; its keys are {known}",
    "unknown_key_near": "is not a key of {of} (did you mean {near}?); its keys are {known}",
    "missing_timezone": 'is missing; a right line is timezone = "America/Bogota"',
    "not_table": "should be a table, such as {example}",
    "zone": 'should be the IANA name of a time zone, such as "America/Bogota"',
    "zone_near": 'should be the IANA name of a time zone, such as "America/Bogota" (did you mean "{near}"?)',
    "locale": 'should be a language and a country, such as "es-CO"',
    "currency_code": 'should be an ISO 4217 code of three capital letters, such as "USD"',
    "per_token": "should be what the studio receives for one token, a number above 0 such as 0.05",
    "shift_list": "should be one [[shift]] for each shift, in two brackets",
    "too_many_shifts": "is one shift too many; there may be {most}",
    "same_shift": "is already the name of shift {number}; each shift needs a name of its own",
    "overlap": "overlaps {name} on {day} from {time}; shifts of the same rooms should end before the next one starts",
    "no_length": 'is the same as start, so the shift has no length; a whole day is start = "00:00" and end = "24:00"',
    "time": 'should be a time in quotes from "00:00" to "{last}", such as "{example}"',
    "day_twice": "has a day twice; each day belongs in it once",
    "days": "should be the days on which the shift starts, some of {known}",
    "patterns": 'should be ids of rooms, or beginnings of ids with a *, such as ["room-03", "floor-2-*"]',
    "name": "should be 1-{most} characters in quotes, with no space at either end and no line break",
    "same_name": "is already the name of {owner}; two of them with one name look alike",
    "room_id": "should be the room's id as its producer sends it: 1-64 of A-Z a-z 0-9 space . _ -",
    "account_id": 'should be a platform and an account, such as "chaturbate:3fa9c2e1d07b55aa"',
    "tokens": "should be a whole number of tokens from 0 to {most}",
    "no_shift": "names no shift; the shifts are {known}",
    "target_key": 'should be default, "shift:<name>", "room:<id>" or "account:<platform>:<account>"',
    "too_large": "is larger than {most} KiB, which no studio needs; is it the right file?",
    "not_utf8": "the file is not UTF-8 here; save it with the encoding UTF-8",
    "nested": "its values are nested too deeply; shifts, names and targets need one level",
    "empty": 'timezone is missing, and everything else: the file is empty; begin with timezone = "America/Bogota"',
    "syntax": '{row} is not right TOML ({detail}); a right line looks like name = "Ana" or [room."room-03"]',
    "more": "{count} more problems",
    "unreadable": "cannot be read ({reason})",
    "no_path": "cannot be read ({reason}); STUDIO_FILE should be the path of a studio.toml",
    "no_file": "is not a file; STUDIO_FILE should be the path of a studio.toml",
}


class Fault(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a file. `line` and `key` are absent where no line or key is wrong, but the file is."""

    file: str
    code: str
    values: dict[str, str] = {}
    line: int | None = None
    key: str | None = None

    def text(self) -> str:
        """A line of English: the file, the line, the key, and a correct value."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        key = "" if self.key is None else f"{self.key} "
        words = TEXTS[self.code].format_map(self.values)
        value = self.values.get("value")
        it_is = "" if value is None else f"; it is {value or 'missing'}"
        return f"{place}: {key}{words}{it_is}"


class StudioError(Exception):
    """A file is not a right `studio.toml`; `faults` has each thing that is wrong, and `problems` a line of text for it."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        self.problems = [fault.text() for fault in faults]
        super().__init__("\n".join(self.problems))
