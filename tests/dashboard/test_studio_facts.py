"""The page shows the studio by its own names, shift, target and money, and says calmly that a changed file is wrong."""

import pathlib
import re
import time

from playwright.sync_api import expect

from tests.support.browser import Opener
from tests.support.studio import OnAir, Studio, running_studio
from tests.support.warm_services import KEEP_FILES
from tools.waiting import wait_until


def studio_file(name: str = "Sala azul") -> str:
    """A file in whose zone it is about noon now, so that no test crosses a midnight, with one shift around the clock."""
    ahead = 12 - time.gmtime().tm_hour  # the sign of these zones is the other way round
    return f"""timezone = "Etc/GMT{-ahead:+}"
locale = "es-CO"
[currency]
code = "USD"
per_token = 0.05
[[shift]]
name = "Diurno"
start = "00:00"
end = "24:00"
[room.blue]
name = "{name}"
[account."camsoda:ana"]
name = "Ana"
[target]
default = 4000
"room:red" = 7777
"""


# The links to the readings of a card's figures of which another link covers a part.
COVERED = """() => [...document.querySelectorAll('.card a.why-figure[href]')].filter((link) => {
    link.scrollIntoView({block: 'center'});
    const {left, width, top, bottom} = link.getBoundingClientRect();
    return [top + 1, bottom - 1].some((y) => document.elementFromPoint(left + width / 2, y) !== link);
}).map((link) => link.ariaLabel)"""


def has_problems(studio: Studio) -> bool:
    """Whether the server refuses the changed file by now."""
    return bool(studio.get("/api/studio")[1]["problems"])


def test_cards_show_the_income_of_the_shift_its_target_and_money_under_the_studios_names(tmp_path: pathlib.Path, visit: Opener) -> None:
    file, now = tmp_path / "studio.toml", int(time.time())
    file.write_text(studio_file())
    with running_studio(tmp_path / "stack", STUDIO_FILE=str(file), **{KEEP_FILES: "1"}) as studio:
        for room, account, before in (("blue", "ana", 9800), ("red", "eva", 10_000)):  # the red one has earned nothing lately
            balances = ((7200, 9000), (7195, 9400), (7190, before), (30, before), (25, 10_000))
            studio.post(*({"room_id": room, "timestamp": now - at, "tokens_count": n, "account": account} for at, n in balances))
        with OnAir(studio, *({"room_id": room, "tokens_count": 10_000, "account": a} for room, a in (("blue", "ana"), ("red", "eva")))):
            dashboard = visit(studio, locale="es-MX", timezone_id="Asia/Tokyo").open().live()
            card = dashboard.card("blue")
            expect(card.locator(".room")).to_have_text("Sala azul")
            expect(card.locator(".card-who")).to_contain_text("Ana")
            expect(card.locator(".tokens")).to_have_text("1.000")  # of the shift, and not the balance of 10,000
            expect(card.locator(".unit")).to_have_text("tokens · Diurno")
            expect(card.locator(".money")).to_have_text("US$\N{NO-BREAK SPACE}50")
            expect(card.locator(".goal-of")).to_contain_text("de 4.000")
            expect(card.locator(".goal-of")).to_contain_text("25")
            expect(card.locator(".goal-share")).to_be_empty()  # the totals have the time left, once for all rooms
            today = dashboard.page.locator('[data-kpi="today"]')
            expect(today.locator(".kpi-value")).to_have_text("2.000")
            expect(today.locator(".kpi-sub")).to_contain_text("Turno Diurno: 2.000 de 11.777, quedan")
            expect(dashboard.page.locator("#studio-problem")).to_be_hidden()
            dashboard.page.fill("#search", "AZUL")
            expect(dashboard.page.locator(".card")).to_have_count(1)

            dashboard.page.keyboard.press("Control+k")
            dashboard.page.keyboard.type("azul")
            expect(dashboard.page.get_by_role("dialog").get_by_role("option")).to_have_text([re.compile(r"Sala azul \(blue\)")])
            dashboard.page.keyboard.press("Enter")
            expect(dashboard.page.locator("#room-name")).to_have_text("Sala azul")
            expect(dashboard.page).to_have_title(re.compile("Sala azul"))

            dashboard.page.goto(f"{studio.broadcast.url}/?wall=1")  # signed in by now
            wall = dashboard.page.locator('.wall-room[data-room="blue"]')
            expect(wall.locator(".wall-name")).to_have_text("Sala azul")
            expect(wall.locator(".wall-figure")).to_have_text("1.000")
            expect(dashboard.page.locator("#board-foot")).to_contain_text("ganados en este turno, quedan")

            file.write_text(studio_file(name=" "))
            wait_until(lambda: has_problems(studio), "the wrong file is refused", seconds=30)
            dashboard.page.goto(studio.broadcast.url)
            notice = dashboard.page.locator("#studio-problem-words")
            expect(notice).to_contain_text(
                "sigue en uso la versión anterior. studio.toml:11: room.blue.name debe tener de 1 a 64 caracteres"
            )
            expect(card.locator(".room")).to_have_text("Sala azul")
            expect(dashboard.card("red").locator(".recent")).to_contain_text("sin ganancias")  # longer than what was earned
            assert dashboard.violations() == []
            covered = dashboard.page.evaluate(COVERED)
            assert covered == []

            narrow = visit(studio).open(rooms=("red",)).live()
            expect(narrow.card("red").locator(".goal-of")).to_have_text("12% of 7,777")
            expect(narrow.page.locator("#studio-problem")).to_be_hidden()
