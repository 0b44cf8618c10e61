"""Variants of the platforms' pages, each with what a person would read there, in a real Chromium. One page, many variants."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Playwright

from tests.extension.browser import EXTENSION
from tests.support import needs

NAME: Final = '<a class="user_information_header_username">alice</a>'
TAB: Final = '<div id="users-tab-default">USERS (552)</div>'
OWN_CB: Final = ("chaturbate", "/b/alice/")
OWN_SC: Final = ("stripchat", "/start-broadcasting")
SETTINGS: Final = '<section id="broadcast-settings">Settings</section>'
SHOW: Final = """([platform, path, html]) => {
    builtClasses.clear(); searches.clear();
    document.body.innerHTML = html;
    const adapter = studioPulseAdapters.find((each) => each.platform === platform);
    const { tokens, viewers } = readMetrics(adapter, document, 1);
    const state = ownership(adapter, document, path);
    return { state, tokens: tokens.value ?? tokens.status, viewers: viewers.value ?? viewers.status };
}"""


def header(balance: str) -> str:
    """A Chaturbate header with this balance in it, and the rest of the own page."""
    return f'{NAME}<a class="tokencountlink"><span class="tokencount">{balance}</span> tokens</a>{TAB}'


def newer(balance: str) -> str:
    """The newer Chaturbate header."""
    return f'<a data-testid="user-information-username">alice</a><div data-testid="header-token-balance">{balance}</div>{TAB}'


def users(tab: str) -> str:
    """An own page with this users tab."""
    return f'{NAME}<span class="tokencount">1,234</span>{tab}'


def studio(balance: str = '<span class="tokens-amount">12.345</span>', viewers: str = "<span>58 espectadores</span>") -> str:
    """A Stripchat broadcast page."""
    return f'<div class="header-top">{balance}</div>{SETTINGS}<div class="player-viewers-count">{viewers}</div>'


# What the balance shows → what a person reads, "no" for anything but a number.
BALANCES: Final = {
    # plain
    "1,234": 1234,
    "<b>1,234</b>": 1234,
    "  1,234\n ": 1234,
    "0": 0,
    # parts that are not seen
    "<i style='display:none'>12</i>345": 345,
    "<i hidden>12</i>345": 345,
    "<i style='visibility:hidden'>12</i>345": 345,
    "<i style='opacity:0'>12</i>345": 345,
    "<i style='opacity:.01'>12</i>345": 345,
    "<i style='font-size:0'>12</i>345": 345,
    "<i style='color:transparent'>12</i>345": 345,
    "<i style='color:rgba(0,0,0,0)'>12</i>345": 345,
    "<i style='-webkit-text-fill-color:transparent'>12</i>345": 345,
    "<i style='position:absolute;left:-9999px'>12</i>345": 345,
    "<i style='position:absolute;width:1px;height:1px;overflow:hidden;clip:rect(0 0 0 0)'>12</i>345": 345,
    "<i style='position:absolute;clip-path:inset(50%)'>12</i>345": 345,
    "<i style='display:inline-block;width:0;overflow:hidden'>12</i>345": 345,
    "<i style='display:inline-block;height:0;overflow:hidden'>12</i>345": 345,
    "<i style='display:inline-block;max-height:0;overflow:clip'>12</i>345": 345,
    "<i style='display:inline-block;width:0;overflow:hidden'>12</i>3": 3,
    "<i style='display:inline-block;transform:scale(0)'>12</i>345": 345,
    "<i style='position:fixed;top:-200px'>12</i>345": 345,
    "<script>12</script>345": 345,
    "<template>12</template>345": 345,
    "<style>.x12{}</style>345": 345,
    "<noscript>12</noscript>345": "either",
    "<!-- 12 -->345": 345,
    "<details><summary>345</summary>12</details>": 345,
    "<dialog>12</dialog>345": 345,
    "<span style='text-indent:-9999px;display:inline-block;overflow:hidden;width:60px'>12</span>345": 345,
    # two numbers
    "<span>12</span> <span>345</span>": "no",
    "<span>12</span>\n<span>345</span>": "no",
    "<span>12 </span><span>345</span>": "no",
    "<span style='margin-right:20px'>12</span><span>345</span>": "no",
    "<div>12</div><div>345</div>": "no",
    "<span style='display:flex;gap:20px'><b>12</b><b>345</b></span>": "no",
    "<span style='display:inline-flex;flex-direction:row-reverse'><b>12</b><b>345</b></span>": "no",
    "12<sup>5</sup>": "no",
    "12<sub style='font-size:9px'>5</sub>": "no",
    "12<br>345": "no",
    "<s>500</s>300": "no",
    "<ins>12</ins><span style='font-size:30px'>345</span>": "no",
    # one number in several elements
    "<span>1</span><span>2</span><span>3</span>": 123,
    "<b>1</b>,<b>234</b>": 1234,
    "12&nbsp;345": 12345,
    "<span>12</span>&nbsp;<span>345</span>": 12345,
    "<span>12</span>&#8239;<span>345</span>": 12345,
    "12 345": 12345,
    # an odometer: each column holds all digits and shows one
    "<span style='display:inline-block;height:20px;line-height:20px;overflow:hidden;vertical-align:top'>"
    + "".join(f"<div style='margin-top:{-60 if d == 0 else 0}px'>{d}</div>" for d in range(10))
    + "</span><span style='line-height:20px;vertical-align:top'>45</span>": 345,
    # what a style sheet draws
    "<style>.z::after{content:'345'}</style><i class=z>12</i>": "no",
    "<style>.z::after{content:'k'}</style><i class=z>12</i>": "no",
    "<style>.z::before{content:'-'}</style><i class=z>12</i>": "no",
    "<style>.z{counter-reset:n 12}.z::after{content:counter(n)}</style><i class=z></i>": "no",
    "<style>.z::after{content:attr(title)}</style><i class=z title=345>12</i>": "no",
    "<style>.z::before{content:'\\e001'}</style><i class=z></i>345": 345,
    "<style>.z::after{content:' tk'}</style><i class=z>345</i>": 345,
    "<bdo dir=rtl>4321</bdo>": "no",
    "<span style='unicode-bidi:bidi-override;direction:rtl'>4321</span>": "no",
    "\u202e4321": "no",
    "<span style='-webkit-text-security:disc'>4321</span>": "no",
    # seen in any form
    "<span style='background:linear-gradient(red,blue);background-clip:text;-webkit-text-fill-color:transparent'>345</span>": 345,
    "<span style='display:inline-block;height:20px;overflow:hidden'><b>345</b></span>": 345,
    "<span style='display:inline-block;height:0'>345</span>": 345,
    "<span style='height:0;overflow:hidden;display:block'><b style='position:absolute'>345</b></span>": 345,
    "<div style='width:40px;height:20px;overflow:auto'><div style='height:900px'></div>345</div>": 345,
    "<span dir=rtl>345</span>": 345,
    "<span style='text-transform:uppercase'>345 tokens</span>": 345,
    "<span style='opacity:.5'>345</span>": 345,
    # words and sizes that make it another number
    "12.3k": "no",
    "12K": "no",
    "3M": "no",
    "12 mil": "no",
    "12 tis.": "no",
    "12 min": "no",
    "12½": "no",
    "…1": "no",
    "Nº 1,234": "no",
    "1,234 USD": "no",
    "$1,234": "no",
    "1,234.50": "no",
    "-5": "no",
    "12%": "no",
    "1,234 / 5,000": "no",
    "1,234 viewers": "no",
    "—": "no",
    "…": "no",
    "": "no",
    "<img alt=345>": "no",
    "<input value=345>": "no",
    "٣٤٥": 345,
    "\u06f1\u066c\u06f2\u06f3\u06f4": 1234,
}


@pytest.fixture(scope="module")
def page(playwright: Playwright) -> Iterator[Page]:
    browser = playwright.chromium.launch(executable_path=needs.headless_chromium(), args=["--no-sandbox"])
    page = browser.new_page()
    page.goto("data:text/html,<!doctype html><html lang=en><body></body></html>")
    for name in ("parse", "adapters", "visibility", "reader"):
        page.add_script_tag(path=EXTENSION / "content" / f"{name}.js")
    yield page
    browser.close()


def shown(page: Page, where: tuple[str, str], html: str) -> dict[str, Any]:
    """What the extension reads on a page with this HTML."""
    return page.evaluate(SHOW, [*where, html])  # type: ignore[no-any-return]


@pytest.mark.parametrize(("balance", "expected"), BALANCES.items())
def test_a_balance_reads_as_a_person_reads_it_or_not_at_all(page: Page, balance: str, expected: int | str) -> None:
    """In the older header and in the newer; the viewers beside it are read for any balance."""
    for build in (header, newer):
        read = shown(page, OWN_CB, build(balance))
        assert (read["state"], read["viewers"]) == ("own", 552)
        if expected == "no":
            assert isinstance(read["tokens"], str), read
        elif expected != "either":
            assert read["tokens"] == expected


VIEWERS: Final = {
    TAB: 552,
    '<div id="users-tab-default"><span>USERS</span> <span>(552)</span></div>': 552,
    '<div id="users-tab-default"><span>USERS <span>(</span><span>552</span><span>)</span></span></div>': 552,
    '<div id="users-tab-default">USERS (<b hidden>9</b>52)</div>': 52,
    '<div id="users-tab-default">USERS <b>12</b> <b>345</b></div>': "no",
    '<div id="users-tab-default">USERS (12 mii)</div>': "no",
    '<div id="users-tab-default">USERS (1.2k)</div>': 1200,
    '<div id="users-tab-default">USUARIOS (1.552)</div>': 1552,
    '<div id="users-tab-default">ПОЛЬЗОВАТЕЛИ (552)</div>': 552,
    '<div id="users-tab-default">USERS</div>': "no",
    '<div id="users-tab-default">USERS (—)</div>': "no",
    '<div data-testid="users-tab-default">USERS (552)</div>': 552,
    '<div data-paction-name="USERS">USERS (552)</div>': 552,
    TAB + '<div id="users-tab-default">Secret show</div>': 552,  # a user script clones the tab with its id
    '<div id="users-tab-default">Show buttons</div>' + TAB: 552,
    TAB + '<div id="users-tab-default">USERS (9)</div>': "no",
    '<div id="users-tab-default" hidden>USERS (9)</div>' + TAB: 552,
    TAB + '<div style="height:0;overflow:hidden"><div id="users-tab-default">USERS (9)</div></div>': 552,
    TAB + '<div style="position:absolute;left:-5000px"><div id="users-tab-default">USERS (9)</div></div>': 552,
    TAB + '<div style="opacity:.02"><div id="users-tab-default">USERS (9)</div></div>': 552,
    TAB
    + '<div style="display:grid;grid-template-rows:0fr"><div style="overflow:hidden;min-height:0" id="users-tab-default">USERS (9)</div></div>': 552,
    TAB + TAB: 552,
}


@pytest.mark.parametrize(("tab", "expected"), VIEWERS.items())
def test_viewers_read_as_a_person_reads_them_or_not_at_all(page: Page, tab: str, expected: int | str) -> None:
    """The balance beside them is read for any viewers."""
    read = shown(page, OWN_CB, users(tab))
    assert read["tokens"] == 1234
    assert isinstance(read["viewers"], str) if expected == "no" else read["viewers"] == expected, read


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (studio(), (12345, 58)),
        (studio(viewers="<span>58 viewers</span>"), (12345, 58)),
        (studio(viewers="<span>58 зрителей</span>"), (12345, 58)),
        (studio(viewers="<span>3万人</span>"), (12345, "unparsed")),
        (studio(viewers="<span>12 mil espectadores</span>"), (12345, "unparsed")),
        (studio('<b class="tokens-amount">12.345</b><b class="tokens-amount">7</b>'), (12345, 58)),  # sources take the first
        (studio('<b class="tokens-amount" hidden>7</b><b class="tokens-amount">12.345</b>'), (12345, 58)),
        (studio('<b class="tokens-amount" style="position:fixed;left:-500px">7</b><b class="tokens-amount">12.345</b>'), (12345, 58)),
        (studio("") + '<b class="tokens-amount">7</b>', ("missing", 58)),
        (studio(viewers="") + '<div class="model-chat-users-info-watching-now">58人が見ています</div>', (12345, 58)),
        (studio(viewers="") + '<div class="model-chat-users-info-watching-now">58 watching now</div>', (12345, 58)),
        (studio('<b class="tokens-amount">12.345 tk</b>'), (12345, 58)),
        (studio('<b class="tokens-amount">12,3k</b>'), ("unparsed", 58)),
    ],
)
def test_stripchat_reads_as_a_person_reads_it(page: Page, html: str, expected: tuple[int | str, int | str]) -> None:
    """Balance and viewers of a broadcast page."""
    read = shown(page, OWN_SC, html)
    assert (read["state"], read["tokens"], read["viewers"]) == ("own", *expected)


@pytest.mark.parametrize(
    ("what", "where", "html", "state"),
    [
        ("the own page", OWN_CB, header("1"), "own"),
        ("the newer header", OWN_CB, newer("1"), "own"),
        ("a name in another case", ("chaturbate", "/b/Alice/"), header("1"), "own"),
        ("a badge inside the name", OWN_CB, header("1").replace("alice", "alice <span>3</span>"), "own"),
        ("an empty hidden copy of the name first", OWN_CB, '<a hidden class="user_information_header_username"></a>' + header("1"), "own"),
        ("a hidden copy of another name first", OWN_CB, '<a hidden class="user_information_header_username">bob</a>' + header("1"), "own"),
        ("another broadcaster's path", ("chaturbate", "/b/carol/"), header("1"), "unproven"),
        ("a longer name", ("chaturbate", "/b/ali/"), header("1"), "unproven"),
        ("a name of two words", OWN_CB, header("1").replace("alice", "alice bob"), "unproven"),
        ("a name that goes on with digits", OWN_CB, header("1").replace("alice", "alice3"), "unproven"),
        ("the name only in hidden text", OWN_CB, header("1").replace(NAME, f"<div hidden>{NAME}</div>"), "unproven"),
        ("not logged in", OWN_CB, '<span class="tokencount">0</span>' + TAB, "unproven"),
        ("a viewer's page", ("chaturbate", "/alice/"), header("1"), "none"),
        ("a page below the own one", ("chaturbate", "/b/alice/settings/"), header("1"), "none"),
        ("Stripchat's broadcast page", OWN_SC, studio(), "own"),
        ("the settings of a user who is no model yet", OWN_SC, studio().replace("<section", "<section hidden"), "unproven"),
        ("collapsed settings", OWN_SC, studio().replace("<section", "<section style='height:0;overflow:hidden'"), "unproven"),
        (
            "settings in a collapsed box",
            OWN_SC,
            studio().replace(SETTINGS, f"<div style='height:0;overflow:hidden'>{SETTINGS}</div>"),
            "unproven",
        ),
        ("transparent settings", OWN_SC, studio().replace("<section", "<section style='opacity:0'"), "unproven"),
        ("settings out of reach", OWN_SC, studio().replace("<section", "<section style='position:absolute;left:-3000px'"), "unproven"),
        ("a path without settings", OWN_SC, '<div class="header-top"><b class="tokens-amount">40</b></div>', "unproven"),
        ("a viewer's room", ("stripchat", "/alice"), studio(), "none"),
        ("CamSoda's broadcast page", ("camsoda", "/broadcast"), '<video width="320" height="180"></video>', "own"),
        ("a page of a CamSoda broadcaster", ("camsoda", "/broadcaster/bob"), '<video width="320" height="180"></video>', "none"),
        ("a list of CamSoda broadcasters", ("camsoda", "/broadcasters-of-the-week"), '<video width="320" height="180"></video>', "none"),
        ("a hidden picture", ("camsoda", "/broadcast"), "<video hidden></video>", "unproven"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 and "<" not in value else "",
)
def test_a_page_is_the_own_one_only_where_that_is_visible(page: Page, what: str, where: tuple[str, str], html: str, state: str) -> None:
    """A page on an own path that is not proven own is not read, and can be named."""
    assert shown(page, where, html)["state"] == state, what


def test_there_are_more_than_sixty_variants_and_each_is_another_page() -> None:
    """The tables contain the promised cases."""
    assert len(BALANCES) + len(VIEWERS) > 100


@pytest.mark.parametrize("scale", [0.25, 1, 3])
def test_a_small_window_a_zoom_and_a_scrolled_page_hide_nothing(page: Page, scale: float) -> None:
    """What a person can scroll to is on the page."""
    page.set_viewport_size({"width": 320, "height": 200})
    html = f"<div style='zoom:{scale}'><div style='height:3000px'></div>{header('1,234')}<div style='height:3000px'></div></div>"
    assert shown(page, OWN_CB, html)["tokens"] == 1234
    page.evaluate("() => window.scrollTo(0, 1500)")
    assert page.evaluate("() => readMetrics(studioPulseAdapters[0], document, 2).tokens.value") == 1234
    page.evaluate("() => window.scrollTo(0, 99999)")
    assert page.evaluate("() => readMetrics(studioPulseAdapters[0], document, 3).tokens.value") == 1234
    page.set_viewport_size({"width": 1280, "height": 720})


def test_a_page_from_right_to_left_is_read(page: Page) -> None:
    """There the page goes on to the left, and what lies far to the right cannot be reached."""
    page.evaluate("() => { document.documentElement.dir = 'rtl'; }")
    wide = f"<div style='width:3000px'>{header('1,234')}</div>"
    assert shown(page, OWN_CB, wide)["tokens"] == 1234
    hidden = '<span class="tokencount" style="position:absolute;right:-5000px">77</span><span class="tokencount">1,234</span>'
    assert shown(page, OWN_CB, NAME + hidden)["tokens"] == 1234
    page.evaluate("() => { document.documentElement.dir = 'ltr'; }")


def test_a_body_that_scrolls_by_itself_hides_nothing(page: Page) -> None:
    """Single-page apps make the body the box that scrolls."""
    page.evaluate(
        "() => { document.documentElement.style.cssText = 'height:100%;overflow:hidden'; document.body.style.cssText = 'height:100%;overflow:auto'; }"
    )
    assert shown(page, OWN_CB, f"<div style='height:3000px'></div>{header('1,234')}")["tokens"] == 1234
    page.evaluate("() => { document.documentElement.style.cssText = ''; document.body.style.cssText = ''; }")
