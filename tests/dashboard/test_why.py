"""From a figure of a room to the readings behind it, by mouse and by keyboard."""

import re
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.support.browser import Opener
from tests.support.studio import OnAir, Studio


def post_story(studio: Studio, room: str) -> None:
    """Twenty minutes of two accounts, with a placeholder 0, a cash-out and a large tip."""
    start = int(time.time()) // 3600 * 3600 - 2 * 3600
    ana = [(0, 5000), (60, 5040), (120, 5040), (125, 0), (130, 5050), (180, 60), (185, 60), (220, 60), (240, 80)]
    eva = [(600, 900), (660, 4900), (665, 4900), (700, 4900), (720, 4950)]
    studio.post(
        *(
            {"room_id": room, "timestamp": start + second, "tokens_count": tokens, "account": f"{account}-{room}", "viewers_count": 40}
            for account, readings in (("ana", ana), ("eva", eva))
            for second, tokens in readings
        )
    )


def test_the_readings_behind_a_figure_are_a_click_or_a_key_away(studio: Studio, visit: Opener) -> None:
    """In words, adding up to the figure; filtered, exported, in both languages, without a finding of axe."""
    post_story(studio, "why-keys")
    dashboard = visit(studio, timezone_id="America/Bogota").open("?view=room&room=why-keys&on=camsoda").live()
    page = dashboard.page
    expect(page.locator("#room-earned-total")).to_have_text("4,120")
    expect(page.locator("#room-accounts th")).to_have_text(["eva-why-keys", "ana-why-keys"])
    expect(page.locator("#room-shows tr")).to_have_count(2)
    expect(page.locator(".lanes-mark")).to_have_count(2)
    lanes = page.get_by_role("slider")
    lanes.focus()
    expect(lanes).to_have_attribute("aria-valuetext", re.compile(r"4,120 tokens.*cash-out.*set aside|4,120 tokens.*set aside.*cash-out"))
    page.keyboard.press("+")
    expect(page.get_by_role("button", name="Whole period")).to_be_visible()
    assert re.search(r"&from=\d+&to=\d+$", page.url)
    page.get_by_role("button", name="Whole period").click()
    expect(page.get_by_role("button", name="Zoom in")).to_be_focused()
    assert "from=" not in page.url
    lanes.focus()
    page.keyboard.press("End")
    expect(lanes).to_have_attribute("aria-valuetext", re.compile("4,120 tokens"))
    page.keyboard.press("Enter")

    expect(page.locator("#why-earned")).to_have_text("4,120")
    rows = page.locator("#why-rows tr[data-verdict]")
    words = page.locator("#why-rows .why-words")
    expect(words.filter(has_text="0 was read although the balance was 5,040")).to_have_count(1)
    expect(words.filter(has_text="The balance fell from 5,050 to 60")).to_have_count(1)
    expect(words.filter(has_text="A large rise from 900 to 4,900. The following readings confirm it")).to_have_count(1)
    expect(page.locator("#why-rows tr[data-row]")).to_have_text(["Account: ana-why-keys", "No reading for 6 min", "Account: eva-why-keys"])
    counted = page.locator("#why-rows .why-counted").all_inner_texts()
    assert sum(int(text.strip("+").replace(",", "")) for text in counted if text != "—") == 4120
    assert dashboard.violations() == []
    page.get_by_label("Only unusual readings").check()
    expect(rows).to_have_count(5)
    assert dashboard.exported("Readings for programs").path().read_text().count("set_aside,read_as_zero") == 1
    page.get_by_label("Language").select_option("es")
    expect(words.filter(has_text="Se leyó 0 aunque el saldo era")).to_have_count(1)
    page.get_by_role("link", name="Después").click()
    expect(page.get_by_text("No hay lecturas guardadas de esta sala en este tiempo.")).to_be_visible()
    expect(page.locator("#why-odd-count")).to_be_hidden()  # a heading without words is none
    page.go_back()
    expect(rows).to_have_count(5)
    page.get_by_role("link", name="A la sala").click()
    expect(page.locator("#room-earned-total")).to_have_text("4120")


def test_dragging_marks_a_part_and_a_click_explains_a_bar(studio: Studio, visit: Opener) -> None:
    """The mouse does what the keys do."""
    post_story(studio, "why-mouse")
    page = visit(studio).open("?view=room&room=why-mouse&on=camsoda").live().page
    lanes = page.locator("#room-lanes svg")
    expect(page.locator(".lanes-mark")).to_have_count(2)
    box = lanes.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.98, box["y"] + 80, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Whole period")).to_be_visible()
    expect(page.locator("#room-earned-total")).to_have_text("4,120")
    lanes.click(position={"x": box["width"] * 0.5, "y": 50})
    expect(page.locator("#why")).to_be_visible()


