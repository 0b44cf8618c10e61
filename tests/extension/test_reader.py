"""The reader on a real DOM: visible, duplicate and removed elements. One page, many small cases."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Playwright

from tests.extension.browser import EXTENSION
from tests.support import needs

FOUND = "<p class='a'>552</p>"
HYPOTHESES = """[
    { id: 'first', css: '.a', pick: 'only', min: 0, max: 1000, verifiedOn: null },
    { id: 'second', css: '.b', pick: 'first', min: 0, max: 1000, verifiedOn: null },
]"""


@pytest.fixture(scope="module")
def page(playwright: Playwright) -> Iterator[Page]:
    browser = playwright.chromium.launch(executable_path=needs.headless_chromium(), args=["--no-sandbox"])
    page = browser.new_page()
    for name in ("parse", "adapters", "visibility", "reader"):
        page.add_script_tag(path=EXTENSION / "content" / f"{name}.js")
    yield page
    browser.close()


@pytest.mark.parametrize(
    ("what", "html", "expected"),
    [
        ("found", FOUND, {"status": "ok", "value": 552, "via": "first"}),
        ("nothing there", "", {"status": "missing"}),
        ("the first selector gone, the second found", "<p class='b'>7</p>", {"status": "ok", "value": 7, "via": "second"}),
        ("both there: the ranking decides", FOUND + "<p class='b'>7</p>", {"status": "ok", "value": 552, "via": "first"}),
        ("twice the same", FOUND + FOUND, {"status": "ok", "value": 552, "via": "first"}),
        ("twice, and different", FOUND + "<p class='a'>553</p>", {"status": "ambiguous", "via": "first"}),
        (
            "the first of several, where that is the rule",
            "<p class='b'>7</p><p class='b'>8</p>",
            {"status": "ok", "value": 7, "via": "second"},
        ),
        ("hidden by display", "<p class='a' style='display:none'>5</p>", {"status": "hidden", "via": "first"}),
        ("hidden by visibility", "<p class='a' style='visibility:hidden'>5</p>", {"status": "hidden", "via": "first"}),
        ("hidden by opacity", "<div style='opacity:0'><p class='a'>5</p></div>", {"status": "hidden", "via": "first"}),
        ("hidden by an ancestor", "<div hidden><p class='a'>5</p></div>", {"status": "hidden", "via": "first"}),
        ("a hidden copy beside a visible one", "<p class='a' hidden>5</p>" + FOUND, {"status": "ok", "value": 552, "via": "first"}),
        ("hidden, with a visible fallback", "<p class='a' hidden>5</p><p class='b'>7</p>", {"status": "ok", "value": 7, "via": "second"}),
        ("a dash, with a fallback", "<p class='a'>—</p><p class='b'>7</p>", {"status": "ok", "value": 7, "via": "second"}),
        ("an empty copy beside a full one", "<p class='a'></p>" + FOUND, {"status": "ok", "value": 552, "via": "first"}),
        ("unreadable, although a fallback is there", "<p class='a'>many</p><p class='b'>7</p>", {"status": "unparsed", "via": "first"}),
        ("beyond the bounds", "<p class='a'>1,001</p>", {"status": "out_of_range", "via": "first"}),
        ("negative", "<p class='a'>-5</p>", {"status": "out_of_range", "via": "first"}),
        ("two numbers in one text", "<p class='a'>5 of 9</p>", {"status": "ambiguous", "via": "first"}),
        ("a number in pieces", "<p class='a'><b>1</b>,<i>000</i></p>", {"status": "ok", "value": 1000, "via": "first"}),
        ("a script as text", "<p class='a'>&lt;script&gt;9&lt;/script&gt;</p>", {"status": "unparsed", "via": "first"}),
        ("a novel", f"<p class='a'>{'lorem ' * 5000} 5</p>", {"status": "unparsed", "via": "first"}),
    ],
)
def test_page_cases(page: Page, what: str, html: str, expected: dict[str, object]) -> None:
    """Each state of the page has its reading."""
    page.evaluate("html => { searches.clear(); document.body.innerHTML = html; }", html)
    assert page.evaluate(f"() => readMetric({HYPOTHESES}, document)") == expected, what


def test_every_selector_is_one_that_chromium_understands(page: Page) -> None:
    """No hypothesis throws on an ordinary page; a selector with a typing error would end every reading."""
    page.evaluate("() => { document.body.innerHTML = ''; }")
    statuses = page.evaluate(
        "() => studioPulseAdapters.flatMap((adapter) => Object.values(readMetrics(adapter, document)).map((m) => m.status))"
    )
    assert set(statuses) == {"missing"}


def test_a_node_that_was_replaced_is_read_anew(page: Page) -> None:
    """Nothing is remembered between two readings."""
    for value in (1, 2):
        page.evaluate("value => { document.body.innerHTML = `<p class='a'>${value}</p>`; }", value)
        assert page.evaluate(f"() => readMetric({HYPOTHESES}, document).value") == value


READ = "([platform, now]) => readMetrics(studioPulseAdapters.find((adapter) => adapter.platform === platform), document, now)"


def test_classes_with_a_build_suffix_are_matched(page: Page) -> None:
    """Stripchat's and CamSoda's class names end in something new at every release."""
    page.evaluate(
        """() => { builtClasses.clear(); searches.clear(); document.body.innerHTML = `<div class="header-top__x#A1"><b class="tokens-amount__y#B2">12.345</b></div>
            <div class="tokens-amount__y#B2">999</div><div class="player-viewers-count__z#C3"><span>58 人</span></div>`; }"""
    )
    metrics = page.evaluate(READ, ["stripchat", 1])
    assert (metrics["tokens"]["value"], metrics["viewers"]["value"]) == (12345, 58)
    page.evaluate("() => { document.body.innerHTML = '<div class=\"token-balance-9f\">77</div>'; }")
    assert page.evaluate(READ, ["camsoda", 1])["tokens"] == {"status": "ok", "value": 77, "via": "token-balance"}


def test_a_build_suffix_that_comes_late_or_changes_is_found_within_a_few_looks(page: Page) -> None:
    """A search for part of a class visits every element, so a look makes one such search at most once its first searches found nothing."""
    page.evaluate("() => { builtClasses.clear(); searches.clear(); document.body.innerHTML = ''; }")
    assert page.evaluate(READ, ["stripchat", 1])["tokens"]["status"] == "missing"
    for suffix, start in (("A1", 1000), ("B2", 20_000)):
        page.evaluate(
            """suffix => { document.body.innerHTML = `<div class="header-top__${suffix}"><b class="tokens-amount__${suffix}">7</b></div>
                <div class="player-viewers-count__${suffix}"><span>58</span></div>`; }""",
            suffix,
        )
        looks = [page.evaluate(READ, ["stripchat", start + 1000 * look]) for look in range(10)]
        assert (looks[-1]["tokens"]["value"], looks[-1]["viewers"]["value"]) == (7, 58)


def test_a_selector_that_was_long_absent_is_found_within_a_few_looks(page: Page) -> None:
    """It is searched for in turns; a found element is read again without a search, and another one beside it is found in time."""
    look = f"now => readMetric({HYPOTHESES}, document, now)"
    page.evaluate("() => { searches.clear(); document.body.innerHTML = '<p class=b>7</p>'; }")
    for now in range(0, 40_000, 1000):
        assert page.evaluate(look, now)["via"] == "second"
    page.evaluate("() => { document.body.innerHTML = '<p class=a>552</p><p class=b>7</p>'; }")
    assert [page.evaluate(look, 40_000 + now)["via"] for now in range(0, 4000, 1000)][-1] == "first"
    page.evaluate("() => { document.body.insertAdjacentHTML('beforeend', '<p class=a>9</p>'); }")
    assert [page.evaluate(look, 44_000 + now)["status"] for now in range(0, 7000, 1000)][-1] == "ambiguous"
    page.evaluate("() => { document.body.innerHTML = '<p class=a>8</p>'; }")
    assert page.evaluate(look, 51_000)["value"] == 8


def test_an_element_that_is_hidden_for_another_gives_way_at_the_next_look(page: Page) -> None:
    """A single-page app hides the old header and adds a new one."""
    look = f"now => readMetric({HYPOTHESES}, document, now)"
    page.evaluate("() => { searches.clear(); document.body.innerHTML = '<p class=a>1</p>'; }")
    assert page.evaluate(look, 0)["value"] == 1
    page.evaluate("() => { document.body.firstChild.hidden = true; document.body.insertAdjacentHTML('beforeend', '<p class=a>2</p>'); }")
    page.evaluate(look, 1000)
    assert page.evaluate(look, 2000)["value"] == 2
