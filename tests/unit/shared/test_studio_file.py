"""A studio file is read as it is written, and each of its mistakes is reported with its line, its key and a correct value."""

import pytest

from shared.auth.scope import Scope
from shared.studio.config import AccountId, Currency, Shift, Studio, Targets
from shared.studio.faults import StudioError
from shared.studio.parse import MAX_BYTES, MAX_PROBLEMS, parse_studio

ZONE = 'timezone = "America/Bogota"\n'
MORNING = '[[shift]]\nname = "Morning"\nstart = "06:00"\nend = "14:00"\n'
WHOLE = f"""{ZONE}
[currency]
code = "USD"
per_token = 0.05

{MORNING}
[[shift]]
name = "Night"
start = "22:00"
end = "06:00"
days = ["mon", "fri"]
rooms = ["room-03", "floor-2-*"]

[account."chaturbate:3fa9c2e1d07b55aa"]
name = "Ana"
[room."room-03"]
name = "Sala 3"
[target]
default = 1500
"shift:Night" = 900
"room:room-03" = 2000
"account:chaturbate:3fa9c2e1d07b55aa" = 2500
"""


def problems(text: str | bytes) -> list[str]:
    """All that is wrong with a file."""
    with pytest.raises(StudioError) as raised:
        parse_studio(text.encode() if isinstance(text, str) else text, "studio.toml")
    return raised.value.problems


def test_a_whole_file_is_read_as_it_is_written() -> None:
    ana = AccountId("chaturbate", "3fa9c2e1d07b55aa")
    assert parse_studio(WHOLE.encode(), "studio.toml") == Studio(
        timezone="America/Bogota",
        currency=Currency("USD", 0.05),
        shifts=(
            Shift(name="Morning", start=360, end=840),
            Shift(name="Night", start=1320, end=1800, days=frozenset({0, 4}), rooms=Scope.of(["room-03", "floor-2-*"])),
        ),
        rooms={"room-03": "Sala 3"},
        accounts={ana: "Ana"},
        targets=Targets(default=1500, shifts={"Night": 900}, rooms={"room-03": 2000}, accounts={ana: 2500}),
    )


def test_the_most_specific_target_applies() -> None:
    targets = parse_studio(WHOLE.encode(), "studio.toml").targets
    ana = AccountId("chaturbate", "3fa9c2e1d07b55aa")
    assert targets.of("Morning", "room-01") == 1500
    assert targets.of("Night", "room-01") == 900
    assert targets.of("Night", "room-03") == 2000
    assert targets.of("Night", "room-03", AccountId("chaturbate", "other")) == 2000
    assert targets.of("Night", "room-03", ana) == 2500
    assert Targets().of("Night", "room-03", ana) is None


def test_a_time_zone_alone_is_enough_and_no_file_means_utc_without_shifts() -> None:
    assert parse_studio(ZONE.encode(), "studio.toml") == Studio(timezone="America/Bogota")
    assert (Studio().timezone, Studio().shifts, Studio().currency) == ("UTC", (), None)


def test_a_byte_order_mark_and_line_ends_of_windows_are_accepted() -> None:
    written = b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode()
    assert parse_studio(written, "studio.toml") == parse_studio(WHOLE.encode(), "studio.toml")


