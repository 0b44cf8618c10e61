"""The simulated studio's file is valid, and names the simulated rooms and accounts."""

import tomllib

import pytest

from shared.studio.config import AccountId
from shared.studio.parse import parse_studio
from shared.studio.shifts import shift_of_room
from tools.processes import ROOT
from tools.simulator.facts import studio_file
from tools.simulator.studio import SHIFT_SECONDS, studio

NOW = 1_795_700_000


@pytest.mark.parametrize("rooms", [0, 1, 36, 500])
def test_all_simulated_rooms_and_accounts_have_a_name_and_a_shift(rooms: int) -> None:
    made = studio(rooms, seed=7, now_seconds=NOW)
    read = parse_studio(studio_file(made).encode(), "studio.toml")
    assert set(read.rooms) == {room.room_id for room in made}
    assert set(read.accounts) == {AccountId(room.platform, account) for room in made for account in room.accounts}
    assert all(shift_of_room(read, room.room_id, NOW) for room in made)


def test_a_shift_is_the_time_in_which_one_account_works() -> None:
    read = parse_studio(studio_file([]).encode(), "studio.toml")
    for start in range(NOW // SHIFT_SECONDS * SHIFT_SECONDS, NOW + 86400, SHIFT_SECONDS):
        shift = shift_of_room(read, "any", start)
        assert shift is not None
        assert (shift.start, shift.end) == (start, start + SHIFT_SECONDS)


def test_the_example_for_production_is_right() -> None:
    example = ROOT / "deploy" / "studio" / "studio.toml.example"
    assert parse_studio(example.read_bytes(), example.name).shifts
    commented = example.read_text().replace("# days =", "days =").replace("# rooms =", "rooms =")
    assert parse_studio(commented.encode(), example.name).shifts[2].days


def test_the_example_of_the_documentation_is_right() -> None:
    text = (ROOT / "docs" / "studio.md").read_text()
    block = text.split("```toml\n", 1)[1].split("```", 1)[0]
    assert parse_studio(block.encode(), "studio.md").shifts
    assert set(tomllib.loads(block)) == {"timezone", "locale", "currency", "shift", "room", "account", "target"}
