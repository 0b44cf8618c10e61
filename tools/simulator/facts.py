"""The studio file of the simulated studio: names, targets and three shifts, in which its accounts work. Pure."""

from collections.abc import Sequence

from tools.simulator.studio import Room

TIMEZONE = "America/Bogota"
SHIFTS = (("Tarde", "11:00", "19:00"), ("Noche", "19:00", "03:00"), ("Madrugada", "03:00", "11:00"))  # begin at 16:00, 0:00, 8:00 UTC
PEOPLE = (
    "Ana Eva Luz Sara Mia Laura Sofía Valentina Camila Daniela Mariana Paula Andrea Natalia Carolina Juliana Isabel Gabriela "
    "Alejandra Manuela Lucía Elena Clara Diana Sandra Tatiana Verónica Ximena Yulieth Zoraida"
).split()
EVERY_STRONG_ROOM = 5  # with a target of its own
HEAD = """# The simulated studio's own file, written anew by each `make run`. Change it and see the page follow.
# docs/studio.md explains every key.
"""


def studio_file(rooms: Sequence[Room]) -> str:
    """The file as TOML."""
    lines = [HEAD, f'timezone = "{TIMEZONE}"', 'locale = "es-CO"', "", "[currency]", 'code = "USD"', "per_token = 0.05", ""]
    for name, start, end in SHIFTS:
        lines += ["[[shift]]", f'name = "{name}"', f'start = "{start}"', f'end = "{end}"', ""]
    for room in rooms:
        lines += [f'[room."{room.room_id}"]', f'name = "Sala {room.room_id.capitalize()}"']
    accounts = [(room.platform, account) for room in rooms for account in room.accounts]
    for number, (platform, account) in enumerate(accounts):
        lines += [f'[account."{platform}:{account}"]', f'name = "{_person(number)}"']
    lines += ["", "[target]", "default = 12000", '"shift:Noche" = 14000']
    lines += [f'"room:{room.room_id}" = 18000' for room in rooms[::EVERY_STRONG_ROOM]]
    return "\n".join(lines) + "\n"


def _person(number: int) -> str:
    """A name that no other number has."""
    turn, at = divmod(number, len(PEOPLE))
    return PEOPLE[at] if turn == 0 else f"{PEOPLE[at]} {turn + 1}"
