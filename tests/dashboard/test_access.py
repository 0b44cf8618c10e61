"""Tokens: where they are kept, which rooms they open, and how the page behaves when they expire."""

import subprocess
import sys
import time

from playwright.sync_api import expect

from tests.support.browser import Dashboard, Opener
from tests.support.studio import Studio
from tools.processes import ROOT


def test_the_token_leaves_the_address_and_enters_no_other(studio: Studio, visit: Opener) -> None:
    """Neither the address bar nor any request or socket URL holds it; a reload still knows it."""
    token = studio.token()
    dashboard = visit(studio, records_requests=True).open(token=token).live()
    dashboard.page.reload()
    dashboard.live()
    assert dashboard.page.url == f"{studio.broadcast.url}/"
    assert dashboard.urls
    assert not [url for url in dashboard.urls if token in url.partition("#")[0]]


def test_without_a_token_a_form_asks_for_one(studio: Studio, visit: Opener) -> None:
    """It explains why pasted text is not accepted, and opens the studio with a valid token."""
    page = visit(studio).page
    page.goto(studio.broadcast.url)
    field = page.get_by_label("Access token")
    expect(field).to_be_focused()
    field.fill("hello")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("does not look like an access token")
    field.fill(studio.token())
    field.press("Enter")
    expect(page.locator("#link")).to_have_attribute("data-phase", "live")


PASTE = """([selector, text]) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData('text', text);
  document.querySelector(selector).dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true, cancelable: true}));
}"""


def test_a_pasted_link_needs_no_click(studio: Studio, visit: Opener) -> None:
    """Neither to open the studio nor to stay in it."""
    dashboard = visit(studio)
    page, link = dashboard.page, f"{studio.broadcast.url}/#token="
    page.goto(studio.broadcast.url)
    page.evaluate(PASTE, ["#gate-token", link + studio.token(ttl_seconds=60)])
    dashboard.live()
    expect(page.locator("#renew-words")).to_contain_text("Your access ends at")
    page.evaluate(PASTE, ["#renew-token", link + studio.token()])
    expect(page.locator("#renew-words")).to_contain_text("Access renewed")


def test_a_refused_token_is_not_tried_again(studio: Studio, visit: Opener) -> None:
    """A token for producers opens nothing: the form says so, and no further socket is opened."""
    dashboard = visit(studio)
    dashboard.page.clock.install()
    dashboard.open(token=studio.stack.token("ingest"))
    expect(dashboard.page.get_by_role("alert")).to_contain_text("expired or was revoked")
    dashboard.page.clock.run_for(120_000)
    assert len(dashboard.sockets) == 1


def test_a_token_that_ends_asks_for_the_next_and_hides_the_rooms(studio: Studio, visit: Opener) -> None:
    """Renewal is offered in time; when it is not taken up the session ends and no number stays."""
    studio.post({"room_id": "short"})
    dashboard = visit(studio).open(ttl_seconds=5, rooms=("short",))
    expect(dashboard.page.locator("#renew-words")).to_contain_text("Your access ends at")
    expect(dashboard.page.get_by_role("alert")).to_contain_text("expired or was revoked", timeout=12_000)
    expect(dashboard.page.locator(".card")).to_have_count(0)


def test_the_end_is_said_long_ahead_and_can_wait(studio: Studio, visit: Opener) -> None:
    """Half an hour before, without alarm; `Later` silences it, and nothing counts down aloud."""
    dashboard = visit(studio).open(ttl_seconds=1500).live()
    page = dashboard.page
    expect(page.locator("#renew")).to_have_attribute("data-tone", "calm")
    expect(page.locator("#renew-detail")).to_contain_text("In 24 min.")
    assert page.locator("#renew-detail").evaluate("(detail) => detail.closest('[role=status], [aria-live]')") is None
    assert dashboard.violations() == []
    page.get_by_role("button", name="Later").click()
    expect(page.locator("#renew")).to_be_hidden()


def sockets(dashboard: Dashboard) -> int:
    """How many sockets the page has opened."""
    return len(dashboard.sockets)