def test_every_figure_of_income_leads_to_its_readings(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """On a card by keyboard, in the table, among the leaders and in a report; each explanation counts what the figure says."""
    now, room = int(time.time()), "why-figures"
    studio.post(*({"room_id": room, "timestamp": now - ago, "tokens_count": 1100 - ago} for ago in (100, 80, 60, 40, 20)))
    on_air({"room_id": room, "tokens_count": 1100})
    dashboard = visit(studio).open(rooms=(room,)).live()
    page, counted = dashboard.page, dashboard.page.locator("#why-earned")
    expect(dashboard.card(room).locator(".recent")).to_have_text("+100 in 30 min")
    page.get_by_role("link", name=f"Why? {room} 1,100", exact=True).focus()
    page.keyboard.press("Enter")
    expect(counted).to_have_text("100")
    page.go_back()
    page.locator("#leaders .line-value").click()
    expect(counted).to_have_text("100")
    page.go_back()
    page.locator("#density").select_option("table")
    page.locator(".room-table .cell-hour a").click()
    expect(counted).to_have_text("100")
    page.get_by_role("link", name="Analytics").click()
    page.locator("#analytics-rows .col-earned a").click()
    expect(counted).to_have_text("100")
    page.go_back()
    expect(page.locator("#analytics-rows .col-earned")).to_have_text("100")
    assert dashboard.violations() == []


def test_an_account_and_a_total_lead_to_the_rooms_and_their_readings(studio: Studio, visit: Opener) -> None:
    """What an account earned in each room adds up to its row, and each part opens its readings there; the total opens all rooms."""
    start = int(time.time()) // 3600 * 3600 - 2 * 3600
    story = [("moves-a", 0, 100), ("moves-a", 60, 140), ("moves-b", 600, 140), ("moves-b", 660, 165)]
    studio.post(
        *(
            {"room_id": room, "timestamp": start + second, "tokens_count": tokens, "account": "moves-between"}
            for room, second, tokens in story
        )
    )
    page = visit(studio).open("?view=analytics&by=account").live().page
    row = page.locator("#analytics-rows tr").filter(has_text="moves-between")
    expect(row.locator(".col-earned")).to_have_text("65")
    expect(row.locator(".row-parts a")).to_have_text(["moves-a 40", "moves-b 25"])
    row.get_by_role("link", name="moves-b 25").click()
    expect(page.locator("#why-earned")).to_have_text("25")
    page.go_back()
    row.locator(".col-earned a").click()
    expect(page.locator("#sum-earned")).to_have_text("65")
    expect(page.locator("#sum-rows td:nth-child(3) a")).to_have_text(["40", "25"])
    page.get_by_role("link", name="Why? moves-b 25").click()
    expect(page.locator("#why-platform")).to_have_text("camsoda · moves-between")
    expect(page.locator("#why-earned")).to_have_text("25")
    page.go_back()
    page.go_back()
    page.get_by_role("link", name="Why?", exact=True).click()
    expect(page.locator("#sum-rows td:nth-child(3) a")).to_have_text(["40", "25"])


def test_the_other_rooms_of_an_account_are_a_link_to_its_sum(studio: Studio, visit: Opener) -> None:
    """A row names eight rooms; the number of its other rooms leads to the page of the account, which counts them as well."""
    start = int(time.time()) // 3600 * 3600 - 2 * 3600
    story = [(f"many-{n}", 120 * n + 60 * step, 100 + 10 * n + 10 * step) for n in range(10) for step in range(2)]
    studio.post(
        *(
            {"room_id": room, "timestamp": start + second, "tokens_count": tokens, "account": "of-many-rooms"}
            for room, second, tokens in story
        )
    )
    page = visit(studio).open("?view=analytics&by=account").live().page
    row = page.locator("#analytics-rows tr").filter(has_text="of-many-rooms")
    expect(row.locator(".row-parts a")).to_have_count(8)
    row.get_by_role("link", name="Why? 2 more 20").click()
    expect(page.locator("#sum-earned")).to_have_text("100")
    expect(page.locator("#sum-rest")).to_contain_text("2 more rooms: 20 tokens")


def test_tokens_that_wait_for_a_confirmation_are_a_link_to_their_readings(studio: Studio, visit: Opener) -> None:
    """Below the total of today; a room's page has them as a link as well."""
    now, room = int(time.time()), "why-pending"
    studio.post(*({"room_id": room, "timestamp": now - ago, "tokens_count": 1000} for ago in (130, 110, 90)))
    page = visit(studio).open(rooms=(room,)).live().page
    studio.post({"room_id": room, "tokens_count": 400})  # a fall after a pause, in which up to 400 may have been earned
    page.locator("[data-kpi=today] .kpi-sub").get_by_role("link", name="Why? 400 pending").click()
    expect(page.get_by_role("heading", name=f"Why? {room}")).to_be_visible()
    expect(page.locator("#why-unsettled")).to_have_text("400")
    expect(page.locator("#why-rows .why-words").filter(has_text="It does not count yet")).to_have_count(1)
    page.locator("#why-back").click()
    expect(page.locator("#room-doubts").get_by_role("link", name="Why? Unsettled 400")).to_be_visible()