BAD: dict[str, tuple[str | bytes, int, str, str]] = {
    "a wrong key": (ZONE + "timezon = 3", 2, "timezon", "did you mean timezone?"),
    "a wrong table": (ZONE + "[shifts]", 2, "shifts", "did you mean shift?"),
    "a wrong key of a shift": (ZONE + MORNING + 'strat = "x"', 6, "shift.strat", "did you mean start?"),
    "a wrong key of a room": (ZONE + '[room."r 1"]\nname = "R"\ntarget = 3', 4, 'room."r 1".target', "its keys are name"),
    "a wrong key of an account": (ZONE + '[account]\n"c:1" = {name = "A", nick = 1}', 3, 'account."c:1".nick', "its keys are name"),
    "a wrong key of the currency": (ZONE + '[currency]\ncode="USD"\nper_token=1\nrate=1', 5, "currency.rate", "code, per_token"),
    "an unknown zone": ('\ntimezone = "America/Bogot"', 2, "timezone", 'did you mean "America/Bogota"?'),
    "a zone that is a directory": ('timezone = "America"', 1, "timezone", "IANA name"),
    "a zone that is a path": ('timezone = "../../etc/passwd"', 1, "timezone", "IANA name"),
    "a zone of a wrong type": ("timezone = -5", 1, "timezone", "it is -5"),
    "a locale without a country": (ZONE + 'locale = "es"', 2, "locale", 'such as "es-CO"; it is "es"'),
    "a locale of a system": (ZONE + 'locale = "es_CO.UTF-8"', 2, "locale", "a language and a country"),
    "a locale of a wrong type": (ZONE + "locale = 57", 2, "locale", "it is 57"),
    "no zone": ("[room]", 1, "timezone", "is missing"),
    "overlapping shifts": (
        ZONE + MORNING + MORNING.replace("Morning", "Late").replace("06:", "13:").replace("14:", "15:"),
        8,
        "shift.start",
        'overlaps "Morning" on mon from 13:00',
    ),
    "a shift over midnight that overlaps": (
        ZONE + MORNING + '[[shift]]\nname = "Night"\nstart = "22:00"\nend = "06:30"',
        8,
        "shift.start",
        'overlaps "Morning" on mon from 06:00',
    ),
    "a Sunday night that overlaps Monday": (
        ZONE + MORNING + 'days = ["mon"]\n[[shift]]\nname = "Night"\nstart = "22:00"\nend = "07:00"\ndays = ["sun"]',
        9,
        "shift.start",
        "on mon from 06:00",
    ),
    "overlapping shifts of a room and of a pattern": (
        ZONE + MORNING + 'rooms = ["floor-2-*"]\n[[shift]]\nname = "B"\nstart = "13:00"\nend = "15:00"\nrooms = ["x", "floor-2-7"]',
        9,
        "shift.start",
        "overlaps",
    ),
    "a negative target": (ZONE + "[target]\ndefault = -1", 3, "target.default", "whole number of tokens from 0"),
    "a target with a fraction": (ZONE + "[target]\ndefault = 1.5", 3, "target.default", "whole number"),
    "a target that is true": (ZONE + "[target]\ndefault = true", 3, "target.default", "whole number"),
    "a huge target": (ZONE + "[target]\ndefault = " + "9" * 300, 3, "target.default", "whole number"),
    "a target in quotes": (ZONE + '[target]\n"room:r" = "9"', 3, 'target."room:r"', 'it is "9"'),
    "a target of no shift": (ZONE + MORNING + '[target]\n"shift:Night" = 9', 7, 'target."shift:Night"', "the shifts are Morning"),
    "a target of no account": (ZONE + '[target]\n"account:ana" = 9', 3, 'target."account:ana"', "a platform and an account"),
    "a target of no room": (ZONE + '[target]\n"room:a:b" = 9', 3, 'target."room:a:b"', "the room's id"),
    "a target of an unknown kind": (ZONE + '[target]\n"platform:x" = 9', 3, 'target."platform:x"', '"room:<id>"'),
    "targets that are no table": (ZONE + "target = 9", 2, "target", "should be a table"),
    "a time like 25:00": (ZONE + MORNING.replace("14:00", "25:00"), 5, "shift.end", '"00:00" to "24:00"'),
    "a start of 24:00": (ZONE + MORNING.replace("06:00", "24:00"), 4, "shift.start", '"00:00" to "23:59"'),
    "a time of 12:60": (ZONE + MORNING.replace("06:00", "12:60"), 4, "shift.start", '"00:00" to "23:59"'),
    "a time without a zero": (ZONE + MORNING.replace("06:00", "6:00"), 4, "shift.start", '"06:00"'),
    "a time without quotes": (ZONE + MORNING.replace('"06:00"', "06:00:00"), 4, "shift.start", "a time in quotes"),
    "a shift of length zero": (ZONE + MORNING.replace("14:00", "06:00"), 5, "shift.end", "no length"),
    "a shift without an end": (ZONE + '[[shift]]\nname = "A"\nstart = "06:00"', 2, "shift.end", "it is missing"),
    "a shift without a name": (ZONE + '[[shift]]\nstart = "06:00"\nend = "07:00"', 2, "shift.name", "it is missing"),
    "a shift in one bracket": (ZONE + MORNING.replace("[[shift]]", "[shift]"), 2, "shift", "two brackets"),
    "an unknown day": (ZONE + MORNING + 'days = ["lunes"]', 6, "shift.days", '"mon"'),
    "a day twice": (ZONE + MORNING + 'days = ["mon", "mon"]', 6, "shift.days", "once"),
    "no days": (ZONE + MORNING + "days = []", 6, "shift.days", '"mon"'),
    "a wrong pattern": (ZONE + MORNING + 'rooms = [\n  "a",\n  "b*c",\n]', 6, "shift.rooms", "floor-2-*"),
    "one shift too many": (ZONE + "".join(f'[[shift]]\nname = "{n}"\n' for n in range(51)), 102, "shift", "there may be 50"),
    "two shifts of one name": (
        ZONE + MORNING + MORNING.replace("Morning", "MORNING").replace("06:", "15:").replace("14:", "16:"),
        7,
        "shift.name",
        "the name of shift 1",
    ),
    "two rooms of one name": (ZONE + '[room]\na.name = "Sala"\nb.name = "sala"', 4, "room.b.name", 'already the name of "a"'),
    "two accounts of one name": (ZONE + '[account]\n"c:1".name = "A"\n"c:2".name = "A"', 4, 'account."c:2".name', 'name of "c:1"'),
    "an empty name": (ZONE + '[room.a]\nname = " "', 3, "room.a.name", "1-64 characters"),
    "a long name": (ZONE + f'[room.a]\nname = "{"x" * 65}"', 3, "room.a.name", "1-64 characters"),
    "a name with a line break": (ZONE + '[room.a]\nname = "a\\nb"', 3, "room.a.name", "no line break"),
    "a name that is a number": (ZONE + "[room.a]\nname = 3", 3, "room.a.name", "it is 3"),
    "a room that is a name": (ZONE + '[room]\na = "Sala"', 3, "room.a", "should be a table"),
    "a room with a colon": (ZONE + '[room."a:b"]\nname = "A"', 2, 'room."a:b"', "the room's id"),
    "an account without a platform": (ZONE + '[account.ana]\nname = "Ana"', 2, "account.ana", '"chaturbate:3fa9c2e1d07b55aa"'),
    "a currency in small letters": (ZONE + '[currency]\ncode = "usd"\nper_token = 1', 3, "currency.code", '"USD"'),
    "a token worth nothing": (ZONE + '[currency]\ncode = "USD"\nper_token = 0', 4, "currency.per_token", "above 0"),
    "a token worth infinity": (ZONE + '[currency]\ncode = "USD"\nper_token = inf', 4, "currency.per_token", "above 0"),
    "a token worth no number": (ZONE + '[currency]\ncode = "USD"\nper_token = nan', 4, "currency.per_token", "above 0"),
    "a token worth a word": (ZONE + '[currency]\ncode = "USD"\nper_token = "1"', 4, "currency.per_token", "above 0"),
    "a currency without a code": (ZONE + "[currency]\nper_token = 1", 2, "currency.code", "it is missing"),
    "a currency that is a word": (ZONE + 'currency = "USD"', 2, "currency", "should be a table"),
    "a line that is not TOML": (ZONE + "default 1500", 2, "default 1500", "a right line looks like"),
    "a string without its end": (ZONE + '[room.a]\nname = "Sala', 3, "name", "unterminated string"),
    "a key twice": (ZONE + 'x = 1\ntimezone = "UTC"', 3, "timezone", "cannot overwrite"),
    "a number of too many digits": (ZONE + "x = " + "9" * 5000, 2, "x", "not right TOML"),
    "an empty file": ("", 1, "timezone", "the file is empty"),
    "a file of comments": ("# nothing\n\n", 1, "timezone", "the file is empty"),
    "bytes that are not UTF-8": (
        ZONE.encode() + '[room.a]\nname = "Ána"'.encode("latin-1"),
        3,
        "the file",
        "save it with the encoding UTF-8",
    ),
    "UTF-16": (ZONE.encode("utf-16"), 1, "the file", "encoding UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_file_line_key_and_what_is_right(name: str) -> None:
    text, line, key, right = BAD[name]
    found = problems(text)
    assert [each for each in found if each.startswith(f"studio.toml:{line}: {key} ") and right in each], found


@pytest.mark.parametrize("text", ["x = " + "[" * 5000, "x = " + "{a=" * 5000])
def test_a_file_that_is_nested_too_deeply_is_refused(text: str) -> None:
    assert problems(ZONE + text)[0].startswith("studio.toml:")


def test_a_megabyte_is_refused_and_the_file_of_a_large_studio_is_not() -> None:
    assert "larger than 512 KiB" in problems(b"#" * 2**20)[0]
    rooms = "".join(f'[room.room-{n:04}]\nname = "Sala {n}"\n' for n in range(1000))
    accounts = "".join(f'[account."chaturbate:{n:016x}"]\nname = "Modelo {n}"\n' for n in range(3000))
    large = (ZONE + rooms + accounts).encode()
    assert len(large) < MAX_BYTES
    assert len(parse_studio(large, "studio.toml").accounts) == 3000


def test_all_problems_are_listed_in_the_order_of_their_lines_up_to_a_limit() -> None:
    found = problems(ZONE + "".join(f"x{n} = 1\n" for n in range(MAX_PROBLEMS + 5)))
    assert [each.split(":")[1] for each in found[:-1]] == [str(n + 2) for n in range(MAX_PROBLEMS)]
    assert found[-1] == "studio.toml: 5 more problems"


def test_a_fault_of_a_shift_is_not_reported_again_as_a_missing_shift() -> None:
    found = problems(ZONE + MORNING.replace("14:00", "25:00") + '[target]\n"shift:Morning" = 9')
    assert len(found) == 1


def test_shifts_of_different_rooms_may_overlap_and_shifts_may_touch() -> None:
    text = (
        ZONE
        + MORNING
        + 'rooms = ["floor-1-*", "a"]\n'
        + MORNING.replace("Morning", "B")
        + 'rooms = ["floor-2-*", "b"]\n'
        + '[[shift]]\nname = "C"\nstart = "14:00"\nend = "06:00"'
    )
    assert len(parse_studio(text.encode(), "studio.toml").shifts) == 3


def test_the_line_is_right_after_strings_and_lists_over_several_lines() -> None:
    text = ZONE + MORNING + 'rooms = [\n  "a", # ] [x]\n  "b",\n]\n[room.a]\nname = """\n[target]\ndefault = 1"""\n[target]\ndefault = -1'
    assert [each.split(" ")[0] for each in problems(text)] == ["studio.toml:11:", "studio.toml:15:"]
