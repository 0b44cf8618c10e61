"""A dashboard receives the part of the studio file that its token covers, and no more."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from broadcast_service.studio.view import StudioView, view_of
from shared.auth.scope import Scope
from shared.contract.codec import encode
from shared.studio.calendar import instant
from shared.studio.config import AccountId, Shift, Studio, Targets
from shared.studio.faults import Fault

ANA, EVA = AccountId("chaturbate", "ana-1"), AccountId("camsoda", "eva-1")
STUDIO = Studio(
    timezone="America/Bogota",
    shifts=(
        Shift(name="Day", start=360, end=1320),
        Shift(name="Night of floor 2", start=1320, end=1800, rooms=Scope.of(["floor-2-*"])),
        Shift(name="Night of blue", start=1320, end=1800, rooms=Scope.of(["blue", "red"])),
    ),
    rooms={"blue": "Sala azul", "red": "Sala roja", "floor-2-1": "Sala 21"},
    accounts={ANA: "Ana", EVA: "Eva"},
    targets=Targets(default=1500, shifts={"Night of blue": 900}, rooms={"red": 77777}, accounts={EVA: 66666}),
)
NOON = instant(STUDIO.zone, dt.date(2026, 11, 26), 12 * 60)


def seen_by(*rooms: str, accounts: set[AccountId] | None = None) -> StudioView:
    """The view of a token for some rooms, at noon."""
    faults = [Fault("studio.toml", "name", {"most": "64", "value": ""}, 3, "room.red.name")]
    return view_of(STUDIO, Scope.of(rooms), now_seconds=NOON, accounts=accounts or set(), faults=faults, configured=True)


def test_a_token_for_all_rooms_sees_everything() -> None:
    view = seen_by("*")
    assert [(room.room_id, room.name, room.target) for room in view.rooms] == [
        ("blue", "Sala azul", None),
        ("floor-2-1", "Sala 21", None),
        ("red", "Sala roja", 77777),
    ]
    assert [(account.account, account.name, account.target) for account in view.accounts] == [
        ("eva-1", "Eva", 66666),
        ("ana-1", "Ana", None),
    ]
    assert {shift.name: (shift.rooms, shift.target) for shift in view.shifts} == {
        "Day": (["*"], 1500),
        "Night of floor 2": (["floor-2-*"], 1500),
        "Night of blue": (["blue", "red"], 900),
    }
    assert view.problems == [
        "studio.toml:3: room.red.name should be 1-64 characters in quotes, with no space at either end and no line break; it is missing"
    ]
    [fault] = view.faults
    assert (fault.file, fault.line, fault.key, fault.code) == ("studio.toml", 3, "room.red.name", "name")
    assert fault.text["en"] == view.problems[0]
    assert fault.text["es"].startswith("studio.toml:3: room.red.name debe tener de 1 a 64 caracteres")


def test_a_token_of_one_room_learns_nothing_of_another() -> None:
    view = seen_by("blue", accounts={ANA})
    assert [room.room_id for room in view.rooms] == ["blue"]
    assert [account.name for account in view.accounts] == ["Ana"]
    assert {shift.name: shift.rooms for shift in view.shifts} == {"Day": ["blue"], "Night of blue": ["blue"]}
    text = encode(view).decode()
    assert [word for word in ('"red"', "roja", "77777", "66666", "Eva", "floor") if word in text] == []


@given(
    rooms=st.sets(st.sampled_from(["blue", "red", "floor-*", "floor-2-1", "floor-2-1*", "b*", "x"]), min_size=1),
    asked=st.sampled_from(["blue", "red", "floor-2-1", "floor-2-12", "floor-3", "b2"]),
)
def test_a_shift_names_a_room_only_where_the_shift_and_the_token_cover_it(rooms: set[str], asked: str) -> None:
    scope = Scope.of(rooms)
    named = {each.name: each.rooms for each in seen_by(*rooms).shifts}
    for shift in STUDIO.shifts:
        is_named = Scope.of(named.get(shift.name, [])).allows(asked, "any")
        assert is_named == (shift.covers(asked) and scope.allows(asked, "any"))


def test_periods_and_shifts_are_those_of_the_studios_zone() -> None:
    view = seen_by("*")
    assert (view.timezone, view.periods.today.to - view.periods.today.from_) == ("America/Bogota", 86400)
    assert view.periods.today.from_ == NOON - 12 * 3600
    assert view.periods.yesterday.to == view.periods.today.from_
    assert [each.name for each in view.shifts if each.from_ <= NOON < each.to] == ["Day"]
    assert min(each.from_ for each in view.shifts) == NOON - (12 + 24 + 2) * 3600  # last night's shift, which reaches into yesterday
    assert max(each.to for each in view.shifts) == NOON + (12 + 24 + 6) * 3600


def test_without_a_file_only_the_periods_say_something() -> None:
    view = view_of(Studio(), Scope.of(["*"]), now_seconds=NOON, accounts=set(), faults=[], configured=False)
    assert (view.configured, view.timezone, view.shifts, view.rooms, view.accounts, view.currency) == (False, "UTC", [], [], [], None)