def test_access_is_renewed_in_place(studio: Studio, visit: Opener) -> None:
    """The new token goes over the open socket: no second one, no gap; a reload uses it."""
    dashboard = visit(studio).open(ttl_seconds=20).live()
    dashboard.page.locator("#renew-token").fill(studio.token())
    dashboard.page.get_by_role("button", name="Renew").click()
    expect(dashboard.page.locator("#renew-words")).to_contain_text("Access renewed")
    assert sockets(dashboard) == 1
    dashboard.page.reload()
    dashboard.live()
    expect(dashboard.page.locator("#renew")).to_be_hidden()


def test_a_new_link_in_the_address_bar_renews_in_place(studio: Studio, visit: Opener) -> None:
    """A new link opened in the same tab replaces the token, which leaves the address again."""
    dashboard = visit(studio).open("?wall=1", ttl_seconds=20).live()
    dashboard.page.evaluate("(token) => { location.hash = `token=${token}`; }", studio.token())
    dashboard.page.get_by_role("button", name="Use the link").click()
    expect(dashboard.page.locator("#renew-words")).to_contain_text("Access renewed")
    assert sockets(dashboard) == 1
    assert dashboard.page.url.endswith("/?wall=1")


def test_what_is_no_token_and_what_is_refused_is_said_in_words(studio: Studio, visit: Opener) -> None:
    """And the session goes on with the token it has."""
    dashboard = visit(studio).open(ttl_seconds=60).live()
    words = dashboard.page.locator("#renew-words")
    for pasted, answer in (("hello", "does not look like"), (studio.stack.token("ingest"), "was not accepted")):
        dashboard.page.locator("#renew-token").fill(pasted)
        dashboard.page.get_by_role("button", name="Renew").click()
        expect(words).to_contain_text(answer)
    dashboard.live()
    assert sockets(dashboard) == 1


def test_a_token_of_another_subject_begins_anew(studio: Studio, visit: Opener) -> None:
    """It cannot continue the session, so the page begins one with it, and what the old one saw is gone."""
    studio.post({"room_id": "sub-a"}, {"room_id": "sub-b"})
    dashboard = visit(studio).open(ttl_seconds=60, rooms=("sub-a",)).live()
    expect(dashboard.card("sub-a")).to_be_visible()
    dashboard.page.locator("#renew-token").fill(studio.token(subject="another", rooms=("sub-b",)))
    dashboard.page.get_by_role("button", name="Renew").click()
    expect(dashboard.page.locator(".card .room")).to_have_text(["sub-b"])
    expect(dashboard.page.locator("#renew-words")).to_contain_text("Access renewed")


def test_a_narrower_renewal_takes_its_rooms_out_of_every_number(studio: Studio, visit: Opener) -> None:
    """The cards, the heat map and the sums that the wider token had seen."""
    now = int(time.time())
    studio.post(*({"room_id": room, "timestamp": now - ago, "tokens_count": 90 - ago} for room in ("less-a", "less-b") for ago in (70, 10)))
    dashboard = visit(studio).open(ttl_seconds=60, rooms=("less-a", "less-b")).live()
    expect(dashboard.page.locator('[data-kpi="hour"] .kpi-value')).to_have_text("120")
    dashboard.page.locator("#renew-token").fill(studio.token(rooms=("less-a",)))
    dashboard.page.get_by_role("button", name="Renew").click()
    expect(dashboard.page.locator(".card .room")).to_have_text(["less-a"])
    expect(dashboard.page.locator('[data-kpi="hour"] .kpi-value')).to_have_text("60")


