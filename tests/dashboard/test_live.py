"""The live view in a real browser: cards, flashes, and the states that are never called live."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.browser import Opener
from tests.support.studio import OnAir, Studio

RECORD_FLASHES = """() => {
  window.flashes = [];
  const animate = Element.prototype.animate;
  Element.prototype.animate = function (frames, timing) {
    window.flashes.push({room: this.closest('.card')?.dataset.room, id: timing.id, duration: timing.duration});
    return animate.call(this, frames, timing);
  };
}"""


def test_a_room_appears_with_its_numbers(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """Posted values are on the card, and an unknown value is a dash, never a zero."""
    on_air({"room_id": "numbers", "tokens_count": 12345, "viewers_count": 67, "goal_tokens": 24690})
    card = visit(studio).open("?q=numbers").live().card("numbers")
    expect(card.locator(".tokens")).to_have_text("12,345")
    expect(card.locator(".viewers")).to_have_text("67")
    expect(card.locator(".tips")).to_have_text("—")
    expect(card.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "50")
    expect(card.locator(".badge-word")).to_have_text("On air")


@pytest.mark.parametrize("missing", ["", "delete HTMLElement.prototype.oncontentvisibilityautostatechange"])
def test_a_change_flashes_for_600_ms(studio: Studio, visit: Opener, missing: str) -> None:
    """The card of a number that changed lights up and fades within 600 ms, whether or not the browser reports which cards it skips."""
    room = "flash-without" if missing else "flash"  # a balance that another test has lowered would be doubtful
    studio.post({"room_id": room, "tokens_count": 10})
    dashboard = visit(studio)
    dashboard.run_first(missing)
    dashboard.open(f"?q={room}", rooms=(room,)).live()
    assert dashboard.page.evaluate("'oncontentvisibilityautostatechange' in document.documentElement") == (missing == "")
    expect(dashboard.card(room)).to_be_visible()
    dashboard.page.evaluate(RECORD_FLASHES)
    studio.post({"room_id": room, "tokens_count": 20, "sequence": 1})
    expect(dashboard.card(room).locator(".tokens")).to_have_text("20")
    assert dashboard.page.evaluate("window.flashes") == [{"room": room, "id": "flash", "duration": 600}]


def test_nothing_flashes_for_who_prefers_reduced_motion(studio: Studio, visit: Opener) -> None:
    """The number changes all the same."""
    studio.post({"room_id": "calm", "tokens_count": 10})
    dashboard = visit(studio, reduced_motion="reduce").open("?q=calm").live()
    expect(dashboard.card("calm")).to_be_visible()
    dashboard.page.evaluate(RECORD_FLASHES)
    studio.post({"room_id": "calm", "tokens_count": 20, "sequence": 1})
    expect(dashboard.card("calm").locator(".tokens")).to_have_text("20")
    assert dashboard.page.evaluate("window.flashes") == []


def test_a_value_grows_old_before_ones_eyes(studio: Studio, visit: Opener) -> None:
    """A reading that passes 15 s turns stale on time, without any message."""
    card = visit(studio).open(rooms=("ageing",)).live().card("ageing")
    studio.post({"room_id": "ageing", "timestamp": int(time.time()) - 11})
    expect(card).to_have_attribute("data-status", "live")
    expect(card).to_have_attribute("data-status", "stale")
    expect(card.locator(".badge-word")).to_have_text("Stale")


def test_older_than_a_minute_is_off_air(studio: Studio, visit: Opener) -> None:
    """And it does not count among the rooms on air."""
    studio.post({"room_id": "gone", "timestamp": int(time.time()) - 61, "viewers_count": 9})
    dashboard = visit(studio).open("?q=gone", rooms=("gone",)).live()
    expect(dashboard.card("gone").locator(".badge-word")).to_have_text("Off air")
    expect(dashboard.page.locator('[data-kpi="live"] .kpi-value')).to_have_text("0")
    expect(dashboard.page.locator('[data-kpi="viewers"] .kpi-value')).to_have_text("—")


def test_a_wrong_browser_clock_changes_no_age(studio: Studio, visit: Opener, on_air: Callable[..., OnAir]) -> None:
    """A browser an hour ahead still sees a fresh value as fresh."""
    on_air({"room_id": "skewed"})
    dashboard = visit(studio)
    dashboard.run_first("const now = Date.now; Date.now = () => now() + 3600000;")
    expect(dashboard.open("?q=skewed").live().card("skewed")).to_have_attribute("data-status", "live")


def test_totals_count_what_was_earned_before_and_after_opening(studio: Studio, visit: Opener) -> None:
    """History gives the past, the socket goes on from there, and nothing is counted twice."""
    now = int(time.time())
    studio.post(*({"room_id": "sum", "timestamp": now - at, "tokens_count": tokens} for at, tokens in ((600, 100), (300, 130), (1, 150))))
    dashboard = visit(studio).open(rooms=("sum",)).live()
    hour = dashboard.page.locator('[data-kpi="hour"] .kpi-value')
    expect(hour).to_have_text("50")
    studio.post({"room_id": "sum", "timestamp": now + 1, "tokens_count": 175})
    expect(hour).to_have_text("75")


def test_a_card_draws_its_last_half_hour(studio: Studio, visit: Opener) -> None:
    """A bar a minute, taller for more, and the sum beside it; a minute without earnings is a dot, one without a reading a gap."""
    now = int(time.time())
    studio.post(*({"room_id": "spark", "timestamp": now - at, "tokens_count": tokens} for at, tokens in ((900, 10), (600, 40), (300, 100))))
    card = visit(studio).open(rooms=("spark",)).live().card("spark")
    expect(card.locator(".recent")).to_have_text("+90 in 30 min")
    heights = [float(height) for height in re.findall(r"v-([\d.]+)", card.locator(".spark path").get_attribute("d") or "")]
    assert [height > 1 for height in heights] == [False, True, True]
    assert heights[1:] == [15, 30]


def test_today_begins_at_the_readers_own_midnight(studio: Studio, visit: Opener) -> None:
    """Where it is another day already, earnings before midnight there belong to yesterday."""
    now = int(time.time())
    studio.post(*({"room_id": "day", "timestamp": now - at * 3600, "tokens_count": tokens} for at, tokens in ((6, 10), (5, 40), (0, 100))))
    hour = time.gmtime(now).tm_hour
    for local_hour, today in ((8, "90"), (2, "60")):
        zone = (hour - local_hour + 11) % 24 - 11  # the sign of Etc/GMT is turned round
        dashboard = visit(studio, timezone_id=f"Etc/GMT{zone:+d}").open(rooms=("day",)).live()
        expect(dashboard.page.locator('[data-kpi="today"] .kpi-value')).to_have_text(today)


def test_filters_live_in_the_address(studio: Studio, visit: Opener) -> None:
    """A search, a platform and an order survive a reload, and the token is not among them; a group says its name and how many it holds."""
    studio.post({"room_id": "find-a"}, {"room_id": "find-b", "platform": "stripchat"}, {"room_id": "find-c"})
    dashboard = visit(studio).open("?q=find-&group=platform").live()
    page = dashboard.page
    expect(page.locator(".group-title")).to_have_text([re.compile("^camsoda2"), re.compile("^stripchat1")])
    dashboard.move("")
    page.get_by_role("searchbox").fill("find-")
    page.get_by_role("radio", name="stripchat").check()
    page.get_by_label("Sort by").select_option("tokens")
    expect(page.locator(".card")).to_have_count(1)
    assert page.url.endswith("/?q=find-&platform=stripchat&sort=tokens")
    page.reload()
    expect(page.locator(".card")).to_have_count(1)
    expect(page.get_by_label("Sort by")).to_have_value("tokens")


def test_the_heat_map_is_walked_with_arrow_keys(studio: Studio, visit: Opener) -> None:
    """One tab stop, arrows from room to room, the meaning said, Enter opens the readings; below 100 rooms the cards are the overview."""
    studio.post(*({"room_id": f"heat-{n:03}", "tokens_count": 42} for n in range(100)))
    few = visit(studio).open(rooms=("heat-00*",)).live().page
    expect(few.locator(".card")).to_have_count(10)
    expect(few.locator("#heat-section")).to_be_hidden()
    few.close()
    page = visit(studio).open(rooms=("heat-*",)).live().page
    page.get_by_role("link", name="Why? heat-000, camsoda").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="Why? heat-001, camsoda")).to_be_focused()
    expect(page.get_by_role("tooltip")).to_contain_text("42 tokens")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Why? heat-001")).to_be_visible()
    expect(page.locator("#why-earned")).to_have_text("0")
    assert "view=why" in page.url


def test_what_needs_attention_beyond_the_first_rooms_is_a_button_away(studio: Studio, visit: Opener) -> None:
    """It names all of them, keeps the focus, and folds them again."""
    ended = int(time.time()) - 300  # one after another: of rooms that fall silent together the page says that collecting has stopped
    studio.post(*({"room_id": f"need-{n}", "timestamp": ended - 15 * n} for n in range(11)))
    page = visit(studio).open(rooms=("need-*",)).live().page
    expect(page.locator(".need")).to_have_count(8)
    more = page.locator(".need-more button")
    expect(more).to_have_text("3 more")
    more.press("Enter")
    expect(page.locator(".need")).to_have_count(11)
    expect(more).to_have_text("Show fewer")
    expect(more).to_be_focused()
    more.press("Enter")
    expect(page.locator(".need")).to_have_count(8)


def test_a_status_explains_itself(studio: Studio, visit: Opener) -> None:
    """The badge of a card says what its word means; a tap does too."""
    studio.post({"room_id": "why", "timestamp": int(time.time()) - 300})
    dashboard = visit(studio, has_touch=True).open("?q=why").live()
    dashboard.card("why").get_by_text("Off air").tap()
    expect(dashboard.page.get_by_role("tooltip")).to_contain_text("Nothing was read for more than a minute")


def test_one_place_explains_every_number_and_each_total_itself(studio: Studio, visit: Opener) -> None:
    """By a button or the question mark, which is a letter in the search; no term is there without its meaning, and Escape closes all."""
    dashboard = visit(studio).open().live()
    page = dashboard.page
    term = page.get_by_role("button", name="Tokens per hour")
    for ask in (term.hover, term.focus):
        ask()
        expect(page.get_by_role("tooltip")).to_contain_text("a cash-out subtracts nothing")
        expect(term).to_have_accessible_description(re.compile("last 60 minutes"))
        page.keyboard.press("Escape")
        expect(page.get_by_role("tooltip")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="What the numbers mean")).to_be_visible()
    assert dashboard.violations() == []
    assert all(page.locator("#legend :is(dt, dd)").all_inner_texts())
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="What the numbers mean").click()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("searchbox").press_sequentially("a?")
    expect(page.get_by_role("searchbox")).to_have_value("a?")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_page_that_wakes_up_asks_the_server_at_once(studio: Studio, visit: Opener) -> None:
    """A socket may have died in sleep: the page demands an answer instead of waiting for silence to grow long."""
    dashboard = visit(studio)
    dashboard.run_first(
        "window.sent = []; window.pongs = 0; const send = WebSocket.prototype.send;"
        "WebSocket.prototype.send = function (text) { window.sent.push(text); send.call(this, text);"
        " this.addEventListener('message', ({data}) => { if (data.includes('\"PONG\"')) window.pongs++; }, {once: true}); }"
    )
    page = dashboard.open().live().page
    for event in ("online", "pageshow"):
        before = page.evaluate("window.sent.length")
        page.evaluate("(type) => window.dispatchEvent(new Event(type))", event)
        assert page.evaluate("(before) => window.sent.slice(before)", before) == ['{"type":"ping"}']
        dashboard.wait("() => window.pongs === window.sent.length")  # one question at a time
    dashboard.live()


NAME = """([selector]) => {
  const [name, seen] = [selector, `${selector} .cut-name`].map((one) => document.querySelector(one));
  const [head, tail] = ['::before', '::after'].map((part) => parseFloat(getComputedStyle(seen, part).width));
  const natural = document.createRange();
  natural.selectNodeContents(name.querySelector('.unseen'));
  const [whole, place] = [natural, name].map((one) => one.getBoundingClientRect().width);
  return {text: name.textContent, title: name.title, tail: seen.dataset.tail, widths: {head, tail, whole, place}};
}"""


def test_a_name_without_room_is_cut_in_its_middle_and_said_whole(studio: Studio, visit: Opener) -> None:
    """Rooms that differ in their last word stay apart, on a card, in a row and on a wall; without a currency a card says no money."""
    rooms = [f"amber-blue-of-a-very-long-name-that-fits-nowhere-{n}" for n in (1, 2)]
    studio.post(*({"room_id": room} for room in rooms))
    page = visit(studio).open(rooms=("amber-blue-*",)).live().page
    for density, name in (("cards", ".room a"), ("table", "th a"), ("wall", ".wall-name")):
        if density == "wall":
            page.keyboard.press("w")
        else:
            page.locator("#density").select_option(density)
        for room in rooms:
            selector = f'[data-room="{room}"] {name}'
            expect(page.locator(selector)).to_have_text(room)
            seen = page.evaluate(NAME, [selector])
            widths = seen.pop("widths")
            assert seen == {"text": room, "title": room, "tail": room[-2:]}
            assert 0 < widths["tail"] < widths["head"] < widths["place"], (density, widths)
            seen_width = widths["head"] + widths["tail"]
            assert seen_width < widths["place"] + 1, (density, widths)
            assert (seen_width < widths["whole"] - 20) == (density != "wall"), (density, widths)  # two rooms have a wall to themselves
            if density != "wall":
                expect(page.get_by_role("link", name=room, exact=True)).to_be_visible()
            if density == "cards":
                expect(page.locator(f'[data-room="{room}"] .money')).to_be_empty()
