"""Signing in with a link, by pairing and by a kept screen, in a real browser."""

import re

from playwright.sync_api import Page, expect

from tests.support.browser import Dashboard, Opener
from tests.support.studio import NO_ROOM, Studio
from tests.support.token_commands import run_tokens


def link(studio: Studio) -> str:
    """A sign-in link to the rooms of this test, as an operator prints it."""
    rooms = ",".join(studio.own_rooms or (NO_ROOM,))
    options = ("--url", studio.broadcast.url, "--subject", "owner", "--rooms", rooms)
    return run_tokens("link", *options, environment=studio.stack.environment(), check=True).stdout.strip()


def signed_in(studio: Studio, visit: Opener) -> Dashboard:
    """A browser that a link signed in."""
    dashboard = visit(studio)
    dashboard.page.goto(link(studio))
    return dashboard.live()


def another_tab(dashboard: Dashboard) -> Page:
    """A second tab of the same browser, at the plain address."""
    page = dashboard.context.new_page()
    page.goto(dashboard.studio.broadcast.url)
    return page


def test_a_link_signs_one_browser_in_and_leaves_no_trace_in_its_history(studio: Studio, visit: Opener) -> None:
    dashboard = visit(studio, records_requests=True)
    address = link(studio)
    dashboard.page.goto(address)
    dashboard.live()
    assert dashboard.page.url == f"{studio.broadcast.url}/"
    assert dashboard.page.evaluate("sessionStorage.length + localStorage.length") == 0
    assert dashboard.page.evaluate("document.cookie") == ""
    code = address.partition("#code=")[2]
    assert dashboard.urls
    assert not [url for url in dashboard.urls if code in url.partition("#")[0]]
    another = visit(studio, locale="en-US").page  # a used link is named
    another.goto(address)
    expect(another.get_by_role("alert")).to_contain_text("used before or has expired")


def test_a_kept_screen_needs_its_token_once(studio: Studio, visit: Opener) -> None:
    """The page stores nothing of it, and another tab is signed in."""
    dashboard = visit(studio)
    dashboard.page.goto(studio.broadcast.url)
    expect(dashboard.page.get_by_label("Keep this screen signed in")).to_be_checked()
    dashboard.page.get_by_label("Access token").fill(studio.token())
    dashboard.page.get_by_role("button", name="Open").click()
    dashboard.live()
    assert dashboard.page.evaluate("sessionStorage.length") == 0
    expect(another_tab(dashboard).locator("#link")).to_have_attribute("data-phase", "live")


def test_a_screen_that_is_not_kept_opens_this_tab_alone(studio: Studio, visit: Opener) -> None:
    dashboard = visit(studio)
    dashboard.page.goto(studio.broadcast.url)
    dashboard.page.get_by_label("Keep this screen signed in").uncheck()
    dashboard.page.get_by_label("Access token").fill(studio.token())
    dashboard.page.get_by_role("button", name="Open").click()
    dashboard.live()
    expect(another_tab(dashboard).get_by_label("Access token")).to_be_visible()


def test_new_tabs_and_reloads_are_signed_in_and_signing_out_signs_out_every_tab(studio: Studio, visit: Opener) -> None:
    dashboard = signed_in(studio, visit)
    dashboard.page.reload()
    dashboard.live()
    tab = another_tab(dashboard)
    expect(tab.locator("#link")).to_have_attribute("data-phase", "live")
    dashboard.page.get_by_role("button", name="Sign out").click()
    expect(dashboard.page.get_by_label("Access token")).to_be_visible()
    expect(tab.get_by_label("Access token")).to_be_visible()
    dashboard.page.reload()
    expect(dashboard.page.get_by_label("Access token")).to_be_visible()


def test_a_tv_is_paired_from_a_signed_in_page_and_signed_out_there(studio: Studio, visit: Opener) -> None:
    """The TV shows letters and a QR code, the owner types the letters, the TV shows the rooms; later the owner ends it."""
    studio.post({"room_id": "paired-1"})
    owner, tv = signed_in(studio, visit), visit(studio, viewport={"width": 1920, "height": 1080})
    tv.page.goto(f"{studio.broadcast.url}/?wall=1")
    tv.page.get_by_role("button", name="Pair it with letters").click()
    shown = tv.page.locator("#pairing-letters")
    expect(shown).to_have_text(re.compile(r"^[A-Z]{3} [A-Z]{3}$"))
    expect(tv.page.locator("#pairing-qr")).to_be_visible()
    assert tv.page.locator("#pairing-qr").evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 100
    assert tv.violations() == []
    owner.page.get_by_role("button", name="Screens").click()
    owner.page.get_by_label("Letters on the new screen").fill(shown.inner_text().lower())
    owner.page.keyboard.press("Enter")
    expect(owner.page.locator("#pair-about")).to_contain_text("Chrome · Linux, at the address 127.0.0.1")
    owner.page.get_by_label("Name of the screen").fill("Sala de espera")
    assert owner.violations() == []
    owner.page.get_by_role("button", name="Sign it in").click()
    expect(owner.page.get_by_role("alert").filter(has_text="The screen is signed in.")).to_be_visible()
    tv.live()
    expect(tv.page.locator('.wall-room[data-room="paired-1"]')).to_be_visible()
    expect(tv.page.locator("#screens-open")).to_be_hidden()
    owner.page.get_by_role("button", name="Close").click()
    owner.page.get_by_role("button", name="Screens").click()
    owner.page.get_by_role("button", name="Sign out: Sala de espera").click()
    expect(tv.page.get_by_label("Access token")).to_be_visible()
    expect(tv.page.locator(".wall-room")).to_have_count(0)


def test_a_scanned_code_opens_the_approval(studio: Studio, visit: Opener) -> None:
    """On a phone that is signed in; on one that is not, after signing in."""
    tv = visit(studio)
    tv.page.goto(studio.broadcast.url)
    tv.page.get_by_role("button", name="Pair it with letters").click()
    expect(tv.page.locator("#pairing-letters")).to_have_text(re.compile("[A-Z]"))
    letters = tv.page.locator("#pairing-letters").inner_text().replace(" ", "")
    phone = visit(studio, viewport={"width": 390, "height": 844})
    phone.page.goto(f"{studio.broadcast.url}/#pair={letters}")
    expect(phone.page.get_by_role("alert").filter(has_text="Sign in on this device first")).to_be_visible()
    phone.page.get_by_label("Access token").fill(studio.token())
    phone.page.keyboard.press("Enter")
    expect(phone.page.locator("#pair-about")).to_be_visible()
    phone.page.get_by_role("button", name="It is not mine").click()
    expect(tv.page.locator("#pairing-state")).to_contain_text("It is not mine")


def test_a_link_never_replaces_a_working_access_unasked(shared_studio: Studio, studio: Studio, visit: Opener) -> None:
    studio.post({"room_id": "mine-1"})
    shared_studio.post({"room_id": "other-1"})
    dashboard = signed_in(studio, visit)
    page = dashboard.page
    expect(page.locator(".card .room")).to_have_text(["mine-1"])
    other = studio.token(subject="stranger", rooms=("other-1",))
    for given in (f"token={other}", link(shared_studio.for_one_test(["other-1"])).partition("#")[2], "token=x.y.z"):
        page.evaluate("(given) => { location.hash = given; }", given)
        page.get_by_role("button", name="Stay as I am").click()
        expect(page.locator(".card .room")).to_have_text(["mine-1"])
    page.goto("about:blank")
    page.goto(f"{studio.broadcast.url}/#token={other}")
    page.get_by_role("button", name="Use the link").click()
    expect(page.locator(".card .room")).to_have_text(["other-1"])
