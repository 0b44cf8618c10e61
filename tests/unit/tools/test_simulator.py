"""The simulated studio works in shifts: three accounts a room and day, each with a balance of its own."""

from collections import defaultdict

from msgspec import UNSET

from tools.simulator.studio import SHIFT_SECONDS, SHIFTS, studio

MIDNIGHT = 1_764_028_800
DAY = SHIFTS * SHIFT_SECONDS


def test_a_room_is_worked_by_three_accounts_a_day_and_each_goes_on_where_it_was() -> None:
    """Rooms without accounts stay as older producers send them."""
    rooms = studio(12, seed=3, now_seconds=MIDNIGHT)
    seen: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    last: dict[str, int] = {}
    for second in range(MIDNIGHT, MIDNIGHT + 2 * DAY, 60):
        for room in rooms:
            reading = room.step(float(second))
            if reading is None or reading.account is UNSET:
                continue
            account = str(reading.account)
            seen[room.room_id][second // SHIFT_SECONDS % SHIFTS].add(account)
            assert reading.tokens_count is not None
            assert reading.tokens_count - last.get(account, reading.tokens_count) in range(-5000, 1000)
            last[account] = reading.tokens_count
    assert len(seen) == 10
    for shifts in seen.values():
        assert all(len(accounts) == 1 for accounts in shifts.values())
        assert len(set.union(*shifts.values())) == len(shifts) == SHIFTS


def test_studios_of_the_same_seed_are_the_same() -> None:
    """Accounts included."""
    first, second = (
        [room.step(moment) for room in studio(6, 5, MIDNIGHT) for moment in range(MIDNIGHT, MIDNIGHT + DAY, 3600)] for _ in range(2)
    )
    assert first == second