def test_a_token_for_two_rooms_sees_two_rooms_everywhere(studio: Studio, visit: Opener) -> None:
    """In the cards, the heat map, the totals, the ranking, the history and the reports behind them; a link to a third says so in words."""
    now = int(time.time())
    rooms, own = ("own-1", "own-2", "foreign"), ("own-1", "own-2")
    studio.post(*({"room_id": room, "timestamp": now - ago, "tokens_count": 300 - ago} for room in rooms for ago in (200, 80, 5)))
    dashboard = visit(studio).open(rooms=own, ttl_seconds=3600).live()
    page = dashboard.page
    expect(page.locator(".card .room")).to_have_text(list(own))
    expect(page.locator("#heat .cell")).to_have_count(2)
    expect(page.locator('[data-kpi="live"] .kpi-sub')).to_have_text("of 2 rooms")
    expect(page.locator('[data-kpi="hour"] .kpi-value')).to_have_text("390")
    page.get_by_role("link", name="Analytics").click()
    expect(page.locator("#analytics-rows th a")).to_have_text(list(own))
    expect(page.locator("#fact-total")).to_have_text("390")
    for room, status in (*((room, 200) for room in own), ("foreign", 403)):
        assert studio.get(f"/api/tracking/telemetry/{room}/camsoda/history", rooms=own)[0] == status
        assert studio.get(f"/api/tracking/telemetry/{room}/camsoda", rooms=own)[0] == status
    dashboard.move("?view=room&room=foreign&on=camsoda")
    expect(page.locator("#room-state")).to_have_text("Your token does not cover this.")
    expect(page.locator("#renew")).to_be_hidden()  # the end of an access of an hour is not announced


def test_the_export_holds_the_scope_and_nothing_else(studio: Studio, visit: Opener) -> None:
    """The CSV that a person downloads has the rooms of the token and no others."""
    now = int(time.time())
    rooms = ("csv-own", "-csv-own", "csv-foreign")
    studio.post(*({"room_id": room, "timestamp": now - ago, "tokens_count": 500 - ago} for room in rooms for ago in (300, 100)))
    download = visit(studio).open("?view=analytics", rooms=rooms[:2]).live().exported("CSV for programs")
    lines = [line.split(",") for line in download.path().read_text().splitlines()]
    assert lines[0][:7] == ["start", "room_id", "platform", "earned", "account", "unsettled", "set_aside"]
    assert {line[1] for line in lines[1:]} == {"csv-own", "'-csv-own"}
    assert sum(int(line[3]) for line in lines[1:]) == 400


def test_a_revoked_token_hides_the_rooms_within_seconds(studio: Studio, visit: Opener) -> None:
    """Its holder sees no numbers any more, and the page says why."""
    studio.post({"room_id": "revoked"})
    token = studio.token(rooms=("revoked",))
    dashboard = visit(studio).open(token=token).live()
    expect(dashboard.card("revoked")).to_be_visible()
    command = [sys.executable, "-m", "shared.tokens", "revoke", token]
    subprocess.run(command, cwd=ROOT, env=studio.stack.environment(), check=True, capture_output=True, timeout=60)
    expect(dashboard.page.get_by_role("alert")).to_contain_text("expired or was revoked")
    expect(dashboard.page.locator(".card, #heat .cell")).to_have_count(0)


def test_no_request_stays_open(studio: Studio, visit: Opener) -> None:
    """Opening with a refused and with a valid token, reports and signing out leave no connection to the server in use."""
    dashboard = visit(studio)
    page, unfinished = dashboard.page, set[str]()
    page.on("request", lambda request: unfinished.add(request.url))
    page.on("requestfinished", lambda request: unfinished.discard(request.url))
    page.on("requestfailed", lambda request: unfinished.discard(request.url))
    dashboard.open(token=studio.stack.token("ingest"))
    expect(page.get_by_role("alert")).to_contain_text("expired or was revoked")
    page.wait_for_load_state("networkidle", timeout=8000)
    dashboard.open("?view=analytics").live()
    page.wait_for_load_state("networkidle", timeout=8000)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Access token")).to_be_visible()
    page.wait_for_timeout(1000)  # an open request would be ended after ten
    assert unfinished == set()


def test_signing_out_forgets_everything(studio: Studio, visit: Opener) -> None:
    """No room stays on the page and a reload asks for a token."""
    studio.post({"room_id": "bye"})
    page = visit(studio).open(rooms=("bye",)).live().page
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator(".card")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Access token")).to_be_visible()
